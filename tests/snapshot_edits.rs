//! Snapshots of folders that change in every way: what is read, what is written, what is told.

mod snapshot;

use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use revu::format::{ChunkId, FileRecord, Index, layout};
use revu::ops::diff::{self, Compare};
use revu::ops::disk::{Dir, Rules};
use revu::ops::paths::Scope;
use revu::ops::snapshot::{
    PlainFolder, ProblemKind, Profile, SkipKind, SnapshotError, snapshot as make,
};
use revu::ops::tags::TagError;
use revu::ops::{Monitor, Silent};
use revu::siyuan::{Workspace, WorkspaceLock};
use revu::store::lock::{Kind, Lock};
use revu::store::{Store, refs};

use snapshot::{
    Bench, Content, assert_same_contents, noise, on_disk, open, plain, read_back, records,
    set_time, siyuan,
};

#[test]
fn what_is_on_disk_is_in_the_snapshot() {
    for profile in [plain(), siyuan()] {
        let bench = Bench::new(profile);
        bench.write("a", "one");
        bench.write("b/c", noise(1, 3 << 20));
        bench.write("b/empty", "");
        let made = bench.run();
        assert_eq!(
            (made.counts.added, made.counts.changed, made.counts.removed, made.counts.unchanged),
            (3, 0, 0, 0)
        );
        assert_eq!((made.counts.files, made.counts.size, made.base), (3, (3 << 20) + 3, None));
        assert!(!made.is_partial() && made.is_changed());
        let first = made.index.unwrap();

        bench.write("b/c", noise(2, 1000));
        bench.write("d", "new");
        bench.remove("a");
        let state = on_disk(&bench.data());
        let made = bench.run();
        assert_eq!(
            (made.counts.added, made.counts.changed, made.counts.removed, made.counts.unchanged),
            (1, 1, 1, 1)
        );
        assert_eq!(made.base, Some(first));
        let repo = bench.open();
        assert_same_contents(&read_back(&repo, made.index.unwrap()), &state);
        assert_eq!(read_back(&repo, first).len(), 3);
        let is_siyuan = matches!(bench.profile, Profile::Siyuan { .. });
        let full = bench.store().size(layout::FULL_LATEST).is_ok();
        assert_eq!(full, is_siyuan, "plain names are not for everybody's eyes");
    }
}

#[test]
fn nothing_changed_is_nothing_written() {
    for profile in [plain(), siyuan()] {
        let bench = Bench::new(profile);
        bench.write("a", "one");
        bench.write("b/c", noise(1, 1 << 20));
        bench.run();
        let keys = bench.keys();
        // Read anew, since it was written a moment ago.
        let made = bench.run();
        assert_eq!((made.index, made.counts.unchanged, made.is_changed()), (None, 2, false));
        assert_eq!((made.stored_objects, made.stored_bytes), (0, 0));
        bench.forget_state();
        assert_eq!(bench.run().index, None);
        assert_eq!(bench.keys(), keys);
    }
}

#[test]
fn what_has_settled_is_not_read_again() {
    let bench = Bench::new(plain());
    bench.write("a", "one");
    bench.write("b/c", noise(1, 1 << 20));
    std::thread::sleep(Duration::from_millis(2_300));
    let bytes = bench.run().read_bytes;
    assert_eq!(bytes, (1 << 20) + 3);
    assert_eq!(bench.run().read_bytes, 0);
    // Without the state its time and size are believed only if nothing has touched it since.
    bench.forget_state();
    assert_eq!(bench.run().read_bytes, bytes);
    bench.write("d", "");
    let made = bench.run();
    assert_eq!((made.read_bytes, made.counts.unchanged, made.counts.added), (0, 2, 1));
}

#[test]
fn without_a_state_what_is_older_than_the_last_snapshot_is_believed() {
    let bench = Bench::new(siyuan());
    bench.write("a", "one");
    std::thread::sleep(Duration::from_millis(5_100));
    bench.run();
    bench.forget_state();
    let made = bench.run();
    assert_eq!((made.index, made.read_bytes), (None, 0));
}

