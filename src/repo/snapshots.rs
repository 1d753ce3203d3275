//! The snapshots of a repository: which there are, how they are tagged, which is the latest.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::format::{IndexHead, IndexId, layout};
use crate::store::refs::{self, RefError};
use crate::store::{Stamp, StoreError};

use super::heads_cache::HeadsCache;
use super::known::Losses;
use super::objects::{ObjectError, Objects};
use super::parallel;

/// How often the store is asked at the most whether something has changed. Short enough that a new
/// snapshot is listed within a second, long enough that a walk through a mount does not pay for it.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// So many heads that were read and are not kept yet are worth a new file of all of them. Fewer are read
/// side by side in a few milliseconds.
const WORTH_KEEPING: usize = 16;

/// One snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// ID, memo and time.
    pub head: IndexHead,
    /// Its tags, sorted.
    pub tags: Vec<String>,
}

/// Something that should be in the list but cannot be.
#[derive(Debug, Clone)]
pub enum Damaged {
    /// An index that cannot be read.
    Index(Arc<ObjectError>),
    /// A ref that cannot be read or names no ID.
    Ref(String),
    /// A ref that names an index that is not there or is damaged.
    Dangling {
        /// The ref's key.
        key: String,
        /// What it names.
        id: IndexId,
    },
}

/// The list at one moment.
#[derive(Debug, Default)]
pub struct Snapshots {
    /// Oldest first; those of one millisecond by their IDs.
    pub list: Vec<Snapshot>,
    /// Tags that name a snapshot of the list, sorted.
    pub tags: Vec<(String, IndexId)>,
    /// What `refs/latest` names if that is in the list, else the newest.
    pub latest: Option<IndexId>,
    /// What was left out.
    pub damaged: Vec<Damaged>,
    /// Counts up with every change of this list.
    pub generation: u64,
}

impl Snapshots {
    /// The snapshot with that ID. It is looked for from one end to the other: not for who asks for each.
    pub fn get(&self, id: IndexId) -> Option<&Snapshot> {
        self.list.iter().find(|s| s.head.id == id)
    }
}

/// Keeps the list, and reads it anew when the store has changed.
#[derive(Debug, Default)]
pub(super) struct Watch {
    state: Mutex<State>,
    losses: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    now: Option<Arc<Snapshots>>,
    asked: Option<Instant>,
    stamps: Option<[Stamp; 4]>,
    /// Every index that was ever read, with the stamp of its file: an index's memo may be
    /// rewritten under the same ID.
    heads: HashMap<IndexId, (Option<Stamp>, Head)>,
    /// Whether the heads that an earlier process kept were taken.
    taken: bool,
    /// How many heads could be kept and are not.
    unkept: usize,
}

/// An index's head, or why it cannot be had.
type Head = Result<IndexHead, Arc<ObjectError>>;

impl Watch {
    /// The next to ask is to be told what is so then.
    pub(super) fn outdate(&self) {
        self.state.lock().asked = None;
    }

    /// How often snapshots were found to be gone.
    pub(super) fn losses(&self) -> Losses {
        Losses::new(self.losses.load(Ordering::Acquire))
    }

    /// The list, not older than [`ASK_EVERY`].
    pub(super) fn current(
        &self,
        objects: &Objects,
        cache: Option<&HeadsCache>,
    ) -> Result<Arc<Snapshots>, StoreError> {
        let mut state = self.state.lock();
        if let (Some(now), Some(asked)) = (&state.now, state.asked)
            && asked.elapsed() < ASK_EVERY
        {
            return Ok(Arc::clone(now));
        }
        // Taken before the lists are read: what changes meanwhile has another stamp.
        let stamps = stamps(objects);
        if let Some(now) = &state.now
            && stamps.is_some()
            && stamps == state.stamps
            && stamps.is_some_and(|s| s.iter().all(|s| s.settled))
        {
            let now = Arc::clone(now);
            state.asked = Some(Instant::now());
            return Ok(now);
        }
        let folder = stamps.map(|[indexes, ..]| indexes).filter(|stamp| stamp.settled);
        let (fresh, looked) = state.read(objects, cache, folder)?;
        // Whoever asks next looks at each index where this list has not.
        state.stamps = stamps.filter(|_| looked);
        state.asked = Some(Instant::now());
        if let Some(old) = &state.now
            && loses(old, &fresh)
        {
            self.losses.fetch_add(1, Ordering::AcqRel);
        }
        let fresh = match &state.now {
            Some(old) if same(old, &fresh) => Arc::clone(old),
            old => {
                let generation = old.as_ref().map_or(1, |old| old.generation + 1);
                Arc::new(Snapshots { generation, ..fresh })
            }
        };
        state.now = Some(Arc::clone(&fresh));
        Ok(fresh)
    }
}

/// Whether a snapshot of `old` is gone.
fn loses(old: &Snapshots, fresh: &Snapshots) -> bool {
    let here: HashSet<IndexId> = fresh.list.iter().map(|s| s.head.id).collect();
    old.list.iter().any(|s| !here.contains(&s.head.id))
}

fn same(a: &Snapshots, b: &Snapshots) -> bool {
    a.list == b.list
        && a.tags == b.tags
        && a.latest == b.latest
        && a.damaged.len() == b.damaged.len()
}

