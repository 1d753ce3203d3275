//! Notes by their names, as Markdown: against what SiYuan itself exports, and in snapshots of our own.

mod common;
#[path = "notes_suite/mod.rs"]
mod suite;