/// An edit that keeps size, second and even nanosecond.
#[test]
fn an_edit_within_the_same_second_is_never_lost() {
    for (profile, with_state) in
        [(plain(), true), (siyuan(), true), (plain(), false), (siyuan(), false)]
    {
        for time in [1_700_000_000, -1, 0, -5] {
            let mut bench = Bench::new(profile.clone());
            if !with_state {
                bench.options.states = None;
            }
            let path = bench.data().join("note");
            let mut made = Vec::new();
            for text in ["first", "other", "third"] {
                bench.write("note", text);
                set_time(&path, time, 250_000_000);
                let summary = bench.run();
                made.push((summary.index.expect("a snapshot for each edit"), text));
                assert_eq!(bench.run().index, None, "and one is enough");
            }
            // Back to what it was: its record is there already.
            bench.write("note", "first");
            set_time(&path, time, 250_000_000);
            made.push((bench.run().index.unwrap(), "first"));
            let repo = bench.open();
            let mut times = Vec::new();
            for (id, text) in &made {
                let files = read_back(&repo, *id);
                assert_eq!(files["/note"].bytes, text.as_bytes());
                times.push(files["/note"].updated);
            }
            assert_eq!(times[0], time * 1_000 + 250);
            assert_eq!(times[3], times[0]);
            assert!(times[0] < times[1] && times[1] < times[2], "{times:?}");
            assert!(times[2] - times[0] <= 3_000, "the next seconds: {times:?}");
        }
    }
}

#[test]
fn a_moved_time_does_not_take_the_place_of_another_content() {
    let bench = Bench::new(plain());
    let path = bench.data().join("note");
    let write = |text: &str, seconds| {
        bench.write("note", text);
        set_time(&path, seconds, 0);
        bench.run().index.unwrap()
    };
    let ids = [write("second", 101), write("first", 100), write("edit!", 100)];
    let repo = bench.open();
    let states = ids.map(|id| read_back(&repo, id)["/note"].clone());
    let content = |updated, text: &str| Content { updated, bytes: text.into() };
    assert_eq!(
        states,
        [content(101_000, "second"), content(100_000, "first"), content(102_000, "edit!")]
    );
}

#[test]
fn two_paths_whose_digits_run_together() {
    // "/f" + "12345" and "/f1" + "2345" are the same text, so the same File ID.
    let bench = Bench::new(plain());
    for (name, seconds) in [("f", 12_345), ("f1", 2_345)] {
        bench.write(name, name);
        set_time(&bench.data().join(name), seconds, 0);
    }
    let made = bench.run();
    let files = read_back(&bench.open(), made.index.unwrap());
    assert_eq!(files["/f"], Content { updated: 12_345_000, bytes: "f".into() });
    assert_eq!(files["/f1"], Content { updated: 2_346_000, bytes: "f1".into() });
    assert_eq!(bench.run().index, None);
}

#[test]
fn a_file_that_holds_the_name_of_an_object() {
    // The content of `evil` has the File ID of `note` as its Chunk ID.
    let bench = Bench::new(plain());
    bench.write("note", "text");
    set_time(&bench.data().join("note"), 1_000, 0);
    let first = bench.run().index.unwrap();
    bench.write("evil", "/note1000");
    let made = bench.run();
    assert_eq!(made.index, None);
    assert_eq!(made.problems[0].kind, ProblemKind::Unholdable);
    assert_eq!(read_back(&bench.open(), first)["/note"].bytes, b"text");

    // The chunk first, the record after it: the record moves on.
    let bench = Bench::new(plain());
    bench.write("evil", "/note1000");
    bench.write("note", "text");
    set_time(&bench.data().join("note"), 1_000, 0);
    let files = read_back(&bench.open(), bench.run().index.unwrap());
    assert_eq!(files["/evil"].bytes, b"/note1000");
    assert_eq!(files["/note"], Content { updated: 1_001_000, bytes: "text".into() });
}

#[test]
fn a_time_alone_is_a_change_and_stores_no_content() {
    let bench = Bench::new(siyuan());
    bench.write("note", "text");
    set_time(&bench.data().join("note"), 1_000, 0);
    bench.run();
    set_time(&bench.data().join("note"), 2_000, 0);
    let made = bench.run();
    assert_eq!((made.counts.changed, made.stored_objects), (1, 1));
    // Within the second the record that is there serves: its File ID would be the same.
    set_time(&bench.data().join("note"), 2_000, 999_000_000);
    assert_eq!(bench.run().index, None);
}

#[test]
fn equal_content_is_stored_once() {
    let bench = Bench::new(plain());
    let large = noise(7, 2 << 20);
    for n in 0..50 {
        bench.write(&format!("{n}/small"), "the same");
        bench.write(&format!("{n}/large"), &large);
    }
    let made = bench.run();
    let chunks = records(&bench.open(), made.index.unwrap());
    let chunks: std::collections::HashSet<ChunkId> =
        chunks.into_iter().flat_map(|r| r.chunks).collect();
    assert_eq!(made.stored_objects as usize, 100 + chunks.len());
    // Moved: nothing but records is new.
    std::fs::rename(bench.data().join("7"), bench.data().join("moved")).unwrap();
    let made = bench.run();
    assert_eq!((made.counts.added, made.counts.removed, made.stored_objects), (2, 2, 2));
}

