//! What goes and what stays, and why.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::SystemTime;

use crate::format::{IndexHead, IndexId, layout};
use crate::ops::refs::{self, Ref};
use crate::ops::{Monitor, Unit};
use crate::repo::{ObjectError, Objects, Repository, parallel};

use super::PurgeError;
use super::garbage::{self, Garbage, Leftover};
use super::reach::Reach;

/// A snapshot on which a policy decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// ID, memo and time.
    pub head: IndexHead,
    /// Its tags, sorted.
    pub tags: Vec<String>,
}

/// A snapshot that stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stays {
    /// The snapshot.
    pub snapshot: Candidate,
    /// Why, at least once.
    pub reasons: Vec<String>,
}

/// A snapshot that goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goes {
    /// ID, memo and time. It has no tags.
    pub head: IndexHead,
    /// Bytes of its index.
    pub size: u64,
}

/// How much goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Snapshots.
    pub snapshots: usize,
    /// File records and chunks.
    pub objects: usize,
    /// Bytes of those snapshots' indexes and check indexes.
    pub index_bytes: u64,
    /// Bytes of those objects.
    pub object_bytes: u64,
    /// Temporary files and folders of processes that did not live to remove them.
    pub leftovers: usize,
    /// Bytes of those.
    pub leftover_bytes: u64,
}

impl Figures {
    /// All bytes that are freed: sums of the sizes of files.
    pub fn bytes(&self) -> u64 {
        self.index_bytes + self.object_bytes + self.leftover_bytes
    }
}

/// What a purge will do. Making it removes nothing.
#[derive(Debug)]
pub struct Plan<'a> {
    pub(super) repo: &'a Repository,
    /// Snapshots that stay, oldest first.
    pub stays: Vec<Stays>,
    /// Snapshots that go, oldest first.
    pub goes: Vec<Goes>,
    /// How much goes.
    pub figures: Figures,
    /// Objects that nobody needs and that stay this time, since they are younger than the plan.
    pub young: usize,
    pub(super) kept: HashSet<IndexId>,
    pub(super) reach: Reach,
    pub(super) garbage: Garbage,
    pub(super) check_indexes: Vec<(String, u64)>,
    pub(super) leftovers: Vec<Leftover>,
}

impl<'a> Plan<'a> {
    /// Makes a plan. `keep` gives for each snapshot (oldest first) the reasons why it should stay;
    /// what a ref names stays anyway. What was written at or after `start` stays too: for a plan that
    /// is to be executed that is when the lock was taken, by the store's clock
    /// ([`Lock::taken`](crate::store::lock::Lock::taken)).
    ///
    /// # Errors
    /// [`PurgeError`], but for those that only an execution meets.
    pub fn make(
        repo: &'a Repository,
        keep: &dyn Fn(&[Candidate]) -> Vec<Vec<String>>,
        start: SystemTime,
        monitor: &dyn Monitor,
    ) -> Result<Self, PurgeError> {
        let objects = repo.objects();
        // In this order: a writer makes an index before the ref that names it. A ref that is read
        // afterwards knows every index of the list that it will ever know.
        let listed = indexes(objects)?;
        let refs = named(objects)?;
        let candidates = candidates(objects, &listed, &refs, monitor)?;
        let (mut stays, mut goes) = (Vec::new(), Vec::new());
        let reasons = keep(&candidates);
        // The shorter of two lists of different lengths must not cost a snapshot.
        let reasons = reasons.into_iter().map(Some).chain(std::iter::repeat_with(|| None));
        let newest = candidates.last().map(|candidate| candidate.head.id);
        for (snapshot, reasons) in candidates.into_iter().zip(reasons) {
            let id = snapshot.head.id;
            let mut reasons = reasons.unwrap_or_else(|| vec!["nothing was said of it".into()]);
            reasons.extend(refs.get(&id).into_iter().flatten().cloned());
            if newest == Some(id) && !refs.values().flatten().any(|name| name == "latest") {
                reasons.push("the newest, and no ref says which is the latest".into());
            }
            if reasons.is_empty() {
                let meta = match objects.store().meta(&layout::index(id)) {
                    Ok(meta) => meta,
                    Err(e) if e.is_missing() => continue,
                    Err(e) => return Err(e.into()),
                };
                if garbage::is_old(&meta, start) {
                    goes.push(Goes { head: snapshot.head, size: meta.size });
                    continue;
                }
                reasons.push("younger than the purge".into());
            }
            stays.push(Stays { snapshot, reasons });
        }

        let kept: Vec<IndexId> = stays.iter().map(|stays| stays.snapshot.head.id).collect();
        let reach = Reach::default();
        reach.add(None, objects, &kept, monitor)?;
        let going: Vec<IndexId> = goes.iter().map(|goes| goes.head.id).collect();
        let garbage = garbage::objects(objects, &reach, &going, start, monitor)?;
        let kept: HashSet<IndexId> = kept.into_iter().collect();
        let check_indexes = garbage::check_indexes(objects.store(), &kept, start)?;
        let leftovers = garbage::leftovers(objects.store(), start)?;

        let sizes = |list: &[(crate::format::Id, u64)]| list.iter().map(|(_, n)| n).sum::<u64>();
        let figures = Figures {
            snapshots: goes.len(),
            objects: garbage.records.len() + garbage.chunks.len(),
            index_bytes: goes.iter().map(|goes| goes.size).sum::<u64>()
                + check_indexes.iter().map(|(_, size)| size).sum::<u64>(),
            object_bytes: sizes(&garbage.records) + sizes(&garbage.chunks),
            leftovers: leftovers.len(),
            leftover_bytes: leftovers.iter().map(|leftover| leftover.size).sum(),
        };
        let young = garbage.young;
        Ok(Self {
            repo,
            stays,
            goes,
            figures,
            young,
            kept,
            reach,
            garbage,
            check_indexes,
            leftovers,
        })
    }

