//! One process against itself, and against those that it only pretends to see. Real processes race in
//! `tests/lock.rs`.

use std::fs::File;

use super::*;

fn never() -> bool {
    false
}

fn take(store: &Store, kind: Kind) -> Result<Lock, LockError> {
    Lock::take(store, kind, "test", Duration::ZERO, &never)
}

fn each(test: impl Fn(Store)) {
    let dir = tempfile::tempdir().unwrap();
    test(Store::local(dir.path()));
    test(Store::memory());
}

fn files(store: &Store) -> Vec<String> {
    store.list(LOCKS).unwrap().into_iter().map(|listed| listed.name).collect()
}

/// Another's lock, made of one of this process.
fn plant(store: &Store, change: impl FnOnce(&mut Note)) -> String {
    let now = now();
    let mut note = Note {
        version: VERSION,
        kind: Kind::Exclusive,
        command: "purge".into(),
        owner: Owner::me(),
        since: now,
        refreshed: now,
    };
    change(&mut note);
    let key = format!("{LOCKS}/planted.json");
    store.put(&key, &encode(&note)).unwrap();
    key
}

#[test]
fn what_stands_against_what() {
    each(|store| {
        for (first, second, both) in [
            (Kind::Shared, Kind::Shared, true),
            (Kind::Shared, Kind::Exclusive, false),
            (Kind::Exclusive, Kind::Shared, false),
            (Kind::Exclusive, Kind::Exclusive, false),
        ] {
            let held = take(&store, first).unwrap();
            let other = take(&store, second);
            assert_eq!(other.is_ok(), both, "{first:?}, then {second:?}: {other:?}");
            assert_eq!(files(&store).len(), 1 + usize::from(both), "whoever is refused is gone");
            held.still_held().unwrap();
            drop((held, other));
            assert_eq!(files(&store), [""; 0], "nothing stays behind");
        }
    });
}

#[test]
fn who_is_refused_is_told_by_whom() {
    each(|store| {
        let held = Lock::take(&store, Kind::Exclusive, "purge", Duration::ZERO, &never).unwrap();
        let refused = take(&store, Kind::Shared).unwrap_err().to_string();
        let me = Owner::me();
        let by = format!("`revu purge` of {} on {} (process {})", me.user, me.host, me.pid);
        assert!(refused.contains(&by) && refused.contains(" since 20"), "{refused}");
        assert!(!refused.contains("half an hour"), "{refused}");
        drop(held);
    });
}

#[test]
fn who_waits_gets_it_and_who_is_stopped_does_not() {
    each(|store| {
        let held = take(&store, Kind::Exclusive).unwrap();
        let begun = Instant::now();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                Lock::take(&store, Kind::Shared, "snapshot", Duration::from_secs(60), &never)
            });
            std::thread::sleep(Duration::from_millis(300));
            drop(held);
            assert!(waiting.join().unwrap().is_ok());
        });
        assert!(begun.elapsed() < Duration::from_secs(30));
        let _held = take(&store, Kind::Exclusive).unwrap();
        let begun = Instant::now();
        let stopped = Lock::take(&store, Kind::Shared, "x", Duration::from_secs(60), &|| true);
        assert!(matches!(stopped, Err(LockError::Held { .. })));
        assert!(begun.elapsed() < Duration::from_secs(30));
    });
}

#[test]
fn the_dead_are_passed_over_and_cleared_away() {
    each(|store| {
        // Its number is another process's now.
        plant(&store, |note| note.owner.started = note.owner.started.map(|ticks| ticks + 1));
        assert!(!locks(&store).unwrap()[0].alive);
        let held = take(&store, Kind::Exclusive).unwrap();
        assert_eq!(files(&store).len(), 1);
        assert!(held.key().ends_with(&files(&store)[0]));
    });
}

#[test]
fn those_elsewhere_live_until_they_have_been_silent_too_long() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::local(dir.path());
    let key = plant(&store, |note| note.owner.host = "another".into());
    // What the file says of the time does not count: another computer's clock may be wrong.
    let key = plant(&store, |note| {
        note.owner.machine = Some("another".into());
        note.owner.boot = Some("another".into());
        (note.since, note.refreshed) = (0, 0);
        assert_eq!(key, format!("{LOCKS}/planted.json"));
    });
    let refused = take(&store, Kind::Shared).unwrap_err().to_string();
    assert!(refused.contains("half an hour after"), "{refused}");
    let age = |age: Duration| {
        let file = File::options().write(true).open(dir.path().join(&key)).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    };
    age(STALE - Duration::from_secs(60));
    assert!(take(&store, Kind::Shared).is_err());
    age(STALE + Duration::from_secs(1));
    let _held = take(&store, Kind::Exclusive).unwrap();
    assert_eq!(files(&store).len(), 1);
}

