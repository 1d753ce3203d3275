//! Files that are handed on ahead of who walks through folders: they are right, they are those that he comes
//! to, and who does not read is given nothing.

mod common;
mod mount_support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::{Maker, enter, list, noise};
use mount_support::{Place, Spec, wanted};
use parking_lot::Mutex;
use revu::format::{IndexId, layout};
use revu::store::Store;
use revu::vfs::{Kind, Vfs, VfsOptions};

#[test]
#[ignore = "other tests run it as a process of its own"]
fn child() {
    mount_support::child();
}

/// Files by their paths. Folders of few files and of many, one in the other, and names that a folder's name
/// is the beginning of; large files among small ones.
fn files() -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for folder in 0..24 {
        let count = [3, 40, 1, 90][folder % 4];
        let folder = match folder % 3 {
            0 => format!("/box {folder:02}"),
            1 => format!("/box {folder:02}/标签"),
            _ => format!("/box {folder:02}-x/a/b"),
        };
        for n in 0..count {
            let path = format!("{folder}/{n:03}.md");
            let len = if n == 17 { 700_000 } else { 20 + n * 150 % 30_000 };
            files.insert(path, noise(files.len() as u64, len));
        }
    }
    files.insert("/box 00/empty".into(), Vec::new());
    files
}

/// A repository of these files; those of more than half a megabyte are of two chunks.
fn make(store: Store, files: &BTreeMap<String, Vec<u8>>) -> (Maker, IndexId) {
    let maker = Maker::new(store);
    let records: Vec<_> =
        files.iter().map(|(path, content)| maker.file(path, 5_000, content, 512 << 10)).collect();
    let id = maker.snapshot(1_000, &records);
    (maker, id)
}

type Handed = Arc<Mutex<BTreeMap<u64, Vec<u8>>>>;

/// The tree, and what is handed on of it.
fn tree(maker: &Maker) -> (Vfs, Handed) {
    let vfs = Vfs::new(maker.open(), VfsOptions::default()).unwrap();
    let handed = Handed::default();
    vfs.on_ahead({
        let handed = Arc::clone(&handed);
        move |ino, content| {
            let before = handed.lock().insert(ino, content.to_vec());
            assert!(before.is_none_or(|before| before == content));
        }
    });
    (vfs, handed)
}

/// Lists everything below a folder, and calls `see` with each file's path and inode.
fn walk(vfs: &Vfs, dir: u64, path: &str, see: &mut dyn FnMut(String, u64)) {
    for (name, ino, kind) in list(vfs, dir) {
        let path = format!("{path}/{name}");
        match kind {
            Kind::Dir => walk(vfs, ino, &path, see),
            _ => see(path, ino),
        }
    }
}

#[test]
fn who_walks_is_handed_what_he_comes_to() {
    let files = files();
    let (maker, id) = make(Store::memory(), &files);
    // The object of one file is damaged: it is left to its reader.
    let damaged = "/box 03/002.md";
    let record = maker.file(damaged, 5_000, &files[damaged], 512 << 10);
    maker.store.put(&layout::chunk(record.chunks[0]), b"no object").unwrap();
    let (vfs, handed) = tree(&maker);
    let mut paths = BTreeMap::new();
    let mut asked = 0;
    walk(&vfs, enter(&vfs, &format!("ids/{id}")), "", &mut |path, ino| {
        let content = &files[&path];
        // As the kernel does: it asks for what it has not been given, and a reader takes his time.
        std::thread::sleep(Duration::from_millis(1));
        if !content.is_empty() && !handed.lock().contains_key(&ino) {
            asked += 1;
            match vfs.read(ino, 0, content.len()) {
                Ok(read) => assert_eq!(*read, content[..read.len()]),
                Err(e) => assert_eq!(path, damaged, "{e}"),
            }
        }
        paths.insert(ino, path);
    });
    let handed = handed.lock();
    for (ino, content) in &*handed {
        let path = &paths[ino];
        assert!(path != damaged && files[path] == *content, "{path}");
        assert!(content.len() <= 512 << 10, "{path} is of several chunks");
    }
    assert_eq!(paths.len(), files.len());
    assert!(handed.len() > files.len() / 2, "{} of {}", handed.len(), files.len());
    assert!(asked > files.len() / 32, "{asked}: he is seen to come by");
}

#[test]
fn who_only_lists_is_handed_nothing() {
    let files = files();
    let (maker, id) = make(Store::memory(), &files);
    let (vfs, handed) = tree(&maker);
    let root = enter(&vfs, &format!("ids/{id}"));
    walk(&vfs, root, "", &mut |_, _| {});
    std::thread::sleep(Duration::from_millis(100));
    assert!(handed.lock().is_empty());
    // And not much after he has read a little.
    let mut read = 0;
    walk(&vfs, root, "", &mut |path, ino| {
        if read < 20 && !files[&path].is_empty() {
            vfs.read(ino, 0, 100).unwrap();
            read += 1;
        }
    });
    std::thread::sleep(Duration::from_millis(200));
    assert!(handed.lock().len() <= 200, "{}", handed.lock().len());
}

/// Through the kernel, twice: what it was given is what is read.
#[test]
fn the_kernel_has_the_right_bytes() {
    if !wanted("the_kernel_has_the_right_bytes") {
        return;
    }
    let place = Place::new();
    let repo = place.path("repo");
    let files = files();
    let (maker, id) = make(Store::local(&repo), &files);
    let mount = place.mount(&Spec::new(&repo, &maker.key.to_base64(), &place.path("mount")));
    let root = mount.point.join("ids").join(id.to_string());
    for _ in 0..2 {
        let mut seen = 0;
        read_all(&root, "", &mut |path, content| {
            assert!(files[path] == content, "{path}");
            seen += 1;
        });
        assert_eq!(seen, files.len());
    }
}

/// Reads every file as a tool does that walks: folder by folder, in the order of the listing.
fn read_all(folder: &Path, path: &str, see: &mut dyn FnMut(&str, Vec<u8>)) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{path}/{}", entry.file_name().to_str().unwrap());
        match entry.file_type().unwrap().is_dir() {
            true => read_all(&entry.path(), &path, see),
            false => see(&path, fs::read(entry.path()).unwrap()),
        }
    }
}
