//! The local state: in which state on disk each file of the last snapshot was when it was read.
//!
//! A record knows a file's size and the milliseconds of its time; a file's inode, the time of its
//! last change, which nobody can set, and the nanoseconds tell more: what agrees in all of them has not
//! been changed. They belong to this machine, so they are kept beside the repository, in a small
//! file that is disposable: without it a snapshot reads more files, and holds the same. It is sealed
//! with the repository's key, since names are secrets.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::format::compact::{Reader, Writer};
use crate::format::{Cipher, FileId, Id, IndexId};
use crate::repo::disposable;

use super::root::Seen;

/// Changes with every change of the layout below.
const MAGIC: &[u8; 16] = b"revu snapshot 2\n";

/// The largest state that is read, bytes: room for ten million files, more than an index can hold.
const LARGEST: usize = 1 << 30;

/// A file that changed less than this before it was read may change again without a new time: FAT
/// counts in steps of two seconds, other file systems in ticks of the kernel's clock.
const CLOCK_STEP: Duration = Duration::from_millis(2_100);

/// One file of the last snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its path, as its record has it.
    pub path: String,
    /// Its record.
    pub id: FileId,
    /// Its size as its record has it, bytes.
    pub size: u64,
    /// The state in which it had this content; `None` where that is not known for sure.
    pub seen: Option<Seen>,
}

/// The state of one folder in one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    /// The snapshot that it belongs to.
    pub index: IndexId,
    /// Its files in its order.
    pub entries: Vec<Entry>,
}

/// Where the state of a folder in a repository is kept.
#[derive(Debug, Clone)]
pub(super) struct Place {
    file: PathBuf,
    /// What it must say of itself: a state that was put in the place of another is of no use.
    owner: String,
}

/// Whether a change at this time would leave a mark if it were made from `now` on.
pub(super) fn is_settled(seen: &Seen, now: SystemTime) -> bool {
    let Ok(now) = now.duration_since(UNIX_EPOCH) else { return false };
    let now = (now.as_secs() as i64, now.subsec_nanos());
    let step = CLOCK_STEP.as_nanos() as i128;
    let nanos = |(s, ns): (i64, u32)| i128::from(s) * 1_000_000_000 + i128::from(ns);
    let behind = nanos(now) - nanos(seen.ctime);
    // Where the time of change cannot be trusted (FAT has none), that of modification must do.
    let modified_behind = nanos(now) - nanos(seen.mtime);
    behind > step && !(-step..=step).contains(&modified_behind)
}

impl Place {
    /// In this folder of states, for the files of `folder` in the repository called `repository`.
    pub fn new(states: &Path, repository: &str, folder: &Path) -> Self {
        let owner = format!("{repository}\n{}", folder.display());
        let file = states.join(Id::digest(owner.as_bytes()).hex().as_str());
        Self { file, owner }
    }

    /// The state, if there is one that can be used.
    pub fn load(&self, cipher: &Cipher) -> Option<State> {
        let plain = disposable::read(&self.file, cipher, LARGEST)?;
        let state = decode(&plain, &self.owner);
        if state.is_none() {
            log::debug!("{}: it is of no use, files are read anew", self.file.display());
        }
        state
    }

    /// Replaces the state. That it could not be written costs time alone, so it is only logged.
    pub fn save(&self, cipher: &Cipher, state: &State) {
        if let Err(e) = disposable::write(&self.file, cipher, &encode(state, &self.owner)) {
            log::warn!(
                "{}: it cannot be written, so the next snapshot has more to read: {e}",
                self.file.display()
            );
        }
    }
}

fn encode(state: &State, owner: &str) -> Vec<u8> {
    let mut out = Writer::with_capacity(64 + state.entries.len() * 110);
    out.raw(MAGIC);
    out.text(owner.as_bytes());
    out.id(&state.index.0);
    out.u32(u32::try_from(state.entries.len()).expect("fewer than 2^32 files"));
    for entry in &state.entries {
        out.path(&entry.path);
        out.id(&entry.id.0);
        out.u64(entry.size);
        out.raw(&[u8::from(entry.seen.is_some())]);
        if let Some(seen) = &entry.seen {
            out.u64(seen.size);
            out.u64(seen.ino);
            for (seconds, nanos) in [seen.mtime, seen.ctime] {
                out.i64(seconds);
                out.u32(nanos);
            }
        }
    }
    out.finish()
}

