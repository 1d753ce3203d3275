//! A mounted tree to walk through, and notes to make.

use std::collections::BTreeMap;
use std::sync::Arc;

use revu::format::{FileRecord, IndexId};
use revu::repo::Repository;
use revu::store::Store;
use revu::vfs::notes::NotesOptions;
use revu::vfs::{Attr, Kind, ROOT, Vfs, VfsOptions};

use crate::common::Maker;

/// The tree of a repository with its notes.
pub fn tree(repo: Arc<Repository>) -> Vfs {
    tree_with(repo, NotesOptions::default())
}

pub fn tree_with(repo: Arc<Repository>, notes: NotesOptions) -> Vfs {
    Vfs::with_notes(repo, VfsOptions { utc: true }, notes).unwrap()
}

/// What a path leads to. Links on the way are followed by their names.
pub fn find(vfs: &Vfs, path: &str) -> Option<Attr> {
    let mut here = vfs.getattr(ROOT).unwrap().0;
    for part in path.split('/').filter(|part| !part.is_empty()) {
        here = vfs.lookup(here.ino, part.as_bytes()).ok()?.attr;
    }
    Some(here)
}

pub fn list(vfs: &Vfs, ino: u64) -> Vec<(String, Attr)> {
    let mut all = Vec::new();
    // Five at a time, so that going on is tried too.
    let mut offset = 0;
    loop {
        let mut page = 0;
        let mut next = offset;
        vfs.readdir(ino, offset, &mut |item| {
            if page == 5 {
                return false;
            }
            page += 1;
            next = item.next;
            let name = String::from_utf8(item.name.to_vec()).unwrap();
            if name != "." && name != ".." {
                all.push((name, item.entry.attr));
            }
            true
        })
        .unwrap();
        if page == 0 {
            return all;
        }
        offset = next;
    }
}

pub fn names(vfs: &Vfs, path: &str) -> Vec<String> {
    let here = find(vfs, path).unwrap_or_else(|| panic!("{path} is not there"));
    list(vfs, here.ino).into_iter().map(|(name, _)| name).collect()
}

pub fn read(vfs: &Vfs, attr: &Attr) -> String {
    let bytes = vfs.read(attr.ino, 0, usize::MAX >> 1).unwrap();
    assert_eq!(bytes.len() as u64, attr.size, "the size that is listed is exact");
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub fn text(vfs: &Vfs, path: &str) -> String {
    read(vfs, &find(vfs, path).unwrap_or_else(|| panic!("{path} is not there")))
}

/// All files below a folder, by their paths.
pub fn files(vfs: &Vfs, path: &str) -> BTreeMap<String, Attr> {
    let mut all = BTreeMap::new();
    let mut left = vec![(String::new(), find(vfs, path).unwrap().ino)];
    while let Some((prefix, ino)) = left.pop() {
        for (name, attr) in list(vfs, ino) {
            let path = format!("{prefix}/{name}");
            assert_eq!(vfs.lookup(ino, name.as_bytes()).unwrap().attr, attr, "{path}");
            assert_eq!(vfs.getattr(attr.ino).unwrap().0, attr, "{path}");
            match attr.kind {
                Kind::Dir => left.push((path, attr.ino)),
                _ => drop(all.insert(path, attr)),
            }
        }
    }
    all
}

/// A repository with notebooks that tests make.
pub struct Notes {
    pub maker: Maker,
    /// A File ID is made of path and time: each version has its own.
    clock: std::cell::Cell<i64>,
}

pub const BOX: &str = "20260101000000-boxaaaa";

impl Notes {
    pub fn new() -> Self {
        Self::at(Maker::new(Store::memory()))
    }

    pub fn at(maker: Maker) -> Self {
        Self { maker, clock: std::cell::Cell::new(1_000) }
    }

    fn tick(&self) -> i64 {
        self.clock.set(self.clock.get() + 1_000);
        self.clock.get()
    }

    pub fn notebook(&self, id: &str, name: &str) -> FileRecord {
        let json = serde_json::json!({"name": name, "encrypted": false}).to_string();
        self.maker.file(&format!("/{id}/.siyuan/conf.json"), self.tick(), json.as_bytes(), 1 << 20)
    }

    /// A note of one paragraph. `path` is without `.sy`; its end is the ID.
    pub fn note(&self, path: &str, title: &str, words: &str) -> FileRecord {
        let paragraph = serde_json::json!({"ID": "20260101000000-aaaaaaa", "Type": "NodeParagraph",
            "Children": [{"Type": "NodeText", "Data": words}]});
        self.note_of(path, title, &[paragraph])
    }

    pub fn note_of(&self, path: &str, title: &str, blocks: &[serde_json::Value]) -> FileRecord {
        let id = path.rsplit('/').next().unwrap();
        let json = serde_json::json!({"ID": id, "Spec": "2", "Type": "NodeDocument",
            "Properties": {"id": id, "title": title, "updated": "20260102030405"},
            "Children": blocks});
        let path = format!("/{path}.sy");
        self.maker.file(&path, self.tick(), json.to_string().as_bytes(), 1 << 20)
    }

    pub fn snapshot(&self, created: i64, records: &[FileRecord]) -> IndexId {
        self.maker.snapshot(created, records)
    }

    pub fn tree(&self) -> Vfs {
        tree(self.maker.open())
    }
}
