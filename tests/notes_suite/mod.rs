//! See `tests/notes.rs`.

mod assets;
mod bounds;
mod cli;
mod encrypted;
mod facts;
mod markdown;
mod mounted;
mod support;
mod terminal;
mod versions;
mod view;
