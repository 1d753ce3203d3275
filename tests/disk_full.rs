//! The real program on full disks, which are small file systems in memory: one clear sentence, nothing
//! half-written left, the repository whole; and with room made the next run succeeds.

mod mount_support;
mod program;

use std::path::{Path, PathBuf};

use mount_support::root;
use program::{Bed, files, is_temporary, noise};

/// A file system of so many MiB; unmounted when it is dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: PathBuf, mib: usize) -> Self {
        use nix::mount::{MsFlags, mount};
        std::fs::create_dir_all(&at).unwrap();
        let options = format!("size={mib}m");
        mount(Some("tmpfs"), &at, Some("tmpfs"), MsFlags::empty(), Some(&*options)).unwrap();
        Self(at)
    }

    /// Takes all room but so many bytes.
    fn fill(&self, free: u64) {
        let stat = nix::sys::statvfs::statvfs(&self.0).unwrap();
        let now = stat.blocks_available() * stat.fragment_size();
        std::fs::write(self.0.join("filler"), vec![1; usize::try_from(now - free).unwrap()])
            .unwrap();
    }

    fn make_room(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = nix::mount::umount2(&self.0, nix::mount::MntFlags::MNT_DETACH);
    }
}

fn data(bed: &Bed, folder: &str, seed: u64, mib: u64) {
    for n in 0..mib {
        bed.write(&format!("{folder}/{n}"), noise(seed * 1_000 + n, 1 << 20));
    }
}

/// All names below a folder.
fn names(folder: &Path) -> Vec<String> {
    files(folder).into_keys().collect()
}

#[test]
fn a_snapshot() {
    if !root("a_snapshot on a full disk") {
        return;
    }
    let mut bed = Bed::new();
    let disk = Disk::mount(bed.path("disk"), 48);
    bed.init("disk/repo");
    let revu = |words: &[&str]| program::run(&mut bed.revu_on("disk/repo", words));
    data(&bed, "data", 1, 4);
    revu(&["snapshot", "data", "--tag", "before"]).ok();
    data(&bed, "data", 2, 16);
    // At many depths of the work: chunks, records, index, refs.
    for free in [9 << 20, 4 << 20, 256 << 10, 40 << 10, 12 << 10, 4 << 10, 0] {
        disk.fill(free);
        let told = revu(&["snapshot", "data"]).fails(1);
        let sentence = format!("the disk of {} is full", bed.path("disk/repo").display());
        assert!(told.contains(&sentence) && told.contains("make room"), "{told}");
        let left = names(&bed.path("disk/repo"));
        assert!(!left.iter().any(|name| name.contains(".revu-")), "{left:?}");
        assert!(!left.iter().any(|name| name.starts_with("revu-locks/")), "{left:?}");
        let checked = revu(&["check", "--read-data"]);
        assert_eq!(checked.code, Some(0), "{checked:?}");
        assert_eq!(revu(&["log"]).ok().stdout.lines().count(), 1);
        // What was stored before the disk was full is used by the next one; here it has to go.
        disk.make_room();
        revu(&["purge", "--keep-last", "1"]).ok();
    }
    revu(&["snapshot", "data"]).ok();
    let checked = revu(&["check", "--read-data"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let restored = bed.path("restored");
    revu(&["restore", "latest", "--to", restored.to_str().unwrap()]).ok();
    let contents = |folder: &Path| -> Vec<_> {
        files(folder).into_iter().map(|(path, (content, _))| (path, content)).collect()
    };
    assert!(contents(&restored) == contents(&bed.path("data")));
}

#[test]
fn a_tag() {
    if !root("a_tag on a full disk") {
        return;
    }
    let mut bed = Bed::new();
    let disk = Disk::mount(bed.path("disk"), 8);
    bed.init("disk/repo");
    let revu = |words: &[&str]| program::run(&mut bed.revu_on("disk/repo", words));
    bed.write("data/a", "text");
    revu(&["snapshot", "data"]).ok();
    disk.fill(0);
    let told = revu(&["tag", "add", "latest", "v1"]).fails(1);
    assert!(told.contains("the disk is full; make room"), "{told}");
    assert_eq!(revu(&["tag", "list"]).ok().stdout, "");
    let told = revu(&["key", "add", "--new-key-file", "never"]).fails(1);
    assert!(told.contains("the disk is full; make room"), "{told}");
    assert!(!bed.path("never").exists(), "a key file that opens nothing");
    assert_eq!(revu(&["key", "list"]).ok().stdout.lines().count(), 1);
    let checked = revu(&["check", "--read-data"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    disk.make_room();
    revu(&["tag", "add", "latest", "v1"]).ok();
    assert_eq!(revu(&["cat", "v1:/a"]).ok().stdout, "text");
}

#[test]
fn a_restore() {
    if !root("a_restore to a full disk") {
        return;
    }
    let bed = Bed::new();
    let disk = Disk::mount(bed.path("disk"), 24);
    data(&bed, "data", 1, 12);
    bed.write("data/large", noise(7, 6 << 20));
    bed.run(&["snapshot", "data"]).ok();
    let expected = files(&bed.path("data"));
    let restore = ["restore", "latest", "--to", "disk/restored"];
    for free in [15 << 20, 5 << 20, 100 << 10, 0] {
        disk.fill(free);
        let told = bed.run(&restore).fails(1);
        assert!(told.contains("the disk is full") && told.contains("make room"), "{told}");
        for (path, (content, _)) in files(&bed.path("disk/restored")) {
            assert!(!is_temporary(&path), "{path} is left");
            assert!(content == expected[&path].0, "{path} is not whole");
        }
        bed.is_whole();
        disk.make_room();
        // The next one begins from nothing again.
        let _ = std::fs::remove_dir_all(bed.path("disk/restored"));
    }
    bed.run(&restore).ok();
    assert!(files(&bed.path("disk/restored")) == expected);
}
