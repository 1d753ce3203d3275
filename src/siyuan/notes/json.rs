//! Reads JSON piece by piece: no recursion, so depth costs nothing, and no tree of values, so what is
//! not asked for takes no memory.

use std::borrow::Cow;

/// Text that is no JSON, or other JSON than was asked for; the byte where it was found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not JSON as SiYuan writes it (byte {0})")]
pub struct NotJson(pub usize);

/// See the module's documentation.
#[derive(Debug)]
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
}

/// What kind of value stands next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// `{`
    Object,
    /// `[`
    Array,
    /// `"`
    Text,
    /// A number, `true`, `false` or `null`.
    Plain,
}

type Result<T> = std::result::Result<T, NotJson>;

impl<'a> Reader<'a> {
    /// A reader from the beginning of `text`.
    pub fn new(text: &'a str) -> Self {
        Self { text: text.strip_prefix('\u{feff}').unwrap_or(text), at: 0 }
    }

    fn wrong<T>(&self) -> Result<T> {
        Err(NotJson(self.at))
    }

    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(self.at) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn take(&mut self, wanted: u8) -> Result<()> {
        match self.peek() {
            Some(byte) if byte == wanted => {
                self.at += 1;
                Ok(())
            }
            _ => self.wrong(),
        }
    }

    /// What stands next.
    ///
    /// # Errors
    /// [`NotJson`] where no value can begin.
    pub fn peek_value(&mut self) -> Result<Next> {
        Ok(match self.peek() {
            Some(b'{') => Next::Object,
            Some(b'[') => Next::Array,
            Some(b'"') => Next::Text,
            Some(b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => Next::Plain,
            _ => return self.wrong(),
        })
    }

    /// Enters an object. `false` for any other value, which is then passed over.
    ///
    /// # Errors
    /// [`NotJson`].
    pub fn object(&mut self) -> Result<bool> {
        if self.peek_value()? == Next::Object {
            self.at += 1;
            return Ok(true);
        }
        self.skip()?;
        Ok(false)
    }

    /// Enters an array. `false` for any other value, which is then passed over.
    ///
    /// # Errors
    /// [`NotJson`].
    pub fn array(&mut self) -> Result<bool> {
        if self.peek_value()? == Next::Array {
            self.at += 1;
            return Ok(true);
        }
        self.skip()?;
        Ok(false)
    }

    /// The next key of the object that was entered; its value stands next. `None` at its end.
    ///
    /// # Errors
    /// [`NotJson`].
    pub fn key(&mut self) -> Result<Option<Cow<'a, str>>> {
        match self.peek() {
            Some(b'}') => {
                self.at += 1;
                return Ok(None);
            }
            Some(b',') => self.at += 1,
            _ => {}
        }
        let key = self.text()?;
        self.take(b':')?;
        Ok(Some(key))
    }

    /// Whether the array that was entered has another element, which then stands next.
    ///
    /// # Errors
    /// [`NotJson`].
    pub fn element(&mut self) -> Result<bool> {
        match self.peek() {
            Some(b']') => {
                self.at += 1;
                return Ok(false);
            }
            Some(b',') => self.at += 1,
            _ => {}
        }
        self.peek_value()?;
        Ok(true)
    }

