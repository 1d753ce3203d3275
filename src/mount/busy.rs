//! Who keeps a mount busy.
//!
//! The mount itself is never touched: its program may hang. What `/proc` says of other processes is
//! enough, as text and as numbers of mounts.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::table::Line;

/// What a process holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Use {
    /// Its current folder lies in the mount.
    CurrentFolder,
    /// Its root folder lies in the mount.
    Root,
    /// It is a program from the mount.
    Program,
    /// It has this file or folder open.
    Open(PathBuf),
    /// It has this file mapped into its memory.
    Mapped(PathBuf),
}

/// One that keeps a mount busy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// A process.
    Process {
        /// Its number.
        pid: u32,
        /// The name of its program.
        command: String,
        /// The first thing found that it holds.
        what: Use,
    },
    /// Another file system is mounted on a folder of the mount.
    Mount(PathBuf),
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mount(point) => write!(f, "the file system mounted at {}", point.display()),
            Self::Process { pid, command, what } => {
                write!(f, "{command} (process {pid}, ")?;
                match what {
                    Use::CurrentFolder => write!(f, "its current folder is there)"),
                    Use::Root => write!(f, "its root folder is there)"),
                    Use::Program => write!(f, "it was started from there)"),
                    Use::Open(path) => write!(f, "has {} open)", path.display()),
                    Use::Mapped(path) => write!(f, "has {} mapped)", path.display()),
                }
            }
        }
    }
}

/// Who keeps the mount `line` of `table` busy, as far as this user may know: of processes of others
/// `/proc` tells nothing. Each process is named once.
pub(super) fn holders(table: &[Line], line: &Line) -> Vec<Holder> {
    let above = table.iter().filter(|other| other.parent == line.id && other.id != line.id);
    let mut holders: Vec<_> = above.map(|other| Holder::Mount(other.point.clone())).collect();
    holders.extend(processes(line, held));
    // Reading `maps` waits for the other process's memory lock, which a page fault in a mount that
    // hangs may hold: only where nothing else explains it.
    if holders.is_empty() {
        holders.extend(processes(line, mapped));
    }
    holders
}

/// The processes in which `look` finds something.
fn processes(line: &Line, look: fn(&Path, &Line) -> Option<Use>) -> Vec<Holder> {
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if let Some(what) = look(&process.path(), line) {
            let command = fs::read_to_string(process.path().join("comm"));
            let command =
                command.map_or_else(|_| "?".to_owned(), |text| text.trim_end().to_owned());
            found.push(Holder::Process { pid, command, what });
        }
    }
    found
}

/// The first thing that a process holds of the mount. A process that ends meanwhile, or may not be
/// looked at, holds nothing.
fn held(process: &Path, line: &Line) -> Option<Use> {
    for (link, what) in [("cwd", Use::CurrentFolder), ("root", Use::Root), ("exe", Use::Program)] {
        if fs::read_link(process.join(link)).is_ok_and(|path| path.starts_with(&line.point)) {
            return Some(what);
        }
    }
    for open in fs::read_dir(process.join("fdinfo")).into_iter().flatten().flatten() {
        // Closed meanwhile, or not for us to see: it holds nothing, see above.
        let info = fs::read_to_string(open.path()).unwrap_or_default();
        if mount_id(&info) == Some(line.id) {
            let path = fs::read_link(process.join("fd").join(open.file_name()));
            return Some(Use::Open(path.unwrap_or_else(|_| line.point.clone())));
        }
    }
    None
}

/// A file of the mount that a process has mapped.
fn mapped(process: &Path, line: &Line) -> Option<Use> {
    // Ended meanwhile, or not for us to see: as above.
    let maps = fs::read_to_string(process.join("maps")).unwrap_or_default();
    maps.lines().find_map(|map| mapped_path(map, line)).map(Use::Mapped)
}

/// The number of the mount in a text of `/proc/PID/fdinfo/FD`.
fn mount_id(info: &str) -> Option<u64> {
    info.lines().find_map(|l| l.strip_prefix("mnt_id:")).and_then(|id| id.trim().parse().ok())
}