#[test]
fn what_cannot_be_read_counts_for_the_worst_until_it_is_old() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::local(dir.path());
    for version in [0, VERSION + 1] {
        let key = plant(&store, |note| (note.version, note.kind) = (version, Kind::Shared));
        if version == 0 {
            store.put(&key, b"{").unwrap();
        }
        let refused = take(&store, Kind::Shared).unwrap_err().to_string();
        assert!(refused.contains(&key) && refused.contains("cannot be read"), "{refused}");
        let file = File::options().write(true).open(dir.path().join(&key)).unwrap();
        file.set_modified(SystemTime::now() - STALE).unwrap();
        take(&store, Kind::Exclusive).unwrap();
        assert_eq!(files(&store), [""; 0]);
    }
    // What is no lock does not count at all: a file that is just being written, say.
    store.put("revu-locks/.revu-abc.tmp", b"").unwrap();
    store.put("revu-locks/README", b"").unwrap();
    take(&store, Kind::Exclusive).unwrap();
    assert_eq!(files(&store).len(), 2);
}

#[test]
fn it_is_kept_fresh_until_it_is_dropped_and_lost_when_it_is_taken_away() {
    let store = Store::memory();
    let lock = Lock::attempt(&store, Kind::Shared, "test", Duration::from_millis(20));
    let lock = lock.unwrap().unwrap();
    let first = store.meta(lock.key()).unwrap().modified.unwrap();
    let refreshed = || store.meta(lock.key()).is_ok_and(|meta| meta.modified > Some(first));
    let begun = Instant::now();
    while !refreshed() {
        assert!(begun.elapsed() < Duration::from_secs(30), "nothing has refreshed it");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(lock.taken(), first, "that it is refreshed does not make it younger");
    store.delete(lock.key()).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    // Between the look at the file and its being written there is a moment; once.
    store.delete(lock.key()).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    assert!(matches!(lock.still_held(), Err(LockError::Lost { .. })));
    drop(lock);
    assert_eq!(files(&store), [""; 0]);
}

#[test]
fn threads_never_hold_what_stands_against_each_other() {
    each(|store| {
        // Exclusive holders in the upper half, shared ones in the lower.
        let holders = Mutex::new((0u32, 0u32));
        let taken = Mutex::new(0);
        std::thread::scope(|scope| {
            for thread in 0..6 {
                let (store, holders, taken) = (&store, &holders, &taken);
                scope.spawn(move || {
                    for _ in 0..6 {
                        let kind = if thread % 2 == 0 { Kind::Exclusive } else { Kind::Shared };
                        let Ok(lock) =
                            Lock::take(store, kind, "race", Duration::from_millis(500), &never)
                        else {
                            continue;
                        };
                        let mut now = holders.lock();
                        match kind {
                            Kind::Exclusive => now.0 += 1,
                            Kind::Shared => now.1 += 1,
                        }
                        assert!(*now == (1, 0) || now.0 == 0, "{now:?}");
                        drop(now);
                        *taken.lock() += 1;
                        std::thread::sleep(Duration::from_millis(2));
                        let mut now = holders.lock();
                        match kind {
                            Kind::Exclusive => now.0 -= 1,
                            Kind::Shared => now.1 -= 1,
                        }
                        drop(now);
                        drop(lock);
                    }
                });
            }
        });
        assert!(*taken.lock() > 3, "nobody ever got through: {}", taken.lock());
        assert_eq!(files(&store), [""; 0]);
    });
}

#[test]
fn a_store_that_takes_no_file_gives_no_lock() {
    let store = Store::memory();
    let faults = crate::store::Faults::at(0, crate::store::Fault::Errno(libc::EROFS));
    let refused = take(&store.faulty(&faults), Kind::Shared).unwrap_err();
    assert!(refused.to_string().contains("cannot lock"), "{refused}");
    assert_eq!(files(&store), [""; 0]);
    // One that cannot be taken away again stays, and dropping it is no panic.
    let faults = crate::store::Faults::among_writes(1, crate::store::Fault::Stop);
    drop(take(&store.faulty(&faults), Kind::Shared).unwrap());
    assert_eq!(files(&store).len(), 1);
}
