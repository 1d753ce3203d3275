//! What `SNAPSHOT`, `SNAPSHOT:PATH` and a path inside a mount mean.

use std::path::{Component, Path, PathBuf};

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use crate::format::IndexId;
use crate::mount::RevuMount;
use crate::repo::Snapshots;
use crate::repo::names::{self, ResolveError};
use crate::vfs::escape;

use super::error::{FAILED, Failure, failure};

/// Something in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The snapshot.
    pub id: IndexId,
    /// The path in it without a slash before it, empty for its root; `None` where no path was given.
    pub path: Option<String>,
}

/// An argument, before any repository has been looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    text: String,
    place: Option<Place>,
}

/// A path inside a mount of revu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The repository that is mounted there.
    pub repo: PathBuf,
    /// How the mount names the snapshot; `None` outside of all snapshots.
    view: Option<View>,
    /// The path in the snapshot.
    pub path: String,
}

/// The folders at the top of a mount, with the name in them that was followed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum View {
    Latest,
    Snapshots(String),
    Ids(String),
    Tags(String),
}

impl Request {
    /// An argument as it was written: `SNAPSHOT[:PATH]`, or a path inside a mount. No snapshot is
    /// called something with a `/`, so what has one before any `:` is a path.
    pub fn new(text: &str) -> Self {
        let is_path = text.find(['/', ':']).is_some_and(|at| text[at..].starts_with('/'))
            || matches!(text, "." | "..");
        Self { text: text.to_owned(), place: if is_path { in_mount(text) } else { None } }
    }

    /// The repository of the mount that it lies in.
    pub fn hint(&self) -> Option<&Path> {
        self.place.as_ref().map(|place| place.repo.as_path())
    }

