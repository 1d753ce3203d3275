//! What a restore would do: the target is looked at, and nothing is changed.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::ops::disk::{self, Dir, Found, Kind};
use crate::ops::{Monitor, Unit, content, paths};
use crate::repo::{FileEntry, Repository, parallel};

use super::choose::{Choice, Chosen, choose};
use super::remove;
use super::target::Target;
use super::{Action, Options, Overwrite, Problem, Report, RestoreError, Step, Wanted};

/// A restore that can be looked at and carried out.
#[derive(Debug)]
pub struct Plan<'a> {
    pub(super) repo: &'a Repository,
    pub(super) options: Options<'a>,
    pub(super) target: Target,
    /// Files that go before anything is written, because they stand where a folder must be, or in
    /// a folder where a file must be.
    pub(super) obstacles: Vec<Step>,
    /// Files of the snapshots.
    pub(super) files: Vec<Planned>,
    /// Files that go after all is written.
    pub(super) extras: Vec<Step>,
    pub(super) equal: u64,
    pub(super) problems: Vec<Problem>,
}

/// A step of a file that the snapshot has.
#[derive(Debug)]
pub(super) struct Planned {
    pub step: Step,
    /// Its record, confirmed.
    pub entry: Arc<FileEntry>,
    /// The permissions of the file that it replaces: the new one gets them too.
    pub mode: Option<u32>,
}

impl Plan<'_> {
    /// What would be done, path by path. Files that are equal are not among them.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.obstacles.iter().chain(self.files.iter().map(|file| &file.step)).chain(&self.extras)
    }

    /// What would be done, in numbers, if all goes well.
    pub fn forecast(&self) -> Report {
        let mut report =
            Report { equal: self.equal, problems: self.problems.clone(), ..Report::default() };
        self.steps().for_each(|step| report.count(step));
        report
    }

    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.steps().all(|step| step.action == Action::Keep)
    }
}

/// Chooses what is wanted and compares it with what is in `target`, which need not be there. Problems
/// are told to the monitor too.
///
/// # Errors
/// [`RestoreError`]: nothing was changed.
pub fn plan<'a>(
    repo: &'a Repository,
    wanted: &[Wanted],
    target: &Path,
    options: Options<'a>,
    monitor: &dyn Monitor,
) -> Result<Plan<'a>, RestoreError> {
    let target = Target::new(repo, target)?;
    let chosen = choose(repo, wanted)?;
    let comparing =
        Comparing { repo, target: &target, options: &options, chosen: &chosen, monitor };
    monitor.begin("compared", Some(chosen.files.len() as u64), Unit::Items);
    let seen = parallel::map(&chosen.files, |choice| {
        let seen = comparing.compare(choice);
        monitor.advance(1);
        seen
    });
    let mut plan = Plan {
        repo,
        options,
        target,
        obstacles: Vec::new(),
        files: Vec::new(),
        extras: Vec::new(),
        equal: 0,
        problems: chosen.problems.clone(),
    };
    for seen in seen {
        match seen {
            Seen::Equal => plan.equal += 1,
            Seen::Planned(planned) => plan.files.push(planned),
            Seen::Problem(problem) => plan.problems.push(problem),
            Seen::Stopped => {
                return Err(RestoreError::Stopped { done: 0, of: chosen.files.len() as u64 });
            }
        }
    }
    remove::plan(&mut plan, &chosen);
    for problem in &plan.problems {
        monitor.problem(&problem.sentence);
    }
    plan.problems.extend(chosen.lost);
    Ok(plan)
}

struct Comparing<'a> {
    repo: &'a Repository,
    target: &'a Target,
    options: &'a Options<'a>,
    chosen: &'a Chosen,
    monitor: &'a dyn Monitor,
}

enum Seen {
    Equal,
    Planned(Planned),
    Problem(Problem),
    Stopped,
}