fn decode(bytes: &[u8], owner: &str) -> Option<State> {
    let mut from = Reader::new(bytes);
    if from.raw::<16>()? != *MAGIC || from.text()? != owner.as_bytes() {
        return None;
    }
    let index = IndexId(from.id()?);
    // Two numbers of the path, ID, size, and whether it was seen.
    let count = from.count(8 + 20 + 8 + 1)?;
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        let path = from.path()?.to_owned();
        let id = FileId(from.id()?);
        let size = from.u64()?;
        let seen = match from.raw::<1>()? {
            [0] => None,
            _ => Some(seen(&mut from)?),
        };
        entries.push(Entry { path, id, size, seen });
    }
    from.is_at_end().then_some(State { index, entries })
}

fn seen(from: &mut Reader<'_>) -> Option<Seen> {
    let (size, ino) = (from.u64()?, from.u64()?);
    let mut time = || Some((from.i64()?, from.u32()?));
    let (mtime, ctime) = (time()?, time()?);
    Some(Seen { size, mtime, ctime, ino })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::RepoKey;

    fn state() -> State {
        let entry = |n: u64, path: &str| Entry {
            path: path.into(),
            id: FileId(Id::digest(&n.to_le_bytes())),
            size: n,
            seen: (n != 2).then_some(Seen {
                size: n,
                mtime: (-5, 999_999_999),
                ctime: (i64::MAX, 1),
                ino: u64::MAX - n,
            }),
        };
        let entries = vec![
            entry(0, "/a"),
            entry(1, "/a\nb/标签"),
            entry(2, "/a\nb/标识"),
            entry(3, "/b"),
            entry(4, ""),
        ];
        State { index: IndexId(Id::digest(b"index")), entries }
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = encode(&state(), "owner");
        assert_eq!(decode(&bytes, "owner"), Some(state()));
        assert_eq!(decode(&bytes, "another"), None);
        for len in 0..bytes.len() {
            assert_eq!(decode(&bytes[..len], "owner"), None, "cut to {len}");
        }
        assert_eq!(decode(&[&bytes[..], &[0]].concat(), "owner"), None, "something behind it");
    }

    #[test]
    fn on_disk_no_name_can_be_read_and_no_damage_is_believed() {
        let states = tempfile::tempdir().unwrap();
        let place = Place::new(&states.path().join("new"), "repo", Path::new("/home/me"));
        let cipher = Cipher::new(&RepoKey::from_bytes([1; 32]));
        assert_eq!(place.load(&cipher), None, "none is there");
        place.save(&cipher, &state());
        assert_eq!(place.load(&cipher), Some(state()));
        assert_eq!(place.load(&Cipher::new(&RepoKey::from_bytes([2; 32]))), None);

        let mut bytes = std::fs::read(&place.file).unwrap();
        let name = "标签".as_bytes();
        assert!(!bytes.windows(name.len()).any(|part| part == name));
        let elsewhere = Place::new(&states.path().join("new"), "repo", Path::new("/home/you"));
        std::fs::copy(&place.file, &elsewhere.file).unwrap();
        assert_eq!(elsewhere.load(&cipher), None, "another folder's");
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&place.file, &bytes).unwrap();
        assert_eq!(place.load(&cipher), None);
    }

    #[test]
    fn a_change_of_a_moment_ago_is_not_settled() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000);
        let at = |ctime: i64, mtime: i64| {
            let seen = Seen { size: 0, mtime: (mtime, 0), ctime: (ctime, 0), ino: 0 };
            is_settled(&seen, now)
        };
        assert!(at(900, 900) && at(900, -5) && at(900, 5_000));
        assert!(!at(999, 900), "changed now");
        assert!(!at(1_005, 900), "changed in the future: the clock was set back");
        assert!(!at(0, 999), "modified now, as a file system without times of change has it");
    }
}
