//! The keys of a repository of our own: opening it, and changing who else can.
//!
//! A change writes one file, `revu.json`, whole or not at all, and only while no other process of revu
//! uses the repository for writing: of two changes at once, one would be lost.
//!
//! Whoever has opened a repository once may have kept its key, or a copy of the old `revu.json`. So
//! to take away a slot keeps out those who have not looked yet, and no others: that takes a new
//! repository.

use std::time::Duration;

use crate::format::RepoKey;
use crate::format::own::{
    self, Full, Kind as SlotKind, LastSlot, OutOfMemory, Own, OwnError, Secret, Settings, Slot,
    SlotId, Style,
};
use crate::repo::{Verdict, judge};
use crate::store::lock::{Kind, Lock, LockError};
use crate::store::{Store, StoreError};

/// How long to wait for those who use the repository.
const WAIT: Duration = Duration::from_secs(10);

/// Why a repository does not open, or its keys were not changed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// It is not one of ours.
    #[error(
        "{0} is a repository of SiYuan, since it has no revu.json: it has a single key, which only SiYuan changes"
    )]
    NotOurs(String),
    /// `revu.json` cannot be read or written.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// `revu.json` is none.
    #[error("{place}/revu.json: {problem}{}", cure(.problem))]
    Damaged {
        /// The repository.
        place: String,
        /// What is wrong.
        problem: OwnError,
    },
    /// Nothing opens with this.
    #[error(
        "wrong key for {place}: none of its key slots opens with this passphrase or key file, and it is not the repository's own key{}", because(.unusable)
    )]
    Wrong {
        /// The repository.
        place: String,
        /// The slots that were not tried, and why.
        unusable: Vec<(SlotId, String)>,
    },
    /// The key opens the repository, but `revu.json` is not of it.
    #[error(
        "{0}/revu.json: its settings do not fit the repository's key, so something else than revu has changed them: bring it back from a copy"
    )]
    Foreign(String),
    /// No slot is called so.
    #[error("{place} has no key slot `{name}`: `revu key list` shows those that it has")]
    NoSuchSlot {
        /// The repository.
        place: String,
        /// What was asked for.
        name: String,
    },
    /// Several slots are called so.
    #[error("several key slots are called `{name}`: name one of {}", join(.slots))]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// Those that it can mean.
        slots: Vec<SlotId>,
    },
    /// Nobody could open the repository any more.
    #[error("key slot {0} is not removed: it is the last one that opens")]
    Last(SlotId),
    /// It would have to be proven that there is another way in.
    #[error(
        "key slot {0} is not removed, since it is the one that opened the repository: open it with another one, or use `revu key change`"
    )]
    Used(SlotId),
    /// There are too many.
    #[error("{0}: {Full}")]
    Full(String),
    /// The repository is in use.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The passphrase takes too much memory.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),
}

fn cure(problem: &OwnError) -> &'static str {
    match problem {
        OwnError::Version(_) => "",
        _ => {
            "; bring it back from a copy, or open the repository with what `revu key show` printed"
        }
    }
}

fn because(unusable: &[(SlotId, String)]) -> String {
    unusable.iter().map(|(id, why)| format!("; slot {id} cannot be used: {why}")).collect()
}

fn join(slots: &[SlotId]) -> String {
    slots.iter().map(SlotId::to_string).collect::<Vec<_>>().join(", ")
}

/// A repository's key, and how it was come by.
#[derive(Debug, Clone)]
pub struct Access {
    /// The key.
    pub key: RepoKey,
    /// The slot that it was in; `None` if it was given as it is.
    pub slot: Option<SlotId>,
}

/// The repository's `revu.json`; `None` where it has none, and is SiYuan's.
///
/// # Errors
/// [`KeysError::Store`], [`KeysError::Damaged`].
pub fn read(store: &Store) -> Result<Option<Own>, KeysError> {
    let bytes = match store.get(own::NAME, own::MOST_BYTES as u64) {
        Err(e) if e.is_missing() => return Ok(None),
        bytes => bytes?,
    };
    let damaged = |problem| KeysError::Damaged { place: store.place(), problem };
    Own::decode(&bytes).map(Some).map_err(damaged)
}

fn need(store: &Store) -> Result<Own, KeysError> {
    read(store)?.ok_or_else(|| KeysError::NotOurs(store.place()))
}

