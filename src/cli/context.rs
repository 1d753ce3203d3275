//! What every command is given: the options, the environment, standard output, the repository.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::format::{IndexId, RepoKey};
use crate::ops::keys::Access;
use crate::repo::{Damaged, Options, Repository, Snapshots};
use crate::store::Store;
use crate::ui::progress::Progress;
use crate::ui::{Look, Out};
use crate::vfs::notes::{self, Facts};

use super::args::Global;
use super::env::Environment;
use super::error::{End, Failure, damaged, shown};
use super::key;
use super::locate::{Located, locate};

/// See the module's documentation.
#[derive(Debug)]
pub struct Context {
    /// Options of every command.
    pub global: Global,
    /// What the environment says.
    pub environment: Environment,
    /// Standard output.
    pub out: Out,
    /// How standard error looks.
    pub stderr: Look,
    /// The zone of the times that people read and write.
    pub zone: TimeZone,
}

impl Context {
    /// The repository that is meant, see [`locate()`].
    ///
    /// # Errors
    /// As [`locate()`].
    pub fn locate(&self, hint: Option<&Path>) -> Result<Located, Failure> {
        locate(&self.global, &self.environment, hint)
    }

    /// The key for it, see [`key::find`].
    ///
    /// # Errors
    /// As [`key::find`].
    pub fn key(&self, located: &Located) -> Result<RepoKey, Failure> {
        key::find(&self.global, &self.environment, located)
    }

    /// The key for it and the slot that gave it, see [`key::find`].
    ///
    /// # Errors
    /// As [`key::find`].
    pub fn access(&self, located: &Located) -> Result<Access, Failure> {
        key::access(&self.global, &self.environment, located)
    }

    /// Finds the repository and the key, and opens it.
    ///
    /// # Errors
    /// Where there is none, the key is missing or wrong, or it cannot be read.
    pub fn open(&self, hint: Option<&Path>) -> Result<Repository, Failure> {
        Ok(self.open_located(&self.locate(hint)?)?.0)
    }

    /// Finds the key of a repository, and opens it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_located(&self, located: &Located) -> Result<(Repository, RepoKey), Failure> {
        let key = self.key(located)?;
        let repo = Repository::open(Store::local(&located.repo), &key, Options::default())?;
        if let Some(folder) = self.catalogs() {
            repo.keep_catalogs_in(&folder);
        }
        if let Some(folder) = self.heads() {
            repo.keep_heads_in(&folder, false);
        }
        Ok((repo, key))
    }

    /// The repository and its snapshots as they are now.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn snapshots(&self, hint: Option<&Path>) -> Result<(Repository, Arc<Snapshots>), Failure> {
        let repo = self.open(hint)?;
        let snapshots = repo.snapshots()?;
        name_refs(&snapshots);
        Ok((repo, snapshots))
    }

    /// The folder of what may be kept between runs to save time. `None` where the user wants none, or
    /// no place is known.
    pub fn cache(&self) -> Option<PathBuf> {
        if self.global.no_cache {
            return None;
        }
        let own = || Some(self.environment.cache.as_ref()?.join("revu"));
        self.global.cache_dir.clone().or_else(own)
    }

    /// The folder of the states that tell a snapshot which files are as they were, see
    /// [`snapshot`](crate::ops::snapshot).
    pub fn states(&self) -> Option<PathBuf> {
        self.cache().map(|cache| cache.join("states"))
    }

    /// The folder of what is known of the files of snapshots, see
    /// [`Repository::keep_catalogs_in`].
    pub fn catalogs(&self) -> Option<PathBuf> {
        self.cache().map(|cache| cache.join("catalogs"))
    }

    /// The folder of what the list of snapshots says, see [`Repository::keep_heads_in`].
    pub fn heads(&self) -> Option<PathBuf> {
        self.cache().map(|cache| cache.join("heads"))
    }

    /// What is remembered of the notes of a repository between runs.
    pub fn facts(&self, repo: &Arc<Repository>) -> Arc<dyn Facts> {
        notes::facts_in(self.facts_folder().as_deref(), repo)
    }

    /// The folder of that.
    pub fn facts_folder(&self) -> Option<PathBuf> {
        self.cache().map(|cache| cache.join("notes"))
    }

    /// A bar for what may take a while.
    pub fn progress(&self, what: &'static str, total: usize) -> Progress {
        Progress::new(what, total, self.stderr, !self.global.quiet && !self.global.json)
    }

    /// Tells a failure at once, for a command that goes on after it.
    pub fn tell(&self, failure: &Failure) {
        let verbose = self.global.verbose > 0;
        crate::ui::log::tell(&shown(failure, self.global.json, verbose, self.stderr));
    }

    /// The end of a command that has done what it could, where `things` are damaged and each has been
    /// named.
    ///
    /// # Errors
    /// Exit code 3 where there is damage.
    pub fn done(&self, things: usize) -> Result<(), End> {
        if things == 0 { Ok(()) } else { Err(damaged(things).into()) }
    }
}

/// Names the refs that lead to something damaged. The repository tells once of each damaged snapshot,
/// and of one ref that names it; a user wants to know them all.
fn name_refs(snapshots: &Snapshots) {
    let mut told: HashSet<IndexId> = HashSet::new();
    for damaged in &snapshots.damaged {
        match damaged {
            Damaged::Index(error) => {
                told.insert(IndexId(error.id));
            }
            Damaged::Dangling { key, id } if !told.insert(*id) => {
                ::log::error!("{key} names snapshot {id}, which cannot be used");
            }
            Damaged::Dangling { .. } | Damaged::Ref(_) => {}
        }
    }
}