#[test]
fn leftovers_that_are_not_whole_are_replaced() {
    for damage in [0, 20, 40, 1_000] {
        let bench = Bench::new(plain());
        let content = noise(3, 600 << 10);
        bench.write("a", &content);
        let made = bench.run();
        let record = records(&bench.open(), made.index.unwrap()).remove(0);
        let chunk = bench.place.path().join("repo").join(layout::chunk(record.chunks[0]));
        let file = bench.place.path().join("repo").join(layout::file(record.id));
        let cut = |path: &std::path::Path| {
            let bytes = std::fs::read(path).unwrap();
            std::fs::write(path, &bytes[..damage.min(bytes.len() - 1)]).unwrap();
        };
        // Nothing refers to them any more: as a crash would have left them.
        for gone in ["indexes", "refs"] {
            std::fs::remove_dir_all(bench.place.path().join("repo").join(gone)).unwrap();
        }
        cut(&chunk);
        cut(&file);
        let made = bench.run();
        assert!(made.stored_objects >= 2, "{damage}");
        let files = read_back(&bench.open(), made.index.unwrap());
        assert_eq!(files["/a"].bytes, content, "cut to {damage}");
        assert_eq!(records(&bench.open(), made.index.unwrap())[0], record);
    }
}

#[test]
fn a_damaged_record_is_mended_where_that_cannot_be_wrong() {
    // Settled, so that the state is sure of the content.
    let bench = Bench::new(siyuan());
    bench.write("a", "text");
    bench.write("b", "more");
    std::thread::sleep(Duration::from_millis(2_300));
    let first = bench.run().index.unwrap();
    let record = records(&bench.open(), first).remove(0);
    let object = bench.place.path().join("repo").join(layout::file(record.id));
    let whole = std::fs::read(&object).unwrap();
    std::fs::write(&object, &whole[..30]).unwrap();
    // As long as full-latest.json speaks for it, nobody looks at the object.
    std::fs::remove_file(bench.place.path().join("repo/full-latest.json")).unwrap();
    bench.write("c", "new");
    let made = bench.run();
    assert_eq!((made.counts.added, made.counts.unchanged), (1, 2));
    assert_eq!(records(&bench.open(), first)[0], record, "the older snapshot is whole again");

    // Not sure: the damaged record stays what it is, the file gets a time of its own.
    std::fs::write(&object, &whole[..30]).unwrap();
    std::fs::remove_file(bench.place.path().join("repo/full-latest.json")).unwrap();
    bench.forget_state();
    let made = bench.run();
    assert_eq!(read_back(&bench.open(), made.index.unwrap())["/a"].bytes, b"text");
    assert_eq!(std::fs::read(&object).unwrap(), &whole[..30]);
}

#[test]
fn an_older_repository_of_ones_own_is_gone_on_with() {
    // A record that DejaVu made of the same content with other milliseconds is used as it is.
    let bench = Bench::new(siyuan());
    bench.write("a", "text");
    set_time(&bench.data().join("a"), 5, 900_000_000);
    let repo = bench.open();
    let record = FileRecord::new("/a".into(), 4, 5_100, vec![ChunkId::of(b"text")]);
    let sealed = repo.objects().cipher().seal(&record.encode());
    bench.store().put(&layout::file(record.id), &sealed).unwrap();
    let made = bench.run();
    assert_eq!(records(&repo, made.index.unwrap()), [record]);
    assert_eq!(made.stored_objects, 1, "the chunk");
}

