//! What a list of notes shows of each: read from the head of its file, which SiYuan writes before all
//! text, so that a list costs next to nothing.

use super::json::{NotJson, Reader};
use super::text;

/// What is said of a note before its text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Head {
    /// The note's ID.
    pub id: String,
    /// Its title in one line, decoded; may be empty.
    pub title: String,
    /// When it was changed last, as SiYuan writes it: `20261122011313`, local time.
    pub updated: String,
    /// Kept out of SiYuan's own lists.
    pub hidden: bool,
}

impl Head {
    /// Reads the head of a `.sy` file. The rest of the file is only looked at where an old version
    /// wrote the head behind the text.
    ///
    /// # Errors
    /// [`NotJson`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NotJson> {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(_) => String::from_utf8_lossy(bytes),
        };
        let mut json = Reader::new(&text);
        let mut head = Self::default();
        if !json.object()? {
            return Err(NotJson(0));
        }
        let mut seen = false;
        while let Some(key) = json.key()? {
            match &*key {
                "ID" => head.id = json.maybe_text()?.unwrap_or_default().into_owned(),
                "Properties" if json.object()? => {
                    seen = true;
                    while let Some(name) = json.key()? {
                        let value = json.maybe_text()?.unwrap_or_default();
                        match &*name {
                            "title" => head.title = text::title(&value),
                            "updated" => head.updated = value.into_owned(),
                            "custom-hidden" => head.hidden = value == "true",
                            _ => {}
                        }
                    }
                }
                "Properties" => {}
                _ => json.skip()?,
            }
            if seen && !head.id.is_empty() {
                break;
            }
        }
        Ok(head)
    }

    /// The time of the last change, in milliseconds since 1970, where the note was written in `zone`.
    pub fn updated_ms(&self, zone: &jiff::tz::TimeZone) -> Option<i64> {
        updated_ms(&self.updated, zone)
    }
}

/// Milliseconds since 1970 of a time that SiYuan wrote: 14 digits, local time.
pub fn updated_ms(digits: &str, zone: &jiff::tz::TimeZone) -> Option<i64> {
    if digits.len() != 14 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| digits[range].parse::<i16>().ok();
    let small = |range: std::ops::Range<usize>| digits[range].parse::<i8>().ok();
    let time = jiff::civil::DateTime::new(
        number(0..4)?,
        small(4..6)?,
        small(6..8)?,
        small(8..10)?,
        small(10..12)?,
        small(12..14)?,
        0,
    );
    Some(time.ok()?.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_alone_is_read() {
        let json = r#"{"ID":"20261122011313-ydks3rf","Spec":"2","Properties":{"title":"A &lt;1&gt;",
            "updated":"20261122011313","custom-hidden":"true","n":1},"Children":[{"#;
        let head = Head::parse(json.as_bytes()).unwrap();
        assert_eq!(head.title, "A <1>");
        assert_eq!(head.id, "20261122011313-ydks3rf");
        assert!(head.hidden);
        let zone = jiff::tz::TimeZone::UTC;
        assert_eq!(head.updated_ms(&zone), Some(1_795_309_993_000));
        let late = r#"{"Children":[{"Properties":{"title":"no"}}],"Properties":{"title":"yes"}}"#;
        assert_eq!(Head::parse(late.as_bytes()).unwrap().title, "yes");
        assert!(Head::parse(b"SENC\x01").is_err());
        assert_eq!(Head::parse(b"{}").unwrap(), Head::default());
        for bad in ["", "2026112201131", "20261322011313", "2026112201131x"] {
            assert_eq!(updated_ms(bad, &zone), None, "{bad}");
        }
    }
}
