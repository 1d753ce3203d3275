//! A difference as text: unified diffs in git's form, so that `git apply` and `patch` take them.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Read;
use std::ops::Range;
use std::time::{Duration, Instant};

use similar::{Algorithm, DiffOp};

use crate::ops::content::{self, ContentError};
use crate::ops::disk::Dir;
use crate::ops::paths;
use crate::repo::Repository;

use super::{Change, Kind, Side};

/// Files larger than this, bytes, are not compared line by line: nobody reads such a patch.
const LARGEST: u64 = 16 << 20;

/// After so long a less than perfect patch is better than none.
const PATIENCE: Duration = Duration::from_secs(5);

/// Lines around a difference that are shown, as `diff -u` does.
const CONTEXT: usize = 3;

/// Why a difference cannot be shown as text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PatchError {
    /// A chunk is damaged.
    #[error("{path}: it cannot be shown: {cause}")]
    Content {
        /// The path.
        path: String,
        /// What is wrong.
        cause: ContentError,
    },
    /// The file on disk cannot be read.
    #[error("{path}: it cannot be read: {cause}")]
    Disk {
        /// The path.
        path: String,
        /// What the system says.
        cause: std::io::Error,
    },
}

/// Makes patches.
#[derive(Debug)]
pub struct Patcher<'a> {
    /// Where the snapshots' files are.
    pub repo: &'a Repository,
    /// The folder that a snapshot was compared with, if it was one.
    pub folder: Option<&'a Dir>,
}

/// A side of a patch.
enum Body {
    Text(String),
    /// Not text, or too large.
    Binary,
}

impl Patcher<'_> {
    /// The difference as text; empty where the content is equal and so is the path. What is not
    /// UTF-8, holds a NUL or is larger than 16 MiB is only said to differ.
    ///
    /// # Errors
    /// [`PatchError`].
    pub fn patch(&self, change: &Change) -> Result<String, PatchError> {
        let new_path = &change.path;
        let old_path = change.from.as_ref().unwrap_or(new_path);
        let (a, b) = (quoted("a/", old_path), quoted("b/", new_path));
        let mut out = format!("diff --git {a} {b}\n");
        match change.kind {
            Kind::Touched => return Ok(String::new()),
            Kind::Renamed => {
                out.push_str("similarity index 100%\n");
                let (from, to) = (quoted("", old_path), quoted("", new_path));
                out.extend(["rename from ", &from, "\nrename to ", &to, "\n"]);
                return Ok(out);
            }
            Kind::Added => out.push_str("new file mode 100644\n"),
            Kind::Removed => out.push_str("deleted file mode 100644\n"),
            Kind::Modified => {}
        }
        let a = if change.old.is_some() { a } else { "/dev/null".to_owned() };
        let b = if change.new.is_some() { b } else { "/dev/null".to_owned() };
        let old = self.body(old_path, change.old.as_ref())?;
        let new = match &old {
            Body::Text(_) => self.body(new_path, change.new.as_ref())?,
            Body::Binary => Body::Binary,
        };
        match (old, new) {
            (Body::Text(old), Body::Text(new)) => {
                let hunks = unified(&old, &new);
                if !hunks.is_empty() {
                    // A tab ends a name with a space in it.
                    let end = |name: &str| if name.contains(' ') { "\t\n" } else { "\n" };
                    out.extend(["--- ", &a, end(&a), "+++ ", &b, end(&b), &hunks]);
                }
            }
            _ => out.extend(["Binary files ", &a, " and ", &b, " differ\n"]),
        }
        Ok(out)
    }

    fn body(&self, path: &str, side: Option<&Side>) -> Result<Body, PatchError> {
        let Some(side) = side else { return Ok(Body::Text(String::new())) };
        if side.size > LARGEST {
            return Ok(Body::Binary);
        }
        let bytes = match (&side.chunks, self.folder) {
            (Some(chunks), _) => content::read_all(self.repo.objects(), chunks, side.size)
                .map_err(|cause| PatchError::Content { path: path.to_owned(), cause })?,
            (None, Some(folder)) => {
                let failed = |cause| PatchError::Disk { path: path.to_owned(), cause };
                let (above, name) = paths::split(path);
                let file = folder.sub(above).and_then(|dir| dir.read(name)).map_err(failed)?;
                let mut bytes = Vec::new();
                // It may have grown meanwhile.
                file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
                bytes
            }
            (None, None) => unreachable!("only a comparison with a folder finds files on disk"),
        };
        if bytes.len() as u64 > LARGEST || bytes.contains(&0) {
            return Ok(Body::Binary);
        }
        Ok(String::from_utf8(bytes).map_or(Body::Binary, Body::Text))
    }
}

