//! The deeds, each judged by what it gives: a fault is a sentence.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use revu::format::IndexId;
use revu::ops::check::{ReadData, check};
use revu::ops::diff::{self, Compare};
use revu::ops::disk::{Dir, Everything};
use revu::ops::find::{NamePattern, Query, TextPattern, find};
use revu::ops::paths::Scope;
use revu::ops::purge::Plan;
use revu::ops::restore::{self, Wanted};
use revu::ops::snapshot::{Options, Profile, SnapshotError, snapshot};
use revu::ops::{Silent, check as ops_check};
use revu::repo::Repository;
use revu::store::lock::LOCKS;
use revu::vfs::{Kind, Vfs, VfsOptions, ino};

use crate::purge_support::{exclusive, keep_only, tick};
use crate::sample::{Costs, Files, Row, Sample, open};

/// One cell's surroundings: a copy of the sample in which one file is damaged.
pub struct Scene<'a> {
    pub sample: &'a Sample,
    pub place: &'a Path,
    pub row: Row,
    pub costs: Costs,
    /// Whether nothing is where the file was.
    pub is_gone: bool,
    /// Whether the damage is one that the format cannot tell: a ref that names another snapshot.
    pub is_plausible: bool,
}

pub type Judged = Result<(), String>;
pub type Deed = fn(&Scene<'_>) -> Judged;

/// Those that only read, which share one copy, and those that write, each with its own.
pub const READ: [(&str, Deed); 7] = [
    ("walk", walk),
    ("log", log),
    ("ls, cat", cat),
    ("diff", differ),
    ("find", search),
    ("restore", bring_back),
    ("check", look),
];
pub const WRITE: [(&str, Deed); 2] = [("snapshot", remember), ("purge", clear)];

macro_rules! ensure {
    ($so:expr, $($what:tt)+) => {
        if !$so {
            return Err(format!($($what)+));
        }
    };
}

impl Scene<'_> {
    fn open(&self) -> Result<Repository, String> {
        open(self.sample, self.place)
    }

    fn is_index(&self, id: IndexId) -> bool {
        matches!(self.row, Row::Index(n) if self.sample.ids[n] == id)
    }

    /// Whether this content of this path is one that was ever stored.
    fn is_true(&self, id: IndexId, path: &str, bytes: &[u8]) -> bool {
        let holds = |files: &Files| files.get(path).is_some_and(|known| known == bytes);
        match self.sample.truth.get(&id) {
            // Nothing authenticates an index: it may list a file of another snapshot.
            Some(_) if self.is_index(id) => self.sample.truth.values().any(holds),
            Some(files) => holds(files),
            None => false,
        }
    }
}

/// Everything below a folder: path and content, or `None` where that cannot be read.
fn read_below(
    vfs: &Vfs,
    dir: u64,
    prefix: &str,
    all: &mut BTreeMap<String, Option<Vec<u8>>>,
) -> Judged {
    let mut items = Vec::new();
    vfs.readdir(dir, 0, &mut |item| {
        if !matches!(item.name, b"." | b"..") {
            items.push((String::from_utf8_lossy(item.name).into_owned(), item.entry.attr));
        }
        true
    })
    .map_err(|e| format!("{prefix}: {e}"))?;
    for (name, attr) in items {
        let path = format!("{prefix}/{name}");
        if attr.kind == Kind::Dir {
            read_below(vfs, attr.ino, &path, all)?;
            continue;
        }
        // In two reads, as a kernel would.
        let half = attr.size / 2;
        let first = vfs.read(attr.ino, 0, half as usize);
        let second = vfs.read(attr.ino, half, (attr.size - half) as usize);
        let whole = first.and_then(|a| second.map(|b| [&a[..], &b[..]].concat())).ok();
        all.insert(path, whole.filter(|bytes| bytes.len() as u64 == attr.size));
    }
    Ok(())
}

