//! The title of a note of SiYuan, from the head of its file.
//!
//! A `.sy` file is JSON; its root's `Properties.title` stands before `Children`, that is before all
//! text (SiYuan 3.7.3), so the rest need not be parsed, nor be there. Its values are written with
//! HTML entities.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

/// The title of the note that begins with these bytes; `None` where there is none: no note, an
/// encrypted one, one without a title.
pub(super) fn of_note(head: &[u8]) -> Option<String> {
    let found = RefCell::new(None);
    let mut json = serde_json::Deserializer::from_slice(head);
    // It ends in an error on purpose where the title was found, else by itself.
    let _ = Root(&found).deserialize(&mut json);
    found.into_inner().map(|title| decoded(&title))
}

struct Root<'a>(&'a RefCell<Option<String>>);

impl<'de> DeserializeSeed<'de> for Root<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Root<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a note")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == "Properties" {
                map.next_value_seed(Properties(self.0))?;
                return Err(A::Error::custom("the rest does not matter"));
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

struct Properties<'a>(&'a RefCell<Option<String>>);

impl<'de> DeserializeSeed<'de> for Properties<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Properties<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the properties of a note")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == "title" {
                *self.0.borrow_mut() = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// The text that a property's value means.
fn decoded(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find('&') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        match entity(rest) {
            Some((letter, len)) => {
                text.push(letter);
                rest = &rest[len..];
            }
            None => {
                text.push('&');
                rest = &rest[1..];
            }
        }
    }
    text.push_str(rest);
    text.replace("_esc_newline_", "\n")
}

/// The entity at the start of a text and its length: those that escaping makes, and numbers.
fn entity(text: &str) -> Option<(char, usize)> {
    // The longest number is `&#x10FFFF;`; some people write zeros before it.
    let end = text.bytes().take(16).position(|byte| byte == b';')?;
    let letter = match &text[1..end] {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        name => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
    };
    Some((letter, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_title_is_found_in_the_head() {
        let note = r#"{"ID":"20240101000000-abcdefg","Spec":"2","Type":"NodeDocument",
            "Properties":{"id":"x","title":"Größe &lt;1&gt; &amp; 标签","updated":"2"},
            "Children":[{"ID":"y","Properties":{"title":"not this"}}]}"#;
        let title = Some("Größe <1> & 标签".to_owned());
        assert_eq!(of_note(note.as_bytes()), title);
        let cut = note.find("Children").unwrap();
        assert_eq!(of_note(&note.as_bytes()[..cut]), title, "the rest need not be there");
        let moved = r#"{"Children":[{"Properties":{"title":"no"}}],"Properties":{"title":"yes"}}"#;
        assert_eq!(of_note(moved.as_bytes()).as_deref(), Some("yes"));
    }

    #[test]
    fn what_has_no_title_has_none() {
        for none in [
            &b""[..],
            b"SENC\x01\x01\x0c ciphertext",
            b"{}",
            b"[1]",
            br#"{"Properties":{"id":"x"},"title":"no"}"#,
            br#"{"Properties":7}"#,
            br#"{"Properties":{"title":7}}"#,
            br#"{"Properties":{"title":"cut"#,
        ] {
            assert_eq!(of_note(none), None, "{}", String::from_utf8_lossy(none));
        }
        let deep = [b"{\"Children\":".to_vec(), vec![b'['; 1 << 20]].concat();
        assert_eq!(of_note(&deep), None, "and no stack overflows");
    }

    #[test]
    fn entities() {
        assert_eq!(
            decoded("a&b &#39;c&#x27; &unknown; &#; &#xffffff; &"),
            "a&b 'c' &unknown; &#; &#xffffff; &"
        );
        assert_eq!(decoded("one_esc_newline_two"), "one\ntwo");
    }
}
