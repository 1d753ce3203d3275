//! What a line of ignore rules means: a regular expression in Go's dialect.
//!
//! SiYuan matches paths by the Go package `sabhiram/go-gitignore`, which makes a regular expression
//! of each line by replacing texts in it one after the other. Whatever it does not replace keeps the
//! meaning it has in an expression, which is why its rules are not quite those of git: `+`, `|`,
//! parentheses and counts in braces are operators, `?` and `{a,b}` are plain text, a `\` before
//! anything but a star or one of these is Go's to interpret. Only the same replacements in the same
//! order sort every path as SiYuan does.

/// A rule as SiYuan reads it from a line.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// It takes back what earlier rules ignore, instead of ignoring.
    pub negated: bool,
    /// The expression that a path has to match.
    pub expression: String,
}

/// Stands for a star of the expression while stars of the line are being replaced. It is the text
/// that SiYuan's matcher uses, so that the same text in a line becomes a star here too.
const STAR: &str = "#$~";

/// What is replaced by what, in this order.
const REPLACEMENTS: [(&str, &str); 8] = [
    (".", r"\."),
    ("/**/", "(/|/.+/)"),
    ("**/", "(|.#$~/)"),
    ("/**", "(|/.#$~)"),
    (r"\*", r"\#$~"),
    ("*", "([^/]*)"),
    ("?", r"\?"),
    (STAR, "*"),
];

/// The rule that a line states, if it states one: empty lines and comments do not.
pub fn rule(line: &str) -> Option<Rule> {
    let line = line.trim_end_matches('\r');
    if line.starts_with('#') {
        return None;
    }
    let line = line.trim_matches(' ');
    if line.is_empty() {
        return None;
    }
    let (negated, line) = line.strip_prefix('!').map_or((false, line), |line| (true, line));
    let line = line.strip_prefix(['#', '!']).unwrap_or(line);

    let mut pattern = if names_files_of_a_folder(line) { format!("/{line}") } else { line.into() };
    if pattern.starts_with("/**/") {
        pattern.remove(0);
    }
    for (text, by) in REPLACEMENTS {
        pattern = pattern.replace(text, by);
    }
    let start = if pattern.starts_with('/') { "^(|/)" } else { "^(|.*/)" };
    let end = if pattern.ends_with('/') { "(|.*)$" } else { "(|/.*)$" };
    let expression = format!("{start}{}{end}", pattern.strip_prefix('/').unwrap_or(&pattern));
    Some(Rule { negated, expression })
}

/// Whether a line is like `folder/*.txt`: such a one holds at the root alone. What has to be there
/// is a `/` behind a character other than `/` and `+`, and a `*.` anywhere behind that.
fn names_files_of_a_folder(line: &str) -> bool {
    let slash =
        line.as_bytes().windows(2).position(|two| !b"/+".contains(&two[0]) && two[1] == b'/');
    !line.starts_with('/') && slash.is_some_and(|slash| line[slash + 2..].contains("*."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expression(line: &str) -> String {
        rule(line).expect("it states a rule").expression
    }

    #[test]
    fn lines_without_a_rule() {
        for line in ["", "   ", "\r", "# a comment", "#"] {
            assert_eq!(rule(line), None, "{line:?}");
        }
    }

    #[test]
    fn lines_become_expressions() {
        assert_eq!(expression("foo"), "^(|.*/)foo(|/.*)$");
        assert_eq!(expression("/foo/"), "^(|/)foo/(|.*)$");
        assert_eq!(expression("a/**/b"), "^(|.*/)a(/|/.+/)b(|/.*)$");
        assert_eq!(expression("**/b"), "^(|.*/)(|.*/)b(|/.*)$");
        assert_eq!(expression("/**/b"), "^(|.*/)(|.*/)b(|/.*)$");
        assert_eq!(expression("a/**"), "^(|.*/)a(|/.*)(|/.*)$");
        assert_eq!(expression("*.t?t"), r"^(|.*/)([^/]*)\.t\?t(|/.*)$");
        assert_eq!(expression(r"a\*"), r"^(|.*/)a\*(|/.*)$");
        assert_eq!(expression("a#$~"), "^(|.*/)a*(|/.*)$");
    }

    #[test]
    fn files_of_a_folder_are_those_at_the_root() {
        assert_eq!(expression("标签/*.png"), r"^(|/)标签/([^/]*)\.png(|/.*)$");
        assert_eq!(expression("a/b/c*.d"), r"^(|/)a/b/c([^/]*)\.d(|/.*)$");
        for line in ["+/*.png", "a/*png", "*.a/b", "//*.a"] {
            assert!(!names_files_of_a_folder(line), "{line}");
        }
    }

    #[test]
    fn exclamation_marks_and_spaces() {
        for (line, negated, expression) in [
            ("!foo", true, "^(|.*/)foo(|/.*)$"),
            ("  !foo  ", true, "^(|.*/)foo(|/.*)$"),
            ("!!foo", true, "^(|.*/)foo(|/.*)$"),
            ("!#foo", true, "^(|.*/)foo(|/.*)$"),
            ("! foo", true, "^(|.*/) foo(|/.*)$"),
            (r"\!foo", false, r"^(|.*/)\!foo(|/.*)$"),
            ("foo\t\r", false, "^(|.*/)foo\t(|/.*)$"),
            ("!", true, "^(|.*/)(|/.*)$"),
        ] {
            assert_eq!(rule(line), Some(Rule { negated, expression: expression.into() }));
        }
    }
}