/// All snapshots read through the model of the mount; whatever is there must be right, and all must
/// be there that does not need what is damaged, in those of `must`.
fn read_all(scene: &Scene<'_>, repo: Arc<Repository>, must: &[IndexId], costs: &Costs) -> Judged {
    let vfs = Vfs::new(repo, VfsOptions::default()).map_err(|e| e.to_string())?;
    for round in 0..2 {
        for id in must {
            let dir = match vfs.lookup(ino::IDS, id.to_string().as_bytes()) {
                Ok(entry) => entry.attr.ino,
                Err(_) if scene.is_index(*id) => continue,
                Err(e) => return Err(format!("snapshot {id}: {e}")),
            };
            let mut all = BTreeMap::new();
            match read_below(&vfs, dir, "", &mut all) {
                Err(_) if scene.is_index(*id) => continue,
                read => read?,
            }
            for (path, bytes) in &all {
                let Some(bytes) = bytes else { continue };
                ensure!(scene.is_true(*id, path, bytes), "{path} of {id}: wrong bytes");
            }
            for path in scene.sample.truth[id].keys() {
                // The first reading corrects what full-latest.json said.
                let is_there = matches!(all.get(path), Some(Some(_)));
                let may_miss = costs.has(*id, path) || (scene.row == Row::FullLatest && round == 0);
                ensure!(is_there || may_miss, "{path} of {id} cannot be read");
            }
        }
    }
    Ok(())
}

fn walk(scene: &Scene<'_>) -> Judged {
    let repo = scene.open()?;
    if scene.row == Row::Catalog {
        repo.keep_catalogs_in(&scene.place.join("cache/catalogs"));
    }
    let repo = Arc::new(repo);
    read_all(scene, Arc::clone(&repo), &scene.sample.ids, &scene.costs)?;
    let vfs = Vfs::new(repo, VfsOptions::default()).map_err(|e| e.to_string())?;
    vfs.readlink(ino::LATEST).map_err(|e| format!("latest leads nowhere: {e}"))?;
    Ok(())
}

fn log(scene: &Scene<'_>) -> Judged {
    let snapshots = scene.open()?.snapshots().map_err(|e| e.to_string())?;
    for id in scene.sample.ids {
        ensure!(snapshots.get(id).is_some() || scene.is_index(id), "{id} is not listed");
    }
    ensure!(snapshots.list.len() <= 3, "there are more than there were");
    let other = snapshots.tags.iter().any(|(name, _)| name == "other");
    ensure!(other || scene.row == Row::Index(1), "the other tag is not listed");
    ensure!(snapshots.latest.is_some(), "there is no latest");
    Ok(())
}

/// As `ls` and `cat` do: records through the catalog, chunks one after the other.
fn cat(scene: &Scene<'_>) -> Judged {
    let repo = scene.open()?;
    for id in scene.sample.ids {
        let loaded = match repo.load(id) {
            Ok(loaded) => loaded,
            Err(_) if scene.is_index(id) => continue,
            Err(e) => return Err(e.to_string()),
        };
        let mut found = BTreeSet::new();
        for no in loaded.files {
            let Some(revu::repo::File::Known(entry)) = repo.catalog().file(no) else { continue };
            let mut bytes = Vec::new();
            let whole = loop {
                match repo.read(no, bytes.len() as u64, 700) {
                    Ok(piece) if piece.is_empty() => break true,
                    Ok(piece) => bytes.extend_from_slice(&piece),
                    Err(_) => break false,
                }
            };
            if whole {
                ensure!(scene.is_true(id, &entry.path, &bytes), "{}: wrong bytes", entry.path);
                found.insert(entry.path.to_string());
            }
        }
        for path in scene.sample.truth[&id].keys() {
            let may_miss = scene.costs.has(id, path) || scene.row == Row::FullLatest;
            ensure!(found.contains(path) || may_miss, "{path} of {id} cannot be read");
        }
    }
    Ok(())
}

