//! Notes of SiYuan: what is in their files, what they are called, and how they read as Markdown.
//!
//! Pure functions of bytes: nothing here knows where a note comes from. What a note needs of others
//! (embedded blocks, databases) it asks of a [`markdown::Library`]. Facts are those of SiYuan 3.7.3.

pub mod crypt;
pub mod databases;
pub mod head;
pub mod json;
pub mod kind;
pub mod markdown;
pub mod names;
pub mod notebook;
mod spec;
pub mod text;
pub mod tree;

pub use head::Head;
pub use notebook::Notebook;
pub use tree::{NoteError, Tree};
