//! The last steps: index, `refs/latest`, tags, `full-latest.json`, each durable before the next
//! refers to it.

use crate::format::latest::FullLatest;
use crate::format::{FileRecord, Id, Index, IndexId, layout};
use crate::ops::tags::{self, TagError};
use crate::repo::Repository;
use crate::store::{Store, StoreError};

use super::{Options, SnapshotError};

/// Refuses tags that cannot be made, before any work.
pub(super) fn check_tags(store: &Store, names: &[String]) -> Result<(), TagError> {
    names.iter().try_for_each(|name| tags::check_free(store, name))
}

/// Writes the refs of tags.
pub(super) fn tag(store: &Store, tags: &[String], id: IndexId) -> Result<(), StoreError> {
    tags.iter().try_for_each(|tag| store.put(&layout::tag(tag), id.hex().as_bytes()))
}

/// An ID as DejaVu makes it: of 32 random bytes.
fn random_id() -> IndexId {
    let mut random = [0; 32];
    getrandom::fill(&mut random).expect("the operating system gives randomness");
    IndexId(Id::digest(&random))
}

/// A new index of these files.
pub(super) fn index(
    repo: &Repository,
    options: &Options,
    created: i64,
    files: impl Iterator<Item = (crate::format::FileId, u64)>,
) -> Index {
    let mut size = 0_u64;
    let files: Vec<_> = files
        .map(|(id, bytes)| {
            size += bytes;
            id
        })
        .collect();
    Index {
        id: random_id(),
        memo: options.memo.clone(),
        created,
        count: files.len() as i64,
        files,
        size: size as i64,
        system_id: options.device.id.clone(),
        system_name: options.device.name.clone(),
        system_os: options.device.os.clone(),
        check_index_id: String::new(),
        aes_key_verify_val: repo.objects().cipher().verify_val(),
    }
}

/// Makes a snapshot of objects whose names are not durable yet. `may_go_on` is asked before the
/// first step that others see.
pub(super) fn publish(
    store: &Store,
    index: &Index,
    tags: &[String],
    may_go_on: impl FnOnce() -> Result<(), SnapshotError>,
) -> Result<(), SnapshotError> {
    store.sync()?;
    may_go_on()?;
    store.put(&layout::index(index.id), &index.encode())?;
    store.put(layout::LATEST, index.id.hex().as_bytes())?;
    tag(store, tags, index.id)?;
    Ok(())
}

/// Writes the plaintext cache of the newest snapshot's records, as SiYuan does. It is disposable:
/// that it could not be written is only logged.
pub(super) fn full_latest(store: &Store, id: IndexId, records: Vec<FileRecord>) {
    let full = FullLatest { id, files: records.into_iter().map(Into::into).collect(), spec: 0 };
    if let Err(e) = store.put(layout::FULL_LATEST, &full.encode()) {
        log::warn!("{e}; SiYuan will make it anew");
    }
}