fn differ(scene: &Scene<'_>) -> Judged {
    let repo = scene.open()?;
    let [old, _, new] = scene.sample.ids;
    let (before, after) = (&scene.sample.truth[&old], &scene.sample.truth[&new]);
    match diff::snapshots(&repo, old, new, &Scope::default(), &Silent) {
        Err(e) => ensure!(scene.is_index(old) || scene.is_index(new), "{e}"),
        Ok(found) => {
            let changed: BTreeSet<String> =
                found.changes.iter().map(|change| format!("/{}", change.path)).collect();
            let paths: BTreeSet<_> = before.keys().chain(after.keys()).collect();
            for path in paths {
                let differs = before.get(path) != after.get(path);
                let may_err = scene.costs.has(old, path) || scene.costs.has(new, path);
                ensure!(changed.contains(path) == differs || may_err, "{path}: wrong difference");
            }
        }
    }
    let data = Dir::open(&scene.place.join("data")).map_err(|e| e.to_string())?;
    let compare = Compare { rules: &Everything, content: true };
    match diff::folder(&repo, new, &data, compare, &Scope::default(), &Silent) {
        Err(e) => ensure!(scene.is_index(new), "{e}"),
        Ok(found) => {
            let changed: BTreeSet<_> = found.changes.iter().map(|c| c.path.as_str()).collect();
            ensure!(changed.contains("later.md"), "what was added to the folder is not told");
            for path in after.keys() {
                let told = changed.contains(&path[1..]);
                let differs = path == "/notes/a.md";
                let may_err = scene.costs.has(new, path) || scene.row == Row::FullLatest;
                ensure!(told == differs || may_err, "{path}: wrong difference from the folder");
            }
        }
    }
    Ok(())
}

fn search(scene: &Scene<'_>) -> Judged {
    let repo = scene.open()?;
    let text = Query::Content(TextPattern::new("needle in note", false).expect("it is a text"));
    let name = Query::Name(NamePattern::new("*.md", false).expect("it is a pattern"));
    for query in [text, name] {
        let found = find(&repo, &scene.sample.ids, &query, &Scope::default(), &Silent);
        let found: BTreeSet<_> = found.found.iter().map(|f| format!("/{}", f.path)).collect();
        for (id, files) in &scene.sample.truth {
            for path in files.keys().filter(|path| path.ends_with(".md")) {
                let may_miss = scene.costs.has(*id, path);
                ensure!(found.contains(path) || may_miss, "{path} of {id} is not found");
            }
        }
        ensure!(found.iter().all(|path| path.ends_with(".md")), "found what is not there");
    }
    Ok(())
}

fn bring_back(scene: &Scene<'_>) -> Judged {
    let repo = scene.open()?;
    let id = scene.sample.latest();
    let target = crate::sample::tempdir();
    let wanted = [Wanted::all(id)];
    let plan = match restore::plan(&repo, &wanted, target.path(), Default::default(), &Silent) {
        Ok(plan) => plan,
        Err(_) if scene.is_index(id) => return Ok(()),
        Err(e) => return Err(e.to_string()),
    };
    plan.carry_out(&Silent).map_err(|e| e.to_string())?;
    let mut restored = Files::new();
    files_below(target.path(), "", &mut restored);
    for (path, bytes) in &restored {
        ensure!(scene.is_true(id, path, bytes), "{path}: wrong bytes were restored");
    }
    for path in scene.sample.truth[&id].keys() {
        let may_miss = scene.costs.has(id, path);
        ensure!(restored.contains_key(path) || may_miss, "{path} was not restored");
    }
    Ok(())
}

pub fn files_below(folder: &Path, prefix: &str, all: &mut Files) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{prefix}/{}", entry.file_name().into_string().unwrap());
        match entry.file_type().unwrap().is_dir() {
            true => files_below(&entry.path(), &path, all),
            false => drop(all.insert(path, std::fs::read(entry.path()).unwrap())),
        }
    }
}

