//! What a mount holds stays what it was, however much is asked of it and however often it comes and goes.
//!
//! `REVU_REQUESTS` and `REVU_MOUNTS` say how many instead of those that fit into everyday tests.

mod common;
mod mount_support;

use std::fs;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;

use common::{Maker, noise};
use mount_support::{Place, Spec, table, wanted};
use revu::store::Store;

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |n| n.parse().unwrap_or_else(|_| panic!("{name}: a number")))
}

/// What a process holds.
#[derive(Debug)]
struct Held {
    /// `None` where this user may not look.
    descriptors: Option<usize>,
    threads: u64,
    memory_kib: u64,
}

impl Held {
    fn by(pid: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let field = |name: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok().map(Iterator::count);
        Self { descriptors, threads: field("Threads:"), memory_kib: field("VmRSS:") }
    }
}

/// Asks for everything once: lists, attributes, files, without the kernel's caches as far as that can be.
/// Gives about how many requests that took.
fn ask(folder: &Path) -> u64 {
    let mut requests = 3;
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            requests += ask(&path);
            continue;
        }
        if entry.file_type().unwrap().is_symlink() {
            fs::read_link(&path).unwrap();
            requests += 1;
            continue;
        }
        let mut file =
            fs::File::options().read(true).custom_flags(libc::O_DIRECT).open(&path).unwrap();
        let mut bytes = vec![0; 64 << 10];
        while file.read(&mut bytes).unwrap() > 0 {
            requests += 1;
        }
        assert!(fs::metadata(path.with_file_name("not there")).is_err());
        // Open, the last read, flush, release.
        requests += 4;
    }
    requests
}

#[test]
fn descriptors_threads_and_memory_stay_flat() {
    if !wanted("descriptors_threads_and_memory_stay_flat") {
        return;
    }
    let place = Place::new();
    let repo = place.path("repo");
    fs::create_dir(&repo).unwrap();
    let maker = Maker::new(Store::local(&repo));
    for n in 0..4i64 {
        let records: Vec<_> = (0..40)
            .map(|file| {
                let bytes = noise((n * 100 + file) as u64, 3_000 * (file as usize % 30 + 1));
                maker.file(&format!("/d{}/{file}.md", file % 5), n * 1_000, &bytes, 40_000)
            })
            .collect();
        maker.snapshot(1_700_000_000_000 + n * 1_000, &records);
    }
    let mount = place.mount(&Spec::new(&repo, &maker.key.to_base64(), &place.path("mount")));
    let ids = mount.point.join("ids");
    // What is loaded once, and threads that are started once.
    let mut done = 0;
    while done < 5_000 {
        done += ask(&ids);
    }
    let before = Held::by(mount.pid);
    let wanted = number("REVU_REQUESTS", 30_000);
    let asked = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while asked.load(std::sync::atomic::Ordering::Relaxed) < wanted {
                    asked.fetch_add(ask(&ids), std::sync::atomic::Ordering::Relaxed);
                }
            });
        }
    });
    // Files are released behind the back of whoever closes them.
    let is_flat = |after: &Held| {
        after.descriptors <= before.descriptors && after.threads <= before.threads + 8
    };
    let mut after = Held::by(mount.pid);
    for _ in 0..200 {
        if is_flat(&after) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        after = Held::by(mount.pid);
    }
    println!("{} requests: {before:?} before, {after:?} after", asked.into_inner());
    if before.descriptors.is_none() {
        println!("SKIPPED: descriptors_threads_and_memory: this user may not count descriptors");
    }
    assert!(is_flat(&after), "{before:?} before, {after:?} after");
    // Four readers at a time where there was one.
    let most = before.memory_kib + (48 << 10);
    assert!(after.memory_kib <= most, "{before:?} before, {after:?} after");
}

#[test]
fn mounts_come_and_go() {
    if !wanted("mounts_come_and_go") {
        return;
    }
    let place = Place::new();
    let repo = place.path("repo");
    fs::create_dir(&repo).unwrap();
    let maker = Maker::new(Store::local(&repo));
    let id = maker.snapshot(1_000, &[maker.file("/note.md", 1_000, b"text", 100)]);
    let mounts = number("REVU_MOUNTS", 12);
    // Others mount elsewhere meanwhile.
    let here = place.path("");
    let count = || table().iter().filter(|(point, _)| point.starts_with(&here)).count();
    let before = count();
    for n in 0..mounts {
        let mount = place.mount(&Spec::new(&repo, &maker.key.to_base64(), &place.path("mount")));
        let path = mount.point.join("ids").join(id.to_string()).join("note.md");
        assert_eq!(fs::read_to_string(path).unwrap(), "text");
        assert_eq!(count(), before + 1, "in turn {n}");
        let mut leave = Command::new(env!("CARGO_BIN_EXE_revu"));
        leave.arg("umount").arg(&mount.point).env("XDG_STATE_HOME", place.state());
        let left = leave.output().unwrap();
        assert!(left.status.success(), "in turn {n}: {left:?}");
        mount.ended();
        assert_eq!(count(), before, "in turn {n}");
    }
    println!("{mounts} mounts came and went");
    assert!(fs::read_dir(&repo).unwrap().count() >= 3, "the repository is as it was");
}
