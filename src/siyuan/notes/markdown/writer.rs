//! What is written: buffers upon each other, since what lists and quotations hold is indented as a
//! whole when it is complete.

use super::LARGEST;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Writer {
    buffers: Vec<String>,
    /// The last byte that was written, into whichever buffer.
    last: u8,
    /// All that was written is larger than [`LARGEST`]: nothing more is taken.
    full: bool,
    /// Bytes written in all buffers, copies between them included.
    written: usize,
}

impl Writer {
    pub fn new() -> Self {
        Self { buffers: vec![String::new()], last: b'\n', full: false, written: 0 }
    }

    /// The text, or `None` where there was too much of it.
    pub fn finish(mut self) -> Option<String> {
        let text = self.buffers.pop().filter(|_| !self.full)?;
        let text = text.trim_end_matches([' ', '\t', '\n']).trim_start_matches('\n');
        Some(format!("{text}\n"))
    }

    fn top(&mut self) -> &mut String {
        self.buffers.last_mut().expect("the document's buffer stays")
    }

    /// Writes a text.
    pub fn put(&mut self, text: &str) {
        let Some(last) = text.as_bytes().last() else { return };
        self.last = *last;
        self.written += text.len();
        // Copies into outer buffers count too, each level once: what stays is a part of this.
        if self.full || self.written > LARGEST * 4 || self.top().len() + text.len() > LARGEST {
            self.full = true;
            return;
        }
        self.top().push_str(text);
    }

    /// Writes a letter.
    pub fn put_char(&mut self, letter: char) {
        self.put(letter.encode_utf8(&mut [0; 4]));
    }

    /// Begins a new line, unless that has just been done.
    pub fn newline(&mut self) {
        if self.last != b'\n' {
            self.put("\n");
        }
    }

    /// The last byte that was written.
    pub fn last(&self) -> u8 {
        self.last
    }

    /// Whether no more is taken.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Begins a buffer.
    pub fn begin(&mut self) {
        self.buffers.push(String::new());
    }

    /// Ends the last buffer and gives what is in it.
    pub fn end(&mut self) -> String {
        debug_assert!(self.buffers.len() > 1, "only what was begun is ended");
        self.buffers.pop().unwrap_or_default()
    }

    /// Whether the document's own buffer is the last one.
    pub fn at_bottom(&self) -> bool {
        self.buffers.len() == 1
    }

    /// Takes white space off both ends of the last buffer.
    pub fn trim(&mut self) {
        let top = self.top();
        top.truncate(top.trim_end().len());
        let leading = top.len() - top.trim_start().len();
        top.drain(..leading);
    }
}
