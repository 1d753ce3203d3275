//! Notes of SiYuan by their names, as Markdown.
//!
//! ```text
//! notes/<snapshot>/<notebook>/Garden.md
//! notes/<snapshot>/<notebook>/Garden/Tomatoes.md
//! notes/<snapshot>/<notebook>/assets -> ../../../ids/<snapshot's ID>/assets, or a folder: see `assets`
//! ```

mod assets;
mod assets_view;
pub mod dirs;
pub mod engine;
pub mod facts;
mod gate;
mod kept;
mod library;
mod links;
pub mod shelf;
mod text_cache;
mod unlock;
mod view;

pub use assets::{ASSETS, Attached, Attachment};
pub use engine::Engine;
pub use facts::{Fact, FactKey, Facts, Forgetful};
pub use kept::KeptFacts;
pub use links::Shown;
pub use shelf::Shelf;
pub use unlock::{UnlockError, unlock};
pub use view::{NotesView, Place};

use std::path::Path;
use std::sync::Arc;

use crate::repo::Repository;
use crate::siyuan::notes::crypt::Vault;

/// What is remembered of a repository's notes between runs: what is kept in this folder, or nothing.
pub fn facts_in(folder: Option<&Path>, repo: &Arc<Repository>) -> Arc<dyn Facts> {
    match folder {
        Some(folder) => Arc::new(KeptFacts::new(folder, Arc::clone(repo))),
        None => Arc::new(Forgetful),
    }
}

/// How notes are shown.
pub struct NotesOptions {
    /// Whether there is a view of notes at all.
    pub shown: bool,
    /// References are links to the notes' files, and not their text alone.
    pub links: bool,
    /// Keys of encrypted notebooks.
    pub vault: Vault,
    /// What is remembered of notes between runs.
    pub facts: Arc<dyn Facts>,
}

impl Default for NotesOptions {
    fn default() -> Self {
        Self { shown: true, links: false, vault: Vault::default(), facts: Arc::new(Forgetful) }
    }
}

impl std::fmt::Debug for NotesOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NotesOptions").field("links", &self.links).finish_non_exhaustive()
    }
}
