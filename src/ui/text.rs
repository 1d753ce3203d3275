//! Text that came from a repository and goes to a terminal.

use std::borrow::Cow;
use std::fmt::Write;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The text with whatever could command a terminal or turn its writing round shown as `\n`,
/// `\u{1b}` and the like.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if is_unseen(letter) {
            write!(shown, "{}", letter.escape_default()).expect("a string takes every text");
        } else {
            shown.push(letter);
        }
    }
    Cow::Owned(shown)
}

/// Control characters, and those that change the direction of writing: with them a name can show as
/// another one.
fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The first line, without white space at its ends.
pub fn first_line(text: &str) -> &str {
    text.trim().lines().next().unwrap_or("").trim_end()
}

/// `1 snapshot`, `2 snapshots`.
pub fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// How many columns of a terminal a text takes.
pub fn columns(text: &str) -> usize {
    text.width()
}

/// The text cut to that many columns, with `…` at its end where something was cut.
pub fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if columns(text) <= most {
        return Cow::Borrowed(text);
    }
    let mut left = most.saturating_sub(1);
    let kept: String = text
        .chars()
        .take_while(|letter| {
            let width = letter.width().unwrap_or(0);
            let fits = width <= left;
            left = left.saturating_sub(width);
            fits
        })
        .collect();
    Cow::Owned(kept + "…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_commands_a_terminal() {
        assert_eq!(visible("标签 🌱 plain"), "标签 🌱 plain");
        assert_eq!(visible("a\nb\tc\x1b[2J\u{9b}\u{202e}d"), r"a\nb\tc\u{1b}[2J\u{9b}\u{202e}d");
        assert_eq!(visible("a\u{200d}b"), "a\u{200d}b", "emoji are joined with it");
    }

    #[test]
    fn lines_and_columns() {
        assert_eq!(first_line("\n first 🌱 \nsecond"), "first 🌱");
        assert_eq!(first_line(""), "");
        assert_eq!(columns("标签"), 4);
        assert_eq!(cut("标签标签", 5), "标签…");
        assert_eq!(cut("标签", 4), "标签");
        assert_eq!(cut("abc", 1), "…");
    }
}
