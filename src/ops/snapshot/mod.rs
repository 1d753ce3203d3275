//! Makes a snapshot of a folder: as SiYuan would of a workspace's data, or of any folder.
//!
//! # What is read
//!
//! The walk looks at every file; what is still in the state in which the last snapshot read it
//! is not read again. That state is kept in a small local file that is disposable
//! ([`Options::states`]); without it, a file is believed to be unchanged if its size and its time to
//! the millisecond are those of its record and nothing has touched it since the snapshot before. A file that was touched within two seconds before it was read is read again
//! the next time: its file system's clock may be too coarse to tell one change from the next.
//!
//! # Times
//!
//! A record's ID knows a file's time in whole seconds alone, so two contents of one file within a
//! second would have one ID (and DejaVu loses the second). Here the second one's time moves on to
//! the next second that is free.
//!
//! # What is written, and when
//!
//! Chunks, then records, then the index, then the refs, each durable before the next: whatever the
//! moment of a crash, every index that a ref names is whole. What a crash leaves behind is used by the
//! next run, or removed by a purge.

mod bare;
mod base;
mod chunks;
mod error;
mod groups;
mod lines;
mod lock;
mod on_disk;
mod pool;
mod publish;
mod read;
mod records;
mod root;
mod rules;
mod state;
mod summary;
mod walk;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::format::cut::Cutting;
use crate::format::{Index, IndexId};
use crate::ops::{Monitor, Unit};
use crate::repo::Repository;
use crate::siyuan::{Device, Workspace, WorkspaceLock};
use crate::store::lock::Lock;

use bare::Bare;
use base::{Base, BaseFiles};
use chunks::Chunks;
use lines::Lines;
use read::FileReader;
use root::Root;
use rules::Rules;
use state::{Place, State};
use walk::{FolderIdentity, Walked, walk};

pub use error::SnapshotError;
pub use on_disk::PlainFolder;
pub use rules::{IGNORE_FILE, RulesError};
pub use summary::{Counts, FileProblem, ProblemKind, SkipKind, Skipped, SkippedKind, Summary};

/// What a snapshot says of itself where the user says nothing.
pub const DEFAULT_MEMO: &str = "[revu] snapshot";

/// In whose manner a snapshot is made.
#[derive(Debug, Clone)]
pub enum Profile {
    /// SiYuan's: its walk and rules, its chunk boundaries, `full-latest.json`.
    Siyuan {
        /// The workspace that the folder belongs to: SiYuan must not run on it, and cannot start
        /// meanwhile.
        workspace: Option<Workspace>,
    },
    /// Our own, for any folder: rules in the manner of gitignore, and no name in plain text.
    Plain {
        /// Where files are cut.
        cutting: Cutting,
    },
}

/// How a snapshot is made.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What it says of itself.
    pub memo: String,
    /// Tags to put on it.
    pub tags: Vec<String>,
    /// Which device it says to be of.
    pub device: Device,
    /// Further patterns of what is left out, in the profile's syntax; they have the last word.
    pub excludes: Vec<String>,
    /// Files of more such patterns, one a line, which come after them.
    pub exclude_from: Vec<PathBuf>,
    /// Do all but writing.
    pub dry_run: bool,
    /// The folder of the local states, see the module; `None` for none.
    pub states: Option<PathBuf>,
    /// How long to wait for a purge or another snapshot; two seconds at the least.
    pub wait: Duration,
}

/// One run.
struct Run<'a> {
    repo: &'a Repository,
    profile: &'a Profile,
    options: &'a Options,
    monitor: &'a dyn Monitor,
    root: Root,
    siyuan: Option<WorkspaceLock>,
    began: SystemTime,
    /// The same, milliseconds since 1970.
    created: i64,
    state: Option<Place>,
    summary: Summary,
}

