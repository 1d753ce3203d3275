//! What a new key slot is made for: a key file, which is made too, or a passphrase.

use std::path::{Path, PathBuf};

use crate::format::RepoKey;
use crate::format::own::Secret;
use crate::ops::key_file;
use crate::ops::keys::KeysError;

use super::context::Context;
use super::error::{FAILED, Failure, failure, usage};
use super::prompt::{self, PromptError};
use super::{env, key};

/// How often somebody may mistype.
const ATTEMPTS: usize = 3;

/// Options of the commands that make a key slot.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Make a key file, which opens the repository instead of a passphrase
    ///
    /// It gets a random key that has nothing to do with others, and its owner alone can read it. A
    /// file that is there already is never overwritten.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub new_key_file: Option<PathBuf>,
    /// Name of the key slot, for people
    #[arg(long, value_name = "TEXT")]
    pub label: Option<String>,
}

/// Where a new passphrase comes from, for help texts.
pub const PLACES: &str = "\
A new passphrase is taken from REVU_NEW_PASSPHRASE, or asked for twice on the terminal; --new-key-file
makes a key file instead.";

impl Options {
    /// The secret for a new slot: the new key file, `REVU_NEW_PASSPHRASE`, `given`, a question on the
    /// terminal. A key file is durable when this returns.
    ///
    /// # Errors
    /// Where there is none, or the key file cannot be made.
    pub fn secret(
        &self,
        context: &Context,
        repo: &Path,
        given: impl FnOnce() -> Result<Option<Secret>, Failure>,
    ) -> Result<Secret, Failure> {
        if let Some(path) = &self.new_key_file {
            let absolute =
                |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            if absolute(path).starts_with(absolute(repo)) {
                let sentence = "the key file would lie in the repository that it opens: \
                                name another place with --new-key-file";
                return Err(usage(sentence));
            }
            let key = RepoKey::random();
            key_file::write_new(path, &key)?;
            return Ok(Secret::Key(key));
        }
        if let Some(env::Secret(text)) = &context.environment.new_passphrase {
            return key::parse(text, "REVU_NEW_PASSPHRASE");
        }
        match given()? {
            Some(secret) => Ok(secret),
            None => ask(repo),
        }
    }
}

impl Options {
    /// Passes on what came of a change of key slots. Where it failed before anything was written, a
    /// key file that was made for it opens nothing and goes; where the writing itself failed it stays,
    /// since nobody knows.
    ///
    /// # Errors
    /// Those of the change.
    pub fn changed<T>(&self, result: Result<T, KeysError>) -> Result<T, KeysError> {
        if let (Err(error), Some(path)) = (&result, &self.new_key_file)
            && !matches!(error, KeysError::Store(_))
        {
            // One that does not go is named by the next attempt.
            let _ = std::fs::remove_file(path);
        }
        result
    }
}

/// Asks twice.
fn ask(repo: &Path) -> Result<Secret, Failure> {
    let none = |error| match error {
        PromptError::NoTerminal => {
            let sentence = "no passphrase for the new key slot, and no terminal to ask on: set \
                            REVU_NEW_PASSPHRASE, or make a key file with --new-key-file";
            failure("no_key", FAILED, sentence)
        }
        error => error.into(),
    };
    let mut question = format!("New passphrase of {}", repo.display());
    for _ in 0..ATTEMPTS {
        let first = prompt::ask(&question).map_err(none)?;
        let second = prompt::ask("The same again").map_err(none)?;
        if first == second {
            return key::parse(&first, "what was typed");
        }
        question = "These were not the same. New passphrase".to_owned();
    }
    Err(failure(
        "key",
        FAILED,
        "two different passphrases were typed each time: nothing was changed",
    ))
}
