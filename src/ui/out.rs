//! Standard output. `print!` panics where nobody reads; here that is an error like any other.

use std::io::{self, BufWriter, StdoutLock, Write};

use serde::Serialize;

use super::Look;

/// Standard output does not take what is written: its reader is gone
/// ([`io::ErrorKind::BrokenPipe`]), or its disk is full.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output: {0}")]
pub struct OutError(#[source] pub io::Error);

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
    /// [`OutError`].
    pub fn line(&mut self, text: &str) -> Result<(), OutError> {
        self.bytes(text.as_bytes())?;
        self.bytes(b"\n")
    }

    /// Writes a value as one line of JSON.
    ///
    /// # Errors
    /// As [`Self::line`].
    pub fn json(&mut self, value: &impl Serialize) -> Result<(), OutError> {
        serde_json::to_writer(&mut self.writer, value).map_err(|e| OutError(e.into()))?;
        self.bytes(b"\n")
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    /// As [`Self::line`].
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), OutError> {
        self.writer.write_all(bytes).map_err(OutError)
    }

    /// Writes out what is buffered.
    ///
    /// # Errors
    /// As [`Self::line`].
    pub fn flush(&mut self) -> Result<(), OutError> {
        self.writer.flush().map_err(OutError)
    }
}
