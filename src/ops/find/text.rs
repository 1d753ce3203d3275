//! Text in contents: literal, with or without regard to case, across the borders of chunks.

use regex_automata::meta::{self, Regex};
use regex_automata::util::syntax;

use crate::format::ChunkId;

/// A NUL within so many bytes from the start makes a content no text, as for `git` and `grep`.
const LOOKED_AT: usize = 8_000;

/// Bytes around a match that an excerpt shows at the most on each side.
const AROUND: usize = 60;

/// A text that cannot be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadText {
    /// It is empty.
    #[error("the text to look for is empty")]
    Empty,
    /// It is absurdly long.
    #[error("the text to look for is too long")]
    TooLong,
}

/// A text to look for.
#[derive(Debug)]
pub struct TextPattern {
    regex: Regex,
    /// No match is longer than this, bytes.
    longest: usize,
}

/// The first place that matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The line, counted from 1.
    pub line: u64,
    /// A part of the line, with the match in it.
    pub text: String,
    /// Where in `text` the match begins, bytes.
    pub from: usize,
    /// Where it ends.
    pub to: usize,
}

/// What a search of one content gave.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Searched {
    Found(Excerpt),
    Nothing,
    NotText,
}

impl TextPattern {
    /// A literal text.
    ///
    /// # Errors
    /// [`BadText`].
    pub fn new(text: &str, ignore_case: bool) -> Result<Self, BadText> {
        if text.is_empty() {
            return Err(BadText::Empty);
        }
        let config = syntax::Config::new().case_insensitive(ignore_case).utf8(false);
        let regex = Regex::builder()
            .configure(meta::Config::new().utf8_empty(false))
            .syntax(config)
            .build(&regex_syntax::escape(text));
        // A letter may be longer in its other case, but never than the longest letter of UTF-8.
        let longest = if ignore_case { text.chars().count() * 4 } else { text.len() };
        regex.map(|regex| Self { regex, longest }).map_err(|_| BadText::TooLong)
    }

    /// Searches a content chunk by chunk, up to the first match.
    pub(super) fn search<E>(
        &self,
        chunks: &[ChunkId],
        open: impl Fn(ChunkId) -> Result<Vec<u8>, E>,
    ) -> Result<Searched, E> {
        // What of the chunks before may be the beginning of a match or be shown before one.
        let keep = (self.longest - 1).max(AROUND);
        let mut text: Vec<u8> = Vec::new();
        let mut lines_before = 0;
        for (nth, id) in chunks.iter().enumerate() {
            let plain = open(*id)?;
            if nth == 0 && plain[..plain.len().min(LOOKED_AT)].contains(&0) {
                return Ok(Searched::NotText);
            }
            if text.is_empty() {
                text = plain;
            } else {
                let cut = text.len().saturating_sub(keep);
                lines_before += newlines(&text[..cut]);
                text.drain(..cut);
                text.extend_from_slice(&plain);
            }
            if let Some(found) = self.regex.find(&text) {
                return Ok(Searched::Found(excerpt(&text, found.range(), lines_before)));
            }
        }
        Ok(Searched::Nothing)
    }
}

fn newlines(text: &[u8]) -> u64 {
    text.iter().filter(|byte| **byte == b'\n').count() as u64
}

fn excerpt(text: &[u8], found: std::ops::Range<usize>, lines_before: u64) -> Excerpt {
    let begin = text[..found.start].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let end = text[found.end..].iter().position(|byte| *byte == b'\n');
    let end = end.map_or(text.len(), |at| found.end + at);
    let from = begin.max(letter_start(text, found.start.saturating_sub(AROUND)));
    let to = end.min(letter_start(text, (found.end + AROUND).min(text.len())));
    let before = String::from_utf8_lossy(&text[from..found.start]);
    let matched = String::from_utf8_lossy(&text[found.clone()]);
    let after = String::from_utf8_lossy(&text[found.end..to.max(found.end)]);
    Excerpt {
        line: lines_before + newlines(&text[..found.start]) + 1,
        from: before.len(),
        to: before.len() + matched.len(),
        text: format!("{before}{matched}{after}"),
    }
}

/// The first place at or after `at` where a letter of UTF-8 begins.
fn letter_start(text: &[u8], at: usize) -> usize {
    let is_start = |at: &usize| text.get(*at).is_none_or(|byte| byte & 0xc0 != 0x80);
    (at..text.len().min(at + 4)).find(is_start).unwrap_or(at.min(text.len()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn search(pattern: &TextPattern, text: &[u8], cut: usize) -> Searched {
        let mut chunks = HashMap::new();
        let ids: Vec<_> = text
            .chunks(cut)
            .map(|piece| {
                chunks.insert(ChunkId::of(piece), piece.to_vec());
                ChunkId::of(piece)
            })
            .collect();
        pattern.search(&ids, |id| Ok::<_, ()>(chunks[&id].clone())).unwrap()
    }

    #[test]
    fn matches_are_found_wherever_chunks_are_cut() {
        let text = "first line\nsecond line with a née(dle) in it\nthird\n".repeat(3);
        let literal = TextPattern::new("née(dle)", false).unwrap();
        let any_case = TextPattern::new("NÉE(DLE)", true).unwrap();
        for cut in 1..=text.len() {
            for pattern in [&literal, &any_case] {
                let Searched::Found(found) = search(pattern, text.as_bytes(), cut) else {
                    panic!("not found with cuts of {cut}");
                };
                assert_eq!(found.line, 2, "cuts of {cut}");
                assert_eq!(&found.text[found.from..found.to], "née(dle)");
                assert!(found.text.starts_with("second line with a née(dle)"), "{found:?}");
            }
        }
        let missing = TextPattern::new("NÉE(DLE)", false).unwrap();
        assert_eq!(search(&missing, text.as_bytes(), 7), Searched::Nothing);
    }

    #[test]
    fn a_letter_may_be_longer_in_its_other_case() {
        // The Kelvin sign has three bytes, k has one.
        let pattern = TextPattern::new("kkkk", true).unwrap();
        let text = "....\u{212a}k\u{212a}\u{212a}";
        for cut in 1..=text.len() {
            assert!(matches!(search(&pattern, text.as_bytes(), cut), Searched::Found(_)), "{cut}");
        }
    }

    #[test]
    fn a_long_line_is_shown_in_part() {
        let text = format!("{}needle{}", "界".repeat(1_000), "é".repeat(1_000));
        let pattern = TextPattern::new("needle", false).unwrap();
        for cut in [100, 3_001, 10_000] {
            let Searched::Found(found) = search(&pattern, text.as_bytes(), cut) else { panic!() };
            assert_eq!(&found.text[found.from..found.to], "needle");
            assert!(found.text.len() < 150 && !found.text.contains('\u{fffd}'), "{cut}: {found:?}");
            assert_eq!(found.line, 1);
        }
    }

    #[test]
    fn what_is_no_text_is_not_searched_and_its_other_chunks_not_opened() {
        let pattern = TextPattern::new("needle", false).unwrap();
        assert_eq!(search(&pattern, b"ab\0needle", 100), Searched::NotText);
        let ids = [ChunkId::of(b"1"), ChunkId::of(b"2")];
        let open = |id| if id == ids[0] { Ok(vec![0]) } else { Err("opened") };
        assert_eq!(pattern.search(&ids, open), Ok(Searched::NotText));
        // Text that is not UTF-8 is text.
        assert!(matches!(search(&pattern, b"\xff\xfeneedle\xff", 100), Searched::Found(_)));
        assert_eq!(TextPattern::new("", false).unwrap_err(), BadText::Empty);
    }
}
