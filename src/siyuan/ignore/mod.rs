//! Which files a snapshot leaves out: the user's `data/.siyuan/syncignore`, SiYuan's own lines, and
//! its rules of the walk.
//!
//! A rule is matched against the path of a file alone, never against a folder's, and the last rule
//! that matches decides: a later `!pattern` takes back an earlier match even within an ignored
//! folder. All rules of a snapshot are compiled into one automaton, which looks at each byte of a
//! path once, however many rules there are and whatever they say.

mod builtin;
mod class;
mod cursor;
mod expression;
mod line;

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::{Input, MatchKind, PatternSet, meta};
use regex_syntax::hir::Hir;

pub use builtin::{enter_folder, take_file};

/// Where the user's rules are, within the data folder.
pub const SYNCIGNORE: &str = ".siyuan/syncignore";
/// The largest file of rules that is read, bytes. Rules are written by hand.
const LARGEST_FILE: u64 = 16 << 20;
/// A rule that matches no shorter path than this, bytes, matches none: Linux takes paths of 4 KiB.
const LONGEST_PATH: usize = 64 << 10;
/// The largest automaton of one rule, bytes; one of a line of a thousand characters needs 64 KiB.
const LARGEST_RULE: usize = 4 << 20;
/// The largest automaton of all rules, bytes.
const LARGEST_RULES: usize = 64 << 20;
/// The most that a thread keeps of what it has seen of the automaton, bytes; it grows as far as it is
/// used. Enough for thousands of rules: with too little, each path is matched a thousand times
/// slower (measured).
const LARGEST_CACHE: usize = 16 << 20;

/// Rules that cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IgnoreError {
    /// The file is there but cannot be read.
    #[error("cannot read the ignore rules in {}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The file is larger than anyone would write.
    #[error("the ignore rules in {} are larger than 16 MiB: shorten that file", path.display())]
    LargeFile {
        /// The file.
        path: PathBuf,
    },
    /// Matching this line, or all lines up to it, would take absurd amounts of memory and time.
    /// Leaving it out could lose files that a `!` line is to keep.
    #[error("the ignore rule that starts with «{start}» makes the rules too large: shorten it")]
    LargeRule {
        /// The first characters of the line.
        start: String,
    },
}

/// A line that looks like a rule but is none, so it has no effect; SiYuan leaves it out too, without
/// a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedLine {
    /// The line.
    pub line: String,
    /// Why, as a part of a sentence.
    pub reason: String,
}

/// Compiled ignore rules.
pub struct IgnoreRules {
    automaton: meta::Regex,
    /// For each rule of the automaton whether it takes back matches.
    negated: Vec<bool>,
    skipped: Vec<SkippedLine>,
}

impl fmt::Debug for IgnoreRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { negated, skipped, .. } = self;
        write!(f, "IgnoreRules({} rules, {} lines skipped)", negated.len(), skipped.len())
    }
}

impl IgnoreRules {
    /// The rules of a data folder: the user's, joined by SiYuan's.
    ///
    /// # Errors
    /// [`IgnoreError`]; a missing file is no error.
    pub fn load(data: &Path) -> Result<Self, IgnoreError> {
        Self::load_with(data, &[])
    }

    /// The rules of a data folder, and behind them, so that they have the last word, further ones.
    ///
    /// # Errors
    /// [`IgnoreError`]; a missing file is no error.
    pub fn load_with(data: &Path, further: &[String]) -> Result<Self, IgnoreError> {
        let text = read(&data.join(SYNCIGNORE))?;
        let own = builtin::LINES.iter().map(|line| line.as_bytes());
        let mut seen = HashSet::new();
        // SiYuan drops a line that stood before, so the order of what is left matters.
        let lines = lines(&text).chain(own).filter(|line| seen.insert(*line));
        Self::from_lines(lines.chain(further.iter().map(|line| line.as_bytes())))
    }

    /// Just these rules, one a line.
    ///
    /// # Errors
    /// [`IgnoreError::LargeRule`].
    pub fn from_lines(
        lines: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Result<Self, IgnoreError> {
        let (mut trees, mut negated, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
        let mut memory = 0;
        for bytes in lines {
            let bytes = bytes.as_ref();
            let Ok(line) = std::str::from_utf8(bytes) else {
                let line = String::from_utf8_lossy(bytes).into_owned();
                skipped.push(SkippedLine { line, reason: "it is not UTF-8".into() });
                continue;
            };
            let Some(rule) = line::rule(line) else { continue };
            match expression::parse(&rule.expression) {
                Ok(tree) if !can_match(&tree) => {}
                Ok(tree) => {
                    memory += automaton_size(&tree).unwrap_or(LARGEST_RULES);
                    if memory >= LARGEST_RULES {
                        let start = line.chars().take(40).collect();
                        return Err(IgnoreError::LargeRule { start });
                    }
                    trees.push(tree);
                    negated.push(rule.negated);
                }
                Err(fault) => {
                    skipped.push(SkippedLine { line: line.into(), reason: fault.to_string() });
                }
            }
        }
        Ok(Self { automaton: automaton(&trees), negated, skipped })
    }

    /// Whether the rules leave out the file at this path within the data folder (`/`-separated,
    /// starting with `/`).
    pub fn ignores(&self, path: &str) -> bool {
        let input = Input::new(path);
        // Most paths match no rule at all; only the others need to know which.
        if !self.automaton.is_match(input.clone()) {
            return false;
        }
        let mut matched = PatternSet::new(self.negated.len());
        self.automaton.which_overlapping_matches(&input, &mut matched);
        let last = matched.iter().next_back().map(|rule| rule.as_usize());
        last.is_some_and(|last| !self.negated[last])
    }

    /// The lines that have no effect because they cannot be understood.
    pub fn skipped(&self) -> &[SkippedLine] {
        &self.skipped
    }
}

/// The bytes of a file of rules; none where there is no file.
fn read(path: &Path) -> Result<Vec<u8>, IgnoreError> {
    let mut bytes = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) if bytes.len() as u64 > LARGEST_FILE => {
            Err(IgnoreError::LargeFile { path: path.into() })
        }
        Ok(_) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(cause) => Err(IgnoreError::Unreadable { path: path.into(), cause }),
    }
}

/// The lines of a file of rules. They end in LF or CRLF.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r\n").or_else(|| line.strip_suffix(b"\n")).unwrap_or(line))
}

fn can_match(tree: &Hir) -> bool {
    tree.properties().minimum_len().is_some_and(|len| len <= LONGEST_PATH)
}

/// The memory of a rule's automaton, bytes, or nothing if it is too large.
fn automaton_size(tree: &Hir) -> Option<usize> {
    let config = thompson::Config::new()
        .which_captures(WhichCaptures::None)
        .nfa_size_limit(Some(LARGEST_RULE));
    let nfa = thompson::Compiler::new().configure(config).build_from_hir(tree);
    nfa.ok().map(|nfa| nfa.memory_usage())
}

fn automaton(trees: &[Hir]) -> meta::Regex {
    let config = meta::Config::new()
        .match_kind(MatchKind::All)
        .hybrid_cache_capacity(LARGEST_CACHE)
        .which_captures(WhichCaptures::None)
        .nfa_size_limit(None);
    meta::Builder::new()
        .configure(config)
        .build_many_from_hir(trees)
        .expect("each rule has been compiled before, and their sum is bounded")
}

#[cfg(test)]
mod tests;