/// A path as git writes it: in quotes and with escapes where it holds what would end it.
pub fn quoted(prefix: &str, path: &str) -> String {
    let needs = |c: char| c.is_ascii_control() || c == '"' || c == '\\';
    if !path.contains(needs) {
        return format!("{prefix}{path}");
    }
    let mut out = format!("\"{prefix}");
    for c in path.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if needs(c) => {
                write!(out, "\\{:03o}", u32::from(c)).expect("a string takes every text");
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The hunks of a unified diff; empty where the texts are equal.
pub fn unified(old: &str, new: &str) -> String {
    let old: Vec<&str> = old.split_inclusive('\n').collect();
    let new: Vec<&str> = new.split_inclusive('\n').collect();
    // Numbers for lines: each line is hashed once, however often it is compared.
    let mut numbers: HashMap<&str, u32> = HashMap::new();
    let mut number = |line| {
        let next = u32::try_from(numbers.len()).expect("16 MiB have fewer lines than 2^32");
        *numbers.entry(line).or_insert(next)
    };
    let a: Vec<u32> = old.iter().map(|line| number(line)).collect();
    let b: Vec<u32> = new.iter().map(|line| number(line)).collect();
    let deadline = Some(Instant::now() + PATIENCE);
    let ops = similar::capture_diff_slices_deadline(Algorithm::Myers, &a, &b, deadline);
    let mut out = String::new();
    for group in similar::group_diff_ops(ops, CONTEXT) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let span = |from: Range<usize>, to: Range<usize>| header(from.start, to.end);
        let before = span(first.old_range(), last.old_range());
        let after = span(first.new_range(), last.new_range());
        out.extend(["@@ -", &before, " +", &after, " @@\n"]);
        for op in &group {
            if let DiffOp::Equal { .. } = op {
                lines(&mut out, ' ', &old[op.old_range()]);
            } else {
                lines(&mut out, '-', &old[op.old_range()]);
                lines(&mut out, '+', &new[op.new_range()]);
            }
        }
    }
    out
}

/// Lines as a hunk's header counts them: from 1, and an empty range by the line before it.
fn header(from: usize, to: usize) -> String {
    match to - from {
        0 => format!("{from},0"),
        1 => format!("{}", from + 1),
        n => format!("{},{n}", from + 1),
    }
}

fn lines(out: &mut String, mark: char, lines: &[&str]) {
    for line in lines {
        out.push(mark);
        out.push_str(line);
        if !line.ends_with('\n') {
            out.push_str("\n\\ No newline at end of file\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hunks() {
        assert_eq!(unified("", ""), "");
        assert_eq!(unified("a\n", "a\n"), "");
        assert_eq!(unified("", "a\nb"), "@@ -0,0 +1,2 @@\n+a\n+b\n\\ No newline at end of file\n");
        assert_eq!(unified("a\n", ""), "@@ -1 +0,0 @@\n-a\n");
        assert_eq!(
            unified("a\nb\nc\n", "a\nB\nc"),
            "@@ -1,3 +1,3 @@\n a\n-b\n-c\n+B\n+c\n\\ No newline at end of file\n"
        );
        // A lone carriage return ends no line.
        assert_eq!(unified("a\rb\n", "a\rc\n"), "@@ -1 +1 @@\n-a\rb\n+a\rc\n");
        let long = |change: &str| {
            (0..40).map(|n| if n == 20 { change.to_owned() } else { format!("{n}\n") }).collect()
        };
        let (a, b): (String, String) = (long("x\n"), long("y\n"));
        let hunk = unified(&a, &b);
        assert!(hunk.starts_with("@@ -18,7 +18,7 @@\n 17\n"), "{hunk}");
        assert_eq!(hunk.lines().count(), 1 + 8);
    }

    #[test]
    fn paths_that_would_end_too_early_are_quoted() {
        assert_eq!(quoted("a/", "标签 with space.sy"), "a/标签 with space.sy");
        assert_eq!(quoted("b/", "a\n\"\\\t\u{1}"), "\"b/a\\n\\\"\\\\\\t\\001\"");
    }
}
