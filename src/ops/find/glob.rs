//! Patterns of the shell, as regular expressions over characters.
//!
//! `globset` would do it over bytes, and its `?` and `[…]` stand for one byte: of a letter beyond ASCII,
//! which is most of them in many a notebook, that is a part.

/// A regular expression that matches what the glob does, from the beginning to the end: `*`, `?`,
/// `[a-z]`, `[!a-z]`, `{a,b}`, and `\` before what stands for itself. In a glob of paths only `**` crosses
/// a `/`, and next to one it stands for any number of folders, be it none.
///
/// # Errors
/// What is wrong with the glob, in a part of a sentence.
pub(super) fn to_regex(glob: &str, of_paths: bool) -> Result<String, &'static str> {
    let chars: Vec<char> = glob.chars().collect();
    let mut glob = Glob { chars: &chars, at: 0, of_paths };
    let body = glob.translate()?;
    Ok(format!("(?s)^(?:{body})$"))
}

struct Glob<'a> {
    chars: &'a [char],
    at: usize,
    of_paths: bool,
}

impl Glob<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn translate(&mut self) -> Result<String, &'static str> {
        let mut regex = String::new();
        let mut depth = 0;
        while let Some(c) = self.next() {
            match c {
                '?' => regex.push_str(self.any()),
                '*' => self.stars(&mut regex),
                '[' => self.class(&mut regex)?,
                '{' => {
                    depth += 1;
                    regex.push_str("(?:");
                }
                ',' if depth > 0 => regex.push('|'),
                '}' if depth > 0 => {
                    depth -= 1;
                    regex.push(')');
                }
                '}' => return Err("a `}` stands alone; write `\\}` for the letter"),
                '\\' => {
                    let c = self.next().ok_or("it ends in a single `\\`; write `\\\\` for one")?;
                    literal(&mut regex, c);
                }
                c => literal(&mut regex, c),
            }
        }
        match depth {
            0 => Ok(regex),
            _ => Err("a `{` is not closed; write `\\{` for the letter"),
        }
    }

    fn any(&self) -> &'static str {
        if self.of_paths { "[^/]" } else { "." }
    }

    /// One star was read; here are all that follow it.
    fn stars(&mut self, regex: &mut String) {
        let first = self.at - 1;
        while self.peek() == Some('*') {
            self.at += 1;
        }
        let begins = first == 0 || self.chars[first - 1] == '/';
        let is_folders = self.of_paths && self.at - first > 1 && begins;
        match self.peek() {
            Some('/') if is_folders => {
                self.at += 1;
                regex.push_str("(?:.*/)?");
            }
            None if is_folders => regex.push_str(".*"),
            _ => {
                regex.push_str(self.any());
                regex.push('*');
            }
        }
    }

    /// A `[` was read.
    fn class(&mut self, regex: &mut String) -> Result<(), &'static str> {
        const OPEN: &str = "a `[` is not closed; write `\\[` for the letter";
        regex.push_str("[[");
        if let Some('!' | '^') = self.peek() {
            self.at += 1;
            regex.push('^');
        }
        let first = self.at;
        loop {
            let from = match self.next().ok_or(OPEN)? {
                ']' if self.at - 1 > first => break,
                '\\' => self.next().ok_or(OPEN)?,
                c => c,
            };
            literal(regex, from);
            if self.peek() != Some('-') || self.chars.get(self.at + 1) == Some(&']') {
                continue;
            }
            self.at += 1;
            let to = match self.next().ok_or(OPEN)? {
                '\\' => self.next().ok_or(OPEN)?,
                c => c,
            };
            if from > to {
                return Err("a range of letters ends before it begins");
            }
            regex.push('-');
            literal(regex, to);
        }
        regex.push(']');
        if self.of_paths {
            regex.push_str("&&[^/]");
        }
        regex.push(']');
        Ok(())
    }
}

fn literal(regex: &mut String, c: char) {
    regex_syntax::escape_into(c.encode_utf8(&mut [0; 4]), regex);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(glob: &str, of_paths: bool, text: &str) -> bool {
        let regex = to_regex(glob, of_paths).unwrap_or_else(|e| panic!("{glob}: {e}"));
        regex_automata::meta::Regex::new(&regex).unwrap().is_match(text)
    }

    #[test]
    fn every_wildcard_is_of_whole_characters() {
        for (glob, text, expected) in [
            ("?", "a", true),
            ("?", "标", true),
            ("?", "\n", true),
            ("?", "🗂", true),
            ("?", "", false),
            ("???", "标", false),
            ("[标签]", "签", true),
            ("[一-龥]", "标", true),
            ("[一-龥]", "a", false),
            ("[!标]", "标", false),
            ("[!标]", "签", true),
            ("[^a]", "ä", true),
            ("[]-]", "]", true),
            ("[]-]", "-", true),
            ("[!]]", "]", false),
            ("[a-]", "-", true),
            ("[-a]", "-", true),
            ("[\\]]", "]", true),
            ("[a\\-c]", "b", false),
            ("[&&~~x]", "&", true),
            ("[*?{]", "?", true),
            ("*标*", "a标b", true),
            ("{标,a*c,{x,y}z}", "yz", true),
            ("{标,a*c,{x,y}z}", "abbc", true),
            ("{标,a*c,{x,y}z}", "z", false),
            ("a{,b}", "a", true),
            ("a,b", "a,b", true),
            ("\\*\\\\\\{", "*\\{", true),
            ("(a|b)+.$^", "(a|b)+.$^", true),
            ("a", "ab", false),
            ("a", "ba", false),
            ("", "", true),
            ("", "a", false),
            ("a**b", "a/b", true),
            ("a?b", "a/b", true),
        ] {
            assert_eq!(matches(glob, false, text), expected, "{glob} {text}");
        }
    }

    #[test]
    fn in_paths_two_stars_alone_cross_folders() {
        for (glob, path, expected) in [
            ("a/?", "a//", false),
            ("a?b", "a/b", false),
            ("a[!x]b", "a/b", false),
            ("a[+-9]b", "a/b", false),
            ("a[+-9]b", "a5b", true),
            ("a/*", "a/标", true),
            ("a/*", "a/b/c", false),
            ("**/b", "b", true),
            ("**/b", "a/x/b", true),
            ("**/b", "ab", false),
            ("a/**", "a/b/c", true),
            ("a/**", "a", false),
            ("a/**/b", "a/b", true),
            ("a/**/b", "a/x/标/b", true),
            ("a/**/b", "ab", false),
            ("**", "a/b", true),
            ("a**/b", "ax/b", true),
            ("a**/b", "a/x/b", false),
            ("a/***/b", "a/x/y/b", true),
            ("{a,b}/c", "b/c", true),
        ] {
            assert_eq!(matches(glob, true, path), expected, "{glob} {path}");
        }
    }

    #[test]
    fn what_is_none_is_told() {
        for bad in ["[a", "[", "[]", "[!]", "[a-", "{a", "{a,{b}", "a}", "a\\", "[z-a]", "[\\"] {
            assert!(to_regex(bad, false).is_err(), "{bad}");
        }
    }
}
