//! Check: is everything there that snapshots need, and what does it cost where it is not?
//!
//! Every File record is opened once, however many snapshots share it, and of every chunk at least the
//! beginning is read, which tells its length; what fits into that beginning is verified at once. With
//! [`ReadData`] chunks are verified to the last byte. Nothing is kept of what is whole but its ID and a
//! few numbers, so that a thousand snapshots fit into memory.
//!
//! With a [`Repair`] the check takes what is missing or bad from a copy on its way.

mod advice;
mod cross;
mod files;
mod findings;
mod objects;
mod repair;
mod rest;
mod snapshots;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use jiff::tz::TimeZone;

use crate::repo::{Repository, Room};
use crate::store::StoreError;
use crate::store::lock::LockError;

pub use findings::{Capped, Finding, Kind};
pub use repair::{Repair, Repaired};

use super::Monitor;
use super::ids::IdMap;

/// How much of the chunks is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ReadData {
    /// Their beginnings.
    Heads,
    /// So many percent of them to the end, others each time; of the rest the beginnings.
    Percent(f64),
    /// All to the end, and what no snapshot needs too.
    All,
}

/// How to check.
#[derive(Debug, Clone)]
pub struct Options {
    /// How much of the chunks is read.
    pub read_data: ReadData,
    /// In which the times in sentences are local.
    pub zone: TimeZone,
}

/// Why a check could not be made. What it finds is no error.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The repository cannot be listed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The lock for a repair is not there any more.
    #[error("{0}")]
    Lock(#[from] LockError),
    /// The copy is the repository.
    #[error("{0} is the repository itself: name a copy of it")]
    SamePlace(String),
    /// The user wanted it to stop.
    #[error("stopped before the end: nothing can be said of the rest")]
    Stopped,
}

/// How much was looked at, and how it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Snapshots that are there.
    pub snapshots: usize,
    /// Those of them that are whole, as far as was read.
    pub whole: usize,
    /// Refs.
    pub refs: usize,
    /// Distinct File records that snapshots list.
    pub records: usize,
    /// Distinct chunks that those list.
    pub chunks: usize,
    /// Chunks that were verified to the last byte.
    pub verified: usize,
    /// Plain bytes of those.
    pub verified_bytes: u64,
    /// Objects that no snapshot needs. What a damaged index or record needs is among them.
    pub orphans: usize,
    /// Bytes of those on disk.
    pub orphan_bytes: u64,
    /// Findings that are damage.
    pub damage: usize,
    /// Findings that are none.
    pub notices: usize,
    /// Findings of either sort that were only counted.
    pub hidden: usize,
    /// Objects taken from the copy.
    pub repaired: usize,
}

/// What a check has found.
#[derive(Debug)]
pub struct Report {
    /// By kind, then by key; no more than can be read.
    pub findings: Vec<Finding>,
    /// What was taken from the copy, likewise.
    pub repaired: Vec<Repaired>,
    /// Counts of everything.
    pub summary: Summary,
    /// What to do next, in sentences.
    pub next: Vec<String>,
    /// Why the repair ended before its end.
    pub repair_failed: Option<StoreError>,
}

/// Checks a repository.
///
/// # Errors
/// [`CheckError`].
pub fn check(
    repo: &Repository,
    options: &Options,
    repair: Option<&Repair<'_>>,
    monitor: &dyn Monitor,
) -> Result<Report, CheckError> {
    if let Some(repair) = repair {
        repair.begin(repo)?;
    }
    let check = Check {
        objects: repo.objects(),
        options,
        monitor,
        repair,
        findings: findings::Findings::default(),
        chunks: IdMap::default(),
        room: Room::new(objects::IN_FLIGHT),
        chance: std::hash::RandomState::new(),
        counts: Counts::default(),
    };
    let mut first = check.read_snapshots()?;
    let files = check.read_files(std::mem::take(&mut first.files), &first)?;
    let second = check.cross(&first, &files)?;
    check.restore_indexes(&first, &second)?;
    check.findings.forget_unneeded();
    let rest = check.rest(&files)?;
    let next = check.advice(&first, &second, &rest);

    let Counts { verified, verified_bytes } = check.counts;
    let (findings, hidden, hidden_damage) = check.findings.into_parts();
    let damage = findings.iter().filter(|f| f.is_damage).count();
    let (repaired, repaired_count, repair_failed) = repair.map(Repair::end).unwrap_or_default();
    let summary = Summary {
        snapshots: first.snapshots.len(),
        whole: second.snapshots.iter().filter(|second| second.is_whole).count(),
        refs: first.refs.len(),
        records: files.table.len(),
        chunks: check.chunks.len(),
        verified: verified.into_inner(),
        verified_bytes: verified_bytes.into_inner(),
        orphans: rest.orphans,
        orphan_bytes: rest.orphan_bytes,
        damage: damage + hidden_damage,
        notices: findings.len() - damage + hidden - hidden_damage,
        hidden,
        repaired: repaired_count,
    };
    Ok(Report { findings, repaired, summary, next, repair_failed })
}

/// What all parts of a check share.
struct Check<'a> {
    objects: &'a crate::repo::Objects,
    options: &'a Options,
    monitor: &'a dyn Monitor,
    repair: Option<&'a Repair<'a>>,
    findings: findings::Findings,
    /// The plain length of every chunk that was met, or [`objects::BAD`].
    chunks: IdMap<u32>,
    room: Room,
    /// Which chunks are read to the end, if not all are.
    chance: std::hash::RandomState,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    verified: AtomicUsize,
    verified_bytes: AtomicU64,
}

impl Counts {
    fn verified(&self, plain: usize) {
        self.verified.fetch_add(1, Ordering::Relaxed);
        self.verified_bytes.fetch_add(plain as u64, Ordering::Relaxed);
    }
}

impl Check<'_> {
    fn go_on(&self) -> Result<(), CheckError> {
        if self.monitor.stopped() { Err(CheckError::Stopped) } else { Ok(()) }
    }
}
