//! Patterns of names.

use globset::{GlobBuilder, GlobMatcher};

/// A pattern that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` is no pattern: {why}")]
pub struct BadPattern {
    /// The pattern.
    pub pattern: String,
    /// What is wrong with it.
    pub why: String,
}

/// A pattern in the manner of the shell: `*`, `?`, `[a-z]`, `{a,b}`, and `**` for any folders. One
/// with a `/` is of whole paths, any other one of names. `?` stands for one byte, so for a letter beyond
/// ASCII it takes two to four of them.
#[derive(Debug)]
pub struct NamePattern {
    matcher: GlobMatcher,
    whole: bool,
    /// Both sides are made lower case: `globset` itself knows the cases of ASCII alone.
    ignore_case: bool,
}

impl NamePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`BadPattern`].
    pub fn new(pattern: &str, ignore_case: bool) -> Result<Self, BadPattern> {
        let whole = pattern.trim_end_matches('/').contains('/');
        Self::build(pattern, pattern.trim_matches('/'), ignore_case, whole)
    }

    /// Reads a pattern of titles, in which a `/` is a letter like others.
    ///
    /// # Errors
    /// [`BadPattern`].
    pub fn of_titles(pattern: &str, ignore_case: bool) -> Result<Self, BadPattern> {
        Self::build(pattern, pattern, ignore_case, false)
    }

    fn build(
        pattern: &str,
        glob: &str,
        ignore_case: bool,
        whole: bool,
    ) -> Result<Self, BadPattern> {
        let lower = if ignore_case { glob.to_lowercase() } else { glob.to_owned() };
        let glob = GlobBuilder::new(&lower)
            // A name has no slash, so that of a pattern of names does not matter.
            .literal_separator(whole)
            .backslash_escape(true)
            .build();
        match glob {
            Ok(glob) => Ok(Self { matcher: glob.compile_matcher(), whole, ignore_case }),
            Err(e) => Err(BadPattern { pattern: pattern.to_owned(), why: e.kind().to_string() }),
        }
    }

    /// Whether it matches this path (without slashes at its ends), or the last name in it.
    pub fn matches_path(&self, path: &str) -> bool {
        self.matches_name(if self.whole { path } else { last(path) })
    }

    /// Whether it matches this name or title.
    pub fn matches_name(&self, name: &str) -> bool {
        match self.ignore_case {
            true => self.matcher.is_match(name.to_lowercase()),
            false => self.matcher.is_match(name),
        }
    }
}

fn last(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths() {
        let table = [
            ("*.sy", "a/b/c.sy", true),
            ("*.sy", "c.sy.tmp", false),
            ("c.sy", "a/c.sy", true),
            ("c", "a/c/b", false),
            ("?.sy", "a/x.sy", true),
            // A letter beyond ASCII is several to `globset`: 标 has three bytes.
            ("???.sy", "a/标.sy", true),
            ("{plan,note}*", "x/plan 标签.txt", true),
            ("[a-c].txt", "b.txt", true),
            ("a/*.sy", "a/x.sy", true),
            ("a/*.sy", "a/b/x.sy", false),
            ("/a/**/*.sy", "a/b/c/x.sy", true),
            ("**/b/*", "a/b/x", true),
            ("folder/", "a/folder", true),
            (r"\*", "*", true),
            (r"\*", "a", false),
            ("PLAN*", "plan.txt", false),
        ];
        for (pattern, path, expected) in table {
            let found = NamePattern::new(pattern, false).unwrap().matches_path(path);
            assert_eq!(found, expected, "{pattern} {path}");
        }
        assert!(NamePattern::of_titles("/a*c", false).unwrap().matches_name("/a/b/c"));
        assert!(NamePattern::new("PLAN*", true).unwrap().matches_path("x/plan.txt"));
        assert!(NamePattern::new("ÄRGER", true).unwrap().matches_path("ärger"));
        let bad = NamePattern::new("[a", false).unwrap_err().to_string();
        assert!(bad.starts_with("`[a` is no pattern: "), "{bad}");
    }
}
