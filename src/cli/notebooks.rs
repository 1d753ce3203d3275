//! Encrypted notebooks of SiYuan on the command line: which to unlock, and the password.

use std::ffi::OsString;

use zeroize::Zeroizing;

use crate::repo::Repository;
use crate::siyuan::notes::crypt::{CryptError, Vault};
use crate::vfs::notes::{UnlockError, unlock};

use super::context::Context;
use super::env::Secret;
use super::error::{DAMAGED, FAILED, Failure, WRONG_KEY, failure};
use super::key;
use super::prompt::{self, PromptError};

/// Which encrypted notebooks to unlock, and where the password is.
#[derive(Debug, Default, clap::Args)]
pub struct Unlock {
    /// Unlock this encrypted notebook of SiYuan: its name, or its ID
    ///
    /// The password is taken from --notebook-password-command, REVU_NOTEBOOK_PASSWORD, or a question on
    /// the terminal. SiYuan has one password for all encrypted notebooks.
    #[arg(long, value_name = "NAME")]
    unlock: Vec<String>,
    /// Shell command that prints the password of encrypted notebooks
    #[arg(long, value_name = "CMD", requires = "unlock",
        value_hint = clap::ValueHint::CommandString)]
    notebook_password_command: Option<OsString>,
}

/// Notebooks to unlock, with the password for them.
pub struct Unlocking {
    names: Vec<String>,
    password: Zeroizing<Vec<u8>>,
}

impl Unlock {
    /// Finds the password, if any notebook is to be unlocked.
    ///
    /// # Errors
    /// Where there is none. No error has any part of a password in it.
    pub fn password(&self, context: &Context) -> Result<Unlocking, Failure> {
        let names = self.unlock.clone();
        if names.is_empty() {
            return Ok(Unlocking { names, password: Zeroizing::default() });
        }
        let mut password = if let Some(command) = &self.notebook_password_command {
            key::output(command, "--notebook-password-command")?
        } else if let Some(Secret(text)) = &context.environment.notebook_password {
            text.clone()
        } else {
            prompt::ask("Password of the encrypted notebooks").map_err(|error| match error {
                PromptError::NoTerminal => failure(
                    "no_key",
                    WRONG_KEY,
                    "no password for the encrypted notebooks: give it with \
                     --notebook-password-command or REVU_NOTEBOOK_PASSWORD",
                ),
                error => error.into(),
            })?
        };
        // What a command prints ends in a line end that belongs to nobody.
        for end in [b'\n', b'\r'] {
            if password.last() == Some(&end) {
                let len = password.len() - 1;
                password.truncate(len);
            }
        }
        Ok(Unlocking { names, password })
    }
}

impl Unlocking {
    /// The keys of the notebooks.
    ///
    /// # Errors
    /// Exit code 12 for a wrong password, 1 where there is no such notebook.
    pub fn vault(&self, repo: &Repository) -> Result<Vault, Failure> {
        if self.names.is_empty() {
            return Ok(Vault::default());
        }
        Ok(unlock(repo, &*repo.snapshots()?, &self.names, &self.password)?)
    }
}

impl From<UnlockError> for Failure {
    fn from(error: UnlockError) -> Self {
        let (kind, exit) = match &error {
            UnlockError::NoSuchNotebook(_) => ("no_notebook", FAILED),
            UnlockError::Crypt { error: CryptError::WrongPassword, .. } => ("wrong_key", WRONG_KEY),
            UnlockError::Crypt { .. } => ("damaged", DAMAGED),
            UnlockError::Snapshot(_) | UnlockError::File(_) => ("damaged", FAILED),
        };
        Self::new(kind, exit, &error)
    }
}
