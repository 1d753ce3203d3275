//! The table of mounts, as the kernel tells it.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::unistd::getuid;

/// The type that the kernel's table shows for mounts of revu.
pub(super) const FSTYPE: &str = "fuse.revu";

/// How long a mount may take to answer before it counts as silent. A live one answers within
/// microseconds, from memory.
const PATIENCE: Duration = Duration::from_secs(1);

/// One line of `/proc/self/mountinfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Number of the mount, as in `/proc/PID/fdinfo/FD`.
    pub id: u64,
    /// Number of the mount that it is mounted on.
    pub parent: u64,
    /// Number of the device, `major:minor`.
    pub device: String,
    /// Which folder of the file system is shown.
    pub root: PathBuf,
    /// Where it is mounted.
    pub point: PathBuf,
    /// Type of the file system.
    pub fstype: String,
    /// What is mounted.
    pub source: OsString,
    /// The mounting user of a FUSE file system.
    pub user: Option<u32>,
}

/// Whether the program behind a mount answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Alive,
    /// It has ended: "Transport endpoint is not connected".
    Dead,
    /// It has not answered within a second, or may not be asked.
    Silent,
}

/// A mount of revu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevuMount {
    /// The repository, or what `-o fsname=` said.
    pub source: OsString,
    /// Where it is mounted.
    pub point: PathBuf,
    /// The mounting user.
    pub user: u32,
    /// Whether the program behind it answers.
    pub health: Health,
}

/// The mounts of revu that belong to this user, in the order of their making. A mount whose program
/// hangs does not keep this from returning.
///
/// # Errors
/// Where the kernel's table cannot be read.
pub fn mounts() -> io::Result<Vec<RevuMount>> {
    let me = getuid().as_raw();
    let lines: Vec<_> =
        read()?.into_iter().filter(|l| l.fstype == FSTYPE && l.user == Some(me)).collect();
    let healths = health(lines.iter().map(|line| line.point.as_path()));
    let mount = |(line, health): (Line, Health)| RevuMount {
        source: line.source,
        point: line.point,
        user: me,
        health,
    };
    Ok(lines.into_iter().zip(healths).map(mount).collect())
}

/// Asks each mount for its size, all at once and each from a thread of its own: a request to a
/// program that hangs does not return.
pub(super) fn health<'a>(points: impl Iterator<Item = &'a Path>) -> Vec<Health> {
    let asked: Vec<_> = points
        .map(|point| {
            let (tell, told) = mpsc::channel();
            let point = point.to_owned();
            let ask = move || {
                let health = match nix::sys::statfs::statfs(&point) {
                    Ok(_) => Health::Alive,
                    Err(Errno::ENOTCONN | Errno::ECONNABORTED) => Health::Dead,
                    Err(_) => Health::Silent,
                };
                // Nobody listens any more when the answer came too late.
                let _ = tell.send(health);
            };
            let started = std::thread::Builder::new().name("mount-health".to_owned()).spawn(ask);
            started.ok().map(|_| told)
        })
        .collect();
    let until = Instant::now() + PATIENCE;
    let wait = |told: Option<mpsc::Receiver<Health>>| {
        let rest = until.saturating_duration_since(Instant::now());
        told.and_then(|told| told.recv_timeout(rest).ok()).unwrap_or(Health::Silent)
    };
    asked.into_iter().map(wait).collect()
}

/// The whole table of this process.
pub(super) fn read() -> io::Result<Vec<Line>> {
    Ok(parse(&std::fs::read("/proc/self/mountinfo")?))
}

/// The mount that one sees at `point`: of several on top of each other the last.
pub(super) fn at<'a>(table: &'a [Line], point: &Path) -> Option<&'a Line> {
    table.iter().rfind(|line| line.point == point)
}

/// Where `path` (absolute, without links) really lies: the device and the path within it, the same
/// for all names that bind mounts give it.
pub(super) fn place(table: &[Line], path: &Path) -> Option<(String, PathBuf)> {
    let on = table
        .iter()
        .filter(|line| path.starts_with(&line.point))
        .max_by_key(|line| line.point.as_os_str().len())?;
    // Of several at one point the last is seen.
    let on = at(table, &on.point)?;
    let rest = path.strip_prefix(&on.point).ok()?;
    let inside = if rest.as_os_str().is_empty() { on.root.clone() } else { on.root.join(rest) };
    Some((on.device.clone(), inside))
}

