//! How commands fail: one sentence, one word for scripts, one exit code.

use crate::ops::check::CheckError;
use crate::ops::init::InitError;
use crate::ops::key_file::KeyFileError;
use crate::ops::keys::KeysError;
use crate::ops::purge::PurgeError;
use crate::ops::tags::TagError;
use crate::repo::names::ResolveError;
use crate::repo::{ObjectError, OpenError};
use crate::siyuan;
use crate::store::StoreError;
use crate::store::lock::LockError;
use crate::ui::{Look, OutError, Style, text};

use super::prompt::PromptError;

pub use crate::mount::Failure;

/// Exit code: it did not work.
pub const FAILED: u8 = 1;
/// Exit code: wrong usage.
pub const USAGE: u8 = 2;
/// Exit code: done, but some data is damaged or could not be read, and each was named.
pub const DAMAGED: u8 = 3;
/// Exit code: no repository is there.
pub const NO_REPOSITORY: u8 = 10;
/// Exit code: something is in use.
pub const IN_USE: u8 = 11;
/// Exit code: the key is wrong.
pub const WRONG_KEY: u8 = 12;
/// Exit code: the user interrupted.
pub const INTERRUPTED: u8 = 130;

/// A failure with a sentence of its own.
pub fn failure(kind: &str, exit: u8, message: impl Into<String>) -> Failure {
    Failure { kind: kind.to_owned(), message: message.into(), exit, causes: Vec::new() }
}

/// Wrong usage that clap cannot see.
pub fn usage(message: impl Into<String>) -> Failure {
    failure("usage", USAGE, message)
}

/// How a command can end but well.
#[derive(Debug)]
pub enum End {
    /// It failed, and nobody has been told yet.
    Failed(Box<Failure>),
    /// What failed has been told; this is the exit code.
    Told(u8),
    /// Nobody reads standard output any more: no failure, and nothing to tell.
    PipeClosed,
}

impl<T: Into<Failure>> From<T> for End {
    fn from(error: T) -> Self {
        Self::Failed(Box::new(error.into()))
    }
}

impl From<OutError> for End {
    fn from(OutError(error): OutError) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::PipeClosed;
        }
        let message = format!("cannot write to standard output: {error}");
        failure("output", FAILED, message).into()
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match &error {
            OpenError::NotARepository(_) => Self::new("no_repository", NO_REPOSITORY, &error),
            OpenError::Store(_) => Self::new("unreadable", FAILED, &error),
            OpenError::WrongKey(_) => Self::new("wrong_key", WRONG_KEY, &error),
        }
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        match &error {
            LockError::Held { .. } | LockError::Lost { .. } => Self::new("in_use", IN_USE, &error),
            _ => Self::new("unreadable", FAILED, &error),
        }
    }
}

impl From<siyuan::lock::LockError> for Failure {
    fn from(error: siyuan::lock::LockError) -> Self {
        match &error {
            siyuan::lock::LockError::InUse { .. } => Self::new("in_use", IN_USE, &error),
            _ => Self::new("unreadable", FAILED, &error),
        }
    }
}

impl From<PurgeError> for Failure {
    fn from(error: PurgeError) -> Self {
        let (kind, exit) = match error {
            PurgeError::Lock(error) => return error.into(),
            PurgeError::Store(error) => return error.into(),
            PurgeError::Interfered { .. } => ("in_use", IN_USE),
            PurgeError::Stopped => ("interrupted", INTERRUPTED),
            _ => ("damaged", FAILED),
        };
        Self::new(kind, exit, &error)
    }
}

impl From<CheckError> for Failure {
    fn from(error: CheckError) -> Self {
        let (kind, exit) = match error {
            CheckError::Lock(error) => return error.into(),
            CheckError::Store(error) => return error.into(),
            CheckError::SamePlace(_) => ("usage", USAGE),
            CheckError::Stopped => ("interrupted", INTERRUPTED),
        };
        Self::new(kind, exit, &error)
    }
}

impl From<PromptError> for Failure {
    fn from(error: PromptError) -> Self {
        match &error {
            PromptError::Interrupted => Self::new("interrupted", INTERRUPTED, &error),
            PromptError::NoTerminal | PromptError::Io(_) => Self::new("key", FAILED, &error),
        }
    }
}