fn stamps(objects: &Objects) -> Option<[Stamp; 4]> {
    let store = objects.store();
    Some([
        store.stamp(layout::INDEXES)?,
        store.stamp(layout::REFS)?,
        store.stamp(layout::LATEST)?,
        store.stamp(layout::TAGS)?,
    ])
}

impl State {
    /// The list, and whether each index was looked at for it. `folder` is the stamp of the folder of indexes if
    /// it proves something.
    fn read(
        &mut self,
        objects: &Objects,
        cache: Option<&HeadsCache>,
        folder: Option<Stamp>,
    ) -> Result<(Snapshots, bool), StoreError> {
        let store = objects.store();
        let ids: Vec<IndexId> = store
            .list(layout::INDEXES)?
            .iter()
            .filter_map(|listed| listed.name.parse().ok())
            .collect();
        let (mut believed, mut outdated) = (false, false);
        if let Some(cache) = cache
            && !std::mem::replace(&mut self.taken, true)
            && let Some(kept) = cache.read(objects.cipher(), store)
        {
            believed = cache.believes && folder == Some(kept.folder);
            outdated = folder.is_some_and(|folder| folder != kept.folder);
            for (stamp, head) in kept.heads {
                self.heads.entry(head.id).or_insert((Some(stamp), Ok(head)));
            }
        }
        self.heads.retain({
            let listed: HashSet<_> = ids.iter().copied().collect();
            move |id, _| listed.contains(id)
        });
        let looked_at: Vec<_> =
            ids.iter().filter(|id| !(believed && self.heads.contains_key(id))).copied().collect();
        let stamped = parallel::map(&looked_at, |id| store.stamp(&layout::index(*id)));
        let new: Vec<_> = looked_at
            .iter()
            .zip(stamped)
            .filter(|(id, stamp)| self.heads.get(id).is_none_or(|(s, _)| s.is_none() || s != stamp))
            .map(|(id, stamp)| (*id, stamp))
            .collect();
        let read = parallel::map(&new, |(id, _)| objects.index_head(*id).map_err(Arc::new));
        for ((id, stamp), head) in new.into_iter().zip(read) {
            if let (Some(stamp), Ok(head)) = (stamp, &head) {
                self.unkept += usize::from(HeadsCache::keeps(stamp, head));
            }
            self.heads.insert(id, (stamp, head));
        }
        if let (Some(cache), Some(folder)) = (cache, folder)
            && (self.unkept >= WORTH_KEEPING || outdated)
        {
            let good = self.heads.values().filter_map(|(stamp, head)| match (stamp, head) {
                (Some(stamp), Ok(head)) => Some((*stamp, head)),
                _ => None,
            });
            cache.write(objects.cipher(), store, folder, good);
            self.unkept = 0;
        }

        let mut fresh = Snapshots::default();
        for (_, head) in self.heads.values() {
            match head {
                Ok(head) => fresh.list.push(Snapshot { head: head.clone(), tags: Vec::new() }),
                // Purged between the list and the look: as if it had never been.
                Err(e) if e.is_missing() => {}
                Err(e) => {
                    objects.tell(e, || "it is left out of the list".into());
                    fresh.damaged.push(Damaged::Index(Arc::clone(e)));
                }
            }
        }
        fresh.list.sort_by_key(|s| (s.head.created, s.head.id));
        self.read_refs(objects, &mut fresh)?;
        Ok((fresh, !believed))
    }

    fn read_refs(&self, objects: &Objects, fresh: &mut Snapshots) -> Result<(), StoreError> {
        let store = objects.store();
        let good = |id: &IndexId| matches!(self.heads.get(id), Some((_, Ok(_))));
        let dangling = |key: String, id: IndexId, damaged: &mut Vec<Damaged>| {
            let error = objects.missing_index(id);
            objects.tell(&error, || format!("{key} names it"));
            damaged.push(Damaged::Dangling { key, id });
        };
        let bad = |e: RefError, damaged: &mut Vec<Damaged>| {
            objects.tell_once(&e.to_string());
            damaged.push(Damaged::Ref(e.to_string()));
        };
        for (name, id) in refs::tags(store)? {
            match id {
                Ok(id) if good(&id) => fresh.tags.push((name, id)),
                Ok(id) => dangling(layout::tag(&name), id, &mut fresh.damaged),
                Err(e) => bad(e, &mut fresh.damaged),
            }
        }
        let mut tags: HashMap<IndexId, Vec<String>> = HashMap::new();
        for (name, id) in &fresh.tags {
            tags.entry(*id).or_default().push(name.clone());
        }
        for snapshot in &mut fresh.list {
            if let Some(tags) = tags.remove(&snapshot.head.id) {
                snapshot.tags = tags;
            }
        }
        let newest = fresh.list.last().map(|s| s.head.id);
        fresh.latest = match refs::read(store, layout::LATEST) {
            Ok(Some(id)) if good(&id) => Some(id),
            Ok(Some(id)) => {
                dangling(layout::LATEST.into(), id, &mut fresh.damaged);
                newest
            }
            Ok(None) => newest,
            Err(e) => {
                bad(e, &mut fresh.damaged);
                newest
            }
        };
        Ok(())
    }
}
