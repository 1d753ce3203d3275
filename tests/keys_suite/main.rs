//! Repositories of our own and their keys; tags.

#[path = "../common/mod.rs"]
mod common;

mod init;
mod keys;
mod tags;

use std::collections::BTreeMap;
use std::path::Path;

use revu::format::own::{Secret, Stretch, Style};
use revu::format::{IndexId, RepoKey};
use revu::repo::{Options, Repository};
use revu::store::{Fault, Store};

/// Argon2 as cheap as it can be: what it costs is not what is tested here.
fn style(label: Option<&str>) -> Style<'_> {
    Style { stretch: Stretch::new(8, 1, 1).unwrap(), created: 1_714_557_660_000, label }
}

fn secret(text: &str) -> Secret {
    Secret::parse(text).unwrap()
}

/// How an operation may fail.
const FAULTS: [Fault; 6] = [
    Fault::Errno(libc::EIO),
    Fault::Errno(libc::ENOSPC),
    Fault::Errno(libc::EROFS),
    Fault::Errno(libc::EACCES),
    Fault::Stop,
    Fault::ShortWrite,
];

/// Every file below a folder with its bytes.
fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(folder: &Path, below: &str, files: &mut BTreeMap<String, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{below}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), &format!("{name}/"), files);
            } else {
                files.insert(name, std::fs::read(entry.path()).unwrap());
            }
        }
    }
    let mut files = BTreeMap::new();
    walk(folder, "", &mut files);
    files
}

/// What a process that was stopped leaves behind is found to be dead by the next; here both are this
/// process, which lives.
fn forget_locks(store: &Store) {
    for listed in store.list("revu-locks").unwrap() {
        store.delete(&format!("revu-locks/{}", listed.name)).unwrap();
    }
}

/// Every file of every snapshot: its path and the SHA-256 of its content.
fn content(store: &Store, key: &RepoKey) -> BTreeMap<IndexId, BTreeMap<String, String>> {
    let repo = Repository::open(store.clone(), key, Options::default()).unwrap();
    let snapshots = repo.snapshots().unwrap();
    assert!(snapshots.damaged.is_empty());
    let of = |id: IndexId| {
        let index = repo.objects().index(id).unwrap();
        let file = |file| {
            let record = repo.objects().record(file).unwrap();
            let bytes: Vec<u8> = record
                .chunks
                .iter()
                .flat_map(|chunk| repo.objects().chunk(*chunk).unwrap())
                .collect();
            (record.path, common::sha256(&bytes))
        };
        (id, index.files.into_iter().map(file).collect())
    };
    snapshots.list.iter().map(|snapshot| of(snapshot.head.id)).collect()
}
