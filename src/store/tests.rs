//! One conformance suite for every backend, and what only a local folder can show.

use super::*;

fn local() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = Store::local(dir.path());
    (dir, store)
}

fn each(test: impl Fn(Store)) {
    let (_dir, store) = local();
    test(store);
    test(Store::memory());
    test(Store::memory().recorded().0);
}

#[test]
fn put_get_list_delete() {
    each(|store| {
        assert!(store.get("objects/ab/cd", 10).unwrap_err().is_missing());
        assert_eq!(store.list("objects").unwrap(), []);
        store.put("objects/ab/cd", b"12345").unwrap();
        store.put("objects/ef/gh", b"").unwrap();
        assert_eq!(store.get("objects/ab/cd", 5).unwrap(), b"12345");
        assert_eq!(store.get_head("objects/ab/cd", 2).unwrap(), b"12");
        assert_eq!(store.get_head("objects/ab/cd", 99).unwrap(), b"12345");
        assert_eq!(store.size("objects/ab/cd").unwrap(), 5);
        assert!(matches!(
            store.get("objects/ab/cd", 4).unwrap_err().problem,
            StoreProblem::TooLarge(5)
        ));
        let mut listed = store.list("objects").unwrap();
        listed.sort();
        let names: Vec<_> = listed.iter().map(|l| (l.name.as_str(), l.is_folder)).collect();
        assert_eq!(names, [("ab", true), ("ef", true)]);
        store.put("objects/ab/cd", b"new").unwrap();
        assert_eq!(store.get("objects/ab/cd", 5).unwrap(), b"new");
        store.delete("objects/ab/cd").unwrap();
        store.delete("objects/ab/cd").unwrap();
        assert!(store.size("objects/ab/cd").unwrap_err().is_missing());
    });
}

#[test]
fn of_many_who_want_a_new_key_one_gets_it() {
    each(|store| {
        store.put("refs/tags/old", b"1").unwrap();
        let refused = store.put_new("refs/tags/old", b"2").unwrap_err();
        assert!(refused.exists(), "{refused}");
        assert_eq!(store.get("refs/tags/old", 9).unwrap(), b"1");
        let won: Vec<u8> = std::thread::scope(|scope| {
            let tries = (0..8).map(|n| {
                let store = &store;
                scope.spawn(move || store.put_new("refs/tags/new", &[n]).is_ok().then_some(n))
            });
            let tries: Vec<_> = tries.collect();
            tries.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(won.len(), 1);
        assert_eq!(store.get("refs/tags/new", 9).unwrap(), won);
        assert_eq!(store.list("refs/tags").unwrap().len(), 2, "nothing is left of the others");
    });
}

#[test]
fn stamps_tell_changes() {
    each(|store| {
        let before = store.stamp("refs").unwrap();
        store.put("refs/latest", b"1").unwrap();
        let after = store.stamp("refs").unwrap();
        assert_ne!(before.of, after.of);
        assert_eq!(store.stamp("refs").unwrap().of, after.of);
        let file = store.stamp("refs/latest").unwrap();
        store.put("refs/latest", b"2").unwrap();
        assert_ne!(store.stamp("refs/latest").unwrap().of, file.of);
    });
}

#[test]
fn only_regular_files_are_read_and_nothing_hangs() {
    let (dir, store) = local();
    std::fs::create_dir(dir.path().join("folder")).unwrap();
    let pipe = std::ffi::CString::new(dir.path().join("pipe").to_str().unwrap()).unwrap();
    // SAFETY: `pipe` is a valid C string for the duration of the call.
    assert_eq!(unsafe { libc::mkfifo(pipe.as_ptr(), 0o600) }, 0);
    std::os::unix::fs::symlink("/dev/zero", dir.path().join("zero")).unwrap();
    std::os::unix::fs::symlink("nowhere", dir.path().join("dangling")).unwrap();
    for key in ["folder", "pipe", "zero"] {
        let problem = store.get(key, 10).unwrap_err().problem;
        assert!(matches!(problem, StoreProblem::NotAFile), "{key}: {problem}");
    }
    // What it leads to may only not be mounted: who took it for removed would draw wrong conclusions.
    assert!(!store.get("dangling", 10).unwrap_err().is_missing());
    let mut names: Vec<_> = store.list("").unwrap().into_iter().map(|l| l.name).collect();
    names.sort();
    assert_eq!(names, ["dangling", "folder", "pipe", "zero"]);
}

#[test]
fn a_ref_may_have_white_space_and_nothing_else() {
    each(|store| {
        let id = "0123456789abcdef0123456789abcdef01234567";
        assert!(refs::read(&store, "refs/latest").unwrap().is_none());
        store.put("refs/latest", format!(" {id}\n").as_bytes()).unwrap();
        assert_eq!(refs::read(&store, "refs/latest").unwrap().unwrap().to_string(), id);
        store.put("refs/tags/bad", b"\xff").unwrap();
        store.put("refs/tags/good", id.as_bytes()).unwrap();
        store.put("refs/tags/.revu-x.tmp", b"").unwrap();
        let tags = refs::tags(&store).unwrap();
        let names: Vec<_> = tags.iter().map(|(name, id)| (name.as_str(), id.is_ok())).collect();
        assert_eq!(names, [("bad", false), ("good", true)]);
    });
}

#[test]
fn calls_are_noted() {
    let (store, calls) = Store::memory().recorded();
    store.put("a", b"x").unwrap();
    store.get("a", 1).unwrap();
    let noted: Vec<_> = calls.take().into_iter().map(|c| c.verb).collect();
    assert_eq!(noted, [Verb::Put, Verb::Get]);
    assert_eq!(calls.take(), []);
}

#[test]
fn a_batch_appears_whole_and_leaves_nothing_behind() {
    each(|store| {
        let batch = store.batch();
        batch.put("objects/ab/1".into(), b"one").unwrap();
        batch.put("objects/cd/2".into(), b"two").unwrap();
        assert!(store.get("objects/ab/1", 9).unwrap_err().is_missing(), "not before the commit");
        batch.commit().unwrap();
        assert_eq!(store.get("objects/ab/1", 9).unwrap(), b"one");
        assert_eq!(store.get("objects/cd/2", 9).unwrap(), b"two");
        batch.put("objects/ef/3".into(), b"three").unwrap();
        drop(batch);
        assert!(store.get("objects/ef/3", 9).unwrap_err().is_missing());
    });
    let (dir, store) = local();
    let batch = store.batch();
    batch.put("objects/ab/1".into(), b"one").unwrap();
    drop(batch);
    drop(store);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "the staging folder is gone");
}

#[test]
fn faults_come_where_they_are_asked_for() {
    each(|store| {
        let faults = Faults::among_writes(2, Fault::Errno(libc::ENOSPC));
        let faulty = store.faulty(&faults);
        let batch = faulty.batch();
        batch.put("a".into(), b"1").unwrap();
        batch.put("b".into(), b"2").unwrap();
        let e = batch.commit().unwrap_err();
        assert!(matches!(e.problem, StoreProblem::Unwritable(_)), "the sync fails: {e}");
        assert!(store.get("a", 9).is_err(), "so nothing has got its name");
        faulty.put("c", b"3").unwrap();

        let faults = Faults::at(1, Fault::Stop);
        let stopped = store.faulty(&faults);
        stopped.get("c", 9).unwrap();
        for _ in 0..3 {
            assert!(stopped.put("d", b"4").is_err() && stopped.get("c", 9).is_err());
        }
        assert!(store.get("d", 9).is_err());
    });
}