    /// What processes left behind that did not live to remove it; it goes too.
    pub fn leftovers(&self) -> &[Leftover] {
        &self.leftovers
    }
}

/// The indexes that are there, sorted. What is not called like one is not known, and left alone.
pub(super) fn indexes(objects: &Objects) -> Result<Vec<IndexId>, PurgeError> {
    let listed = objects.store().list(layout::INDEXES)?.into_iter();
    let mut ids: Vec<IndexId> = listed.filter_map(|listed| listed.name.parse().ok()).collect();
    ids.sort_unstable();
    Ok(ids)
}

/// What refs name, and by which names.
pub(super) fn named(objects: &Objects) -> Result<BTreeMap<IndexId, Vec<String>>, PurgeError> {
    let mut named: BTreeMap<IndexId, Vec<String>> = BTreeMap::new();
    for found in refs::all(objects.store())? {
        let name = found.name();
        named.entry(found.id?).or_default().push(name);
    }
    Ok(named)
}

/// Every snapshot that is listed or named, oldest first; those of one millisecond by their IDs.
fn candidates(
    objects: &Objects,
    listed: &[IndexId],
    refs: &BTreeMap<IndexId, Vec<String>>,
    monitor: &dyn Monitor,
) -> Result<Vec<Candidate>, PurgeError> {
    let mut ids = listed.to_vec();
    ids.extend(refs.keys().filter(|id| listed.binary_search(id).is_err()));
    monitor.begin("listing snapshots", Some(ids.len() as u64), Unit::Items);
    let heads: HashMap<IndexId, Result<IndexHead, ObjectError>> = {
        let read = parallel::map(&ids, |id| {
            monitor.advance(1);
            objects.index_head(*id)
        });
        ids.iter().copied().zip(read).collect()
    };
    let mut candidates = Vec::with_capacity(ids.len());
    // In the order of the IDs, so that the same damage is always told of the same snapshot.
    for id in ids {
        let head = match &heads[&id] {
            Ok(head) => head.clone(),
            Err(error) => {
                undecided(objects, id, error, refs)?;
                continue;
            }
        };
        let mut tags: Vec<String> = refs.get(&id).into_iter().flatten().cloned().collect();
        tags.retain_mut(|name| match name.strip_prefix("tag ") {
            Some(tag) => {
                *name = tag.to_owned();
                true
            }
            None => false,
        });
        candidates.push(Candidate { head, tags });
    }
    candidates.sort_by_key(|candidate| (candidate.head.created, candidate.head.id));
    Ok(candidates)
}

/// What an index without a head means: nothing where it has just gone by itself.
fn undecided(
    objects: &Objects,
    id: IndexId,
    error: &ObjectError,
    refs: &BTreeMap<IndexId, Vec<String>>,
) -> Result<(), PurgeError> {
    let error = Box::new(error.clone());
    match (refs.get(&id).and_then(|names| names.first()), error.is_missing()) {
        (None, true) => Ok(()),
        (None, false) => Err(PurgeError::Undecided { error }),
        (Some(_), false) => Err(PurgeError::Unreadable { error, others: 0 }),
        (Some(name), true) => {
            let found = refs::all(objects.store())?.into_iter();
            let found = found.filter(|found| matches!(found.id, Ok(named) if named == id));
            let instead = found.map(|found| instead(&found)).next();
            Err(PurgeError::Dangling {
                name: name.clone(),
                id,
                instead: instead.unwrap_or_else(|| "run it again".into()),
            })
        }
    }
}

/// What to do about a ref to something that is nowhere to be had.
fn instead(found: &Ref) -> String {
    match (found.tag(), found.key.as_str()) {
        (Some(tag), _) => format!("give it up with `revu tag remove '{tag}'`"),
        (None, layout::LATEST_SYNC) => {
            format!("remove the file {} if this repository is not synced any more", found.key)
        }
        (None, layout::LATEST) => {
            format!("write the ID of the newest snapshot that `revu log` lists into {}", found.key)
        }
        (None, key) => format!("remove the file {key}"),
    }
}