fn look(scene: &Scene<'_>) -> Judged {
    let repo = scene.open()?;
    let options = ops_check::Options { read_data: ReadData::All, zone: jiff::tz::TimeZone::UTC };
    let report = check(&repo, &options, None, &Silent).map_err(|e| e.to_string())?;
    let Some(key) = scene.row.key(scene.sample) else {
        let damage = report.findings.iter().filter(|f| f.is_damage).count();
        ensure!(damage == 0, "a cache is no part of the repository: {:?}", report.findings);
        return Ok(());
    };
    let named = report.findings.iter().any(|f| f.object == key);
    let is_told = match scene.row {
        // What no ref names and is not there has never been.
        Row::Index(_) if scene.is_gone => report.summary.snapshots < 3,
        Row::Index(n) => {
            let id = scene.sample.ids[n];
            let lists = |index: &revu::format::Index| {
                index.files.iter().eq(scene.sample.records[&id].iter().map(|r| &r.id))
            };
            // Memo, time and device say what they say; the list of files is what matters.
            named
                || report.summary.damage > 0
                || repo.objects().index(id).is_ok_and(|index| lists(&index))
        }
        Row::Tag | Row::Latest | Row::Settings | Row::FullLatest if scene.is_gone => true,
        Row::Tag | Row::Latest => named || scene.is_plausible,
        Row::FullLatest => {
            let full = repo.objects().full_latest();
            let is_of_latest = full.is_some_and(|full| full.id == scene.sample.latest());
            let is_true = full_latest_is_true(scene, &repo);
            // One of another snapshot is of no use and of no harm.
            named || !is_of_latest || is_true
        }
        // What only the key slots' own secrets can verify is met when they open it.
        Row::Settings => {
            let key = revu::format::own::Secret::Key(scene.sample.slot.clone());
            named
                || revu::ops::keys::open(repo.store(), &key)
                    .is_ok_and(|it| it.key == scene.sample.key)
                || revu::ops::keys::read(repo.store()).is_ok_and(|own| own.is_some())
        }
        Row::Lock => true,
        _ => named,
    };
    ensure!(is_told, "check does not name {key}: {:?}", report.findings);
    for finding in report.findings.iter().filter(|f| f.is_damage) {
        for path in &finding.paths.listed {
            let costs = scene.sample.ids.iter().any(|id| scene.costs.has(*id, path));
            ensure!(costs || scene.row == Row::FullLatest, "{path} is said to be lost");
        }
    }
    Ok(())
}

fn full_latest_is_true(scene: &Scene<'_>, repo: &Repository) -> bool {
    let Some(full) = repo.objects().full_latest() else { return false };
    let records = &scene.sample.records[&scene.sample.latest()];
    full.files.into_iter().map(revu::format::FileRecord::from).eq(records.iter().cloned())
}

