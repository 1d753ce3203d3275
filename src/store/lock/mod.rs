//! Locks between processes that write to one repository, as files beside its own: DejaVu leaves them
//! alone, and neither knows nor heeds them. Readers need none.
//!
//! Whoever wants a lock writes his own first, and looks for others' afterwards; where one stands
//! against it, he takes his own away again. Of two who come at the same moment each sees the other, so
//! both may step back and try again, but never do both get it.

mod owner;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use jiff::{Timestamp, tz::TimeZone};
use parking_lot::{Condvar, Mutex};
use serde::{Deserialize, Serialize};

pub use owner::{Life, Owner};

use super::{Store, StoreError, StoreProblem};

/// The folder of the locks.
pub const LOCKS: &str = "revu-locks";

/// How often an owner says that he is alive: for those who cannot see his process.
const REFRESH: Duration = Duration::from_secs(5 * 60);

/// A lock whose owner cannot be seen and has said nothing for this long counts for nothing: he has
/// missed five chances.
const STALE: Duration = Duration::from_secs(30 * 60);

/// Tried again this long even by those who do not want to wait: what stands against them may be the
/// file of somebody who is just stepping back.
const GRACE: Duration = Duration::from_secs(1);

/// No lock has as many bytes.
const MAX_LOCK: u64 = 64 << 10;

/// Version of the files.
const VERSION: u32 = 1;

/// What a lock stands against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Against exclusive ones: for who adds something.
    Shared,
    /// Against every other: for who removes something.
    Exclusive,
}

impl Kind {
    /// Whether two locks cannot be held at the same time.
    pub fn conflicts(self, other: Self) -> bool {
        self == Self::Exclusive || other == Self::Exclusive
    }
}

/// What a lock's file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    version: u32,
    /// What it stands against.
    pub kind: Kind,
    /// The command that it was taken for, such as `purge`.
    pub command: String,
    /// Who holds it.
    #[serde(flatten)]
    pub owner: Owner,
    /// Since when, milliseconds since 1970, by the owner's clock.
    pub since: i64,
    /// When the owner last said that he is alive, likewise.
    pub refreshed: i64,
}

/// A lock as it was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its key.
    pub key: String,
    /// What it says; `None` where it cannot be read, as one of a later version of revu.
    pub note: Option<Note>,
    /// Whether its owner lives.
    pub life: Life,
    /// Whether it counts: its owner lives, or may do so.
    pub alive: bool,
}

impl Found {
    fn conflicts(&self, kind: Kind) -> bool {
        // Of one that cannot be read, the worst is believed.
        self.alive && self.note.as_ref().is_none_or(|note| note.kind.conflicts(kind))
    }
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(Note { command, owner, since, .. }) = &self.note else {
            return write!(f, "a process that is not known, since {} cannot be read", self.key);
        };
        let Owner { user, host, pid, .. } = owner;
        write!(f, "`revu {command}` of {user} on {host} (process {pid})")?;
        match Timestamp::from_millisecond(*since) {
            Ok(since) => {
                let since = since.to_zoned(TimeZone::system());
                write!(f, " since {}", since.strftime("%Y-%m-%d %H:%M:%S"))
            }
            // A time that no calendar has.
            Err(_) => Ok(()),
        }
    }
}

/// Why there is no lock.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Somebody else has one that stands against it.
    #[error("{place} is in use by {by}: try again when that has ended{}", lapse(.by))]
    Held {
        /// The repository.
        place: String,
        /// The lock that stands against it.
        by: Box<Found>,
    },
    /// Somebody has removed it, since nothing was heard of this process for too long.
    #[error(
        "{place}: the lock of this process was taken away, as if the computer had slept for half an hour: run the command again"
    )]
    Lost {
        /// The repository.
        place: String,
    },
    /// The place of the locks cannot be read or written.
    #[error("cannot lock the repository: {0}")]
    Store(#[from] StoreError),
}

