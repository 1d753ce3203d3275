//! See `tests/notes.rs`.

mod encrypted;
mod markdown;
mod support;
mod view;
