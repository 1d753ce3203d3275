//! Reading an expression from left to right.

/// A place in an expression.
pub struct Cursor<'a> {
    text: &'a str,
    at: usize,
    /// Where the last `:]` stands, so that looking for one costs nothing.
    class_end: Option<usize>,
}

impl<'a> Cursor<'a> {
    /// The start of an expression.
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0, class_end: text.rfind(":]") }
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// How many bytes have not been read.
    pub fn len(&self) -> usize {
        self.text.len() - self.at
    }

    /// Whether `text` comes next.
    pub fn starts_with(&self, text: &str) -> bool {
        self.rest().starts_with(text)
    }

    /// Whether a `:]` stands behind the two characters `[:` that come next.
    pub fn contains_class_end(&self) -> bool {
        self.class_end.is_some_and(|end| end >= self.at + 2)
    }

    /// Reads `text` if it comes next.
    pub fn eat(&mut self, text: &str) -> bool {
        let comes = self.starts_with(text);
        self.at += if comes { text.len() } else { 0 };
        comes
    }

    /// Reads a character.
    pub fn next(&mut self) -> Option<char> {
        self.next_if(|_| true)
    }

    /// Reads the next character if it is one of these.
    pub fn next_if(&mut self, is: impl Fn(char) -> bool) -> Option<char> {
        let next = self.rest().chars().next().filter(|next| is(*next))?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Reads up to `end` and over it, and gives what stands before it.
    pub fn until(&mut self, end: &str) -> Option<&'a str> {
        let (before, _) = self.rest().split_once(end)?;
        self.at += before.len() + end.len();
        Some(before)
    }

    /// Reads a number without leading zeros; one of eight digits or more is as good as the
    /// largest.
    pub fn number(&mut self) -> Option<u32> {
        let rest = self.rest();
        let digits = &rest[..rest.bytes().take_while(u8::is_ascii_digit).count()];
        if digits.is_empty() || digits.len() > 1 && digits.starts_with('0') {
            return None;
        }
        self.at += digits.len();
        Some(if digits.len() < 8 { digits.parse().expect("seven digits fit") } else { u32::MAX })
    }

    /// Reads all that is left.
    pub fn take_rest(&mut self) -> &'a str {
        let rest = self.rest();
        self.at = self.text.len();
        rest
    }

    /// Reads what `read` reads, or nothing if it fails.
    pub fn attempt<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let start = self.at;
        let result = read(self);
        if result.is_none() {
            self.at = start;
        }
        result
    }
}
