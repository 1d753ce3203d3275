//! Unlocking encrypted notebooks: what the password needs is searched in the snapshots, newest first.

use std::collections::HashMap;

use crate::repo::{File, FileNo, ObjectError, ReadError, Repository, Snapshots};
use crate::siyuan::notes::Notebook;
use crate::siyuan::notes::crypt::{BACKUP, Backup, CryptError, GLOBAL, PasswordKey, Vault};
use crate::siyuan::notes::notebook::LARGEST;
use crate::siyuan::notes::text::is_id;

/// Why a notebook stays locked.
#[derive(Debug, thiserror::Error)]
pub enum UnlockError {
    /// No snapshot has an encrypted notebook of that name.
    #[error("there is no encrypted notebook `{0}` in any snapshot")]
    NoSuchNotebook(String),
    /// The password, or what it should open.
    #[error("cannot unlock the notebook `{name}`: {error}")]
    Crypt {
        /// The notebook.
        name: String,
        /// What is wrong.
        error: CryptError,
    },
    /// A snapshot cannot be read.
    #[error(transparent)]
    Snapshot(#[from] ObjectError),
    /// A file of a snapshot cannot be read.
    #[error(transparent)]
    File(#[from] ReadError),
}

/// Unlocks the notebooks of those names (or IDs). A notebook's key never changes, so that of the newest
/// snapshot that has it opens it in all.
///
/// # Errors
/// [`UnlockError`].
pub fn unlock(
    repo: &Repository,
    snapshots: &Snapshots,
    names: &[String],
    password: &[u8],
) -> Result<Vault, UnlockError> {
    let mut vault = Vault::default();
    let mut left: Vec<&String> = names.iter().collect();
    // A password is stretched once for each salt, and salts change with passwords alone.
    let mut known: Vec<(Backup, Result<PasswordKey, CryptError>)> = Vec::new();
    for snapshot in snapshots.list.iter().rev() {
        if left.is_empty() {
            break;
        }
        let found = encrypted(repo, snapshot.head.id)?;
        let wanted: Vec<&Sealed> = found
            .notebooks
            .iter()
            .filter(|sealed| left.iter().any(|name| sealed.is_called(name)))
            .collect();
        if wanted.is_empty() {
            continue;
        }
        let fails = |sealed: &Sealed, error| UnlockError::Crypt {
            name: sealed.notebook.name.clone(),
            error,
        };
        let backup = found.backup.as_deref().map_or(Err(CryptError::BadBackup), Backup::parse);
        let backup = backup.map_err(|error| fails(wanted[0], error))?;
        let at = match known.iter().position(|(seen, _)| *seen == backup) {
            Some(at) => at,
            None => {
                let key = backup.key(password);
                known.push((backup, key));
                known.len() - 1
            }
        };
        let key = known[at].1.as_ref().map_err(|error| fails(wanted[0], *error))?;
        for sealed in wanted {
            let wrapped = sealed.notebook.wrapped_key.as_deref().unwrap_or("");
            let opened = vault.unlock(key, &sealed.id, wrapped);
            opened.map_err(|error| fails(sealed, error))?;
            left.retain(|name| !sealed.is_called(name));
        }
    }
    match left.first() {
        Some(name) => Err(UnlockError::NoSuchNotebook((*name).clone())),
        None => Ok(vault),
    }
}

struct Sealed {
    id: String,
    notebook: Notebook,
}

impl Sealed {
    fn is_called(&self, name: &str) -> bool {
        let plain = name.strip_suffix(" (encrypted)").unwrap_or(name);
        self.id == name || self.notebook.name == name || self.notebook.name == plain
    }
}

struct Encrypted {
    backup: Option<Vec<u8>>,
    notebooks: Vec<Sealed>,
}

/// The encrypted notebooks of a snapshot.
fn encrypted(repo: &Repository, id: crate::format::IndexId) -> Result<Encrypted, UnlockError> {
    let loaded = repo.load(id)?;
    let mut backup = None;
    let mut of_notebook: HashMap<String, [Option<(FileNo, u64)>; 2]> = HashMap::new();
    repo.catalog().with_files(|files| {
        for no in &loaded.files {
            let File::Known(entry) = &files[no.0 as usize] else { continue };
            let path = entry.path.strip_prefix('/').unwrap_or(&entry.path);
            let place = Some((*no, entry.size)).filter(|(_, size)| *size <= LARGEST);
            if path == GLOBAL {
                backup = place;
            } else if let Some((notebook, rest)) = path.split_once('/')
                && is_id(notebook)
            {
                let which = match rest {
                    ".siyuan/conf.json" => 0,
                    BACKUP => 1,
                    _ => continue,
                };
                of_notebook.entry(notebook.to_owned()).or_default()[which] = place;
            }
        }
    });
    let read = |place: Option<(FileNo, u64)>| -> Result<Option<Vec<u8>>, ReadError> {
        let Some((no, size)) = place else { return Ok(None) };
        repo.read(no, 0, size as usize).map(|bytes| Some(bytes.to_vec()))
    };
    let mut notebooks = Vec::new();
    for (id, [conf, own_backup]) in of_notebook {
        let mut notebook = read(conf)?.map(|json| Notebook::parse(&json)).unwrap_or_default();
        if let Some(json) = read(own_backup)? {
            notebook.add_backup(&json);
        }
        if notebook.encrypted {
            notebooks.push(Sealed { id, notebook });
        }
    }
    notebooks.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(Encrypted { backup: read(backup)?, notebooks })
}
