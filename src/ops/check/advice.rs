//! What to do next.

use jiff::Timestamp;

use crate::format::layout;

use super::cross::Crossed;
use super::rest::Rest;
use super::snapshots::{First, Snapshot};
use super::{Check, Finding, Kind};

/// Paths that have a sentence of their own.
const MAX_PATHS: usize = 20;

impl Check<'_> {
    /// Sentences, the most urgent first. None where there is nothing to do.
    pub(super) fn advice(&self, first: &First, crossed: &Crossed, rest: &Rest) -> Vec<String> {
        let mut next = Vec::new();
        let mut needs_unknown = first.lost > 0;
        self.findings.with(|findings| {
            let damage: Vec<&Finding> = findings.iter().filter(|f| f.is_damage).collect();
            self.objects_to_bring(&damage, &mut next);
            needs_unknown |= damage.iter().any(|finding| finding.kind == Kind::Record);
            if !damage.is_empty() {
                next.push(self.whole_snapshots(first, crossed));
            }
            self.whole_versions(&damage, first, crossed, &mut next);
            refs_to_mend(&damage, &mut next);
            if damage.iter().any(|finding| finding.kind == Kind::FullLatest) {
                let key = layout::FULL_LATEST;
                next.push(format!("Remove the file {key}: it is only a cache, which SiYuan makes anew."));
            }
            if damage.iter().any(|finding| finding.kind == Kind::Orphan) {
                let sentence = "Run `revu purge` before the next snapshot: damaged objects that no snapshot needs would be taken for good ones.";
                next.push(sentence.into());
            }
        });
        if needs_unknown && rest.orphans > 0 {
            let sentence = "Objects that no snapshot seems to need may be those that the damaged ones name: do not remove them before these are back.";
            next.push(sentence.into());
        }
        next
    }

    fn objects_to_bring(&self, damage: &[&Finding], next: &mut Vec<String>) {
        let is_object = |f: &&&Finding| matches!(f.kind, Kind::Index | Kind::Record | Kind::Chunk);
        let bring: Vec<_> = damage.iter().filter(is_object).map(|f| f.object.as_str()).collect();
        let Some(one) = bring.first() else { return };
        let others = match bring.len() - 1 {
            0 => String::new(),
            1 => " and another object".into(),
            n => format!(" and {n} other objects"),
        };
        next.push(match self.repair {
            None => format!(
                "Bring {one}{others} from a copy of this repository, if there is one: `revu check --repair-from DIR`."
            ),
            Some(_) => format!("This copy could not give {one}{others}: try another one."),
        });
    }

    fn whole_snapshots(&self, first: &First, crossed: &Crossed) -> String {
        let all = first.snapshots.len() + first.lost;
        let whole: Vec<_> = crossed.snapshots.iter().filter(|s| s.is_whole).collect();
        match whole.last() {
            None => "No snapshot is whole: restore from each what it has.".into(),
            Some(newest) => format!(
                "{} of {all} snapshots are whole, the newest of them {}.",
                whole.len(),
                self.name(newest.snapshot)
            ),
        }
    }

    /// Where else a lost file can be had; those that the latest snapshot has lost come first.
    fn whole_versions(
        &self,
        damage: &[&Finding],
        first: &First,
        crossed: &Crossed,
        next: &mut Vec<String>,
    ) {
        let latest =
            |f: &&Finding| first.latest_id.is_none_or(|id| !f.snapshots.listed.contains(&id));
        let mut with_paths: Vec<&Finding> =
            damage.iter().copied().filter(|f| !f.paths.listed.is_empty()).collect();
        with_paths.sort_by_key(latest);
        let mut told: Vec<&String> = Vec::new();
        for path in with_paths.iter().flat_map(|finding| &finding.paths.listed) {
            if told.len() == MAX_PATHS {
                break;
            }
            if told.contains(&path) {
                continue;
            }
            told.push(path);
            next.push(match crossed.whole_versions.get(&self.hash(path)) {
                Some(snapshot) => format!(
                    "The newest whole version of {path} is in snapshot {}: `revu restore '{}:{path}' --to DIR`.",
                    self.name(*snapshot),
                    snapshot.id.short(),
                ),
                None => format!("No snapshot has a whole version of {path}."),
            });
        }
        let paths: usize = damage.iter().map(|finding| finding.paths.total()).sum();
        if paths > told.len() && told.len() == MAX_PATHS {
            next.push("And so on: other paths are named with what they need.".into());
        }
    }

    /// A snapshot as people know it: its first digits and its time.
    fn name(&self, snapshot: Snapshot) -> String {
        let digits = snapshot.id.short();
        match Timestamp::from_millisecond(snapshot.created) {
            Ok(time) => {
                let time = time.to_zoned(self.options.zone.clone());
                format!("{digits} of {}", time.strftime("%Y-%m-%d %H:%M:%S"))
            }
            Err(_) => digits,
        }
    }
}

fn refs_to_mend(damage: &[&Finding], next: &mut Vec<String>) {
    for finding in damage.iter().filter(|finding| finding.kind == Kind::Ref) {
        let key = &finding.object;
        next.push(match (key.strip_prefix("refs/tags/"), key.as_str()) {
            (Some(tag), _) if finding.problem == "dangling" => {
                format!(
                    "If no copy has what tag {tag} names, give it up: `revu tag remove '{tag}'`."
                )
            }
            (_, layout::LATEST) => {
                format!("Write the ID of the newest snapshot that `revu log` lists into {key}.")
            }
            _ => format!("Write the ID of a snapshot into {key}, or remove that file."),
        });
    }
}