    /// What it means. A snapshot's name and a path may both hold colons: the longest beginning that
    /// names a snapshot does.
    ///
    /// # Errors
    /// Where no snapshot, or more than one, is meant.
    pub fn resolve(&self, snapshots: &Snapshots, zone: &TimeZone) -> Result<Target, Failure> {
        if let Some(place) = &self.place {
            return place.resolve(snapshots, &self.text);
        }
        let text = &self.text[..];
        let cuts = text.rmatch_indices(':').map(|(at, _)| (&text[..at], Some(&text[at + 1..])));
        for (snapshot, path) in std::iter::once((text, None)).chain(cuts) {
            match resolve(snapshots, zone, snapshot) {
                Ok(id) => return Ok(Target { id, path: path.map(clean) }),
                Err(ResolveError::Unknown { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let end = text.find(":/").or_else(|| text.find(':')).unwrap_or(text.len());
        Err(ResolveError::Unknown { text: text[..end].to_owned() }.into())
    }
}

/// The snapshot that a text names, see [`names::resolve`]; a name that a mount shows in another zone
/// (`--utc`) is known too.
///
/// # Errors
/// [`ResolveError`].
pub fn resolve(
    snapshots: &Snapshots,
    zone: &TimeZone,
    text: &str,
) -> Result<IndexId, ResolveError> {
    match names::resolve(snapshots, zone, text) {
        Err(error @ ResolveError::Unknown { .. }) => by_name(snapshots, text).ok_or(error),
        answer => answer,
    }
}

/// The snapshot that has this name in whichever zone: names carry their offset.
fn by_name(snapshots: &Snapshots, name: &str) -> Option<IndexId> {
    let (time, digits) = match name.split_once('_') {
        Some((time, digits)) => (time, Some(digits)),
        None => (name, None),
    };
    let time = match time.strip_suffix('Z') {
        Some(utc) => format!("{utc}+0000"),
        None => time.to_owned(),
    };
    let time: Timestamp = strtime::parse("%Y-%m-%dT%H.%M.%S%z", time).ok()?.to_timestamp().ok()?;
    let mut those = snapshots.list.iter().filter(|snapshot| {
        snapshot.head.created.div_euclid(1000) == time.as_millisecond().div_euclid(1000)
    });
    let found = match digits {
        None => those.next(),
        Some(digits) if digits.len() >= 8 => {
            those.find(|snapshot| snapshot.head.id.hex().starts_with(digits))
        }
        Some(_) => None,
    };
    found.map(|snapshot| snapshot.head.id)
}

/// A path as the tree of a snapshot knows it: no slashes around it, no empty parts, no `.`.
pub fn clean(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    parts.join("/")
}

/// Where in a mount of revu a path lies. What is in the mount is not touched: it may hang.
pub fn in_mount(text: &str) -> Option<Place> {
    let path = lexical(Path::new(text))?;
    let mounts = crate::mount::mounts().ok()?;
    let around = mounts.iter().filter(|mount| path.starts_with(&mount.point));
    let (mount, point) = around
        .max_by_key(|mount| mount.point.as_os_str().len())
        .map(|mount| (mount, mount.point.clone()))
        .or_else(|| behind_a_link(&path, &mounts))?;
    let (view, path) = view(path.strip_prefix(&point).ok()?);
    Some(Place { repo: PathBuf::from(&mount.source), view, path })
}

/// The mount to which the beginning of a path leads by a symbolic link, with that beginning. Goes down
/// no further than to its root: links in a mount are its own.
fn behind_a_link<'a>(path: &Path, mounts: &'a [RevuMount]) -> Option<(&'a RevuMount, PathBuf)> {
    if mounts.is_empty() {
        return None;
    }
    let mut beginnings: Vec<&Path> = path.ancestors().collect();
    beginnings.reverse();
    for beginning in beginnings {
        let real = beginning.canonicalize().ok()?;
        if let Some(mount) = mounts.iter().find(|mount| mount.point == real) {
            return Some((mount, beginning.to_owned()));
        }
    }
    None
}

/// The absolute path without `.` and `..`, by its text alone.
fn lexical(path: &Path) -> Option<PathBuf> {
    let mut out = PathBuf::new();
    for part in std::path::absolute(path).ok()?.components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    Some(out)
}

/// What a path in a mount, from its root on, says: the snapshot, and the path in it.
fn view(rest: &Path) -> (Option<View>, String) {
    // A name that is not UTF-8 is none of a repository's.
    let parts: Vec<&str> = rest.iter().map(|part| part.to_str().unwrap_or("\u{fffd}")).collect();
    let (view, below) = match &parts[..] {
        ["latest", below @ ..] => (View::Latest, below),
        ["snapshots", name, below @ ..] => (View::Snapshots((*name).to_owned()), below),
        ["ids", name, below @ ..] => (View::Ids((*name).to_owned()), below),
        ["tags", name, below @ ..] => (View::Tags((*name).to_owned()), below),
        // A note by its names: commands that know notes know these too.
        ["notes", "latest", below @ ..] => (View::Latest, below),
        ["notes", "tags", name, below @ ..] => (View::Tags((*name).to_owned()), below),
        ["notes", name, below @ ..] if *name != "tags" => {
            (View::Snapshots((*name).to_owned()), below)
        }
        _ => return (None, String::new()),
    };
    (Some(view), below.join("/"))
}

impl Place {
    fn resolve(&self, snapshots: &Snapshots, text: &str) -> Result<Target, Failure> {
        let id = match &self.view {
            None => None,
            Some(View::Latest) => snapshots.latest,
            Some(View::Snapshots(name)) => by_name(snapshots, name),
            Some(View::Ids(name)) => name.parse().ok().filter(|id| snapshots.get(*id).is_some()),
            Some(View::Tags(name)) => {
                let tag = snapshots.tags.iter().find(|(tag, _)| escape::shown(tag) == *name);
                tag.map(|(_, id)| *id)
            }
        };
        let id = id.ok_or_else(|| {
            let sentence = format!("{text} lies in a mount, but in none of its snapshots");
            failure("no_snapshot", FAILED, sentence)
        })?;
        Ok(Target { id, path: Some(self.path.clone()) })
    }
}

/// The failure for a path that a snapshot does not have. `lost`: of how many of its files not even the
/// path is known.
pub fn no_such_path(id: IndexId, path: &str, lost: usize) -> Failure {
    let id = id.short();
    let mut sentence =
        format!("there is no /{path} in snapshot {id}: `revu ls {id}` shows what there is");
    if lost > 0 {
        sentence.push_str(&format!(" ({lost} of its files are damaged, it may be one of them)"));
    }
    failure("no_path", FAILED, sentence)
}

/// The failure for a path that no snapshot has.
pub fn never_there(path: &str) -> Failure {
    let sentence =
        format!("no snapshot has /{path}: `revu ls latest` shows what there is in the newest");
    failure("no_path", FAILED, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Id, IndexHead};
    use crate::repo::Snapshot;

    /// 2024-05-01T18:01:00+08:00.
    const T: i64 = 1_714_557_660_000;

    fn list() -> Snapshots {
        let head = |n: u8| IndexHead {
            id: IndexId(Id::digest(&[n])),
            memo: String::new(),
            created: T + i64::from(n / 2) * 1000,
        };
        let list: Vec<_> = (0..4).map(|n| Snapshot { head: head(n), tags: vec![] }).collect();
        let (first, last) = (list[0].head.id, list[3].head.id);
        let tags = vec![("a:b".to_owned(), first), ("odd/tag".to_owned(), last)];
        Snapshots { list, tags, latest: Some(last), ..Snapshots::default() }
    }

    fn zone() -> TimeZone {
        TimeZone::fixed(jiff::tz::offset(8))
    }

    #[test]
    fn the_longest_beginning_that_is_a_snapshot_counts() {
        let snapshots = list();
        let ids: Vec<_> = snapshots.list.iter().map(|s| s.head.id).collect();
        let ask = |text: &str| {
            let target =
                Request { text: text.to_owned(), place: None }.resolve(&snapshots, &zone());
            target.map(|target| (target.id, target.path)).map_err(|failure| failure.message)
        };
        let path = |path: &str| Some(path.to_owned());
        assert_eq!(ask("latest"), Ok((ids[3], None)));
        assert_eq!(ask("latest:"), Ok((ids[3], path(""))));
        assert_eq!(ask("latest:/a//./b:c/"), Ok((ids[3], path("a/b:c"))));
        assert_eq!(ask("a:b"), Ok((ids[0], None)));
        assert_eq!(ask("a:b:c"), Ok((ids[0], path("c"))));
        assert_eq!(ask("2024-05-01T18:01"), Ok((ids[3], None)));
        assert_eq!(ask("2024-05-01T18:01:/x"), Ok((ids[3], path("x"))));
        assert!(ask("nothing:/a:b").unwrap_err().contains("`nothing`"));
        assert!(ask("").is_err());
    }

    #[test]
    fn names_are_known_in_every_zone() {
        let snapshots = list();
        for zone in [TimeZone::UTC, zone(), TimeZone::fixed(jiff::tz::offset(-3))] {
            for (snapshot, name) in snapshots.list.iter().zip(names::names(&snapshots, &zone)) {
                let id = snapshot.head.id;
                assert_eq!(resolve(&snapshots, &TimeZone::UTC, &name), Ok(id), "{name}");
                let view = Some(View::Snapshots(name));
                let place = Place { repo: PathBuf::new(), view, path: "x".into() };
                assert_eq!(place.resolve(&snapshots, "").unwrap().id, id);
            }
        }
        let short = format!("2024-05-01T10.01.00Z_{}", &snapshots.list[1].head.id.hex()[..4]);
        assert!(resolve(&snapshots, &TimeZone::UTC, &short).is_err());
    }

    #[test]
    fn places_in_a_mount() {
        let snapshots = list();
        let ask = |path: &str| {
            let (view, below) = view(Path::new(path));
            let place = Place { repo: PathBuf::new(), view, path: below };
            let target = place.resolve(&snapshots, path).ok()?;
            Some((target.id, target.path.unwrap()))
        };
        let (first, last) = (snapshots.list[0].head.id, snapshots.list[3].head.id);
        assert_eq!(ask("latest/a/b.sy"), Some((last, "a/b.sy".to_owned())));
        assert_eq!(ask("tags/a:b"), Some((first, String::new())));
        assert_eq!(ask(&format!("tags/{}", escape::shown("odd/tag"))), Some((last, String::new())));
        assert_eq!(ask(&format!("ids/{first}/x")), Some((first, "x".to_owned())));
        for nowhere in ["", "ids", "snapshots", "other/x", "tags/none", "ids/0000"] {
            assert_eq!(ask(nowhere), None, "{nowhere}");
        }
        assert_eq!(lexical(Path::new("/a/./b/../c")), Some("/a/c".into()));
        assert_eq!(Request::new("latest:/x"), Request { text: "latest:/x".into(), place: None });
    }
}