/// What else helps against a lock whose owner cannot be seen from here.
fn lapse(by: &Found) -> &'static str {
    match by.life {
        Life::Elsewhere => ", or half an hour after its computer went down",
        Life::Alive | Life::Dead => "",
    }
}

/// A lock that this process holds: until it is dropped, or until the process ends in whatever way.
#[derive(Debug)]
pub struct Lock {
    kind: Kind,
    store: Store,
    key: String,
    taken: SystemTime,
    heart: Heart,
}

impl Lock {
    /// Takes a lock for a command, such as `purge`. Where another stands against it, tries again for
    /// up to `wait`, but at least for a second, until `stopped`.
    ///
    /// # Errors
    /// [`LockError::Held`], [`LockError::Store`].
    pub fn take(
        store: &Store,
        kind: Kind,
        command: &str,
        wait: Duration,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Self, LockError> {
        let until = Instant::now() + wait.max(GRACE);
        loop {
            let by = match Self::attempt(store, kind, command, REFRESH)? {
                Ok(lock) => return Ok(lock),
                Err(by) => by,
            };
            let pause = Duration::from_millis(u64::from(random::<1>()[0]) + 50);
            if stopped() || Instant::now() + pause > until {
                return Err(LockError::Held { place: store.place(), by: Box::new(by) });
            }
            std::thread::sleep(pause);
        }
    }

    /// One try: the lock, or what stands against it.
    fn attempt(
        store: &Store,
        kind: Kind,
        command: &str,
        refresh: Duration,
    ) -> Result<Result<Self, Found>, StoreError> {
        let key = format!("{LOCKS}/{:032x}.json", u128::from_le_bytes(random()));
        let now = now();
        let note = Note {
            version: VERSION,
            kind,
            command: command.to_owned(),
            owner: Owner::me(),
            since: now,
            refreshed: now,
        };
        let mine = Mine { store, key };
        mine.write(&note)?;
        let taken = store.meta(&mine.key)?.modified;
        for found in look(store, &note.owner, taken, Some(&mine.key))? {
            if found.conflicts(kind) {
                return Ok(Err(found));
            }
            if !found.alive {
                log::info!("removing the lock of {found}, which has ended");
                if let Err(e) = store.delete(&found.key) {
                    log::warn!("the lock of {found}, which has ended, stays: {e}");
                }
            }
        }
        let key = mine.keep();
        let heart = Heart::start(store.clone(), key.clone(), note, refresh);
        let taken = taken.unwrap_or_else(SystemTime::now);
        Ok(Ok(Self { kind, store: store.clone(), key, taken, heart }))
    }

    /// What it stands against.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The key of its file.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// When it was taken, by the clock of the place where that can be told: whatever has a later
    /// time there was written afterwards, however wrong the clocks are.
    pub fn taken(&self) -> SystemTime {
        self.taken
    }

    /// Whether it still is there. Who sleeps for half an hour may lose it to somebody on another
    /// computer: ask before each step that must not be taken without it.
    ///
    /// # Errors
    /// [`LockError::Lost`]; [`LockError::Store`] where that cannot be told.
    pub fn still_held(&self) -> Result<(), LockError> {
        match self.store.meta(&self.key) {
            Ok(_) => Ok(()),
            Err(e) if e.is_missing() => Err(LockError::Lost { place: self.store.place() }),
            Err(e) => Err(e.into()),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.heart.stop();
        if let Err(e) = self.store.delete(&self.key) {
            log::warn!("the lock of this process stays behind, and will be found to be dead: {e}");
        }
    }
}

/// All locks of a repository and whether they count, for who only wants to know. Their ages are told
/// by this computer's clock.
///
/// # Errors
/// [`StoreError`] where they cannot be listed.
pub fn locks(store: &Store) -> Result<Vec<Found>, StoreError> {
    look(store, &Owner::me(), None, None)
}

/// The locks of others. `taken` is the time now by the clock of the place.
fn look(
    store: &Store,
    me: &Owner,
    taken: Option<SystemTime>,
    mine: Option<&str>,
) -> Result<Vec<Found>, StoreError> {
    let mut found = Vec::new();
    for listed in store.list(LOCKS)? {
        let key = format!("{LOCKS}/{}", listed.name);
        if listed.is_folder || !listed.name.ends_with(".json") || mine == Some(&key) {
            continue;
        }
        let (meta, bytes) = (store.meta(&key), store.get(&key, MAX_LOCK));
        // Nobody locks with a pipe, and it would count for ever: it has no age.
        if meta.as_ref().is_err_and(|e| matches!(e.problem, StoreProblem::NotAFile)) {
            continue;
        }
        // Its owner took it away since it was listed.
        if [meta.as_ref().err(), bytes.as_ref().err()].into_iter().flatten().any(|e| e.is_missing())
        {
            continue;
        }
        // Another user's may not be readable: then it counts for the worst until it is too old.
        let note = bytes.ok().and_then(|bytes| serde_json::from_slice::<Note>(&bytes).ok());
        let note = note.filter(|note| note.version == VERSION);
        let modified = meta.ok().and_then(|meta| meta.modified);
        let age = match (taken, modified, &note) {
            (Some(now), Some(then), _) => now.duration_since(then).ok(),
            (None, Some(then), _) => SystemTime::now().duration_since(then).ok(),
            (_, None, Some(note)) => {
                u64::try_from(now().saturating_sub(note.refreshed)).ok().map(Duration::from_millis)
            }
            (_, None, None) => None,
        };
        let life = note.as_ref().map_or(Life::Elsewhere, |note| note.owner.life(me));
        let alive = match life {
            Life::Alive => true,
            Life::Dead => false,
            Life::Elsewhere => age.is_none_or(|age| age < STALE),
        };
        found.push(Found { key, note, life, alive });
    }
    Ok(found)
}

/// Milliseconds since 1970.
fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives randomness");
    bytes
}

/// The file of a lock that is not held yet: taken away unless it is kept.
struct Mine<'a> {
    store: &'a Store,
    key: String,
}

