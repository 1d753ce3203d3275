//! What the folder holds to, against a folder full of traps.

use std::os::unix::fs::symlink;

use super::*;

/// `outside/secret` beside `inside`, with links from the one to the other.
fn traps() -> (tempfile::TempDir, Dir) {
    let top = tempfile::tempdir().unwrap();
    let (inside, outside) = (top.path().join("inside"), top.path().join("outside"));
    std::fs::create_dir_all(inside.join("a/b")).unwrap();
    std::fs::create_dir_all(&outside).unwrap();
    std::fs::write(outside.join("secret"), "keep").unwrap();
    std::fs::write(inside.join("a/file"), "12345").unwrap();
    symlink("../outside", inside.join("relative")).unwrap();
    symlink(&outside, inside.join("absolute")).unwrap();
    symlink("a", inside.join("within")).unwrap();
    symlink("../outside/secret", inside.join("link")).unwrap();
    let dir = Dir::open(&inside).unwrap();
    (top, dir)
}

type Open = fn(&Dir, &str) -> io::Result<Dir>;

#[test]
fn no_path_leads_out_with_openat2_or_without() {
    let (_top, dir) = traps();
    let ways: [(&str, Open); 3] =
        [("openat2", Dir::sub), ("by parts", Dir::sub_by_parts), ("made", Dir::make)];
    for (way, open) in ways {
        for good in ["a", "a/b"] {
            open(&dir, good).unwrap_or_else(|e| panic!("{way}: {good}: {e}"));
        }
        for bad in [
            "..",
            "../outside",
            "a/../../outside",
            "/",
            "/etc",
            "relative",
            "absolute",
            "within",
            "within/b",
            "relative/secret",
            "a/file",
            "a/file/b",
            "link",
            "a/../b",
            "a//b",
        ] {
            // openat2 may walk `..` and `//` as long as it stays inside; it must not get out.
            if let Ok(dir) = open(&dir, bad) {
                assert!(dir.look("secret").unwrap().is_none(), "{way}: {bad} leads out");
                assert!(matches!(bad, "a/../b" | "a//b"), "{way}: {bad}");
            }
        }
    }
}

#[test]
fn missing_folders_are_told_from_obstacles() {
    let (_top, dir) = traps();
    for open in [Dir::sub, Dir::sub_by_parts] as [Open; 2] {
        assert_eq!(open(&dir, "a/x/y").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_ne!(open(&dir, "a/file").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_ne!(open(&dir, "within").unwrap_err().kind(), io::ErrorKind::NotFound);
    }
    dir.make("a/x/y").unwrap().create("z").unwrap();
    assert_eq!(dir.sub("a/x/y").unwrap().look("z").unwrap().unwrap().kind, Kind::File);
}

#[test]
fn links_are_looked_at_and_replaced_but_never_followed() {
    let (top, dir) = traps();
    assert_eq!(dir.look("link").unwrap().unwrap().kind, Kind::Link);
    assert!(dir.read("link").is_err());
    assert!(dir.create("link").is_err());
    dir.set_updated("link", 5_000).unwrap();
    dir.create("new").unwrap();
    let e = dir.rename("new", "link", false).unwrap_err();
    assert_eq!(e.raw_os_error(), Some(libc::EEXIST));
    dir.rename("new", "link", true).unwrap();
    assert_eq!(dir.look("link").unwrap().unwrap().kind, Kind::File);
    assert_eq!(std::fs::read(top.path().join("outside/secret")).unwrap(), b"keep");
}

#[test]
fn times_are_kept_to_the_millisecond_before_1970_too() {
    let (_top, dir) = traps();
    for updated in [0, -1, -1_001, 1_714_557_660_123, 4_102_444_800_999, -86_400_000] {
        let a = dir.sub("a").unwrap();
        a.set_updated("file", updated).unwrap();
        assert_eq!(a.look("file").unwrap().unwrap().updated(), updated);
        let file = std::fs::File::options().write(true).open(_top.path().join("inside/a/file"));
        let file = file.unwrap();
        set_updated(&file, updated + 7).unwrap();
        assert_eq!(look(&file).unwrap().updated(), updated + 7);
    }
}

#[test]
fn only_regular_files_are_read() {
    let (top, dir) = traps();
    let pipe = top.path().join("inside/pipe");
    rustix::fs::mkfifoat(CWD, &pipe, Mode::from_raw_mode(0o600)).unwrap();
    assert_eq!(dir.look("pipe").unwrap().unwrap().kind, Kind::Other);
    assert!(dir.read("pipe").is_err());
    assert!(dir.read("a").is_err());
    assert!(dir.sub("a").unwrap().read("file").is_ok());
}

#[test]
fn a_walk_follows_no_link_and_keeps_the_order_of_snapshots() {
    let (top, dir) = traps();
    let inside = top.path().join("inside");
    std::fs::write(inside.join("a.txt"), "").unwrap();
    std::fs::write(inside.join("a/b/deep"), "").unwrap();
    std::fs::write(inside.join(OsStr::from_bytes(b"a/b\xff")), "").unwrap();
    let walked = walk(&dir, "", &Everything);
    let paths: Vec<_> = walked.files.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["a/b/deep", "a/file", "a.txt"]);
    assert_eq!(walked.unnameable.len(), 1);
    assert_eq!(walk(&dir, "a/b", &Everything).files.len(), 1);
    assert_eq!(walk(&dir, "nowhere", &Everything).files.len(), 0);
    assert_eq!(walk(&dir, "within", &Everything).unreadable.len(), 1, "a link is no folder");
}

#[test]
fn folders_go_only_when_they_are_empty() {
    let (_top, dir) = traps();
    assert!(!dir.remove_empty("a").unwrap());
    assert!(dir.sub("a").unwrap().remove_empty("b").unwrap());
}
