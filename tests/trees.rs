//! Every snapshot and tag of every fixture, walked through the model of the mounted tree, equals what
//! it should hold: paths, sizes, times, content.

mod common;

use std::collections::BTreeMap;

use common::{Expected, cases, sha256};
use revu::vfs::{Entry, Kind, ROOT, Vfs, VfsOptions};

fn children(vfs: &Vfs, dir: u64) -> BTreeMap<String, Entry> {
    let mut all = BTreeMap::new();
    vfs.readdir(dir, 0, &mut |item| {
        if item.name != b"." && item.name != b".." {
            let name = String::from_utf8(item.name.to_vec()).unwrap();
            assert!(all.insert(name, item.entry).is_none(), "a name twice");
        }
        true
    })
    .unwrap();
    all
}

fn walk(vfs: &Vfs, dir: u64, prefix: &str, files: &mut BTreeMap<String, Expected>) {
    for (name, entry) in children(vfs, dir) {
        assert_eq!(vfs.lookup(dir, name.as_bytes()).unwrap(), entry, "{prefix}{name}");
        assert_eq!(vfs.getattr(entry.attr.ino).unwrap().0, entry.attr, "{prefix}{name}");
        let path = format!("{prefix}{name}");
        match entry.attr.kind {
            Kind::Dir => walk(vfs, entry.attr.ino, &format!("{path}/"), files),
            Kind::File => {
                let size = entry.attr.size;
                let content = vfs.read(entry.attr.ino, 0, size as usize + 1).unwrap();
                assert_eq!(entry.attr.mtime_ns % 1_000_000, 0);
                let updated = (entry.attr.mtime_ns / 1_000_000) as i64;
                files.insert(path, Expected { size, updated, sha256: sha256(&content) });
            }
            Kind::Symlink => panic!("no links in snapshots: {path}"),
        }
    }
}

fn walked(vfs: &Vfs, dir: u64) -> BTreeMap<String, Expected> {
    let mut files = BTreeMap::new();
    walk(vfs, dir, "", &mut files);
    files
}

#[test]
fn every_snapshot_and_tag_equals_its_expectation() {
    for case in cases("every_snapshot_and_tag_equals_its_expectation") {
        let vfs = Vfs::new(case.open(), VfsOptions { utc: true }).unwrap();
        let root = children(&vfs, ROOT);
        let ids = children(&vfs, root["ids"].attr.ino);
        let names: Vec<_> = ids.keys().cloned().collect();
        let expected: Vec<_> = case.snapshots.keys().map(ToString::to_string).collect();
        assert_eq!(names, expected, "{}: the list of snapshots", case.name);
        for (id, files) in &case.snapshots {
            let dir = ids[&id.to_string()].attr.ino;
            assert_eq!(&walked(&vfs, dir), files, "{}: snapshot {id}", case.name);
        }
        let tags = children(&vfs, root["tags"].attr.ino);
        assert_eq!(
            tags.keys().collect::<Vec<_>>(),
            case.tags().keys().collect::<Vec<_>>(),
            "{}: the list of tags",
            case.name
        );
        for (tag, id) in case.tags() {
            let found = walked(&vfs, tags[&tag].attr.ino);
            assert_eq!(found, case.snapshots[&id], "{}: tag {tag}", case.name);
        }
        let snapshots = children(&vfs, root["snapshots"].attr.ino);
        assert_eq!(snapshots.len(), ids.len());
        let target = String::from_utf8(vfs.readlink(root["latest"].attr.ino).unwrap()).unwrap();
        let latest = snapshots[target.strip_prefix("snapshots/").unwrap()].attr.ino;
        let newest = std::fs::read_to_string(case.repo.join("refs/latest")).unwrap();
        let newest = newest.trim().parse().unwrap();
        assert_eq!(walked(&vfs, latest), case.snapshots[&newest], "{}: latest", case.name);
    }
}

#[test]
fn no_folder_has_two_places_and_shared_files_have_one_number() {
    let case = common::golden();
    let vfs = Vfs::new(case.open(), VfsOptions::default()).unwrap();
    let mut folders = std::collections::HashMap::new();
    let mut files: BTreeMap<u64, String> = BTreeMap::new();
    let mut todo = vec![(ROOT, String::from("/"))];
    while let Some((dir, path)) = todo.pop() {
        if let Some(other) = folders.insert(dir, path.clone()) {
            panic!("{path} and {other} are both inode {dir}");
        }
        for (name, entry) in children(&vfs, dir) {
            match entry.attr.kind {
                Kind::Dir => todo.push((entry.attr.ino, format!("{path}{name}/"))),
                Kind::File => {
                    let known = files.entry(entry.attr.ino).or_insert_with(|| name.clone());
                    assert_eq!(*known, name);
                }
                Kind::Symlink => {}
            }
        }
    }
    let distinct: std::collections::BTreeSet<_> = case
        .snapshots
        .values()
        .flat_map(|files| files.iter().map(|(path, file)| (path, file.updated / 1000)))
        .collect();
    assert_eq!(files.len(), distinct.len(), "one inode for each File ID");
}
