//! A walk through a folder on disk, as a snapshot of it would see it.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;

use crate::ops::paths;

use super::{Dir, Found, Kind};

/// What of a folder counts: what a snapshot of it would hold. Paths are relative, `/`-separated,
/// without slashes at their ends.
pub trait Rules: Sync {
    /// Whether what lies in this folder may count.
    fn enters(&self, folder: &str) -> bool;
    /// Whether this regular file counts.
    fn takes(&self, file: &str) -> bool;
    /// Whether this folder stays where a restore has emptied it.
    fn stays(&self, folder: &str) -> bool;
    /// Whether the rules are read from this file. A restore changes it when all else is done: until then
    /// one that was killed is taken up again under the same rules.
    fn come_from(&self, _file: &str) -> bool {
        false
    }
}

/// Every regular file counts, no emptied folder stays.
#[derive(Debug, Clone, Copy, Default)]
pub struct Everything;

impl Rules for Everything {
    fn enters(&self, _: &str) -> bool {
        true
    }
    fn takes(&self, _: &str) -> bool {
        true
    }
    fn stays(&self, _: &str) -> bool {
        false
    }
}

/// What a walk has found.
#[derive(Debug, Default)]
pub struct Walked {
    /// The regular files that count, by their paths, in walk order.
    pub files: Vec<(String, Found)>,
    /// Files and folders whose names are not UTF-8, which no snapshot can hold.
    pub unnameable: Vec<String>,
    /// Folders and files that could not be looked at, and why.
    pub unreadable: Vec<(String, io::Error)>,
}

/// Walks through the folder at `path` below `root`: the entries of each folder in byte order,
/// folders entered where they come. A folder that is not there is empty, a file in its place is found
/// alone; links are not followed.
pub fn walk(root: &Dir, path: &str, rules: &dyn Rules) -> Walked {
    let mut walked = Walked::default();
    match root.sub(path) {
        Ok(dir) => enter(&dir, path, rules, &mut walked),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) if e.kind() == io::ErrorKind::NotADirectory => {
            let (folder, name) = paths::split(path);
            match root.sub(folder).and_then(|dir| dir.look(name)) {
                Ok(Some(found)) if found.kind == Kind::File => {
                    walked.files.extend(rules.takes(path).then(|| (path.to_owned(), found)));
                }
                // Something else, or what it would lie in is no folder: so it is not there.
                _ => {}
            }
        }
        Err(e) => walked.unreadable.push((path.to_owned(), e)),
    }
    walked
}

fn enter(dir: &Dir, path: &str, rules: &dyn Rules, walked: &mut Walked) {
    let names = match names(dir) {
        Ok(names) => names,
        Err(e) => return walked.unreadable.push((path.to_owned(), e)),
    };
    for name in names {
        let found = match dir.look_os(OsStr::from_bytes(&name)) {
            Ok(Some(found)) => found,
            // Removed since it was listed.
            Ok(None) => continue,
            Err(e) => {
                walked.unreadable.push((below(path, &String::from_utf8_lossy(&name)), e));
                continue;
            }
        };
        if !matches!(found.kind, Kind::File | Kind::Folder) {
            continue;
        }
        let name = match String::from_utf8(name) {
            Ok(name) => name,
            Err(e) => {
                walked.unnameable.push(below(path, &String::from_utf8_lossy(e.as_bytes())));
                continue;
            }
        };
        let here = below(path, &name);
        match found.kind {
            Kind::Folder if rules.enters(&here) => match dir.child(&name) {
                Ok(child) => enter(&child, &here, rules, walked),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => walked.unreadable.push((here, e)),
            },
            Kind::File if rules.takes(&here) => walked.files.push((here, found)),
            _ => {}
        }
    }
}

/// The path of a name in a folder; the folder `""` is the root.
fn below(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

fn names(dir: &Dir) -> io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::new(dir.readable()?)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}