/// The path of a line of `/proc/PID/maps`, if it is a file of the mount.
fn mapped_path(map: &str, line: &Line) -> Option<PathBuf> {
    // Address, permissions, offset, device, inode, path; the path alone may hold spaces.
    let (mut rest, mut device) = (map, "");
    for nth in 0..5 {
        let (field, after) = rest.trim_start().split_once(' ')?;
        device = if nth == 3 { field } else { device };
        rest = after;
    }
    let path = Path::new(rest.trim_start());
    (same_device(device, &line.device) && path.starts_with(&line.point)).then(|| path.to_owned())
}

/// Devices are written in hexadecimal digits in `maps` and in decimal ones in `mountinfo`.
fn same_device(maps: &str, mountinfo: &str) -> bool {
    let number = |text: &str, radix| u32::from_str_radix(text, radix).ok();
    match (maps.split_once(':'), mountinfo.split_once(':')) {
        (Some((a, b)), Some((c, d))) => {
            (number(a, 16), number(b, 16)) == (number(c, 10), number(d, 10))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::super::table;
    use super::*;

    fn line(point: &str) -> Line {
        Line {
            id: 900,
            parent: 27,
            device: "0:50".to_owned(),
            root: "/".into(),
            point: point.into(),
            fstype: table::FSTYPE.to_owned(),
            source: "x".into(),
            user: Some(0),
        }
    }

    #[test]
    fn reads_what_proc_says() {
        assert_eq!(mount_id("pos:\t0\nflags:\t02\nmnt_id:\t31\nino:\t4\n"), Some(31));
        assert_eq!(mount_id("pos:\t0\n"), None);
        let revu = line("/mnt/a b");
        let map = "7f00-7f01 r--p 00000000 00:32 281474976710657            /mnt/a b/ids/x y";
        assert_eq!(mapped_path(map, &revu), Some("/mnt/a b/ids/x y".into()));
        assert_eq!(mapped_path(&map.replace("00:32", "00:50"), &revu), None);
        assert_eq!(mapped_path(&map.replace("/mnt/a b/", "/mnt/a bc/"), &revu), None);
        assert_eq!(mapped_path("7f00-7f01 rw-p 00000000 00:00 0 ", &revu), None);
        assert_eq!(mapped_path("", &revu), None);
    }

    #[test]
    fn finds_this_process_by_its_open_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap().join("held");
        let file = File::create(&path).unwrap();
        let table = table::read().unwrap();
        // Any mount will do: the one that the file lies on, shown as if it were ours.
        let on = fs::read_to_string(format!(
            "/proc/self/fdinfo/{}",
            std::os::fd::AsRawFd::as_raw_fd(&file)
        ))
        .unwrap();
        let id = mount_id(&on).unwrap();
        let mut here = table.iter().find(|line| line.id == id).unwrap().clone();
        here.point = "/nowhere/at/all".into();
        let me = std::process::id();
        let held = holders(&[], &here);
        let mine =
            held.iter().find(|holder| matches!(holder, Holder::Process { pid, .. } if *pid == me));
        assert!(matches!(mine, Some(Holder::Process { what: Use::Open(_), .. })), "{held:?}");
    }

    #[test]
    fn names_mounts_inside() {
        let mut inner = line("/mnt/a b/ids");
        (inner.id, inner.parent) = (901, 900);
        let held = holders(&[line("/mnt/a b"), inner], &line("/mnt/a b"));
        assert_eq!(held, [Holder::Mount("/mnt/a b/ids".into())]);
    }

    #[test]
    fn says_it_in_words() {
        let process = |what| Holder::Process { pid: 7, command: "bash".to_owned(), what };
        assert_eq!(
            process(Use::CurrentFolder).to_string(),
            "bash (process 7, its current folder is there)"
        );
        assert_eq!(
            process(Use::Open("/m/a".into())).to_string(),
            "bash (process 7, has /m/a open)"
        );
    }
}
