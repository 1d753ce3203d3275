//! See `tests/notes.rs`.

mod markdown;
mod support;
mod view;