/// Makes a snapshot of `folder`.
///
/// # Errors
/// [`SnapshotError`]: then the repository is as it was, but for objects that nothing refers to. A
/// file that cannot be read is no error, see [`Summary::problems`].
pub fn snapshot(
    repo: &Repository,
    folder: &Path,
    profile: &Profile,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<Summary, SnapshotError> {
    let began = SystemTime::now();
    publish::check_tags(repo.store(), &options.tags)?;
    let not_a_folder = |cause| SnapshotError::NotAFolder { folder: folder.into(), cause };
    let canonical = folder.canonicalize().map_err(not_a_folder)?;
    let root = Root::open(&canonical).map_err(not_a_folder)?;
    let own = own_folders(repo, &canonical, options)?;
    let rules = match profile {
        Profile::Siyuan { .. } => {
            Rules::siyuan(&canonical, &options.excludes, &options.exclude_from)?
        }
        Profile::Plain { .. } => Rules::plain(&options.excludes, &options.exclude_from)?,
    };
    let siyuan = match profile {
        Profile::Siyuan { workspace: Some(workspace) } if !options.dry_run => {
            Some(WorkspaceLock::acquire(workspace)?)
        }
        _ => None,
    };
    let repository = repo.store().folder().and_then(|folder| folder.canonicalize().ok());
    let repository = repository.map_or_else(|| repo.store().place(), |f| f.display().to_string());
    let states = options.states.as_deref();
    let mut run = Run {
        repo,
        profile,
        options,
        monitor,
        root,
        siyuan,
        began,
        created: milliseconds(began),
        state: states.map(|states| Place::new(states, &repository, &canonical)),
        summary: Summary::default(),
    };
    let walked = walk(&run.root, &rules, &own, monitor);
    run.check_stopped()?;
    run.summary.notes = rules.notes();
    if walked.files.is_empty() {
        if matches!(profile, Profile::Siyuan { .. }) {
            return Err(SnapshotError::NoFiles { folder: folder.into() });
        }
        run.summary.notes.push(format!("there is no file in {}", folder.display()));
    }
    run.compare_and_store(walked)
}

/// Milliseconds since 1970.
fn milliseconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
    }
}

/// The folders that are never part of a snapshot: the repository, and the states.
fn own_folders(
    repo: &Repository,
    folder: &Path,
    options: &Options,
) -> Result<Vec<FolderIdentity>, SnapshotError> {
    let repository = repo.store().folder();
    if let Some(repository) = repository.and_then(|r| r.canonicalize().ok())
        && folder.starts_with(&repository)
    {
        return Err(SnapshotError::InRepository { folder: folder.into(), repository });
    }
    let own = [repository, options.states.as_deref()];
    Ok(own.into_iter().flatten().filter_map(FolderIdentity::of).collect())
}

