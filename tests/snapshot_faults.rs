//! Every single write of a snapshot fails in turn: afterwards every snapshot that a ref names is
//! whole, and the next run succeeds.

mod snapshot;

use revu::format::layout;
use revu::store::{Fault, Faults, Store, refs};

use snapshot::{Bench, noise, on_disk, open, plain, read_back, siyuan, verify};

fn bench(is_siyuan: bool) -> Bench {
    let mut bench = Bench::new(if is_siyuan { siyuan() } else { plain() });
    bench.write("kept", "kept");
    bench.write("edited", "first");
    bench.write("removed", "removed");
    bench.options.tags = vec!["v1".into()];
    bench.run();
    bench.write("edited", "later");
    // Not in the second of the first edit: that would move the time on.
    snapshot::set_time(&bench.data().join("edited"), 1_700_000_000, 5_000_000);
    bench.remove("removed");
    bench.write("added/small", "small");
    bench.write("added/large", noise(1, 3 << 20));
    bench.options.tags = vec!["v2".into()];
    bench
}

/// Copies the repository, so that each try starts with the same one.
fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

fn fail_each_write(is_siyuan: bool, fault: Fault) {
    let bench = bench(is_siyuan);
    let expected = on_disk(&bench.data());
    let states = bench.place.path().join("states");
    let (mut failed, mut fine) = (0, 0);
    for n in 0.. {
        let place = snapshot::tempdir();
        let repository = place.path().join("repo");
        copy(&bench.place.path().join("repo"), &repository);
        let saved = place.path().join("states");
        copy(&states, &saved);

        let inner = Store::local(&repository);
        let faults = Faults::among_writes(n, fault);
        let made = bench.run_in(&open(inner.faulty(&faults)));
        drop(inner);
        let store = Store::local(&repository);
        let done = faults.done() <= n;
        // A cache that could not be written, or a lock that could not be removed, is no failure.
        if let Err(error) = &made {
            failed += 1;
            let message = error.to_string();
            assert!(!message.contains('\n') && message.len() > 20, "{message}");
        } else if !done {
            fine += 1;
        }
        let named = verify(&store);
        let latest = refs::read(&store, layout::LATEST).unwrap().unwrap();
        let is_new = read_back(&open(store.clone()), latest) == expected;
        assert!(named >= 2, "latest and v1 are always there");

        // Its owner lives, in this test.
        std::fs::remove_dir_all(repository.join("revu-locks")).unwrap();
        if fault != Fault::Stop {
            for entry in std::fs::read_dir(&repository).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                assert!(!name.starts_with(".revu"), "{name} is left behind by fault {n}");
            }
        }
        let tagged = store.size(&layout::tag("v2")).is_ok();
        let mut again = bench.options.clone();
        if tagged {
            again.tags.clear();
        }
        let repo = open(store.clone());
        let made = revu::ops::snapshot::snapshot(
            &repo,
            &bench.data(),
            &bench.profile,
            &again,
            &revu::ops::Silent,
        );
        let made = made.unwrap_or_else(|e| panic!("after fault {n}: {e}"));
        if is_new {
            assert_eq!(made.index, None, "after fault {n}: it was there already");
        }
        let latest = refs::read(&store, layout::LATEST).unwrap().unwrap();
        assert_eq!(read_back(&repo, latest), expected, "after fault {n}");
        assert_eq!(refs::read(&store, &layout::tag("v2")).unwrap(), Some(latest));
        assert_eq!(verify(&store), 3);

        std::fs::remove_dir_all(&states).unwrap();
        copy(&saved, &states);
        if done {
            assert!(failed > 20, "{failed} of {n} writes failed, {fine} did not matter");
            return;
        }
    }
}

#[test]
fn the_disk_is_full() {
    fail_each_write(false, Fault::Errno(libc::ENOSPC));
}

#[test]
fn the_disk_is_full_in_the_middle_of_a_write() {
    fail_each_write(true, Fault::ShortWrite);
}

#[test]
fn the_disk_fails() {
    fail_each_write(true, Fault::Errno(libc::EIO));
}

#[test]
fn the_disk_is_made_read_only() {
    fail_each_write(false, Fault::Errno(libc::EROFS));
}

#[test]
fn permission_is_taken_away() {
    fail_each_write(true, Fault::Errno(libc::EACCES));
}

#[test]
fn the_process_is_stopped() {
    for is_siyuan in [false, true] {
        fail_each_write(is_siyuan, Fault::Stop);
    }
}

#[test]
fn reads_fail_too() {
    let bench = bench(false);
    let expected = on_disk(&bench.data());
    for n in 0.. {
        let place = snapshot::tempdir();
        let repository = place.path().join("repo");
        copy(&bench.place.path().join("repo"), &repository);
        bench.forget_state();
        let faults = Faults::at(n, Fault::Errno(libc::EIO));
        let inner = Store::local(&repository);
        // What opening the repository meets is not ours.
        let key = revu::format::RepoKey::from_bytes(snapshot::KEY);
        let Ok(repo) =
            revu::repo::Repository::open(inner.faulty(&faults), &key, Default::default())
        else {
            continue;
        };
        let made = bench.run_in(&repo);
        drop(repo);
        verify(&inner);
        if let Ok(made) = made {
            assert!(made.problems.is_empty());
            let latest = refs::read(&inner, layout::LATEST).unwrap().unwrap();
            let read = read_back(&open(inner.clone()), latest);
            for (path, content) in &expected {
                assert!(read[path].bytes == content.bytes, "{path} after fault {n}");
            }
        }
        if faults.done() <= n {
            assert!(n > 30);
            return;
        }
    }
}
