//! Finding the repository, and the workspace that it belongs to.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::format::{RepoKey, layout, own};
use crate::repo::OpenError;
use crate::siyuan::workspace::{REPOSITORY, is_repository};
use crate::siyuan::{Conf, ConfError, Place, Workspace};

use super::args::Global;
use super::env::Environment;
use super::error::{FAILED, Failure, NO_REPOSITORY, USAGE, failure};
use super::target;

/// A repository on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Its folder, absolute.
    pub repo: PathBuf,
    /// The workspace whose `conf.json` has its key, if there is one.
    pub workspace: Option<Workspace>,
}

impl Located {
    /// The key in the workspace's `conf.json`; `None` where there is no workspace, or it has no key
    /// yet.
    ///
    /// # Errors
    /// Where `conf.json` is there and holds no key that can be read.
    pub fn conf_key(&self) -> Result<Option<RepoKey>, Failure> {
        let Some(workspace) = &self.workspace else { return Ok(None) };
        match Conf::read(workspace).and_then(|conf| conf.key().cloned()) {
            Ok(key) => Ok(Some(key)),
            Err(ConfError::Missing { .. }) => Ok(None),
            Err(error) => Err(Failure::new("key", FAILED, &error)),
        }
    }

    /// The workspace that the repository is part of: one that gives the key alone is not it.
    pub fn own_workspace(&self) -> Option<&Workspace> {
        self.workspace.as_ref().filter(|workspace| same(&workspace.repository(), &self.repo))
    }

    /// The repository of a workspace.
    fn of(workspace: Workspace) -> Result<Self, Failure> {
        let repo = workspace.repository();
        if is_repository(&repo) {
            return Ok(Self { repo, workspace: Some(workspace) });
        }
        let sentence = format!(
            "the workspace {} has no snapshot yet: make one in SiYuan (Data snapshot), or name \
             another workspace with --workspace",
            workspace.root().display()
        );
        Err(failure("no_repository", NO_REPOSITORY, sentence))
    }

    /// A repository with the workspace that it is part of, or else with `other`.
    fn beside(repo: PathBuf, other: Option<&Path>) -> Self {
        let workspace = match Place::around(&repo) {
            Some(Place::Workspace(around)) if same(&around.repository(), &repo) => Some(around),
            _ => other.and_then(|folder| Workspace::at(&absolute(folder))),
        };
        Self { repo, workspace }
    }
}

/// The repository that is meant: `--repo` or `--workspace`, where `hint` says (a mount that a path
/// lies in), `REVU_REPO` or `REVU_WORKSPACE`, what the current folder lies in (a mount, a repository, a
/// workspace), the workspaces that SiYuan knows, `~/SiYuan`. With both a repository and a workspace
/// named, the second gives the key.
///
/// # Errors
/// Where there is none, or several fit: then they are listed.
pub fn locate(
    global: &Global,
    environment: &Environment,
    hint: Option<&Path>,
) -> Result<Located, Failure> {
    let other = environment.workspace.as_deref();
    if let Some(repo) = &global.repo {
        return named_repo(repo, global.workspace.as_deref().or(other));
    }
    if let Some(workspace) = &global.workspace {
        return named_workspace(workspace);
    }
    if let Some(hint) = hint.filter(|hint| is_repository(hint)) {
        return Ok(Located::beside(hint.to_owned(), other));
    }
    if let Some(repo) = &environment.repo {
        return named_repo(repo, other);
    }
    if let Some(workspace) = &environment.workspace {
        return named_workspace(workspace);
    }
    if let Some(current) = &environment.current_dir {
        let mounted = current.to_str().and_then(target::in_mount);
        if let Some(place) = mounted.filter(|place| is_repository(&place.repo)) {
            return Ok(Located::beside(place.repo, None));
        }
        match Place::around(current) {
            Some(Place::Workspace(workspace)) => return Located::of(workspace),
            Some(Place::Repository(repo)) => return Ok(Located::beside(repo, None)),
            None => {}
        }
    }
    of_user(environment.home.as_deref())
}