impl Run<'_> {
    fn is_siyuan(&self) -> bool {
        matches!(self.profile, Profile::Siyuan { .. })
    }

    fn cutting(&self) -> Cutting {
        match self.profile {
            Profile::Siyuan { .. } => Cutting::Rabin,
            Profile::Plain { cutting, .. } => *cutting,
        }
    }

    fn check_stopped(&self) -> Result<(), SnapshotError> {
        if self.monitor.stopped() { Err(SnapshotError::Stopped) } else { Ok(()) }
    }

    fn load_state(&self) -> Option<State> {
        self.state.as_ref().and_then(|place| place.load(self.repo.objects().cipher()))
    }

    fn save_state(&self, lines: &Lines<'_>, index: IndexId) {
        if let (Some(place), false) = (&self.state, self.options.dry_run) {
            place.save(self.repo.objects().cipher(), &lines.state(index));
        }
    }

    /// All that comes after the walk.
    fn compare_and_store(mut self, mut walked: Walked) -> Result<Summary, SnapshotError> {
        self.summary.skipped = std::mem::take(&mut walked.skipped);
        let mut lock: Option<Lock> = None;
        let (base, mut lines) = loop {
            let base = Base::find(self.repo)?;
            let state = self.load_state();
            let latest = base.as_ref().filter(|base| base.is_latest).map(|base| &base.index);
            if let (Some(latest), Some(state)) = (latest, &state)
                && walked.problems.is_empty()
                && state.is_of(latest)
                && state.is_untouched(&walked.files)
            {
                return self.nothing_changed(latest, None);
            }
            let files = match &base {
                None => BaseFiles::default(),
                Some(base) => BaseFiles::new(self.repo, &base.index, state, self.is_siyuan())?,
            };
            let lines = Lines::compare(&walked, files, self.began);
            if let Some(latest) = latest
                && lines.is_as_base()
            {
                return self.nothing_changed(latest, Some(lines));
            }
            if lock.is_some() || self.options.dry_run {
                break (base, lines);
            }
            lock = Some(lock::take(self.repo.store(), self.options.wait, self.monitor)?);
            // A snapshot that another process has finished meanwhile is the one to compare with.
            let latest_now = base::latest(self.repo).ok().flatten();
            if latest_now == latest.map(|latest| latest.id) {
                break (base, lines);
            }
        };
        if let Some(base) = &base {
            self.summary.base = Some(base.index.id);
            self.summary.notes.extend(base.note.clone());
        }
        self.store(&mut lines)?;
        if let Some(latest) = base.as_ref().filter(|base| base.is_latest)
            && lines.is_as_base()
        {
            return self.nothing_changed(&latest.index, Some(lines));
        }
        self.finish(lines, lock.as_ref())
    }

    /// Reads what may have changed, and writes what is new of it.
    fn store(&mut self, lines: &mut Lines<'_>) -> Result<(), SnapshotError> {
        let objects = self.repo.objects();
        let store = (!self.options.dry_run).then(|| self.repo.store());
        let cutting = self.cutting();
        let reader = FileReader { root: &self.root, cutting: &cutting, monitor: self.monitor };
        let (totals, read_bytes) = groups::write_to(store, |writer| {
            let bare = Bare::of(self.repo.store());
            let chunks = Chunks::new(objects, writer, &bare, lines.trusted_chunks(objects));
            let (numbers, jobs) = lines.jobs();
            let bytes = jobs.iter().map(|job| job.size).sum();
            self.monitor.begin("reading", Some(bytes), Unit::Bytes);
            let outcomes = pool::read_all(&jobs, reader, &chunks)?;
            // The names of chunks come before those of records.
            writer.cut();
            self.monitor.begin("recording", Some(numbers.len() as u64), Unit::Items);
            let met = chunks.finish();
            let new = lines.take_in(numbers, outcomes, &met.misfits);
            let places = records::Places::new(objects, &bare, met.held, lines.kept_ids().collect());
            lines.place(new, places, self.monitor)?;
            self.check_stopped()?;
            records::write(&lines.new_records(), objects, writer, self.monitor)?;
            self.check_stopped()?;
            Ok::<_, SnapshotError>((writer.totals(), bytes))
        })?;
        (self.summary.stored_objects, self.summary.stored_bytes) = totals;
        self.summary.read_bytes = read_bytes;
        Ok(())
    }

    /// The snapshot before is what a new one would be.
    fn nothing_changed(
        mut self,
        latest: &Index,
        lines: Option<Lines<'_>>,
    ) -> Result<Summary, SnapshotError> {
        self.summary.base = Some(latest.id);
        let files = latest.files.len() as u64;
        let size = u64::try_from(latest.size).unwrap_or(0);
        self.summary.counts = Counts { files, size, unchanged: files, ..Counts::default() };
        if !self.options.dry_run {
            publish::tag(self.repo.store(), &self.options.tags, latest.id)?;
        }
        if let Some(lines) = lines {
            self.save_state(&lines, latest.id);
            self.summary.problems = lines.problems;
        }
        Ok(self.summary)
    }

    /// Makes the snapshot of what is stored.
    fn finish(mut self, lines: Lines<'_>, lock: Option<&Lock>) -> Result<Summary, SnapshotError> {
        self.summary.counts = lines.counts();
        self.summary.problems.clone_from(&lines.problems);
        if self.options.dry_run {
            return Ok(self.summary);
        }
        let index = publish::index(self.repo, self.options, self.created, lines.files());
        let store = self.repo.store();
        publish::publish(store, &index, &self.options.tags, || {
            lock.map_or(Ok(()), Lock::still_held)?;
            if self.siyuan.as_ref().is_some_and(|siyuan| !siyuan.is_held()) {
                return Err(SnapshotError::SiyuanStarted);
            }
            self.check_stopped()
        })?;
        self.summary.index = Some(index.id);
        self.save_state(&lines, index.id);
        if self.is_siyuan()
            && let Some(records) = lines.into_records()
        {
            publish::full_latest(store, index.id, records);
        }
        Ok(self.summary)
    }
}
