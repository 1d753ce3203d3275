//! The list of snapshots from what an earlier process kept of it: the same list, without a look into any
//! index, and never an old one.

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use common::Maker;
use revu::format::{Index, IndexId, layout};
use revu::repo::{Repository, Snapshots};
use revu::store::{Call, Store, Verb};

/// A repository of so many snapshots in a folder, all made an hour ago.
fn sample(folder: &Path, snapshots: i64) -> (Maker, Vec<IndexId>) {
    let maker = Maker::new(Store::local(folder));
    let record = maker.file("/a.sy", 1_000, b"hello", 100);
    let records = std::slice::from_ref(&record);
    let ids = (0..snapshots).map(|n| maker.snapshot(n * 1000, records)).collect::<Vec<_>>();
    ids.iter().for_each(|id| age(&folder.join(layout::index(*id)), 3600));
    age(&folder.join(layout::INDEXES), 3600);
    (maker, ids)
}

/// This file or folder was written so many seconds ago.
fn age(path: &Path, seconds: u64) {
    let file = std::fs::File::open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
}

/// What a process finds that is given this cache, and which indexes it reads for its list.
fn listed(maker: &Maker, cache: &Path) -> (Arc<Snapshots>, Vec<Call>) {
    let (store, calls) = maker.store.recorded();
    let repo: Arc<Repository> = maker.open_store(store);
    repo.keep_heads_in(cache, false);
    // The check of the key reads one.
    calls.take();
    let snapshots = repo.snapshots().unwrap();
    let is_read = |call: &Call| {
        call.key.starts_with("indexes/") && matches!(call.verb, Verb::Get | Verb::GetHead)
    };
    (snapshots, calls.take().into_iter().filter(is_read).collect())
}

fn memo(snapshots: &Snapshots, id: IndexId) -> &str {
    &snapshots.get(id).unwrap().head.memo
}

#[test]
fn the_second_process_reads_no_index_for_its_list() {
    let place = tempfile::tempdir().unwrap();
    let (repo, cache) = (place.path().join("repo"), place.path().join("cache"));
    let (maker, ids) = sample(&repo, 100);
    let (first, read) = listed(&maker, &cache);
    assert_eq!(read.len(), 100);
    let (second, read) = listed(&maker, &cache);
    assert!(read.is_empty(), "{read:?}");
    assert_eq!(second.list, first.list);
    assert_eq!(second.list.len(), 100);

    // What comes is read, what goes is gone, and neither makes the rest be read.
    let record = maker.file("/b.sy", 1_000, b"more", 100);
    let new = maker.snapshot(500_000, &[record]);
    maker.store.delete(&layout::index(ids[3])).unwrap();
    let (third, read) = listed(&maker, &cache);
    assert_eq!(read.iter().map(|call| &call.key).collect::<Vec<_>>(), [&layout::index(new)]);
    assert_eq!(third.list.len(), 100);
    assert!(third.get(ids[3]).is_none() && third.get(new).is_some());
    assert_eq!(third.latest, Some(new));
}

