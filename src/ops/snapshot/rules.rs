//! What a walk takes and what it leaves out.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use parking_lot::Mutex;

use crate::siyuan::ignore::{self as siyuan_ignore, IgnoreError, IgnoreRules};

use super::root::Root;

/// The file of rules that counts for its folder and all below it, in the plain profile.
pub const IGNORE_FILE: &str = ".revuignore";

/// The largest file of rules that is read, bytes. Rules are written by hand.
const LARGEST_FILE: u64 = 16 << 20;

/// Rules that cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RulesError {
    /// SiYuan's.
    #[error(transparent)]
    Siyuan(#[from] IgnoreError),
    /// A pattern of the command line, or of a file that it names, is none.
    #[error("the exclude pattern cannot be used: {0}")]
    BadPattern(ignore::Error),
    /// A file of patterns that the user has named.
    #[error("cannot read the exclude patterns in {}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

/// The rules of a profile.
#[derive(Debug)]
pub(super) enum Rules {
    /// SiYuan's walk and its `syncignore`.
    Siyuan(IgnoreRules),
    /// gitignore's.
    Plain(PlainRules),
}

/// The command line's patterns, and what is learnt of bad lines on the way.
#[derive(Debug)]
pub(super) struct PlainRules {
    excludes: Gitignore,
    notes: Mutex<Vec<String>>,
}

/// The `.revuignore` files of a folder and of those above it, the innermost first.
#[derive(Debug)]
pub(super) struct Chain {
    here: Gitignore,
    above: Option<Arc<Chain>>,
}

impl Rules {
    /// The rules of a SiYuan data folder; `excludes` have the last word.
    pub fn siyuan(data: &Path, excludes: &[String], files: &[PathBuf]) -> Result<Self, RulesError> {
        let mut lines = excludes.to_vec();
        for path in files {
            lines.extend(patterns(path)?.lines().map(str::to_owned));
        }
        Ok(Self::Siyuan(IgnoreRules::load_with(data, &lines)?))
    }

    /// The rules of any folder.
    pub fn plain(excludes: &[String], files: &[PathBuf]) -> Result<Self, RulesError> {
        let mut builder = GitignoreBuilder::new("/");
        for line in excludes {
            builder.add_line(None, line).map_err(RulesError::BadPattern)?;
        }
        for path in files {
            for line in patterns(path)?.lines() {
                builder.add_line(Some(path.clone()), line).map_err(RulesError::BadPattern)?;
            }
        }
        let excludes = builder.build().map_err(RulesError::BadPattern)?;
        Ok(Self::Plain(PlainRules { excludes, notes: Mutex::default() }))
    }

    /// Whether what a killed restore has left is ours to leave out. SiYuan's own rules do so.
    pub fn leaves_temporaries(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    /// Whether rules of a folder are to be asked for with [`Rules::chain`].
    pub fn has_files(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    /// The rules in a folder that holds an [`IGNORE_FILE`], with those above it. `path` is the
    /// folder's, empty for the root's.
    pub fn chain(&self, root: &Root, path: &str, above: Option<Arc<Chain>>) -> Option<Arc<Chain>> {
        let Self::Plain(rules) = self else { return above };
        let file = format!("{path}/{IGNORE_FILE}");
        let text = match root.file(&file).and_then(read_rules) {
            Ok(text) => text,
            Err(e) => {
                rules.note(format!("{file}: it cannot be read, so its rules do not count: {e}"));
                return above;
            }
        };
        let mut builder = GitignoreBuilder::new(if path.is_empty() { "/" } else { path });
        for (no, line) in (1..).zip(text.lines()) {
            if let Err(e) = builder.add_line(None, line) {
                rules.note(format!("{file}: line {no} has no effect: {e}"));
            }
        }
        match builder.build() {
            Ok(here) => Some(Arc::new(Chain { here, above })),
            Err(e) => {
                rules.note(format!("{file}: its rules do not count: {e}"));
                above
            }
        }
    }

    /// Whether a folder is entered.
    pub fn enters(&self, path: &str, name: &str, chain: Option<&Arc<Chain>>) -> bool {
        match self {
            Self::Siyuan(_) => siyuan_ignore::enter_folder(name),
            Self::Plain(rules) => !rules.excludes(path, true, chain),
        }
    }

    /// Whether a regular file is taken.
    pub fn takes(&self, path: &str, name: &str, chain: Option<&Arc<Chain>>) -> bool {
        match self {
            Self::Siyuan(rules) => siyuan_ignore::take_file(path, name) && !rules.ignores(path),
            Self::Plain(rules) => !rules.excludes(path, false, chain),
        }
    }

    /// What the user should know of his rules.
    pub fn notes(&self) -> Vec<String> {
        match self {
            Self::Siyuan(rules) => {
                let skipped = rules.skipped().iter();
                let note = |s: &siyuan_ignore::SkippedLine| {
                    format!(
                        "syncignore: the line «{}» has no effect, in SiYuan neither: {}",
                        s.line, s.reason
                    )
                };
                skipped.map(note).collect()
            }
            Self::Plain(rules) => {
                let mut notes = rules.notes.lock().clone();
                notes.sort_unstable();
                notes
            }
        }
    }
}

impl PlainRules {
    /// As git does: the command line first, then the innermost file; the first that knows decides.
    fn excludes(&self, path: &str, is_folder: bool, mut chain: Option<&Arc<Chain>>) -> bool {
        let mut found = self.excludes.matched(path, is_folder);
        while found.is_none()
            && let Some(link) = chain
        {
            found = link.here.matched(path, is_folder);
            chain = link.above.as_ref();
        }
        found.is_ignore()
    }

    fn note(&self, note: String) {
        self.notes.lock().push(note);
    }
}

/// The text of a file of patterns that the user has named.
fn patterns(path: &Path) -> Result<String, RulesError> {
    let unreadable = |cause| RulesError::Unreadable { path: path.to_owned(), cause };
    std::fs::File::open(path).and_then(read_rules).map_err(unreadable)
}

fn read_rules(file: std::fs::File) -> io::Result<String> {
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut text = String::new();
    file.take(LARGEST_FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST_FILE {
        return Err(io::Error::other("it is larger than 16 MiB"));
    }
    Ok(text)
}