/// The repository of the user's workspace.
fn of_user(home: Option<&Path>) -> Result<Located, Failure> {
    let all = match home.map(Workspace::of_user) {
        Some(Ok(all)) => all,
        Some(Err(error)) => return Err(Failure::new("workspaces", FAILED, &error)),
        None => Vec::new(),
    };
    let (mut with, without): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|workspace| is_repository(&workspace.repository()));
    if with.len() > 1 {
        let list: Vec<_> = with.iter().map(|ws| ws.root().display().to_string()).collect();
        let (n, list) = (list.len(), list.join(", "));
        let sentence =
            format!("there are {n} SiYuan workspaces, name one with --workspace: {list}");
        return Err(failure("several_repositories", USAGE, sentence));
    }
    if let Some(workspace) = with.pop().or_else(|| without.into_iter().next()) {
        return Located::of(workspace);
    }
    let sentence = "no repository found: name one with --repo or --workspace, or start this within \
                    a SiYuan workspace";
    Err(failure("no_repository", NO_REPOSITORY, sentence))
}

fn named_repo(repo: &OsStr, workspace: Option<&Path>) -> Result<Located, Failure> {
    if repo.as_bytes().windows(3).any(|three| three == b"://") {
        let sentence = "repositories behind a URL are not there yet: name a folder on this machine \
                        with --repo";
        return Err(failure("remote", FAILED, sentence));
    }
    let folder = absolute(Path::new(repo));
    // One with a part of its folders alone is for `Repository::open` to judge.
    let parts = [layout::INDEXES, layout::OBJECTS, layout::REFS];
    let is_own = folder.join(own::NAME).is_file();
    if is_own || parts.iter().any(|name| folder.join(name).is_dir()) {
        return Ok(Located::beside(folder, workspace));
    }
    // A workspace is named where its repository was meant: there is no doubt which one that is.
    match Workspace::at(&folder) {
        Some(workspace) => Located::of(workspace),
        None => Err(not_a_repository(&folder)),
    }
}

fn named_workspace(folder: &Path) -> Result<Located, Failure> {
    let folder = absolute(folder);
    if let Some(workspace) = Workspace::at(&folder) {
        return Located::of(workspace);
    }
    // One whose configuration was lost: the key comes from elsewhere.
    let repo = folder.join(REPOSITORY);
    if is_repository(&repo) {
        return Ok(Located { repo, workspace: None });
    }
    if is_repository(&folder) {
        let sentence = format!("{} is a repository and no workspace: use --repo", folder.display());
        return Err(failure("no_repository", NO_REPOSITORY, sentence));
    }
    let sentence = format!(
        "there is no SiYuan workspace in {}: it has no conf/conf.json beside data or repo",
        folder.display()
    );
    Err(failure("no_repository", NO_REPOSITORY, sentence))
}

fn not_a_repository(folder: &Path) -> Failure {
    OpenError::NotARepository(folder.display().to_string()).into()
}

