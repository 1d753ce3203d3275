//! What a snapshot in the plain manner would take of a folder, for those who compare one with it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::fs::fstat;

use crate::ops::disk::{self, is_temporary_name};
use crate::ops::paths;
use crate::repo::Repository;

use super::root::Root;
use super::rules::{Chain, IGNORE_FILE, Rules};
use super::walk::{FolderIdentity, is_gone};
use super::{Options, SnapshotError, own_folders};

/// The rules by which a snapshot of a folder is made in the plain manner: the user's patterns and the
/// `.revuignore` files; the repository itself and what a killed restore has left do not count.
#[derive(Debug)]
pub struct PlainFolder {
    root: Root,
    rules: Rules,
    own: Vec<FolderIdentity>,
    /// Of each folder that was met, whether it is entered and which rules hold in it.
    folders: Mutex<HashMap<String, Entered>>,
}

/// `None`: it is not entered.
type Entered = Option<Option<Arc<Chain>>>;

impl PlainFolder {
    /// The rules for `folder` in its state of now. Of the options only what is left out counts.
    ///
    /// # Errors
    /// [`SnapshotError`], as for a snapshot.
    pub fn new(repo: &Repository, folder: &Path, options: &Options) -> Result<Self, SnapshotError> {
        let not_a_folder = |cause| SnapshotError::NotAFolder { folder: folder.into(), cause };
        let canonical = folder.canonicalize().map_err(not_a_folder)?;
        Ok(Self {
            root: Root::open(&canonical).map_err(not_a_folder)?,
            rules: Rules::plain(&options.excludes, &options.exclude_from)?,
            own: own_folders(repo, &canonical, options)?,
            folders: Mutex::default(),
        })
    }

    /// What the user should know of his rules, a sentence each; complete after the walk.
    pub fn notes(&self) -> Vec<String> {
        self.rules.notes()
    }

    fn folder(&self, path: &str) -> Entered {
        if let Some(known) = self.folders.lock().get(path) {
            return known.clone();
        }
        let entered = self.look(path);
        self.folders.lock().insert(path.to_owned(), entered.clone());
        entered
    }

    fn look(&self, path: &str) -> Entered {
        let absolute = absolute(path);
        let above = match path {
            "" => None,
            _ => {
                let (above, name) = paths::split(path);
                let chain = self.folder(above)?;
                if !self.rules.enters(&absolute, name, chain.as_ref()) {
                    return None;
                }
                chain
            }
        };
        if !self.own.is_empty()
            && let Ok(stat) = self.root.folder(&absolute).and_then(|dir| Ok(fstat(&dir)?))
            && self.own.contains(&FolderIdentity::from(&stat))
        {
            return None;
        }
        match self.root.file(&format!("{absolute}/{IGNORE_FILE}")) {
            Err(e) if is_gone(&e) => Some(above),
            _ => Some(self.rules.chain(&self.root, &absolute, above)),
        }
    }
}

impl disk::Rules for PlainFolder {
    fn enters(&self, folder: &str) -> bool {
        self.folder(folder).is_some()
    }

    fn takes(&self, file: &str) -> bool {
        let (folder, name) = paths::split(file);
        let Some(chain) = self.folder(folder) else { return false };
        !is_temporary_name(name) && self.rules.takes(&absolute(file), name, chain.as_ref())
    }

    fn stays(&self, _: &str) -> bool {
        false
    }
}

/// A path as rules and the root know it: with a slash before it, and empty for the root.
fn absolute(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("/{path}") }
}
