//! Tags: names for snapshots.

use std::time::Duration;

use revu::format::{Id, IndexId};
use revu::ops::tags::{self, TagError};
use revu::repo::{Options, Repository, names};
use revu::store::lock::{Kind, Lock};
use revu::store::{Faults, Store};

use super::{FAULTS, common, forget_locks, tree};

struct Golden {
    dir: tempfile::TempDir,
    repo: Repository,
    ids: Vec<IndexId>,
}

fn golden() -> Golden {
    let case = common::golden();
    let dir = tempfile::tempdir().unwrap();
    common::copy_tree(&case.repo, dir.path());
    let store = Store::local(dir.path());
    let repo = Repository::open(store, &case.key, Options::default()).unwrap();
    let ids = repo.snapshots().unwrap().list.iter().map(|snapshot| snapshot.head.id).collect();
    Golden { dir, repo, ids }
}

#[test]
fn a_tag_is_one_file_and_nothing_else() {
    let Golden { dir, repo, ids } = golden();
    let before = tree(dir.path());
    for name in ["v9", "发布 1.0", "with space"] {
        tags::check_free(repo.store(), name).unwrap();
        tags::add(&repo, name, ids[1]).unwrap();
        let mut after = tree(dir.path());
        let tag = after.remove(&format!("refs/tags/{name}")).unwrap();
        assert_eq!(tag, ids[1].to_string().as_bytes());
        assert_eq!(after, before);
        std::thread::sleep(Duration::from_millis(150));
        let snapshots = repo.snapshots().unwrap();
        assert_eq!(names::resolve(&snapshots, &jiff::tz::TimeZone::UTC, name), Ok(ids[1]));
        tags::remove(repo.store(), name).unwrap();
        assert_eq!(tree(dir.path()), before);
    }
}

#[test]
fn a_name_that_is_taken_is_refused() {
    let Golden { dir, repo, ids } = golden();
    let store = repo.store();
    tags::add(&repo, "v9", ids[0]).unwrap();
    store.put("refs/tags/broken", b"nothing").unwrap();
    let before = tree(dir.path());
    for (name, word) in [("v9", ids[0].short()), ("broken", "cannot be read".into())] {
        for id in [ids[0], ids[1]] {
            for refused in [
                tags::check_free(store, name).unwrap_err(),
                tags::add(&repo, name, id).unwrap_err(),
            ] {
                assert!(matches!(refused, TagError::Exists { .. }), "{refused}");
                let told = refused.to_string();
                assert!(told.contains(name) && told.contains(&word), "{told}");
            }
        }
    }
    assert_eq!(tree(dir.path()), before);
    tags::remove(store, "broken").unwrap();
    tags::add(&repo, "broken", ids[1]).unwrap();
}

#[test]
fn what_is_no_name_or_no_snapshot_is_refused_before_any_work() {
    let Golden { dir, repo, ids } = golden();
    let before = tree(dir.path());
    for bad in ["", "../latest", "a/b", "latest", ".x", "a\0b"] {
        assert!(matches!(tags::check_free(repo.store(), bad), Err(TagError::Name { .. })));
        assert!(matches!(tags::add(&repo, bad, ids[0]), Err(TagError::Name { .. })), "{bad:?}");
    }
    let nothing = tags::add(&repo, "v9", IndexId(Id::digest(b"none"))).unwrap_err();
    assert!(matches!(nothing, TagError::Snapshot(_)), "{nothing}");
    assert_eq!(tree(dir.path()), before);
}

#[test]
fn only_what_is_listed_can_be_removed() {
    let Golden { dir, repo, ids } = golden();
    let store = repo.store();
    // Names that others gave.
    for name in ["a:b", ".hidden", " x "] {
        store.put(&format!("refs/tags/{name}"), ids[0].to_string().as_bytes()).unwrap();
        tags::remove(store, name).unwrap();
    }
    store.put("refs/tags/folder/x", ids[0].to_string().as_bytes()).unwrap();
    let before = tree(dir.path());
    for none in ["none", "..", "../latest", "", ".", "folder", "folder/x"] {
        let told = tags::remove(store, none).unwrap_err();
        assert!(matches!(told, TagError::Missing(_)), "{none}: {told}");
    }
    assert_eq!(tree(dir.path()), before);
}

#[test]
fn a_purge_is_waited_for() {
    let Golden { dir: _dir, repo, ids } = golden();
    let purge =
        Lock::take(repo.store(), Kind::Exclusive, "purge", Duration::ZERO, &|| false).unwrap();
    std::thread::scope(|scope| {
        let adding = scope.spawn(|| tags::add(&repo, "v9", ids[0]));
        std::thread::sleep(Duration::from_millis(300));
        assert!(repo.store().size("refs/tags/v9").unwrap_err().is_missing());
        drop(purge);
        adding.join().unwrap().unwrap();
    });
    // Snapshots are not.
    let _snapshot =
        Lock::take(repo.store(), Kind::Shared, "snapshot", Duration::ZERO, &|| false).unwrap();
    tags::remove(repo.store(), "v9").unwrap();
}

#[test]
fn of_many_who_want_one_name_one_gets_it() {
    let Golden { dir: _dir, repo, ids } = golden();
    let won: Vec<IndexId> = std::thread::scope(|scope| {
        let repo = &repo;
        let threads: Vec<_> = ids
            .iter()
            .map(|id| scope.spawn(move || tags::add(repo, "v9", *id).is_ok().then_some(*id)))
            .collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
    });
    let [won] = won[..] else { panic!("{won:?}") };
    let tag = repo.store().get("refs/tags/v9", 99).unwrap();
    assert_eq!(tag, won.to_string().as_bytes());
}

#[test]
fn a_tag_that_fails_at_any_moment_is_whole_or_not_there() {
    let Golden { dir, ids, .. } = golden();
    let case = common::golden();
    let store = Store::local(dir.path());
    let before = tree(dir.path());
    let tagged = || tree(dir.path()).remove("refs/tags/v9");
    for adds in [true, false] {
        for fault in FAULTS {
            for at in 0.. {
                let faults = Faults::among_writes(at, fault);
                let faulty = store.faulty(&faults);
                let sound = Repository::open(store.clone(), &case.key, Options::default()).unwrap();
                let result = if adds {
                    let repo = Repository::open(faulty, &case.key, Options::default()).unwrap();
                    tags::add(&repo, "v9", ids[2])
                } else {
                    tags::add(&sound, "v9", ids[2]).unwrap();
                    tags::remove(&faulty, "v9")
                };
                forget_locks(&store);
                if let Some(tag) = tagged() {
                    assert_eq!(tag, ids[2].to_string().as_bytes());
                    assert!(!adds || result.is_ok(), "{fault:?} at {at}");
                    tags::remove(&store, "v9").unwrap();
                }
                let mut after = tree(dir.path());
                // What a write of a tag that was cut short left behind is none.
                after.retain(|name, _| !name.contains(".revu-"));
                assert!(after == before, "{fault:?} at {at}: {:?}", after.keys());
                if faults.done() <= at {
                    result.unwrap();
                    break;
                }
            }
        }
    }
}