impl From<KeysError> for Failure {
    fn from(error: KeysError) -> Self {
        let (kind, exit) = match error {
            KeysError::Lock(error) => return error.into(),
            KeysError::Wrong { .. } => ("wrong_key", WRONG_KEY),
            KeysError::Store(_) => ("unreadable", FAILED),
            KeysError::Damaged { .. } | KeysError::Foreign(_) => ("damaged", FAILED),
            KeysError::NoSuchSlot { .. } => ("no_slot", FAILED),
            KeysError::Ambiguous { .. } => ("ambiguous", FAILED),
            KeysError::NotOurs(_) => ("no_slots", FAILED),
            _ => ("key", FAILED),
        };
        Self::new(kind, exit, &error)
    }
}

impl From<KeyFileError> for Failure {
    fn from(error: KeyFileError) -> Self {
        let kind = match &error {
            KeyFileError::Exists(_) => "exists",
            _ => "unwritable",
        };
        Self::new(kind, FAILED, &error)
    }
}

impl From<InitError> for Failure {
    fn from(error: InitError) -> Self {
        let kind = match &error {
            InitError::Taken(_) | InitError::NotEmpty { .. } => "exists",
            _ => "unwritable",
        };
        Self::new(kind, FAILED, &error)
    }
}

impl From<TagError> for Failure {
    fn from(error: TagError) -> Self {
        let (kind, exit) = match error {
            TagError::Lock(error) => return error.into(),
            TagError::Snapshot(error) => return error.into(),
            TagError::Name { .. } => ("usage", USAGE),
            TagError::Exists { .. } => ("exists", FAILED),
            TagError::Missing(_) => ("no_tag", FAILED),
            TagError::Gone(_) => ("no_snapshot", FAILED),
            TagError::Store(_) => ("unwritable", FAILED),
        };
        Self::new(kind, exit, &error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new("unreadable", FAILED, &error)
    }
}

impl From<ResolveError> for Failure {
    fn from(error: ResolveError) -> Self {
        let kind = match &error {
            ResolveError::Ambiguous { .. } => "ambiguous",
            ResolveError::Unknown { .. } | ResolveError::Empty => "no_snapshot",
        };
        Self::new(kind, FAILED, &error)
    }
}

impl From<ObjectError> for Failure {
    fn from(error: ObjectError) -> Self {
        Self::new("damaged", DAMAGED, &error)
    }
}

/// The last word of a command that did what it could.
pub fn damaged(things: usize) -> Failure {
    let what = match things {
        1 => "one thing in the repository is damaged: it is named above".to_owned(),
        n => format!("{n} things in the repository are damaged: they are named above"),
    };
    failure("damaged", DAMAGED, what)
}

/// The failure as standard error shows it, without a line end.
pub fn shown(failure: &Failure, json: bool, verbose: bool, look: Look) -> String {
    if json {
        let Failure { kind, message, exit, causes } = failure;
        let mut error = serde_json::json!({"kind": kind, "message": message, "exit": exit});
        if verbose && !causes.is_empty() {
            error["causes"] = causes.clone().into();
        }
        return serde_json::json!({"error": error}).to_string();
    }
    let mut lines =
        format!("{} {}", look.paint(Style::Bad, "revu:"), text::visible(&failure.message));
    if verbose {
        for cause in &failure.causes {
            lines.push_str("\n  because: ");
            lines.push_str(&text::visible(cause));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_sentence_and_its_causes_on_request() {
        let mut failure = failure("k", 7, "cannot do it\n\x1b[2J");
        failure.causes.push("the disk is full".to_owned());
        let show = |json, verbose| shown(&failure, json, verbose, Look::default());
        assert_eq!(show(false, false), r"revu: cannot do it\n\u{1b}[2J");
        assert!(show(false, true).ends_with("\n  because: the disk is full"));
        let json: serde_json::Value = serde_json::from_str(&show(true, false)).unwrap();
        assert_eq!(json["error"]["exit"], 7);
        assert_eq!(json["error"]["message"], "cannot do it\n\u{1b}[2J");
        assert!(json["error"].get("causes").is_none());
        assert!(show(true, true).contains("disk is full"));
    }

    #[test]
    fn exit_codes_are_those_of_the_manual() {
        let exit = |error: OpenError| Failure::from(error).exit;
        assert_eq!(exit(OpenError::NotARepository("x".into())), 10);
        assert_eq!(exit(OpenError::WrongKey("x".into())), 12);
        assert_eq!(Failure::from(ResolveError::Empty).exit, 1);
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let closed = OutError(std::io::ErrorKind::BrokenPipe.into());
        assert!(matches!(End::from(closed), End::PipeClosed));
        let full = OutError(std::io::ErrorKind::StorageFull.into());
        assert!(matches!(End::from(full), End::Failed(f) if f.exit == 1));
    }
}