#[test]
fn a_memo_that_is_rewritten_under_the_same_id_is_shown() {
    let place = tempfile::tempdir().unwrap();
    let (repo, cache) = (place.path().join("repo"), place.path().join("cache"));
    let (maker, ids) = sample(&repo, 40);
    listed(&maker, &cache);
    let rewritten = |id: IndexId, memo: &str| {
        let path = repo.join(layout::index(id));
        let index = Index::decode(&std::fs::read(&path).unwrap(), id).unwrap();
        (path, Index { memo: memo.into(), ..index }.encode())
    };
    // In the same file: another size under the same time, then another time.
    let (path, bytes) = rewritten(ids[1], "a memo of another length than before");
    assert_ne!(bytes.len() as u64, std::fs::metadata(&path).unwrap().len());
    let time = std::fs::metadata(&path).unwrap().modified().unwrap();
    std::fs::write(&path, bytes).unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    let (path, bytes) = rewritten(ids[2], "MEMO OF 2000");
    std::fs::write(path, bytes).unwrap();
    age(&repo.join(layout::index(ids[2])), 1800);
    // As who writes safely: another file in its place.
    let (_, bytes) = rewritten(ids[4], "memo of 4OOO");
    maker.store.put(&layout::index(ids[4]), &bytes).unwrap();

    for _ in 0..2 {
        let (snapshots, read) = listed(&maker, &cache);
        assert_eq!(memo(&snapshots, ids[1]), "a memo of another length than before");
        assert_eq!(memo(&snapshots, ids[2]), "MEMO OF 2000");
        assert_eq!(memo(&snapshots, ids[4]), "memo of 4OOO");
        assert_eq!(memo(&snapshots, ids[5]), "memo of 5000");
        assert_eq!(read.len(), 3, "only these, and too few to write all anew: {read:?}");
    }
}

/// A mount's first list is not kept waiting by a look at each index, and its second one looks.
#[test]
fn the_first_list_may_believe_what_was_kept_and_the_second_looks() {
    let place = tempfile::tempdir().unwrap();
    let (repo, cache) = (place.path().join("repo"), place.path().join("cache"));
    let (maker, ids) = sample(&repo, 40);
    listed(&maker, &cache);
    let path = repo.join(layout::index(ids[2]));
    let index = Index::decode(&std::fs::read(&path).unwrap(), ids[2]).unwrap();
    std::fs::write(&path, Index { memo: "another memo".into(), ..index }.encode()).unwrap();

    let (store, calls) = maker.store.recorded();
    let opened = maker.open_store(store);
    opened.keep_heads_in(&cache, true);
    calls.take();
    assert_eq!(memo(&opened.snapshots().unwrap(), ids[2]), "memo of 2000");
    let looks = |call: &Call| call.key.starts_with("indexes/");
    assert_eq!(calls.take().iter().filter(|call| looks(call)).count(), 0);
    let second = opened.snapshots_now().unwrap();
    assert_eq!(memo(&second, ids[2]), "another memo");
    assert_eq!(second.list.len(), 40);

    // Where something was renamed into the folder, the first one looks too.
    maker.snapshot(500_000, &[maker.file("/b.sy", 1_000, b"more", 100)]);
    let opened = maker.open();
    opened.keep_heads_in(&cache, true);
    let first = opened.snapshots().unwrap();
    assert_eq!((memo(&first, ids[2]), first.list.len()), ("another memo", 41));
}

#[test]
fn small_repositories_and_new_indexes_leave_nothing_behind() {
    let place = tempfile::tempdir().unwrap();
    let (repo, cache) = (place.path().join("repo"), place.path().join("cache"));
    let (maker, _) = sample(&repo, 15);
    listed(&maker, &cache);
    assert!(!cache.exists());
    // Whether one that was written just now has changed since cannot be told.
    let record = maker.file("/b.sy", 1_000, b"more", 100);
    for n in 0..20 {
        maker.snapshot(500_000 + n, std::slice::from_ref(&record));
    }
    let (snapshots, _) = listed(&maker, &cache);
    assert_eq!(snapshots.list.len(), 35);
    assert!(!cache.exists());
}

#[test]
fn a_damaged_index_is_told_by_each_process() {
    let place = tempfile::tempdir().unwrap();
    let (repo, cache) = (place.path().join("repo"), place.path().join("cache"));
    let (maker, ids) = sample(&repo, 30);
    std::fs::write(repo.join(layout::index(ids[7])), "garbage").unwrap();
    age(&repo.join(layout::index(ids[7])), 3600);
    for read in [30, 1] {
        let (snapshots, calls) = listed(&maker, &cache);
        assert_eq!((snapshots.list.len(), snapshots.damaged.len()), (29, 1));
        assert_eq!(calls.len(), read, "{calls:?}");
    }
}