#[test]
fn nothing_is_skipped_in_silence() {
    let bench = Bench::new(plain());
    bench.write("kept", "");
    bench.write("folder/kept", "");
    let data = bench.data();
    symlink("kept", data.join("link")).unwrap();
    symlink("folder", data.join("folder/link-to-folder")).unwrap();
    std::fs::create_dir_all(data.join("empty/nested")).unwrap();
    std::fs::write(data.join(std::ffi::OsStr::from_bytes(b"bad\xff")), "x").unwrap();
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, data.join("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(data.join("socket")).unwrap();
    let made = bench.run();
    assert_eq!(made.counts.added, 2);
    assert!(!made.is_partial());
    let skipped: Vec<_> =
        made.skipped.kinds().map(|(kind, s)| (kind, s.count, s.names.clone())).collect();
    let names = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>();
    assert_eq!(
        skipped,
        [
            (SkipKind::Symlink, 2, names(&["/folder/link-to-folder", "/link"])),
            (SkipKind::Special, 2, names(&["/pipe", "/socket"])),
            (SkipKind::EmptyFolder, 1, names(&["/empty/nested"])),
            (SkipKind::NotUtf8, 1, names(&["/bad\u{fffd}"])),
        ]
    );
}

#[test]
fn rules_in_the_manner_of_gitignore() {
    let mut bench = Bench::new(plain());
    for path in [
        "a.log",
        "keep.log",
        "sub/a.log",
        "sub/deep/b.log",
        "build/x",
        "sub/build/x",
        "sub/own.tmp",
        "other/own.tmp",
        "sub/.revuignore",
        ".revuignore",
        "from-file",
        "sub/from-file",
        "target/keep.log",
        "anchored",
        "sub/anchored",
    ] {
        bench.write(path, path);
    }
    bench.write(".revuignore", "# a comment\n*.log\n!keep.log\nbuild/\n/anchored\n");
    bench.write("sub/.revuignore", "own.tmp\n!b.log\n");
    let list = bench.place.path().join("list");
    std::fs::write(&list, "from-file\n\n# none\n").unwrap();
    bench.options.excludes = vec!["target".into()];
    bench.options.exclude_from = vec![list];
    let made = bench.run();
    let paths: Vec<_> = read_back(&bench.open(), made.index.unwrap()).into_keys().collect();
    assert_eq!(
        paths,
        [
            "/.revuignore",
            "/keep.log",
            "/other/own.tmp",
            "/sub/.revuignore",
            "/sub/anchored",
            "/sub/deep/b.log",
        ]
    );
    assert_eq!(made.skipped.count(SkipKind::Excluded), 9, "{:?}", made.skipped);

    bench.options.excludes = vec!["a{".into()];
    assert!(matches!(bench.try_run(), Err(SnapshotError::Rules(_))));
}

#[test]
fn the_repository_is_not_part_of_itself() {
    let bench = Bench::new(plain());
    bench.write("a", "text");
    let inside = bench.data().join("backup");
    std::fs::create_dir_all(inside.join("indexes")).unwrap();
    let repo = open(Store::local(&inside));
    let mut options = bench.options.clone();
    options.states = Some(bench.data().join("cache"));
    let make = |folder: &std::path::Path| make(&repo, folder, &bench.profile, &options, &Silent);
    let made = make(&bench.data()).unwrap();
    assert_eq!(made.counts.files, 1);
    assert_eq!(made.skipped.count(SkipKind::Own), 1);
    assert_eq!(make(&bench.data()).unwrap().index, None, "nor are its states");
    for folder in [inside.clone(), inside.join("objects")] {
        let refused = make(&folder).unwrap_err();
        assert!(matches!(refused, SnapshotError::InRepository { .. }), "{refused}");
    }
}

#[test]
fn what_a_killed_restore_has_left_is_not_taken() {
    for profile in [plain(), siyuan()] {
        let bench = Bench::new(profile);
        let (left, alike) = ("folder/.revu-0123abcd-f.tmp", "folder/.revu-0123abcd.tmp");
        for path in ["folder/file", left, alike] {
            bench.write(path, path);
        }
        let made = bench.run();
        let paths: Vec<_> = read_back(&bench.open(), made.index.unwrap()).into_keys().collect();
        if matches!(bench.profile, Profile::Plain { .. }) {
            assert_eq!(paths, ["/folder/.revu-0123abcd.tmp", "/folder/file"]);
            let own: Vec<_> = made.skipped.kinds().map(|(kind, s)| (kind, &s.names[..])).collect();
            assert_eq!(own, [(SkipKind::Own, &[format!("/{left}")][..])]);
        } else {
            assert_eq!(paths, ["/folder/file"]);
        }
    }
}

#[test]
fn a_comparison_with_a_folder_takes_what_a_snapshot_takes() {
    let mut bench = Bench::new(plain());
    for (path, content) in [
        (".revuignore", "*.log\n/build/\n!keep.log\n"),
        ("a.log", "no"),
        ("keep.log", "yes"),
        ("build/out", "no"),
        // Nothing in a folder that is left out comes back.
        ("build/.revuignore", "!*\n"),
        ("sub/.revuignore", "*.tmp\n!*.log\n"),
        ("sub/b.log", "yes"),
        ("sub/x.tmp", "no"),
        ("sub/deep/c.log", "yes"),
        ("sub/.revu-00000000-0.tmp", "no"),
        ("other/build/out", "yes"),
        ("states/x", "no"),
    ] {
        bench.write(path, content);
    }
    symlink("a.log", bench.data().join("link")).unwrap();
    std::fs::create_dir_all(bench.data().join("repo/objects")).unwrap();
    bench.options.states = Some(bench.data().join("states"));
    let repo = open(Store::local(bench.data().join("repo")));
    let made = make(&repo, &bench.data(), &bench.profile, &bench.options, &Silent).unwrap();
    assert_eq!(made.counts.files, 6);

    let compare = |scope: &str| {
        let rules = PlainFolder::new(&repo, &bench.data(), &bench.options).unwrap();
        assert_eq!(rules.notes(), [""; 0]);
        let compare = Compare { rules: &rules, content: false };
        let root = Dir::open(&bench.data()).unwrap();
        let id = made.index.unwrap();
        let found = diff::folder(&repo, id, &root, compare, &Scope::new(scope), &Silent).unwrap();
        assert_eq!(found.problems, [""; 0]);
        found.changes.into_iter().map(|change| change.path).collect::<Vec<_>>()
    };
    assert_eq!(compare(""), [""; 0]);
    assert_eq!(compare("build"), [""; 0]);
    assert_eq!(compare("build/out"), [""; 0]);
    bench.write("sub/deep/d.log", "new");
    bench.write("new.log", "not taken");
    assert_eq!(compare(""), ["sub/deep/d.log"]);
    // The rules are those of now.
    bench.write("sub/.revuignore", "deep\n");
    assert_eq!(compare("sub"), ["sub/.revuignore", "sub/b.log", "sub/deep/c.log", "sub/x.tmp"]);
    bench.write("sub/.revuignore", "a{\n");
    let rules = PlainFolder::new(&repo, &bench.data(), &bench.options).unwrap();
    assert!(!Rules::takes(&rules, "sub/b.log") && Rules::takes(&rules, "sub/x.tmp"));
    assert!(rules.notes()[0].contains("line 1 has no effect"), "{:?}", rules.notes());
}

#[test]
fn no_file_at_all() {
    let bench = Bench::new(siyuan());
    bench.write(".hidden", "");
    let refused = bench.try_run().unwrap_err();
    assert!(matches!(refused, SnapshotError::NoFiles { .. }), "{refused}");
    assert_eq!(bench.store().list(layout::INDEXES).unwrap(), []);

    let bench = Bench::new(plain());
    let made = bench.run();
    assert!(made.notes.iter().any(|note| note.contains("there is no file")), "{:?}", made.notes);
    assert_eq!((made.counts.files, made.index.is_some()), (0, true));
    assert_eq!(bench.run().index, None);
}

#[test]
fn a_dry_run_writes_nothing_and_tells_the_same() {
    for profile in [plain(), siyuan()] {
        let mut bench = Bench::new(profile);
        bench.write("a", "one");
        bench.run();
        bench.write("b", noise(1, 2 << 20));
        bench.write("a", "two");
        let (keys, states) = (bench.keys(), std::fs::read_dir(bench.place.path().join("states")));
        let states = states.unwrap().map(|e| std::fs::read(e.unwrap().path()).unwrap());
        let states: Vec<_> = states.collect();
        bench.options.dry_run = true;
        let dry = bench.run();
        assert_eq!(bench.keys(), keys);
        assert_eq!(dry.index, None);
        let state = std::fs::read_dir(bench.place.path().join("states")).unwrap().next();
        assert_eq!(vec![std::fs::read(state.unwrap().unwrap().path()).unwrap()], states);
        bench.options.dry_run = false;
        let made = bench.run();
        assert_eq!(
            (dry.counts.added, dry.counts.changed, dry.counts.files, dry.counts.size),
            (1, 1, made.counts.files, made.counts.size)
        );
        assert_eq!(dry.stored_objects, made.stored_objects);
    }
}

#[test]
fn a_tag_that_exists_is_refused_before_any_work() {
    let mut bench = Bench::new(plain());
    bench.write("a", "one");
    bench.options.tags = vec!["v1".into(), "标签 with space".into()];
    let first = bench.run().index.unwrap();
    let tags = refs::tags(&bench.store()).unwrap();
    assert_eq!(tags.len(), 2);
    assert!(tags.into_iter().all(|(_, id)| id.unwrap() == first));

    bench.write("b", "two");
    let keys = bench.keys();
    bench.options.tags = vec!["new".into(), "v1".into()];
    let refused = bench.try_run().unwrap_err();
    assert!(
        matches!(&refused, SnapshotError::Tag(TagError::Exists { name, .. }) if name == "v1"),
        "{refused}"
    );
    for bad in ["", ".", "..", "a/b", "a\0", ".revu-1.tmp", &"x".repeat(256)] {
        bench.options.tags = vec![bad.into()];
        assert!(matches!(bench.try_run(), Err(SnapshotError::Tag(TagError::Name { .. }))), "{bad}");
    }
    assert_eq!(bench.keys(), keys);

    // Where nothing has changed, the tag goes to the snapshot that is there.
    bench.remove("b");
    bench.options.tags = vec!["again".into()];
    assert_eq!(bench.run().index, None);
    assert_eq!(refs::read(&bench.store(), "refs/tags/again").unwrap(), Some(first));
}

#[test]
fn a_file_that_never_stays_is_named_and_the_rest_is_kept() {
    let bench = Bench::new(plain());
    bench.write("rest", "of it");
    bench.write("restless", noise(1, 2 << 20));
    /// Is asked before each buffer that is read.
    struct Restless(std::path::PathBuf);
    impl Monitor for Restless {
        fn stopped(&self) -> bool {
            let mut file = std::fs::File::options().append(true).open(&self.0).unwrap();
            file.write_all(b"more").unwrap();
            false
        }
    }
    let monitor = Restless(bench.data().join("restless"));
    let [first, second] = [(), ()].map(|()| {
        make(&bench.open(), &bench.data(), &bench.profile, &bench.options, &monitor).unwrap()
    });
    for made in [&first, &second] {
        assert_eq!(made.problems.len(), 1, "{:?}", made.problems);
        assert_eq!(made.problems[0].path, "/restless");
        assert_eq!(made.problems[0].kind, ProblemKind::KeptChanging);
        assert!(!made.problems[0].kept_as_before);
    }
    assert_eq!(read_back(&bench.open(), first.index.unwrap()).len(), 1);
    assert_eq!(second.index, None, "nothing else has changed");
    let made = bench.run();
    assert!(!made.is_partial());
    assert_same_contents(&read_back(&bench.open(), made.index.unwrap()), &on_disk(&bench.data()));
}

/// Does something when the first bytes of files have been read.
struct Meanwhile<F: Fn() + Send + Sync> {
    done: AtomicU64,
    at: u64,
    what: F,
}

impl<F: Fn() + Send + Sync> Monitor for Meanwhile<F> {
    fn begin(&self, what: &str, _: Option<u64>, _: revu::ops::Unit) {
        if what == "reading" && self.at == 0 {
            (self.what)();
        }
        if what == "reading" {
            self.done.store(1, Ordering::SeqCst);
        }
    }
    fn advance(&self, _: u64) {
        let reading = self.done.load(Ordering::SeqCst) > 0;
        if reading && self.done.fetch_add(1, Ordering::SeqCst) == self.at && self.at > 0 {
            (self.what)();
        }
    }
}

fn meanwhile<F: Fn() + Send + Sync>(at: u64, what: F) -> Meanwhile<F> {
    Meanwhile { done: AtomicU64::new(0), at, what }
}

#[test]
fn a_file_that_changes_once_while_it_is_read_is_read_again() {
    let bench = Bench::new(siyuan());
    bench.write("large", noise(1, 9 << 20));
    // After the second buffer of a megabyte.
    let monitor = meanwhile(2, || bench.write("large", noise(2, 9 << 20)));
    let made =
        make(&bench.open(), &bench.data(), &bench.profile, &bench.options, &monitor).unwrap();
    assert!(!made.is_partial(), "{:?}", made.problems);
    let files = read_back(&bench.open(), made.index.unwrap());
    assert_same_contents(&files, &on_disk(&bench.data()));
}

#[test]
fn a_vanished_file_is_named() {
    for profile in [plain(), siyuan()] {
        let bench = Bench::new(profile);
        bench.write("a", "one");
        bench.write("b", "two");
        bench.run();
        bench.write("a", "three");
        bench.write("b", "four");
        let monitor = meanwhile(0, || bench.remove("b"));
        let repo = bench.open();
        let made = make(&repo, &bench.data(), &bench.profile, &bench.options, &monitor).unwrap();
        assert_eq!((made.counts.changed, made.counts.removed), (1, 1));
        assert_eq!(made.problems.len(), 1);
        assert_eq!(made.problems[0].kind, ProblemKind::Vanished);
        assert_same_contents(&read_back(&repo, made.index.unwrap()), &on_disk(&bench.data()));
    }
}

#[test]
fn what_cannot_be_read_stays_as_it_was() {
    let bench = Bench::new(plain());
    bench.write("a", "one");
    bench.write("b/c", "two");
    bench.write("b/d/e", "three");
    let first = bench.run().index.unwrap();
    bench.write("a", "changed");
    bench.write("b/c", "changed");
    // Something that nobody can read, whoever runs this: a path of more than 4,096 bytes.
    let deep = bench.data().join("x".repeat(250)).join("x".repeat(250));
    std::fs::create_dir_all(&deep).unwrap();
    let mut at = rustix::fs::openat(
        rustix::fs::CWD,
        &deep,
        rustix::fs::OFlags::DIRECTORY,
        rustix::fs::Mode::empty(),
    )
    .unwrap();
    for _ in 0..16 {
        use rustix::fs::{Mode, OFlags, mkdirat, openat};
        let name = "y".repeat(250);
        mkdirat(&at, &name, Mode::RWXU).unwrap();
        at = openat(&at, &name, OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
    let made = bench.run();
    assert_eq!((made.counts.changed, made.counts.unchanged), (2, 1));
    assert_eq!(made.problems.len(), 1, "{:?}", made.problems);
    assert_eq!(made.problems[0].kind, ProblemKind::Unreadable);
    assert!(made.problems[0].to_string().contains("File name too long"), "{}", made.problems[0]);
    assert!(made.index.is_some() && made.index != Some(first));

    // A file that has become unreadable because something else is in its place.
    let monitor = meanwhile(0, || {
        bench.remove("a");
        std::fs::create_dir(bench.data().join("a")).unwrap();
    });
    bench.write("a", "changed again");
    let made = make(&bench.open(), &bench.data(), &plain(), &bench.options, &monitor).unwrap();
    assert_eq!(made.problems[1].kind, ProblemKind::Vanished, "{:?}", made.problems);
}

/// Permissions mean nothing to root.
#[test]
fn unreadable_files_and_folders_are_named_and_stay_as_they_were() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new(plain());
    for (path, text) in [("a", "one"), ("b/c", "two"), ("b/d/e", "three"), ("f", "four")] {
        bench.write(path, text);
    }
    let first = bench.run().index.unwrap();
    let mode = |path: &str, mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(bench.data().join(path), permissions).unwrap();
    };
    bench.write("a", "changed");
    bench.write("f", "changed");
    mode("a", 0);
    mode("b", 0);
    if std::fs::File::open(bench.data().join("a")).is_ok() {
        println!("SKIPPED: permissions do not keep this user from reading");
        mode("b", 0o755);
        return;
    }
    let made = bench.run();
    mode("b", 0o755);
    assert_eq!(made.problems.len(), 2, "{:?}", made.problems);
    assert!(made.problems.iter().all(|p| p.kept_as_before));
    assert_eq!((made.counts.changed, made.counts.unchanged, made.counts.removed), (1, 3, 0));
    let repo = bench.open();
    let (before, after) = (read_back(&repo, first), read_back(&repo, made.index.unwrap()));
    assert_eq!(after["/f"].bytes, b"changed");
    for path in ["/a", "/b/c", "/b/d/e"] {
        assert_eq!(after[path], before[path]);
    }
    mode("a", 0o644);
    let made = bench.run();
    assert!(!made.is_partial());
    assert_same_contents(&read_back(&repo, made.index.unwrap()), &on_disk(&bench.data()));
}

/// Stops after so many questions.
struct StopAfter(AtomicU64);

impl Monitor for StopAfter {
    fn stopped(&self) -> bool {
        self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_err()
    }
}

#[test]
fn stopped_at_any_moment_the_repository_is_good_and_nothing_is_left_behind() {
    for profile in [plain(), siyuan()] {
        let bench = Bench::new(profile);
        bench.write("old", "old");
        let old = bench.run().index.unwrap();
        for n in 0..20 {
            bench.write(&format!("folder{n}/file"), noise(n, 1000));
        }
        bench.write("large", noise(99, 5 << 20));
        let mut stops = 0;
        for n in 0.. {
            let monitor = StopAfter(AtomicU64::new(n));
            let repo = bench.open();
            let made = make(&repo, &bench.data(), &bench.profile, &bench.options, &monitor);
            drop(repo);
            snapshot::verify(&bench.store());
            let top = std::fs::read_dir(bench.place.path().join("repo")).unwrap();
            for entry in top {
                let name = entry.unwrap().file_name().into_string().unwrap();
                assert!(!name.starts_with(".revu"), "{name} is left behind");
            }
            match made {
                Err(SnapshotError::Stopped) => stops += 1,
                Ok(made) => {
                    assert_eq!(made.base, Some(old));
                    let files = read_back(&bench.open(), made.index.unwrap());
                    assert_same_contents(&files, &on_disk(&bench.data()));
                    break;
                }
                Err(e) => panic!("{e}"),
            }
            assert_eq!(refs::read(&bench.store(), layout::LATEST).unwrap(), Some(old));
        }
        assert!(stops > 30, "stopped at {stops} moments");
    }
}

#[test]
fn while_siyuan_runs_nothing_is_done() {
    let bench = Bench::new(plain());
    std::fs::create_dir_all(bench.place.path().join("conf")).unwrap();
    std::fs::write(bench.place.path().join("conf/conf.json"), "{}").unwrap();
    let workspace = Workspace::at(bench.place.path()).unwrap();
    let bench = Bench { profile: Profile::Siyuan { workspace: Some(workspace.clone()) }, ..bench };
    bench.write("a", "one");
    let running = WorkspaceLock::acquire(&workspace).unwrap();
    let refused = bench.try_run().unwrap_err();
    assert!(refused.is_in_use(), "{refused}");
    assert_eq!(bench.keys().len(), 0);
    drop(running);
    // It is held while the snapshot is made.
    let monitor = meanwhile(0, || {
        assert!(WorkspaceLock::acquire(&workspace).is_err());
    });
    let made = make(&bench.open(), &bench.data(), &bench.profile, &bench.options, &monitor);
    assert!(made.unwrap().index.is_some());
    assert!(!workspace.lock().exists());
}

#[test]
fn a_purge_stands_against_a_snapshot_and_so_does_another_snapshot() {
    let bench = Bench::new(plain());
    bench.write("a", "one");
    let purge = Lock::take(&bench.store(), Kind::Exclusive, "purge", Duration::ZERO, &|| false);
    let purge = purge.unwrap();
    let refused = bench.try_run().unwrap_err();
    assert!(refused.is_in_use(), "{refused}");
    drop(purge);
    let other = Lock::take(&bench.store(), Kind::Shared, "snapshot", Duration::ZERO, &|| false);
    let other = other.unwrap();
    let refused = bench.try_run().unwrap_err();
    assert!(refused.is_in_use() && refused.to_string().contains("revu snapshot"), "{refused}");
    drop(other);
    let restore = Lock::take(&bench.store(), Kind::Shared, "tag", Duration::ZERO, &|| false);
    assert!(bench.run().index.is_some());
    drop(restore);
    assert_eq!(bench.store().list("revu-locks").unwrap(), []);
}

#[test]
fn many_snapshots_at_once_lose_nothing() {
    let mut bench = Bench::new(plain());
    bench.options.wait = Duration::from_secs(60);
    for n in 0..30 {
        bench.write(&format!("{n}"), noise(n, 5_000));
    }
    let made: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(|| bench.run())).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(made.iter().filter(|made| made.index.is_some()).count(), 1, "{made:?}");
    let latest = refs::read(&bench.store(), layout::LATEST).unwrap().unwrap();
    assert_same_contents(&read_back(&bench.open(), latest), &on_disk(&bench.data()));
}

