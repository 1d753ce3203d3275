//! Patterns of names.

use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use super::glob;

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
/// with a `/` is of whole paths, any other one of names. `?` stands for one character of Unicode, of
/// which a letter with accents may have several.
#[derive(Debug)]
pub struct NamePattern {
    regex: Regex,
    whole: bool,
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
        let bad = |why: &str| BadPattern { pattern: pattern.to_owned(), why: why.to_owned() };
        // A name has no slash, so whether one may be crossed does not matter for a pattern of names.
        let regex = glob::to_regex(glob, whole).map_err(bad)?;
        let regex = Regex::builder()
            .syntax(syntax::Config::new().case_insensitive(ignore_case))
            .build(&regex)
            .map_err(|_| bad("it is too long"))?;
        Ok(Self { regex, whole })
    }

    /// Whether it matches this path (without slashes at its ends), or the last name in it.
    pub fn matches_path(&self, path: &str) -> bool {
        self.matches_name(if self.whole { path } else { last(path) })
    }

    /// Whether it matches this name or title.
    pub fn matches_name(&self, name: &str) -> bool {
        self.regex.is_match(name)
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
            ("?.sy", "a/标.sy", true),
            ("???.sy", "a/标.sy", false),
            ("[标x]签*", "a/标签.sy", true),
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
        assert!(NamePattern::new("[à-ö]rger", true).unwrap().matches_path("ÄRGER"));
        let bad = NamePattern::new("[a", false).unwrap_err().to_string();
        assert!(bad.starts_with("`[a` is no pattern: "), "{bad}");
        let long = NamePattern::new(&"[一-龥]?".repeat(100_000), true).unwrap_err();
        assert_eq!(long.why, "it is too long");
    }
}