/// The path from the root on, without a look at the disk.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Whether two paths lead to one folder.
pub fn same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    struct Home(tempfile::TempDir);

    impl Home {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().canonicalize().unwrap().join(name)
        }

        fn repository(&self, name: &str) -> PathBuf {
            let folder = self.path(name);
            for part in ["indexes", "objects", "refs"] {
                fs::create_dir_all(folder.join(part)).unwrap();
            }
            folder
        }

        fn workspace(&self, name: &str) -> PathBuf {
            self.repository(&format!("{name}/repo"));
            let folder = self.path(name);
            fs::create_dir_all(folder.join("conf")).unwrap();
            fs::create_dir_all(folder.join("data/assets")).unwrap();
            fs::write(folder.join("conf/conf.json"), "{}").unwrap();
            folder
        }

        fn environment(&self, current: &Path) -> Environment {
            let (home, current_dir) = (Some(self.path("")), Some(current.to_owned()));
            Environment { home, current_dir, ..Environment::default() }
        }

        fn list(&self, workspaces: &[&Path]) {
            fs::create_dir_all(self.path(".config/siyuan")).unwrap();
            let json = serde_json::to_string(workspaces).unwrap();
            fs::write(self.path(".config/siyuan/workspace.json"), json).unwrap();
        }
    }

    fn global(repo: Option<&Path>, workspace: Option<&Path>) -> Global {
        let repo = repo.map(|path| path.as_os_str().to_owned());
        Global { repo, workspace: workspace.map(Path::to_owned), ..Global::default() }
    }

    /// The repository and the workspace that gives the key.
    fn found(result: Result<Located, Failure>) -> (PathBuf, Option<PathBuf>) {
        let located = result.unwrap();
        (located.repo, located.workspace.map(|workspace| workspace.root().to_owned()))
    }

    #[test]
    fn what_is_named_comes_first() {
        let home = Home::new();
        let (one, two) = (home.workspace("one"), home.workspace("two"));
        let lone = home.repository("lone");
        let mut environment = home.environment(&one);
        environment.repo = Some(lone.clone().into());
        environment.workspace = Some(two.clone());
        let with = |repo, workspace| found(locate(&global(repo, workspace), &environment, None));
        assert_eq!(with(Some(&lone), None), (lone.clone(), Some(two.clone())));
        assert_eq!(with(Some(&lone), Some(&one)), (lone.clone(), Some(one.clone())));
        let repo = one.join("repo");
        assert_eq!(with(Some(&repo), Some(&two)), (repo.clone(), Some(one.clone())));
        assert_eq!(with(Some(&one), None), (repo.clone(), Some(one.clone())), "a workspace");
        assert_eq!(with(None, Some(&one)), (repo.clone(), Some(one.clone())));
        assert_eq!(with(None, None), (lone.clone(), Some(two.clone())));
        let hinted = locate(&Global::default(), &environment, Some(&repo));
        assert_eq!(found(hinted), (repo, Some(one)));
        environment.repo = None;
        let located = locate(&Global::default(), &environment, Some(&home.path("no repository")));
        assert_eq!(found(located), (two.join("repo"), Some(two)));
    }

    #[test]
    fn where_one_stands_comes_next() {
        let home = Home::new();
        let (one, two) = (home.workspace("one"), home.workspace("SiYuan"));
        let lone = home.repository("lone/repo");
        let from =
            |folder: &Path| found(locate(&Global::default(), &home.environment(folder), None));
        for inside in ["", "data/assets", "repo", "repo/objects"] {
            assert_eq!(from(&one.join(inside)), (one.join("repo"), Some(one.clone())), "{inside}");
        }
        assert_eq!(from(&lone.join("refs")), (lone, None));
        assert_eq!(from(&home.path("")), (two.join("repo"), Some(two)));
    }

    #[test]
    fn siyuan_knows_its_workspaces() {
        let home = Home::new();
        let nowhere = Path::new("/");
        let ask = || locate(&Global::default(), &home.environment(nowhere), None);
        assert_eq!(ask().unwrap_err().exit, 10);
        let (one, two) = (home.workspace("a one"), home.workspace("two"));
        home.list(&[&one]);
        assert_eq!(found(ask()).0, one.join("repo"));
        home.list(&[&two, &one]);
        let several = ask().unwrap_err();
        assert_eq!((several.kind.as_str(), several.exit), ("several_repositories", 2));
        for workspace in [&one, &two] {
            assert!(several.message.contains(workspace.to_str().unwrap()), "{several}");
        }
        fs::remove_dir_all(two.join("repo")).unwrap();
        assert_eq!(found(ask()).0, one.join("repo"), "only one has snapshots");
        fs::remove_dir_all(one.join("repo")).unwrap();
        let none = ask().unwrap_err();
        assert_eq!(none.exit, 10);
        assert!(none.message.contains("has no snapshot yet"), "{none}");
        fs::write(home.path(".config/siyuan/workspace.json"), "{").unwrap();
        assert_eq!(ask().unwrap_err().exit, 1);
    }

    #[test]
    fn what_is_named_and_not_there() {
        let home = Home::new();
        let lone = home.repository("lone");
        let empty = home.path("");
        let ask = |global| locate(&global, &Environment::default(), None).unwrap_err();
        for wrong in [
            ask(global(Some(&empty), None)),
            ask(global(None, Some(&empty))),
            ask(global(None, Some(&lone))),
            ask(global(Some(&home.path("nowhere")), None)),
        ] {
            assert_eq!((wrong.kind.as_str(), wrong.exit), ("no_repository", 10), "{wrong}");
        }
        let remote = ask(global(Some(Path::new("s3://user:s3cret@host/x")), None));
        assert_eq!(remote.kind, "remote");
        assert!(!remote.message.contains("s3cret"));
    }
}