/// Reads `/proc/PID/mountinfo`; lines that make no sense are left out.
fn parse(text: &[u8]) -> Vec<Line> {
    text.split(|byte| *byte == b'\n').filter_map(parse_line).collect()
}

fn parse_line(line: &[u8]) -> Option<Line> {
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    // Six fields, then optional ones, then a lone dash, then three more: proc(5).
    let dash = 6 + fields.get(6..)?.iter().position(|field| *field == b"-")?;
    let text = |nth: usize| fields.get(nth).and_then(|field| std::str::from_utf8(field).ok());
    let user = text(dash + 3)?
        .split(',')
        .find_map(|option| option.strip_prefix("user_id="))
        .and_then(|user| user.parse().ok());
    Some(Line {
        id: text(0)?.parse().ok()?,
        parent: text(1)?.parse().ok()?,
        device: text(2)?.to_owned(),
        root: unescape(fields[3]).into(),
        point: unescape(fields[4]).into(),
        fstype: text(dash + 1)?.to_owned(),
        source: unescape(fields[dash + 2]),
        user,
    })
}

/// Undoes the kernel's `\040` for a space and the like.
fn unescape(field: &[u8]) -> OsString {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        match after.get(..3).filter(|_| first == b'\\').and_then(octal) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    OsString::from_vec(bytes)
}

fn octal(digits: &[u8]) -> Option<u8> {
    let text = OsStr::from_bytes(digits).to_str()?;
    if text.starts_with('+') { None } else { u8::from_str_radix(text, 8).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw
30 27 254:0 /home/k/SiYuan /mnt/bound rw,relatime - ext4 /dev/vda rw
31 27 0:50 / /mnt/a\\040b ro,nosuid,nodev,relatime shared:9 - fuse.revu /re\\134po\\012\\043 ro,user_id=1000,group_id=1000
32 27 0:51 / /mnt/over rw - tmpfs tmpfs rw
33 27 0:52 / /mnt/over ro - fuse.revu 笔记 ro,user_id=0,group_id=0,default_permissions,allow_other
nonsense
34 27 0:53 / /mnt/short
";

    fn table() -> Vec<Line> {
        parse(SAMPLE.as_bytes())
    }

    #[test]
    fn reads_lines_and_leaves_nonsense_out() {
        let table = table();
        assert_eq!(table.len(), 6);
        let revu = &table[3];
        assert_eq!(revu.point, Path::new("/mnt/a b"));
        assert_eq!(revu.source, "/re\\po\n#");
        assert_eq!((revu.id, revu.parent, revu.device.as_str()), (31, 27, "0:50"));
        assert_eq!((revu.fstype.as_str(), revu.user), (FSTYPE, Some(1000)));
        assert_eq!(table[1].user, None);
    }

    #[test]
    fn sees_the_uppermost_of_several() {
        let table = table();
        assert_eq!(at(&table, Path::new("/mnt/over")).unwrap().id, 33);
        assert_eq!(at(&table, Path::new("/mnt/nowhere")), None);
    }

    #[test]
    fn finds_the_place_behind_bind_mounts() {
        let table = table();
        let real = place(&table, Path::new("/home/k/SiYuan/repo")).unwrap();
        assert_eq!(real, ("254:0".to_owned(), PathBuf::from("/home/k/SiYuan/repo")));
        assert_eq!(place(&table, Path::new("/mnt/bound/repo")).unwrap(), real);
        assert_eq!(place(&table, Path::new("/mnt/bound")).unwrap().1, Path::new("/home/k/SiYuan"));
        assert_eq!(
            place(&table, Path::new("/mnt/boundary")).unwrap().1,
            Path::new("/mnt/boundary")
        );
        assert_eq!(place(&table, Path::new("/mnt/over/x")).unwrap().0, "0:52");
        assert_eq!(place(&table, Path::new("/")).unwrap().1, Path::new("/"));
    }

    #[test]
    fn undoes_escapes_alone() {
        for (escaped, plain) in [
            ("", ""),
            (r"a\040b", "a b"),
            (r"\134040", r"\040"),
            (r"\04", r"\04"),
            (r"\999", r"\999"),
            (r"\+12", r"\+12"),
            (r"\", r"\"),
        ] {
            assert_eq!(unescape(escaped.as_bytes()), plain, "{escaped}");
        }
    }

    #[test]
    fn reads_the_real_table() {
        assert!(read().unwrap().iter().any(|line| line.point == Path::new("/")));
    }
}
