//! A repository that changes, or is damaged, under a mount.

mod common;
mod mount_support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use common::{Maker, copy_tree, golden, noise, sha256};
use mount_support::{Mount, Place, Spec, wanted};
use revu::format::layout;
use revu::store::Store;

#[test]
#[ignore = "other tests run it as a process of its own"]
fn child() {
    mount_support::child();
}

fn names(folder: &Path) -> Vec<String> {
    let name =
        |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    fs::read_dir(folder).unwrap().map(name).collect()
}

/// Waits for something that must come within a second.
fn within_a_second(what: &str, is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(1), "not within a second: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn mount(place: &Place, maker: &Maker, repo: &Path) -> Mount {
    place.mount(&Spec::new(repo, &maker.key.to_base64(), &place.path("mount")))
}

#[test]
fn snapshots_and_tags_come_and_go_within_a_second() {
    if !wanted("snapshots_and_tags_come_and_go_within_a_second") {
        return;
    }
    let place = Place::new();
    let repo = place.path("repo");
    fs::create_dir(&repo).unwrap();
    let maker = Maker::new(Store::local(&repo));
    let a = maker.file("/note.sy", 1_000, b"first", 100);
    let first = maker.snapshot(1_000_000, std::slice::from_ref(&a));
    let mount = mount(&place, &maker, &repo);
    let snapshots = mount.point.join("snapshots");
    let ids = mount.point.join("ids");
    let tags = mount.point.join("tags");
    let latest = || fs::read_to_string(mount.point.join("latest/note.sy")).unwrap_or_default();
    assert_eq!(names(&snapshots).len(), 1);
    assert_eq!(latest(), "first");

    let b = maker.file("/note.sy", 2_000, b"second", 100);
    let second = maker.snapshot(2_000_000, std::slice::from_ref(&b));
    within_a_second("the new snapshot is listed", || names(&snapshots).len() == 2);
    within_a_second("latest leads to it", || latest() == "second");
    assert_eq!(fs::read_to_string(ids.join(first.to_string()).join("note.sy")).unwrap(), "first");

    // A tag comes, moves to another snapshot and goes.
    assert!(fs::metadata(tags.join("mine")).is_err());
    maker.tag("mine", first);
    within_a_second("the tag is there", || names(&tags) == ["mine"]);
    within_a_second("also by name", || fs::metadata(tags.join("mine")).is_ok());
    let tagged = || fs::read_to_string(tags.join("mine/note.sy")).unwrap_or_default();
    assert_eq!(tagged(), "first");
    maker.tag("mine", second);
    within_a_second("the tag leads to the other", || tagged() == "second");
    maker.store.delete(&layout::tag("mine")).unwrap();
    within_a_second("the tag is gone", || names(&tags).is_empty());
    within_a_second("also by name", || fs::metadata(tags.join("mine")).is_err());

    // A new folder of many snapshots while one program is listing: nothing that stays is missed.
    for n in 3..40 {
        maker.snapshot(n * 1_000_000, std::slice::from_ref(&b));
    }
    within_a_second("all are listed", || names(&snapshots).len() == 39);

    // Purged in DejaVu's order: the index, then the objects.
    maker.store.delete(&layout::index(first)).unwrap();
    maker.store.delete(&layout::file(a.id)).unwrap();
    maker.store.delete(&layout::chunk(a.chunks[0])).unwrap();
    within_a_second("the purged one is gone", || names(&ids).len() == 38);
    within_a_second("also by name", || fs::metadata(ids.join(first.to_string())).is_err());
    assert_eq!(latest(), "second");
}

#[test]
fn an_open_file_of_a_purged_snapshot_ends_in_an_error_for_what_is_gone_alone() {
    if !wanted("an_open_file_of_a_purged_snapshot_ends_in_an_error") {
        return;
    }
    use std::os::unix::fs::FileExt;
    let place = Place::new();
    let repo = place.path("repo");
    fs::create_dir(&repo).unwrap();
    let maker = Maker::new(Store::local(&repo));
    let content = noise(7, 64 << 20);
    let large = maker.file("/large", 1_000, &content, 4 << 20);
    let old = maker.snapshot(1_000_000, std::slice::from_ref(&large));
    let small = maker.file("/small", 1_000, b"stays", 100);
    maker.snapshot(2_000_000, std::slice::from_ref(&small));
    let mount = mount(&place, &maker, &repo);
    let file = fs::File::open(mount.point.join("ids").join(old.to_string()).join("large")).unwrap();
    let mut bytes = [0u8; 100];
    file.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(bytes, content[..100]);
    maker.store.delete(&layout::index(old)).unwrap();
    maker.store.delete(&layout::file(large.id)).unwrap();
    for chunk in &large.chunks[1..] {
        maker.store.delete(&layout::chunk(*chunk)).unwrap();
    }
    within_a_second("the snapshot is gone", || names(&mount.point.join("ids")).len() == 1);
    file.read_exact_at(&mut bytes, 4000).unwrap();
    assert_eq!(bytes, content[4000..4100], "what is still there reads on");
    let gone = file.read_exact_at(&mut bytes, 40 << 20).unwrap_err();
    assert!(matches!(gone.raw_os_error(), Some(libc::EIO | libc::ESTALE)), "{gone}");
    assert_eq!(fs::read_to_string(mount.point.join("latest/small")).unwrap(), "stays");
}

#[test]
fn a_damaged_object_costs_an_io_error_and_one_line_in_the_log() {
    if !wanted("a_damaged_object_costs_an_io_error_and_one_line_in_the_log") {
        return;
    }
    let place = Place::new();
    let mut case = golden();
    let copy = place.path("repo");
    copy_tree(&case.repo, &copy);
    case.repo = copy.clone();
    let latest = fs::read_to_string(copy.join(layout::LATEST)).unwrap().trim().parse().unwrap();
    let repo = case.open();
    let index = repo.objects().index(latest).unwrap();
    let record = index.files.iter().map(|id| repo.objects().record(*id).unwrap());
    let record = record.into_iter().find(|r| r.path == "/assets/exact.bin").unwrap();
    let object = copy.join(layout::chunk(record.chunks[0]));
    let mut bytes = fs::read(&object).unwrap();
    bytes[1000] ^= 1;
    fs::write(&object, bytes).unwrap();

    let mount = place.mount(&Spec::new(&copy, &case.key.to_base64(), &place.path("mount")));
    let folder = mount.point.join("ids").join(latest.to_string());
    for _ in 0..3 {
        let error = fs::read(folder.join("assets/exact.bin")).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EIO));
    }
    let target = place.path("copy");
    let cp = Command::new("cp").arg("-a").args([&folder, &target]).output().unwrap();
    let said = String::from_utf8_lossy(&cp.stderr).into_owned();
    assert!(
        !cp.status.success() && said.contains("exact.bin") && said.contains("Input/output"),
        "{said}"
    );
    for (path, file) in &case.snapshots[&latest] {
        let expected = &file.sha256;
        match fs::read(folder.join(path)) {
            Ok(bytes) => assert_eq!(sha256(&bytes), *expected, "{path}"),
            Err(e) => {
                assert_eq!((e.raw_os_error(), &**path), (Some(libc::EIO), "assets/exact.bin"))
            }
        }
    }
    let key = layout::chunk(record.chunks[0]);
    let logs = place.logs();
    let lines: Vec<_> = logs.lines().filter(|line| line.contains(&key)).collect();
    assert_eq!(lines.len(), 1, "{logs}");
    assert!(lines[0].contains("/assets/exact.bin"), "{}", lines[0]);
}