fn remember(scene: &Scene<'_>) -> Judged {
    let repo = scene.open()?;
    let options = Options { states: Some(scene.place.join("cache/states")), ..Options::default() };
    let cutting = revu::format::own::Settings::default().cutting;
    let profile = Profile::Plain { cutting };
    let data = scene.place.join("data");
    let made = match snapshot(&repo, &data, &profile, &options, &Silent) {
        Ok(summary) => summary.index.ok_or("nothing is said to have changed")?,
        // Whatever stands in the way is no snapshot's to remove.
        Err(e @ SnapshotError::Locked(_)) => {
            ensure!(scene.row == Row::Lock, "{e}");
            return Ok(());
        }
        Err(e) => {
            // What the snapshot would have to be written over, and that is not its to remove.
            let is_in_the_way = matches!(scene.row, Row::Chunk(..) | Row::Record(_))
                && e.to_string().contains("a folder lies in its place");
            let may_refuse = matches!(scene.row, Row::Latest | Row::Index(_)) || is_in_the_way;
            ensure!(may_refuse, "no snapshot: {e}");
            return Ok(());
        }
    };
    let repo = Arc::new(scene.open()?);
    let vfs = Vfs::new(Arc::clone(&repo), VfsOptions::default()).map_err(|e| e.to_string())?;
    let dir = vfs.lookup(ino::IDS, made.to_string().as_bytes()).map_err(|e| e.to_string())?;
    let mut all = BTreeMap::new();
    read_below(&vfs, dir.attr.ino, "", &mut all)?;
    let mut expected = Files::new();
    files_below(&data, "", &mut expected);
    for (path, bytes) in &expected {
        match all.get(path) {
            Some(Some(found)) => ensure!(found == bytes, "{path}: wrong bytes in the new one"),
            _ => {
                // What has not changed since the snapshot before needs what that one needs.
                let may_miss = scene.costs.has(scene.sample.latest(), path)
                    && matches!(scene.row, Row::Record(_) | Row::Chunk(..));
                ensure!(may_miss, "{path} of the new snapshot cannot be read");
            }
        }
    }
    read_all(scene, repo, &scene.sample.ids, &scene.costs)
}

fn clear(scene: &Scene<'_>) -> Judged {
    let repo = scene.open()?;
    let store = repo.store().clone();
    let before = names(scene.place);
    tick();
    let lock = match scene.row {
        // A lock that cannot be read counts.
        Row::Lock => match revu::store::lock::Lock::take(
            &store,
            revu::store::lock::Kind::Exclusive,
            "purge",
            Default::default(),
            &|| false,
        ) {
            Ok(lock) => lock,
            Err(revu::store::lock::LockError::Held { .. }) => return Ok(()),
            Err(e) => return Err(e.to_string()),
        },
        _ => exclusive(&store),
    };
    let plan = Plan::make(&repo, &keep_only(&[]), lock.taken(), &Silent);
    let done = plan.and_then(|plan| {
        let stays: Vec<IndexId> = plan.stays.iter().map(|s| s.snapshot.head.id).collect();
        plan.execute(&lock, &Silent).map(|_| stays)
    });
    drop(lock);
    let Ok(stays) = done else {
        ensure!(names(scene.place) == before, "it refused, and removed something");
        return Ok(());
    };
    let named = match scene.row {
        Row::Tag => Some(scene.sample.ids[0]),
        Row::Latest => Some(scene.sample.latest()),
        Row::Index(n) => Some(scene.sample.ids[n]),
        _ => None,
    };
    let forgot = named.filter(|id| !stays.contains(id) && !scene.is_gone && !scene.is_plausible);
    ensure!(forgot.is_none(), "it removed a snapshot over what it could not read");
    let stays: Vec<IndexId> =
        stays.into_iter().filter(|id| scene.sample.ids.contains(id)).collect();
    read_all(scene, Arc::new(scene.open()?), &stays, &scene.costs)?;
    // With the file brought back, what stays has lost nothing.
    let file = scene.row.path(scene.sample);
    crate::harms::remove(&scene.place.join(&file));
    std::fs::hard_link(scene.sample.path().join(&file), scene.place.join(&file))
        .map_err(|e| e.to_string())?;
    let none = scene.sample.costs(&Row::Lock);
    ensure!(none.is_empty(), "a lock costs nothing");
    let healed = Scene { costs: none.clone(), row: Row::Lock, ..*scene };
    read_all(&healed, Arc::new(scene.open()?), &stays, &none)
        .map_err(|e| format!("the purge has made it worse: {e}"))
}

/// Every name below the repository.
fn names(place: &Path) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut folders = vec![place.join("repo")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            all.insert(entry.path().strip_prefix(place).unwrap().display().to_string());
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
        }
    }
    all.retain(|key| !key.starts_with(&format!("repo/{LOCKS}")));
    all
}
