//! What every command is given: the options, the environment, standard output, the repository.

use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::format::RepoKey;
use crate::repo::{Options, Repository, Snapshots};
use crate::store::Store;
use crate::ui::progress::Progress;
use crate::ui::{Look, Out};

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

    /// Finds the repository and the key, and opens it.
    ///
    /// # Errors
    /// Where there is none, the key is missing or wrong, or it cannot be read.
    pub fn open(&self, hint: Option<&Path>) -> Result<Repository, Failure> {
        let located = self.locate(hint)?;
        let key = self.key(&located)?;
        Ok(Repository::open(Store::local(located.repo), &key, Options::default())?)
    }

    /// The repository and its snapshots as they are now.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn snapshots(&self, hint: Option<&Path>) -> Result<(Repository, Arc<Snapshots>), Failure> {
        let repo = self.open(hint)?;
        let snapshots = repo.snapshots()?;
        Ok((repo, snapshots))
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
