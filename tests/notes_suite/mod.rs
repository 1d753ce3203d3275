//! See `tests/notes.rs`.

mod cli;
mod encrypted;
mod markdown;
mod mounted;
mod support;
mod versions;
mod view;
