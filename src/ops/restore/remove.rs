//! Files that are in the target and not in the snapshot: which they are, and how they go.

use std::collections::{BTreeSet, HashSet};
use std::io;

use crate::ops::Monitor;
use crate::ops::disk;
use crate::ops::paths;

use super::choose::Chosen;
use super::plan::Plan;
use super::target::Target;
use super::{Action, Options, Problem, Report, Step};

/// Adds to a plan what goes.
pub(super) fn plan(plan: &mut Plan<'_>, chosen: &Chosen) {
    if !plan.options.delete {
        return;
    }
    if !chosen.lost.is_empty() {
        let sentence = format!(
            "{}: nothing is removed: file records of the snapshot are damaged, so it is not known which files it held",
            plan.target.path.display()
        );
        return plan.problems.push(Problem { path: None, sentence });
    }
    let held: HashSet<&str> = chosen.files.iter().map(|choice| choice.path.as_str()).collect();
    let needed: HashSet<&str> = held.iter().flat_map(|path| paths::folders(path)).collect();
    let mut extras = BTreeSet::new();
    for scope in &chosen.folders {
        let Ok(root) = plan.target.root() else { return };
        let walked = disk::walk(root, scope.path(), plan.options.rules);
        for (path, e) in walked.unreadable {
            let sentence = format!("{}: it cannot be looked into: {e}", plan.target.show(&path));
            plan.problems.push(Problem { path: Some(path), sentence });
        }
        let files = walked.files.into_iter();
        extras.extend(
            files
                .filter(|(path, _)| !held.contains(&**path) && !plan.target.is_protected(path))
                .map(|(path, found)| (path, found.size, found.updated())),
        );
    }
    for (path, size, updated) in extras {
        let in_the_way =
            needed.contains(&*path) || paths::folders(&path).any(|folder| held.contains(folder));
        let step = Step { action: Action::Remove, path, size, updated };
        if in_the_way { plan.obstacles.push(step) } else { plan.extras.push(step) }
    }
}

/// Removes files, and the folders that this empties.
pub(super) fn remove(
    target: &Target,
    options: &Options<'_>,
    steps: &[Step],
    monitor: &dyn Monitor,
    report: &mut Report,
) {
    let mut touched = BTreeSet::new();
    for step in steps {
        if monitor.stopped() {
            return;
        }
        let (folder, name) = paths::split(&step.path);
        match target.dir(folder).and_then(|dir| dir.remove(name)) {
            Ok(()) => {
                report.count(step);
                touched.extend(paths::folders(&step.path).map(str::to_owned));
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => {
                let sentence = format!("{}: it cannot be removed: {e}", target.show(&step.path));
                monitor.problem(&sentence);
                report.problems.push(Problem { path: Some(step.path.clone()), sentence });
            }
        }
    }
    target.let_go();
    // The innermost come last in this order, so backwards a folder is met after all in it.
    for folder in touched.iter().rev().filter(|folder| !options.rules.stays(folder)) {
        let (above, name) = paths::split(folder);
        // A folder that stays is no harm: what it holds does not count, or somebody works in it.
        let _ = target.dir(above).and_then(|dir| dir.remove_empty(name));
    }
    target.let_go();
}