impl Comparing<'_> {
    fn compare(&self, choice: &Choice) -> Seen {
        if self.monitor.stopped() {
            return Seen::Stopped;
        }
        let objects = self.repo.objects();
        let entry = Arc::clone(&choice.entry);
        let problem = |why: &dyn std::fmt::Display| {
            let path = choice.path.clone();
            let sentence = format!("{}: it cannot be restored: {why}", self.target.show(&path));
            Seen::Problem(Problem { path: Some(path), sentence })
        };
        if self.target.is_protected(&choice.path) {
            return problem(&"it would lie in the repository itself");
        }
        // What came from full-latest.json is not authenticated.
        let entry = match self.repo.catalog().confirmed(objects, choice.no, entry) {
            Ok((entry, _)) => entry,
            Err(e) => return problem(&e),
        };
        let planned = |action, mode| {
            let path = choice.path.clone();
            let step = Step { action, path, size: entry.size, updated: entry.updated };
            Seen::Planned(Planned { step, entry: Arc::clone(&entry), mode })
        };
        let (folder, name) = paths::split(&choice.path);
        let dir = match self.target.dir(folder) {
            Ok(dir) => dir,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return planned(Action::Create, None),
            Err(e) => {
                return match self.target.obstacle(&choice.path) {
                    Some((path, kind)) if self.may_go(path, kind) => planned(Action::Create, None),
                    Some((path, kind)) => {
                        let place = self.target.show(path);
                        problem(&format!("{place} is {} where a folder is needed", kind.word()))
                    }
                    None => problem(&e),
                };
            }
        };
        match dir.look(name) {
            Ok(None) => planned(Action::Create, None),
            Ok(Some(found)) if found.kind == Kind::Folder => {
                if self.may_go(&choice.path, found.kind) {
                    planned(Action::Create, None)
                } else {
                    problem(&"a folder has its name")
                }
            }
            Ok(Some(found)) => match self.with_what_is_there(&dir, name, &entry, &found) {
                Some(action) => planned(action, (found.kind == Kind::File).then_some(found.mode)),
                None => Seen::Equal,
            },
            Err(e) => problem(&e),
        }
    }

    /// Whether this, which is in the way, goes without having been asked for by name: as one of
    /// the files that the snapshot does not hold.
    fn may_go(&self, path: &str, kind: Kind) -> bool {
        let Options { delete, rules, .. } = self.options;
        *delete
            && self.chosen.lost.is_empty()
            && self.chosen.folders.iter().any(|scope| scope.holds(path))
            && paths::folders(path).all(|folder| rules.enters(folder))
            && match kind {
                Kind::File => rules.takes(path),
                Kind::Folder => rules.enters(path) && !rules.stays(path),
                Kind::Link | Kind::Other => false,
            }
    }

    /// What to do with something that has the file's name and is no folder; `None` for nothing,
    /// because it is equal.
    fn with_what_is_there(
        &self,
        dir: &Dir,
        name: &str,
        entry: &FileEntry,
        found: &Found,
    ) -> Option<Action> {
        let older = found.kind == Kind::File && found.updated() < entry.updated;
        let may_change = match self.options.overwrite {
            Overwrite::Never => false,
            Overwrite::IfOlder => older,
            Overwrite::Always => true,
        };
        let same_time = found.updated() == entry.updated;
        let same_content = found.kind == Kind::File
            && found.size == entry.size
            // Where neither the time may be corrected nor the file be equal, content decides nothing.
            && (may_change || same_time)
            && self.same_content(dir, name, entry);
        match (same_content, may_change) {
            (true, _) if same_time => None,
            (true, true) => Some(Action::Retime),
            (false, true) => Some(Action::Replace),
            (_, false) => Some(Action::Keep),
        }
    }

    fn same_content(&self, dir: &Dir, name: &str, entry: &FileEntry) -> bool {
        let chunks = entry.content.chunks();
        // What cannot be read is not known to be equal.
        dir.read(name).is_ok_and(|mut file| {
            disk::look(&file).is_ok_and(|found| found.size == entry.size)
                && content::is_same(self.repo.objects(), chunks, entry.size, &mut file)
                    .unwrap_or(false)
        })
    }
}