#[test]
fn a_ref_that_names_nothing_is_put_right() {
    let bench = Bench::new(siyuan());
    bench.write("a", "one");
    let first = bench.run().index.unwrap();
    for bad in ["not an id", &"0".repeat(40)] {
        bench.store().put(layout::LATEST, bad.as_bytes()).unwrap();
        let made = bench.run();
        assert!(made.index.is_some(), "{bad}");
        assert!(made.base.is_some());
        assert_eq!(made.notes.len(), 1, "{:?}", made.notes);
        assert_eq!(refs::read(&bench.store(), layout::LATEST).unwrap(), made.index);
    }
    assert!(bench.open().objects().index(first).is_ok());
}

#[test]
fn after_a_snapshot_that_siyuan_made_the_state_still_serves() {
    let bench = Bench::new(siyuan());
    bench.write("a", "one");
    bench.write("b", noise(1, 1 << 20));
    std::thread::sleep(Duration::from_millis(2_300));
    let id = bench.run().index.unwrap();
    let repo = bench.open();
    // The same files under another index, of this moment, so that times alone prove nothing.
    let index: Index = repo.objects().index(id).unwrap();
    let created = index.created + 1;
    let other = Index { id: "1".repeat(40).parse().unwrap(), created, ..index };
    bench.store().put(&layout::index(other.id), &other.encode()).unwrap();
    bench.store().put(layout::LATEST, other.id.to_string().as_bytes()).unwrap();
    let made = bench.run();
    assert_eq!((made.index, made.base, made.read_bytes), (None, Some(other.id), 0));
}
