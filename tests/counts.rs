//! The work is asserted, not only its result: what a store is asked for.

mod common;

use common::{Maker, count, enter, list, noise};
use revu::format::layout;
use revu::repo::FileNo;
use revu::store::{Call, Store, Verb};
use revu::vfs::{Vfs, VfsOptions};

fn objects(calls: &[Call]) -> Vec<&Call> {
    calls.iter().filter(|call| call.key.starts_with("objects/")).collect()
}

#[test]
fn a_thousand_snapshots_open_and_list_without_any_record() {
    let maker = Maker::new(Store::memory());
    let record = maker.file("/a.sy", 1_000, b"hello", 100);
    for n in 0..1000 {
        maker.snapshot(n * 1000, std::slice::from_ref(&record));
    }
    let (store, calls) = maker.store.recorded();
    let repo = maker.open_store(store);
    let vfs = Vfs::new(repo, VfsOptions::default()).unwrap();
    assert_eq!(list(&vfs, enter(&vfs, "snapshots")).len(), 1000);
    assert_eq!(list(&vfs, enter(&vfs, "ids")).len(), 1000);
    let calls = calls.take();
    assert!(objects(&calls).is_empty(), "{:?}", objects(&calls));
    let whole = calls.iter().filter(|c| c.verb == Verb::Get && c.key.starts_with("indexes/"));
    assert_eq!(whole.count(), 1, "one index is read whole, for the key; of the others the head");
}

#[test]
fn entering_reads_each_record_once_and_the_next_snapshot_only_what_is_new() {
    let maker = Maker::new(Store::memory());
    let mut records: Vec<_> = (0..500)
        .map(|n| {
            maker.file(&format!("/box/{}/{n}.sy", n % 7), n, format!("note {n}").as_bytes(), 100)
        })
        .collect();
    let first = maker.snapshot(1_000, &records);
    records[77] = maker.file("/box/0/77.sy", 900_000, b"edited", 100);
    let second = maker.snapshot(2_000, &records);
    let (store, calls) = maker.store.recorded();
    let vfs = Vfs::new(maker.open_store(store), VfsOptions::default()).unwrap();
    calls.take();

    list(&vfs, enter(&vfs, &format!("ids/{first}")));
    let read = count(objects(&calls.take()).into_iter().map(|c| (c.verb, c.key.clone())));
    assert_eq!(read.len(), 500);
    assert!(read.iter().all(|((verb, _), n)| *verb == Verb::Get && *n == 1), "{read:?}");
    let folders = vfs.distinct_folders();

    list(&vfs, enter(&vfs, &format!("ids/{second}")));
    let read = calls.take();
    assert_eq!(objects(&read).len(), 1, "{:?}", objects(&read));
    assert_eq!(objects(&read)[0].key, layout::file(records[77].id));
    assert_eq!(vfs.distinct_folders(), folders + 3, "the root, box and box/0 are new");
}

#[test]
fn with_full_latest_entering_reads_no_record_and_reading_reads_one() {
    let maker = Maker::new(Store::memory());
    let records: Vec<_> = (0..300)
        .map(|n| maker.file(&format!("/{n}.sy"), n, format!("note {n}").as_bytes(), 100))
        .collect();
    let id = maker.snapshot(1_000, &records);
    maker.full_latest(id, &records);
    let (store, calls) = maker.store.recorded();
    let vfs = Vfs::new(maker.open_store(store), VfsOptions::default()).unwrap();
    let dir = enter(&vfs, &format!("ids/{id}"));
    assert_eq!(list(&vfs, dir).len(), 300);
    assert!(objects(&calls.take()).is_empty());
    let ino = vfs.lookup(dir, b"7.sy").unwrap().attr.ino;
    assert_eq!(&*vfs.read(ino, 0, 100).unwrap(), b"note 7");
    let read: Vec<_> = objects(&calls.take()).iter().map(|c| c.key.clone()).collect();
    assert_eq!(read, [layout::file(records[7].id), layout::chunk(records[7].chunks[0])]);
    assert_eq!(&*vfs.read(ino, 2, 2).unwrap(), b"te");
    assert!(calls.take().is_empty());
}

#[test]
fn four_kib_of_a_large_file_cost_one_chunk_and_probes_and_then_nothing() {
    let maker = Maker::new(Store::memory());
    let content = noise(1, 40 << 20);
    let record = maker.file("/large.bin", 5_000, &content, 1 << 20);
    let id = maker.snapshot(1_000, std::slice::from_ref(&record));
    let (store, calls) = maker.store.recorded();
    let vfs = Vfs::new(maker.open_store(store), VfsOptions::default()).unwrap();
    let ino = vfs.lookup(enter(&vfs, &format!("ids/{id}")), b"large.bin").unwrap().attr.ino;
    calls.take();
    for offset in [17 << 20, 0] {
        let read = vfs.read(ino, offset + 100, 4096).unwrap();
        assert_eq!(*read, content[offset as usize + 100..][..4096]);
    }
    let read = calls.take();
    let read = count(objects(&read).iter().map(|c| c.verb));
    assert_eq!(read[&Verb::GetHead], 40, "a probe for each chunk, once");
    assert_eq!(read[&Verb::Get], 2, "and the chunks that were asked for");
    vfs.read(ino, 100, 4096).unwrap();
    assert!(objects(&calls.take()).is_empty());
}

#[test]
fn a_small_file_costs_one_chunk_and_no_probe() {
    let maker = Maker::new(Store::memory());
    let record = maker.file("/a.sy", 5_000, b"some words", 100);
    let id = maker.snapshot(1_000, std::slice::from_ref(&record));
    let (store, calls) = maker.store.recorded();
    let repo = maker.open_store(store);
    repo.load(id).unwrap();
    calls.take();
    assert_eq!(&*repo.read(FileNo(0), 5, 100).unwrap(), b"words");
    let read = calls.take();
    assert_eq!(read.len(), 1);
    assert_eq!((read[0].verb, &read[0].key), (Verb::Get, &layout::chunk(record.chunks[0])));
}
