//! What is held in memory: counted by the allocator, and as the kernel counts it.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Maker, cases};
use revu::repo::{Options, Repository};
use revu::store::Store;
use revu::vfs::{Kind, Vfs, VfsOptions, ino};

/// The system's allocator, counting.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One after the other: the counter is the whole program's.
static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn read_all(vfs: &Vfs, dir: u64) -> u64 {
    let mut items = Vec::new();
    vfs.readdir(dir, 0, &mut |item| {
        if !matches!(item.name, b"." | b"..") {
            items.push(item.entry.attr);
        }
        true
    })
    .unwrap();
    let mut bytes = 0;
    for attr in items {
        if attr.kind == Kind::Dir {
            bytes += read_all(vfs, attr.ino);
        } else {
            let mut offset = 0;
            while offset < attr.size {
                let got = vfs.read(attr.ino, offset, 128 << 10).unwrap().len() as u64;
                offset += got;
                bytes += got;
            }
        }
    }
    bytes
}

#[test]
fn a_changed_file_costs_at_most_a_kibibyte() {
    let _alone = ALONE.lock().unwrap();
    let maker = Maker::new(Store::memory());
    let path =
        |n: usize| format!("/20240501100000-abcdefg/{:022}-xxxxxxx/{n:022}-yyyyyyy.sy", n / 20);
    let mut records: Vec<_> = (0..4_000).map(|n| maker.file(&path(n), 0, b"same", 100)).collect();
    let first = maker.snapshot(1_000, &records);
    // Half of all files, each in another place.
    for n in (0..4_000).step_by(2) {
        records[n] = maker.file(&path(n), 9_000, b"edited", 100);
    }
    let second = maker.snapshot(2_000, &records);
    let repo = maker.open();
    let vfs = Vfs::new(repo.clone(), VfsOptions::default()).unwrap();
    let enter = |id: revu::format::IndexId| {
        let dir = vfs.lookup(ino::IDS, id.to_string().as_bytes()).unwrap().attr.ino;
        vfs.readdir(dir, 0, &mut |_| true).unwrap();
    };
    enter(first);
    let before = HELD.load(Ordering::Relaxed);
    enter(second);
    let each = (HELD.load(Ordering::Relaxed) - before) / 2_000;
    println!("a changed file costs {each} bytes");
    assert!(each <= 1024, "{each} bytes for each changed file, its share of the folders included");
}

#[test]
fn reading_everything_ten_times_stays_within_the_cap() {
    let _alone = ALONE.lock().unwrap();
    const CAP: usize = 16 << 20;
    for case in cases("reading_everything_ten_times_stays_within_the_cap") {
        let before = HELD.load(Ordering::Relaxed);
        let store = Store::local(&case.repo);
        let repo = Repository::open(store, &case.key, Options { cache_bytes: CAP }).unwrap();
        let vfs = Vfs::new(repo.into(), VfsOptions::default()).unwrap();
        let once = read_all(&vfs, ino::IDS);
        for _ in 0..9 {
            assert_eq!(read_all(&vfs, ino::IDS), once);
        }
        let held = HELD.load(Ordering::Relaxed) - before;
        println!("{}: {once} bytes ten times, {held} bytes held", case.name);
        assert!(vfs.repository().chunks().weight() <= CAP);
        assert!(held <= CAP + (64 << 20), "{}: {held} bytes held", case.name);
    }
}
