//! Standard output. `print!` panics where nobody reads; here that is an error like any other.

use std::io::{self, BufWriter, StdoutLock, Write};

use serde::Serialize;

use super::Look;

/// Standard output, buffered. It carries results and nothing else.
#[derive(Debug)]
pub struct Out {
    writer: BufWriter<StdoutLock<'static>>,
    look: Look,
}

impl Out {
    /// Takes standard output.
    pub fn new(look: Look) -> Self {
        // Large enough that a chunk goes through in few calls.
        Self { writer: BufWriter::with_capacity(64 << 10, io::stdout().lock()), look }
    }

    /// What it can show.
    pub fn look(&self) -> Look {
        self.look
    }

    /// Writes a line.
    ///
    /// # Errors
    /// As the system tells it; [`io::ErrorKind::BrokenPipe`] where nobody reads any more.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        self.writer.write_all(text.as_bytes())?;
        self.writer.write_all(b"\n")
    }

    /// Writes a value as one line of JSON.
    ///
    /// # Errors
    /// As [`Self::line`].
    pub fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.writer, value)?;
        self.writer.write_all(b"\n")
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    /// As [`Self::line`].
    pub fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.write_all(bytes)
    }

    /// Writes out what is buffered.
    ///
    /// # Errors
    /// As [`Self::line`].
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
