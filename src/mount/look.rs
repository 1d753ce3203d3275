//! How nodes look through this mount: owner, permissions, and for how long the kernel may believe it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{FileAttr, FileType, INodeNo};
use nix::unistd::{getgid, getuid};

use super::options::{Access, Options};
use crate::vfs::{Attr, Entry, Kind, Lifetime};

/// For what never changes: longer than any machine runs, and far from what overflows in a kernel.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
/// For what may change: new snapshots are listed within a second of their being made.
const SHORT: Duration = Duration::from_millis(500);
/// What programs take as the best size to read at once.
pub(super) const BLOCK: u32 = 4096;

/// What the mount adds to the model's attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    uid: u32,
    gid: u32,
    file: u16,
    dir: u16,
    /// Extended attributes are shown.
    pub xattr: bool,
}

impl Look {
    /// As the options say, otherwise owned by the mounting user. What others may not enter, they may
    /// not read either: so it stays true when files are copied with their permissions.
    pub fn new(options: &Options) -> Self {
        let (file, dir) =
            if options.access == Access::All { (0o444, 0o555) } else { (0o400, 0o500) };
        Self {
            uid: options.uid.unwrap_or_else(|| getuid().as_raw()),
            gid: options.gid.unwrap_or_else(|| getgid().as_raw()),
            file: file & !options.umask,
            dir: dir & !options.umask,
            xattr: options.xattr,
        }
    }

    /// The attributes as the kernel wants them.
    pub fn attr(&self, attr: &Attr) -> FileAttr {
        let time = system_time(attr.mtime_ns);
        FileAttr {
            ino: INodeNo(attr.ino),
            size: attr.size,
            blocks: attr.blocks(),
            atime: time,
            mtime: time,
            ctime: time,
            crtime: time,
            kind: kind(attr.kind),
            perm: match attr.kind {
                Kind::Dir => self.dir,
                Kind::File => self.file,
                // The kernel never looks at the permissions of a link.
                Kind::Symlink => 0o777,
            },
            // More would make tar, rsync -H and cp -a tie files of different snapshots together.
            nlink: 1,
            uid: self.uid,
            gid: self.gid,
            rdev: 0,
            blksize: BLOCK,
            flags: 0,
        }
    }

    /// The attributes of nothing: an answer with inode 0 is a "there is none" that the kernel may
    /// remember.
    pub fn nothing(&self) -> FileAttr {
        self.attr(&Attr { ino: 0, kind: Kind::File, size: 0, mtime_ns: 0 })
    }
}

/// For how long the kernel may believe an answer.
pub(super) const fn duration(lifetime: Lifetime) -> Duration {
    match lifetime {
        Lifetime::Forever => FOREVER,
        Lifetime::Short => SHORT,
    }
}

/// For how long name and attributes both hold: a folder listing has room for one time alone.
pub(super) fn shorter(entry: &Entry) -> Duration {
    duration(entry.name_lifetime).min(duration(entry.attr_lifetime))
}

/// The kernel's word for a kind.
pub(super) const fn kind(kind: Kind) -> FileType {
    match kind {
        Kind::Dir => FileType::Directory,
        Kind::File => FileType::RegularFile,
        Kind::Symlink => FileType::Symlink,
    }
}

/// Nanoseconds since 1970, negative before it, as a time; what no clock can show becomes 1970.
fn system_time(ns: i128) -> SystemTime {
    const SECOND: u128 = 1_000_000_000;
    let distance = ns.unsigned_abs();
    let Ok(seconds) = u64::try_from(distance / SECOND) else { return UNIX_EPOCH };
    let rest = u32::try_from(distance % SECOND).expect("a rest is below a second");
    let distance = Duration::new(seconds, rest);
    let time =
        if ns < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
    time.unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(options: &str) -> Look {
        Look::new(&Options::parse([options]).unwrap())
    }

    fn node(kind: Kind) -> Attr {
        Attr { ino: 9, kind, size: 1025, mtime_ns: 1_500_000_000 }
    }

    #[test]
    fn permissions_follow_who_may_enter() {
        for (options, file, dir) in [
            ("", 0o400, 0o500),
            ("default_permissions", 0o400, 0o500),
            ("allow_root", 0o400, 0o500),
            ("allow_other", 0o444, 0o555),
            ("allow_other,umask=027", 0o440, 0o550),
            ("allow_other,umask=777", 0, 0),
            ("umask=022", 0o400, 0o500),
        ] {
            let look = look(options);
            assert_eq!(look.attr(&node(Kind::File)).perm, file, "{options}");
            assert_eq!(look.attr(&node(Kind::Dir)).perm, dir, "{options}");
            assert_eq!(look.attr(&node(Kind::Symlink)).perm, 0o777, "{options}");
        }
    }

    #[test]
    fn attributes_say_what_the_model_says() {
        let mine = look("").attr(&node(Kind::File));
        assert_eq!((mine.uid, mine.gid), (getuid().as_raw(), getgid().as_raw()));
        let attr = look("uid=7,gid=8").attr(&node(Kind::File));
        assert_eq!((attr.uid, attr.gid, attr.nlink), (7, 8, 1));
        assert_eq!((attr.ino, attr.size, attr.blocks), (INodeNo(9), 1025, 3));
        let time = UNIX_EPOCH + Duration::from_millis(1500);
        assert_eq!((attr.atime, attr.mtime, attr.ctime), (time, time, time));
        assert_eq!(look("").attr(&node(Kind::Dir)).nlink, 1);
        assert_eq!(look("").nothing().ino, INodeNo(0));
    }

    #[test]
    fn times_are_exact_before_1970_too() {
        let at = |ns: i128| system_time(ns);
        assert_eq!(at(0), UNIX_EPOCH);
        assert_eq!(at(-1), UNIX_EPOCH - Duration::from_nanos(1));
        assert_eq!(at(-1_200_000_000), UNIX_EPOCH - Duration::from_millis(1200));
        assert_eq!(
            at(4_102_444_800_123_000_000),
            UNIX_EPOCH + Duration::from_millis(4_102_444_800_123)
        );
        let most = i128::from(i64::MAX) * 1_000_000;
        assert!(at(most) > UNIX_EPOCH && at(-most) < UNIX_EPOCH, "any i64 of milliseconds");
        for absurd in [i128::MAX, i128::MIN, i128::from(u64::MAX) * 1_000_000_000] {
            assert_eq!(at(absurd), UNIX_EPOCH);
        }
    }

    #[test]
    fn the_shorter_lifetime_wins() {
        let entry = |name_lifetime, attr_lifetime| Entry {
            attr: node(Kind::Dir),
            name_lifetime,
            attr_lifetime,
        };
        use Lifetime::{Forever, Short};
        assert_eq!(shorter(&entry(Forever, Forever)), FOREVER);
        assert_eq!(shorter(&entry(Short, Forever)), SHORT);
        assert_eq!(shorter(&entry(Forever, Short)), SHORT);
    }
}
