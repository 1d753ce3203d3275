//! Workspaces: the folders in which SiYuan keeps everything, and where to look for them.
//!
//! A workspace holds `data/` (what is snapshotted), `repo/` (the snapshots) and `conf/conf.json`
//! (the key), see the format page, Keys. A repository may also lie somewhere else, without one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::format::layout;

/// The name of the repository's folder in a workspace. Servers that SiYuan syncs with have it by that name too.
pub const REPOSITORY: &str = "repo";

/// A workspace folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Workspace {
    root: PathBuf,
}

/// What a folder lies in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A workspace of SiYuan.
    Workspace(Workspace),
    /// A repository that is not a workspace's.
    Repository(PathBuf),
}

/// The list of workspaces that cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot read SiYuan's list of workspaces in {}: {cause}", path.display())]
pub struct ListError {
    /// The list.
    pub path: PathBuf,
    /// What is wrong, as a part of a sentence.
    pub cause: String,
}

impl Workspace {
    /// The workspace at this folder, if it is one: it has a `conf/conf.json`, and `data/` or
    /// `repo/` beside it. One that has never made a snapshot has no `repo/` yet, and one of which
    /// the snapshots alone were saved has no `data/`.
    pub fn at(folder: &Path) -> Option<Self> {
        let workspace = Self { root: folder.into() };
        let is_one = workspace.conf().is_file()
            && (workspace.data().is_dir() || workspace.repository().is_dir());
        is_one.then_some(workspace)
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder that is snapshotted.
    pub fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// The folder of the repository.
    pub fn repository(&self) -> PathBuf {
        self.root.join(REPOSITORY)
    }

    /// The configuration, see [`Conf`](super::Conf).
    pub fn conf(&self) -> PathBuf {
        self.root.join("conf").join("conf.json")
    }

    /// What SiYuan locks while it runs, see [`lock`](super::lock).
    pub fn lock(&self) -> PathBuf {
        self.root.join(".lock")
    }

    /// The user's workspaces that are there: those that SiYuan lists in
    /// `~/.config/siyuan/workspace.json`, in its order, or if there are none the default one.
    ///
    /// # Errors
    /// [`ListError`] if there is a list that cannot be read or is not one.
    pub fn of_user(home: &Path) -> Result<Vec<Self>, ListError> {
        let mut found: Vec<Self> = Vec::new();
        for path in listed(home)? {
            if let Some(workspace) = Self::at(&path)
                && !found.iter().any(|other| same_folder(&other.root, &path))
            {
                found.push(workspace);
            }
        }
        if found.is_empty() {
            found.extend(Self::at(&home.join("SiYuan")));
        }
        Ok(found)
    }
}

impl Place {
    /// The nearest workspace or repository that a folder is or lies in. A workspace's own
    /// repository counts as the workspace, since that has the key.
    pub fn around(folder: &Path) -> Option<Self> {
        // What a relative path, a `..` or a symbolic link lies in only the system knows.
        let folder = fs::canonicalize(folder).ok()?;
        folder.ancestors().find_map(|folder| {
            if let Some(workspace) = Workspace::at(folder) {
                return Some(Self::Workspace(workspace));
            }
            if !is_repository(folder) {
                return None;
            }
            let above = folder.parent().filter(|_| folder.file_name() == Some(REPOSITORY.as_ref()));
            let workspace = above.and_then(Workspace::at).map(Self::Workspace);
            Some(workspace.unwrap_or_else(|| Self::Repository(folder.into())))
        })
    }
}

/// Whether a folder is a repository: it has the folders of indexes and of objects, one of which
/// alone, or another's beside it, many other things have.
pub fn is_repository(folder: &Path) -> bool {
    [layout::INDEXES, layout::OBJECTS].iter().all(|name| folder.join(name).is_dir())
}

/// What SiYuan lists; nothing if it has not made a list.
fn listed(home: &Path) -> Result<Vec<PathBuf>, ListError> {
    let path = home.join(".config").join("siyuan").join("workspace.json");
    let cause = match fs::read(&path) {
        Ok(json) => match serde_json::from_slice(&json) {
            Ok(paths) => return Ok(paths),
            Err(_) => "it is not a JSON array of paths".into(),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => error.to_string(),
    };
    Err(ListError { path, cause })
}

/// Whether two paths lead to one folder.
fn same_folder(one: &Path, other: &Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(root: &Path, folders: &[&str]) {
        for folder in folders {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
    }

    fn make_workspace(root: &Path) {
        make(root, &["data/assets", "repo/objects/ab", "repo/indexes", "conf"]);
        fs::write(root.join("conf/conf.json"), "{}").unwrap();
    }

    fn list(home: &Path, json: &str) {
        make(home, &[".config/siyuan"]);
        fs::write(home.join(".config/siyuan/workspace.json"), json).unwrap();
    }

    #[test]
    fn what_a_workspace_is() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("标签");
        assert_eq!(Workspace::at(&root), None);
        make(&root, &["data", "repo"]);
        assert_eq!(Workspace::at(&root), None, "no conf.json");
        make(&root, &["conf/conf.json"]);
        assert_eq!(Workspace::at(&root), None, "a folder is no conf.json");
        fs::remove_dir(root.join("conf/conf.json")).unwrap();
        fs::write(root.join("conf/conf.json"), "").unwrap();
        let workspace = Workspace::at(&root).unwrap();
        assert_eq!(workspace.repository(), root.join("repo"));
        for gone in ["data", "repo"] {
            assert!(Workspace::at(&root).is_some(), "{gone} is still there");
            fs::remove_dir(root.join(gone)).unwrap();
        }
        assert_eq!(Workspace::at(&root), None, "neither data nor snapshots");

        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/golden");
        assert!(Workspace::at(&golden).is_some(), "snapshots and key without the data");
    }

    #[test]
    fn what_a_folder_lies_in() {
        let dir = tempfile::tempdir().unwrap();
        let dir = fs::canonicalize(dir.path()).unwrap();
        let root = dir.join("ws");
        make_workspace(&root);
        let workspace = Some(Place::Workspace(Workspace::at(&root).unwrap()));
        for inside in ["", "data", "data/assets", "repo", "repo/objects/ab", "conf", "data/.."] {
            assert_eq!(Place::around(&root.join(inside)), workspace, "{inside}");
        }
        assert_eq!(Place::around(&dir), None);
        assert_eq!(Place::around(&dir.join("nowhere")), None);

        let lone = root.join("data/assets/saved");
        make(&lone, &["objects/cd", "indexes", "refs"]);
        assert_eq!(Place::around(&lone.join("objects/cd")), Some(Place::Repository(lone)));
        let lone = dir.join("other/repo");
        make(&lone, &["objects", "indexes"]);
        assert_eq!(Place::around(&lone), Some(Place::Repository(lone)));
        make(&dir.join("git"), &["objects", "refs"]);
        assert_eq!(Place::around(&dir.join("git")), None);

        std::os::unix::fs::symlink(root.join("data"), dir.join("link")).unwrap();
        assert_eq!(Place::around(&dir.join("link/assets")), workspace);
    }

    #[test]
    fn the_users_workspaces() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        assert_eq!(Workspace::of_user(home).unwrap(), []);
        make_workspace(&home.join("SiYuan"));
        let default = Workspace::at(&home.join("SiYuan")).unwrap();
        assert_eq!(Workspace::of_user(home).unwrap(), std::slice::from_ref(&default));

        let other = home.join("my notes 笔记");
        make_workspace(&other);
        let paths = [other.join("."), home.join("gone"), home.join("SiYuan"), other.clone()];
        list(home, &serde_json::to_string(&paths).unwrap());
        let found = Workspace::of_user(home).unwrap();
        assert_eq!(found, [Workspace::at(&other.join(".")).unwrap(), default.clone()]);

        for none in ["[]", r#"["/nowhere"]"#] {
            list(home, none);
            assert_eq!(Workspace::of_user(home).unwrap(), std::slice::from_ref(&default), "{none}");
        }
        for bad in ["", "{}", "[1]", "\"/a\""] {
            list(home, bad);
            let error = Workspace::of_user(home).unwrap_err().to_string();
            assert!(error.ends_with("workspace.json: it is not a JSON array of paths"), "{error}");
        }
    }
}