impl Mine<'_> {
    fn write(&self, note: &Note) -> Result<(), StoreError> {
        self.store.put(&self.key, &encode(note))
    }

    fn keep(mut self) -> String {
        std::mem::take(&mut self.key)
    }
}

impl Drop for Mine<'_> {
    fn drop(&mut self) {
        if !self.key.is_empty()
            && let Err(e) = self.store.delete(&self.key)
        {
            log::warn!("{e}");
        }
    }
}

fn encode(note: &Note) -> Vec<u8> {
    serde_json::to_vec(note).expect("a note always encodes")
}

/// Says again and again that the owner is alive.
#[derive(Debug)]
struct Heart {
    stopped: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Heart {
    fn start(store: Store, key: String, mut note: Note, every: Duration) -> Self {
        let stopped = Arc::new((Mutex::new(false), Condvar::new()));
        let sign = Arc::clone(&stopped);
        let beat = move || {
            let (stopped, changed) = &*sign;
            let mut stopped = stopped.lock();
            while !*stopped {
                if !changed.wait_for(&mut stopped, every).timed_out() {
                    continue;
                }
                // Not written anew where it was taken away: somebody may hold one against it.
                match store.meta(&key) {
                    Err(e) if e.is_missing() => return,
                    _ => note.refreshed = now(),
                }
                if let Err(e) = store.put(&key, &encode(&note)) {
                    log::warn!("cannot refresh the lock: {e}");
                }
            }
        };
        let thread = std::thread::Builder::new().name("lock".into()).spawn(beat);
        // Without it, only those on other computers will take a lock of half an hour for dead.
        let thread = thread.inspect_err(|e| log::warn!("cannot keep the lock fresh: {e}")).ok();
        Self { stopped, thread }
    }

    fn stop(&mut self) {
        *self.stopped.0.lock() = true;
        self.stopped.1.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
