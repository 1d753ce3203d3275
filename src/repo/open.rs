//! Opening: is there a repository, and is the key its key?

use std::sync::Arc;

use crate::format::{Cipher, IndexId, RepoKey, layout, own};
use crate::store::{Listed, Store, StoreError, refs};

use super::chunks::ChunkCache;
use super::locked;
use super::objects::{ObjectError, Objects};
use super::readahead::ReadAhead;
use super::snapshots::Watch;
use super::{Catalog, Core, Options, Problem, Repository};

/// How many indexes may speak for or against a key. One is enough in a sound repository; the
/// others are asked where it is damaged.
const WITNESSES: usize = 8;

/// Why a repository cannot be opened.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OpenError {
    /// Nothing of a repository is there.
    #[error(
        "there is no repository in {0}: it has no folder `indexes` or `objects`; name one with --repo or --workspace"
    )]
    NotARepository(String),
    /// The place cannot be listed.
    #[error("cannot look into the repository: {0}")]
    Store(#[from] StoreError),
    /// Objects are there, and none opens with this key.
    #[error(
        "wrong key for {0}: the key that SiYuan shows under Settings - About - Data repo key is needed, or the passphrase that it was made from"
    )]
    WrongKey(String),
}

/// What is said of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Something opens with it.
    Right,
    /// Something should open with it, and does not.
    Wrong,
    /// All is damaged, or there is nothing: nothing follows.
    Silent,
}

/// Whether a key is a repository's, as far as its snapshots tell.
///
/// # Errors
/// [`StoreError`] where the snapshots cannot be listed.
pub fn judge(store: &Store, key: &RepoKey) -> Result<Verdict, StoreError> {
    judge_by(&Objects::new(store.clone(), Cipher::new(key)))
}

fn judge_by(objects: &Objects) -> Result<Verdict, StoreError> {
    let mut verdict = Verdict::Silent;
    for id in witnesses(objects)? {
        match ask(objects, id) {
            Verdict::Right => return Ok(Verdict::Right),
            Verdict::Wrong => verdict = Verdict::Wrong,
            Verdict::Silent => {}
        }
    }
    Ok(verdict)
}

impl Repository {
    /// Opens the repository in `store` and verifies the key against its indexes. A repository
    /// without any snapshot opens with every key.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(store: Store, key: &RepoKey, options: Options) -> Result<Self, OpenError> {
        let place = store.place();
        let is_one = |listed: &Listed| match listed.is_folder {
            true => [layout::INDEXES, layout::OBJECTS, layout::REFS].contains(&&*listed.name),
            false => listed.name == own::NAME,
        };
        if !store.list("")?.iter().any(is_one) {
            return Err(OpenError::NotARepository(place));
        }
        let objects = Objects::new(store, Cipher::new(key));
        if judge_by(&objects)? == Verdict::Wrong {
            return Err(OpenError::WrongKey(place));
        }
        let core = Core {
            objects,
            catalog: Catalog::default(),
            chunks: ChunkCache::new(options.cache_bytes),
            cache: std::sync::OnceLock::new(),
            heads: std::sync::OnceLock::new(),
            on_ahead: std::sync::OnceLock::new(),
        };
        let core = Arc::new(core);
        locked::keep_in_memory(core.objects.cipher());
        Ok(Self {
            core,
            ahead: ReadAhead::default(),
            watch: Watch::default(),
            on_correction: std::sync::OnceLock::new(),
        })
    }
}

/// Indexes to ask: what `refs/latest` names, then others.
fn witnesses(objects: &Objects) -> Result<Vec<IndexId>, StoreError> {
    // A damaged ref is met again, and told, when the snapshots are listed.
    let latest = refs::read(objects.store(), layout::LATEST).ok().flatten();
    let mut ids: Vec<IndexId> = latest.into_iter().collect();
    for listed in objects.store().list(layout::INDEXES)? {
        if ids.len() == WITNESSES {
            break;
        }
        ids.extend(listed.name.parse().ok().filter(|id| Some(*id) != latest));
    }
    Ok(ids)
}

/// What one index says of the key.
fn ask(objects: &Objects, id: IndexId) -> Verdict {
    // The list of its files is only wanted where the key check leaves a doubt.
    if objects.key_check(id).is_some_and(|val| objects.cipher().verifies(&val) == Some(true)) {
        return Verdict::Right;
    }
    let Ok(index) = objects.index(id) else { return Verdict::Silent };
    // That it does not verify proves nothing: indexes are not authenticated, a record has the last
    // word.
    let checked = index.files.iter().take(WITNESSES).map(|file| objects.record(*file));
    let mut verdict = match index.aes_key_verify_val.is_empty() {
        true => Verdict::Silent,
        false => Verdict::Wrong,
    };
    for record in checked {
        match record {
            Ok(_) => return Verdict::Right,
            Err(ObjectError { problem: Problem::Format(_), .. }) => verdict = Verdict::Wrong,
            Err(_) => {}
        }
    }
    verdict
}