/// Finds the key of a repository of our own: in the slots, or it is the secret itself. The latter
/// opens it also where `revu.json` is damaged, as far as the snapshots prove that it is the key.
///
/// # Errors
/// [`KeysError::Wrong`] and others.
pub fn open(store: &Store, secret: &Secret) -> Result<Access, KeysError> {
    let own = match (need(store), secret) {
        (Ok(own), _) => own,
        (
            Err(e @ KeysError::Damaged { problem: OwnError::Undecodable(_), .. }),
            Secret::Key(key),
        ) if judge(store, key)? == Verdict::Right => {
            log::warn!("{e}");
            return Ok(Access { key: key.clone(), slot: None });
        }
        (Err(e), _) => return Err(e),
    };
    if let Some(opened) = own.open(secret)? {
        return Ok(Access { key: opened.key, slot: Some(opened.slot) });
    }
    if let Secret::Key(key) = secret {
        let is_the_key = own.settings(key).is_some();
        if is_the_key || judge(store, key)? == Verdict::Right {
            if !is_the_key {
                log::warn!("{}", KeysError::Foreign(store.place()));
            }
            return Ok(Access { key: key.clone(), slot: None });
        }
    }
    let unusable = own.slots().iter().filter_map(|slot| match slot.kind() {
        SlotKind::Unusable(why) => Some((slot.id(), why.clone())),
        SlotKind::Passphrase(_) | SlotKind::KeyFile => None,
    });
    Err(KeysError::Wrong { place: store.place(), unusable: unusable.collect() })
}

/// What the writers of a repository of our own go by; `None` where it is SiYuan's.
///
/// # Errors
/// [`KeysError::Foreign`] where they are not those that were made with this key, and as [`read`].
pub fn settings(store: &Store, key: &RepoKey) -> Result<Option<Settings>, KeysError> {
    let Some(own) = read(store)? else { return Ok(None) };
    own.settings(key).map(Some).ok_or_else(|| KeysError::Foreign(store.place()))
}

/// The slot that a user means: by its ID, a beginning of that, or its label.
///
/// # Errors
/// [`KeysError::NoSuchSlot`], [`KeysError::Ambiguous`].
pub fn find<'a>(store: &Store, own: &'a Own, name: &str) -> Result<&'a Slot, KeysError> {
    let by_id = |slot: &&Slot| !name.is_empty() && slot.id().to_string().starts_with(name);
    let by_label = |slot: &&Slot| slot.label() == Some(name);
    let found: Vec<&Slot> =
        own.slots().iter().filter(|slot| by_id(slot) || by_label(slot)).collect();
    match found[..] {
        [slot] => Ok(slot),
        [] => Err(KeysError::NoSuchSlot { place: store.place(), name: name.to_owned() }),
        _ => {
            let slots = found.iter().map(|slot| slot.id()).collect();
            Err(KeysError::Ambiguous { name: name.to_owned(), slots })
        }
    }
}

/// Adds a slot that `secret` opens.
///
/// # Errors
/// [`KeysError`]; then nothing has changed.
pub fn add(
    store: &Store,
    key: &RepoKey,
    secret: &Secret,
    style: Style<'_>,
) -> Result<SlotId, KeysError> {
    edit(store, "key add", |own| {
        prove(store, own, key)?;
        let slot = own.make_slot(key, secret, style)?;
        let id = slot.id();
        own.add(slot).map_err(|Full| KeysError::Full(store.place()))?;
        Ok(id)
    })
}

/// Puts another secret in the place of a slot's. The slot keeps its ID, and its label if `style` has
/// none.
///
/// # Errors
/// [`KeysError`]; then nothing has changed.
pub fn change(
    store: &Store,
    key: &RepoKey,
    id: SlotId,
    secret: &Secret,
    style: Style<'_>,
) -> Result<(), KeysError> {
    edit(store, "key change", |own| {
        prove(store, own, key)?;
        let slot = own.remake_slot(find(store, own, &id.to_string())?, key, secret, style)?;
        own.add(slot).map_err(|Full| KeysError::Full(store.place()))
    })
}

/// Removes a slot. `by` is the one that opened the repository, which is refused: who removes one
/// must be able to use another.
///
/// # Errors
/// [`KeysError`]; then nothing has changed.
pub fn remove(store: &Store, id: SlotId, by: Option<SlotId>) -> Result<(), KeysError> {
    edit(store, "key remove", |own| {
        find(store, own, &id.to_string())?;
        let mut rest = own.clone();
        rest.remove(id).map_err(|LastSlot| KeysError::Last(id))?;
        if by == Some(id) {
            return Err(KeysError::Used(id));
        }
        *own = rest;
        Ok(())
    })
}

/// A slot that holds any other key would lock its owner out.
fn prove(store: &Store, own: &Own, key: &RepoKey) -> Result<(), KeysError> {
    match own.settings(key) {
        Some(_) => Ok(()),
        None => Err(KeysError::Foreign(store.place())),
    }
}

fn edit<T>(
    store: &Store,
    command: &str,
    change: impl FnOnce(&mut Own) -> Result<T, KeysError>,
) -> Result<T, KeysError> {
    // Not even a lock is written where there is nothing to change.
    need(store)?;
    let lock = Lock::take(store, Kind::Exclusive, command, WAIT, &|| false)?;
    let mut own = need(store)?;
    let result = change(&mut own)?;
    lock.still_held()?;
    store.put(own::NAME, &own.encode())?;
    Ok(result)
}
