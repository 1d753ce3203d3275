//! Finding the repository, and the workspace that it belongs to.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::format::{RepoKey, layout};
use crate::repo::OpenError;

use super::args::Global;
use super::env::Environment;
use super::error::{FAILED, Failure, USAGE, failure};

/// A repository on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Its folder, absolute.
    pub repo: PathBuf,
    /// The workspace whose `conf.json` has its key, if there is one.
    pub workspace: Option<PathBuf>,
}

impl Located {
    /// The key in the workspace's `conf.json`; `None` where there is no workspace, or it has no key
    /// yet.
    ///
    /// # Errors
    /// Where `conf.json` is there and cannot be read.
    pub fn conf_key(&self) -> Result<Option<RepoKey>, Failure> {
        let Some(workspace) = &self.workspace else { return Ok(None) };
        siyuan_stub::conf_key(workspace)
    }
}

/// The repository that is meant: `--repo` or `--workspace`, where `hint` says (a mount that a path
/// lies in), `REVU_REPO` or `REVU_WORKSPACE`, what the current folder lies in, the workspaces that
/// SiYuan knows, `~/SiYuan`. With both a repository and a workspace named, the second gives the key.
///
/// # Errors
/// Where there is none, or several fit: then they are listed.
pub fn locate(
    global: &Global,
    environment: &Environment,
    hint: Option<&Path>,
) -> Result<Located, Failure> {
    let workspace = global.workspace.as_deref();
    if let Some(repo) = &global.repo {
        return named_repo(repo, workspace.or(environment.workspace.as_deref()));
    }
    if let Some(workspace) = workspace {
        return named_workspace(workspace);
    }
    if let Some(hint) = hint.filter(|hint| is_repository(hint)) {
        return Ok(beside(hint.to_owned(), environment.workspace.as_deref()));
    }
    if let Some(repo) = &environment.repo {
        return named_repo(repo, environment.workspace.as_deref());
    }
    if let Some(workspace) = &environment.workspace {
        return named_workspace(workspace);
    }
    let above = environment.current_dir.iter().flat_map(|folder| folder.ancestors());
    for folder in above {
        if is_repository(folder) {
            return Ok(beside(folder.to_owned(), None));
        }
        if is_workspace(folder) {
            return Ok(of_workspace(folder));
        }
    }
    let home = environment.home.as_deref();
    let mut known = home.map_or_else(Vec::new, siyuan_stub::workspaces);
    known.retain(|workspace| is_repository(&workspace.join(REPO)));
    if known.is_empty() {
        known.extend(
            home.map(|home| home.join("SiYuan")).filter(|ws| is_repository(&ws.join(REPO))),
        );
    }
    match &known[..] {
        [workspace] => Ok(of_workspace(workspace)),
        [] => Err(nowhere()),
        several => {
            let list: Vec<_> = several.iter().map(|ws| ws.display().to_string()).collect();
            let sentence = format!(
                "there are {} SiYuan workspaces, name one with --workspace: {}",
                list.len(),
                list.join(", ")
            );
            Err(failure("several_repositories", USAGE, sentence))
        }
    }
}

/// The folder of a workspace that holds its repository.
const REPO: &str = "repo";

fn nowhere() -> Failure {
    failure(
        "no_repository",
        super::error::NO_REPOSITORY,
        "no repository found: name one with --repo or --workspace, or start this within a workspace",
    )
}

/// Whether a folder looks like a repository: as strict as it can be, because `.git` has `objects` and
/// `refs` too.
fn is_repository(folder: &Path) -> bool {
    folder.join(layout::INDEXES).is_dir() && folder.join(layout::OBJECTS).is_dir()
}

fn is_workspace(folder: &Path) -> bool {
    folder.join("conf/conf.json").is_file() && is_repository(&folder.join(REPO))
}

fn named_repo(repo: &OsStr, workspace: Option<&Path>) -> Result<Located, Failure> {
    if repo.as_bytes().windows(3).any(|three| three == b"://") {
        let sentence = "repositories behind a URL are not there yet: name a folder on this machine \
                        with --repo";
        return Err(failure("remote", FAILED, sentence));
    }
    let folder = absolute(Path::new(repo));
    // A workspace is named where its repository was meant: there is no doubt which one that is.
    if !is_repository(&folder) && is_workspace(&folder) {
        return Ok(of_workspace(&folder));
    }
    // One with a part of its folders alone is for `Repository::open` to judge.
    let has_any = [layout::INDEXES, layout::OBJECTS, layout::REFS]
        .iter()
        .any(|name| folder.join(name).is_dir());
    if !has_any {
        return Err(not_a_repository(&folder));
    }
    Ok(beside(folder, workspace))
}

fn named_workspace(workspace: &Path) -> Result<Located, Failure> {
    let workspace = absolute(workspace);
    let repo = workspace.join(REPO);
    if is_repository(&repo) {
        return Ok(of_workspace(&workspace));
    }
    if is_repository(&workspace) {
        let sentence =
            format!("{} is a repository and no workspace: use --repo", workspace.display());
        return Err(failure("no_repository", super::error::NO_REPOSITORY, sentence));
    }
    Err(not_a_repository(&repo))
}

fn not_a_repository(folder: &Path) -> Failure {
    OpenError::NotARepository(folder.display().to_string()).into()
}

fn of_workspace(workspace: &Path) -> Located {
    Located { repo: workspace.join(REPO), workspace: Some(workspace.to_owned()) }
}

/// A repository with the workspace that it lies in, if it does, or else `other`.
fn beside(repo: PathBuf, other: Option<&Path>) -> Located {
    // By its real name: `.` or a link may stand for the folder `repo` of a workspace.
    let real = repo.canonicalize().unwrap_or_else(|_| repo.clone());
    let around = real.parent().filter(|folder| real.ends_with(REPO) && is_workspace(folder));
    let workspace = around.or(other).map(absolute);
    Located { repo, workspace }
}

/// The path from the root on, without a look at the disk.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

mod siyuan_stub {
    use super::*;
    use crate::cli::error::FAILED;
    pub fn conf_key(workspace: &Path) -> Result<Option<RepoKey>, Failure> {
        let text = std::fs::read_to_string(workspace.join("conf/conf.json"))
            .map_err(|e| failure("conf", FAILED, e.to_string()))?;
        let v: serde_json::Value =
            serde_json::from_str(&text).map_err(|e| failure("conf", FAILED, e.to_string()))?;
        Ok(v["repo"]["key"].as_str().and_then(RepoKey::from_base64))
    }
    pub fn workspaces(home: &Path) -> Vec<PathBuf> {
        let text =
            std::fs::read_to_string(home.join(".config/siyuan/workspace.json")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }
}