    /// A text. `\u0000` is left out: SiYuan does so before it reads a note.
    ///
    /// # Errors
    /// [`NotJson`].
    pub fn text(&mut self) -> Result<Cow<'a, str>> {
        self.take(b'"')?;
        let start = self.at;
        let end = self.end_of_text()?;
        let raw = &self.text[start..end - 1];
        if !raw.contains('\\') {
            return Ok(Cow::Borrowed(raw));
        }
        let mut text = String::with_capacity(raw.len());
        let mut rest = raw;
        while let Some(at) = rest.find('\\') {
            text.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            // `end_of_text` has seen that something follows each backslash.
            let mut letters = rest.chars();
            let letter = letters.next().unwrap_or('\\');
            rest = letters.as_str();
            match letter {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                'r' => text.push('\r'),
                'b' => text.push('\u{8}'),
                'f' => text.push('\u{c}'),
                'u' => rest = escaped(rest, &mut text).ok_or(NotJson(start))?,
                '"' | '\\' | '/' => text.push(letter),
                _ => return Err(NotJson(start)),
            }
        }
        text.push_str(rest);
        Ok(Cow::Owned(text))
    }

    /// Moves behind the closing quote of the text that was entered.
    fn end_of_text(&mut self) -> Result<usize> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(self.at);
                }
                Some(b'\\') => self.at += 2,
                Some(_) => self.at += 1,
                None => return self.wrong(),
            }
        }
    }

    /// The text that stands next, or `None` for any other value, which is passed over.
    ///
    /// # Errors
    /// [`NotJson`].
    pub fn maybe_text(&mut self) -> Result<Option<Cow<'a, str>>> {
        if self.peek_value()? == Next::Text {
            return self.text().map(Some);
        }
        self.skip()?;
        Ok(None)
    }

    /// The whole number that stands next; 0 for any other value, which is passed over.
    ///
    /// # Errors
    /// [`NotJson`].
    pub fn number(&mut self) -> Result<i64> {
        if self.peek_value()? != Next::Plain {
            self.skip()?;
            return Ok(0);
        }
        Ok(self.plain().parse().unwrap_or(0))
    }

    /// Whether `true` stands next; any other value is passed over.
    ///
    /// # Errors
    /// [`NotJson`].
    pub fn flag(&mut self) -> Result<bool> {
        if self.peek_value()? != Next::Plain {
            self.skip()?;
            return Ok(false);
        }
        Ok(self.plain() == "true")
    }

    fn plain(&mut self) -> &'a str {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let is_part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
        while bytes.get(self.at).is_some_and(is_part) {
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    /// Passes over the value that stands next.
    ///
    /// # Errors
    /// [`NotJson`].
    pub fn skip(&mut self) -> Result<()> {
        let mut depth = 0u64;
        loop {
            match self.peek() {
                Some(b'{' | b'[') => {
                    self.at += 1;
                    depth += 1;
                }
                Some(b'}' | b']') if depth > 0 => {
                    self.at += 1;
                    depth -= 1;
                }
                Some(b'"') => {
                    self.at += 1;
                    self.end_of_text()?;
                }
                Some(b',' | b':') if depth > 0 => {
                    self.at += 1;
                    continue;
                }
                Some(b'-' | b'0'..=b'9' | b'a'..=b'z') => {
                    self.plain();
                }
                _ => return self.wrong(),
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    /// Succeeds where nothing is left.
    ///
    /// # Errors
    /// [`NotJson`].
    pub fn end(&mut self) -> Result<()> {
        if self.peek().is_none() { Ok(()) } else { self.wrong() }
    }
}

/// Adds the letter whose digits `rest` begins with, and gives what is behind it. Half a pair is
/// U+FFFD, as Go reads it.
fn escaped<'a>(rest: &'a str, text: &mut String) -> Option<&'a str> {
    let unit = |text: &str| -> Option<u32> {
        let digits = text.get(..4)?;
        digits
            .bytes()
            .all(|b| b.is_ascii_hexdigit())
            .then(|| u32::from_str_radix(digits, 16).ok())?
    };
    let first = unit(rest)?;
    let rest = &rest[4..];
    if first == 0 {
        return Some(rest);
    }
    if let Some(letter) = char::from_u32(first) {
        text.push(letter);
        return Some(rest);
    }
    let second =
        rest.strip_prefix("\\u").and_then(unit).filter(|low| (0xdc00..0xe000).contains(low));
    match second {
        Some(low) if first < 0xdc00 => {
            let letter = char::from_u32(0x10000 + ((first - 0xd800) << 10) + (low - 0xdc00));
            text.push(letter.unwrap_or(char::REPLACEMENT_CHARACTER));
            Some(&rest[6..])
        }
        _ => {
            text.push(char::REPLACEMENT_CHARACTER);
            Some(rest)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> Result<String> {
        Reader::new(json).text().map(Cow::into_owned)
    }

    #[test]
    fn texts() {
        assert_eq!(text(r#""a\n\"\\\/\u0041""#).unwrap(), "a\n\"\\/A");
        assert_eq!(text(r#""\ud83c\udf54x""#).unwrap(), "🍔x");
        assert_eq!(text(r#""a\u0000b""#).unwrap(), "ab");
        assert_eq!(text(r#""\ud83cx""#).unwrap(), "\u{fffd}x");
        assert_eq!(text(r#""\udf54\ud83c""#).unwrap(), "\u{fffd}\u{fffd}");
        assert_eq!(text(r#""标""#).unwrap(), "标");
        for bad in ["", "\"", "\"\\\"", r#""\u12""#, r#""\u12标""#, r#""\x""#, "a", "\"\\"] {
            assert!(text(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn objects_and_arrays() {
        let mut json = Reader::new(
            "\u{feff} {\"a\": [1, -2, true, null], \"b\":{\"c\":[[{}]]}, \"d\":\"x\"} ",
        );
        assert!(json.object().unwrap());
        assert_eq!(json.key().unwrap().unwrap(), "a");
        assert!(json.array().unwrap());
        let mut numbers = Vec::new();
        while json.element().unwrap() {
            numbers.push(json.number().unwrap());
        }
        assert_eq!(numbers, [1, -2, 0, 0]);
        assert_eq!(json.key().unwrap().unwrap(), "b");
        json.skip().unwrap();
        assert_eq!(json.key().unwrap().unwrap(), "d");
        assert_eq!(json.maybe_text().unwrap().unwrap(), "x");
        assert_eq!(json.key().unwrap(), None);
        json.end().unwrap();
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
        let mut json = Reader::new(&deep);
        json.skip().unwrap();
        json.end().unwrap();
        assert!(Reader::new(&"[".repeat(100)).skip().is_err());
        assert!(Reader::new("]").skip().is_err());
    }
}
