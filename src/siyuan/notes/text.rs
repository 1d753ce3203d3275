//! How texts are stored in notes, and back.

use std::borrow::Cow;
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Zero width space: SiYuan puts it where an editor needs a place for the caret.
pub const ZWSP: char = '\u{200b}';
/// Zero width joiner: what stands in an empty paragraph, and before what looks like a fence in code.
pub const ZWJ: char = '\u{200d}';

/// Resolves HTML's character references.
pub fn decode(text: &str) -> Cow<'_, str> {
    if text.contains('&') { htmlize::unescape(text) } else { Cow::Borrowed(text) }
}

/// The value of a property: newlines are stored as a word, all else with HTML's references.
pub fn property(value: &str) -> Cow<'_, str> {
    if value.contains("_esc_newline_") {
        return Cow::Owned(decode(&value.replace("_esc_newline_", "\n")).into_owned());
    }
    decode(value)
}

/// As SiYuan stores the text of marks.
pub fn encode(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The text that a base64 value stands for; nothing for one that is damaged.
pub fn base64(value: &str) -> String {
    match STANDARD.decode(value) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => String::new(),
    }
}

/// A title, or another one-line value, as it is shown: decoded, in one line, without the letters that
/// nobody sees.
pub fn title(value: &str) -> String {
    property(value).replace(ZWSP, "")
}

/// Whether a letter is punctuation or a symbol (Unicode classes P and S).
pub fn is_punctuation(letter: char) -> bool {
    static RANGES: OnceLock<Vec<(char, char)>> = OnceLock::new();
    if letter.is_ascii() {
        return letter.is_ascii_punctuation();
    }
    let ranges = RANGES.get_or_init(|| {
        let parsed = regex_syntax::parse(r"[\p{P}\p{S}]").map(regex_syntax::hir::Hir::into_kind);
        match parsed {
            Ok(regex_syntax::hir::HirKind::Class(regex_syntax::hir::Class::Unicode(class))) => {
                class.ranges().iter().map(|range| (range.start(), range.end())).collect()
            }
            _ => unreachable!("a class of letters is a class of letters"),
        }
    });
    let at = ranges.partition_point(|(_, end)| *end < letter);
    ranges.get(at).is_some_and(|(start, _)| *start <= letter)
}

/// Whether the text is the ID of a block: 14 digits, `-`, 7 of `a-z0-9`.
pub fn is_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 22
        && bytes[..14].iter().all(u8::is_ascii_digit)
        && bytes[14] == b'-'
        && bytes[15..].iter().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_texts() {
        assert_eq!(decode("a &lt;b&gt; &amp;amp; &nbsp;&#124;"), "a <b> &amp; \u{a0}|");
        assert_eq!(property("a_esc_newline_b &quot;"), "a\nb \"");
        assert_eq!(base64("cnVzdA=="), "rust");
        assert_eq!(base64("%"), "");
        assert_eq!(decode(&encode("<&\">")), "<&\">");
        assert_eq!(title("a\u{200b}b&lt;"), "ab<");
    }

    #[test]
    fn letters() {
        for yes in ['!', '+', '`', '。', '「', '★', '€', '😀'] {
            assert!(is_punctuation(yes), "{yes}");
        }
        for no in ['a', '1', ' ', '标', 'é', '\u{200b}'] {
            assert!(!is_punctuation(no), "{no}");
        }
        assert!(is_id("20261122011313-ydks3rf"));
        for no in ["", "20261122011313-ydks3r", "20261122011313-YDKS3RF", "2026112201131x-ydks3rf"]
        {
            assert!(!is_id(no));
        }
    }
}
