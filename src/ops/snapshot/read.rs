//! One file, from the disk to chunks, as it was at one moment.

use std::fs::File;
use std::io;
use std::time::{Duration, SystemTime};

use rustix::buffer::spare_capacity;
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;

use crate::format::ChunkId;
use crate::format::cut::{Cutter, Cutting};
use crate::ops::Monitor;
use crate::store::{StoreError, passing};

use super::root::{Root, Seen};
use super::state::is_settled;
use super::summary::ProblemKind;
use super::walk::is_gone;

/// How often a file that changes while it is read is read again, as SiYuan does (format page).
const TRIES: u32 = 7;

/// Before the second try; each further one waits as much longer. Whoever writes a file with several
/// calls is done by then.
const PAUSE: Duration = Duration::from_millis(10);

/// Bytes of a large file in one call.
const BUFFER: usize = 1 << 20;

/// What a file holds.
#[derive(Debug)]
pub(super) struct Content {
    /// The state in which it had this content.
    pub seen: Seen,
    /// Whether every later change shows in that state.
    pub settled: bool,
    /// Its chunks in order.
    pub chunks: Vec<ChunkId>,
}

/// A file that could not be read.
#[derive(Debug)]
pub(super) struct Unread {
    pub kind: ProblemKind,
    /// A part of a sentence.
    pub reason: String,
}

/// Why a try to read a file gave nothing.
enum Failed {
    /// The file is at fault.
    File(Unread),
    /// The repository is, or the user has stopped it: there is no use in going on.
    Run(Halt),
}

/// Why nothing more is read.
#[derive(Debug)]
pub(super) enum Halt {
    /// The repository cannot be written.
    Store(StoreError),
    /// The user has stopped it.
    Stopped,
}

impl From<StoreError> for Halt {
    fn from(e: StoreError) -> Self {
        Self::Store(e)
    }
}

impl From<io::Error> for Failed {
    fn from(e: io::Error) -> Self {
        let (kind, reason) = match is_gone(&e) {
            true => (ProblemKind::Vanished, "it vanished before it could be read".to_owned()),
            false => (ProblemKind::Unreadable, format!("it cannot be read: {e}")),
        };
        Self::File(Unread { kind, reason })
    }
}

/// Reads files below a root.
pub(super) struct FileReader<'a> {
    pub root: &'a Root,
    pub cutting: &'a Cutting,
    pub monitor: &'a dyn Monitor,
}

/// Takes the chunks of a file as they are cut.
pub(super) trait Sink {
    /// Takes one.
    fn take(&mut self, id: ChunkId, chunk: Vec<u8>) -> Result<(), Halt>;
}

impl FileReader<'_> {
    /// Reads a file until it has stayed as it was from the beginning to the end. Chunks of tries
    /// that failed may have been given to `sink` as well.
    ///
    /// # Errors
    /// [`Halt`] where nothing more should be read at all.
    pub fn read(&self, path: &str, sink: &mut dyn Sink) -> Result<Result<Content, Unread>, Halt> {
        for again in 0..=TRIES {
            if self.monitor.stopped() {
                return Err(Halt::Stopped);
            }
            if again > 0 {
                std::thread::sleep(PAUSE * again);
            }
            match self.once(path, again == 0, sink) {
                Ok(Some(content)) => return Ok(Ok(content)),
                Ok(None) => {}
                Err(Failed::File(unread)) => return Ok(Err(unread)),
                Err(Failed::Run(halt)) => return Err(halt),
            }
        }
        let reason = format!(
            "it changed while it was read, and each of the {TRIES} times that it was read again"
        );
        Ok(Err(Unread { kind: ProblemKind::KeptChanging, reason }))
    }

    /// One try: `None` where the file has changed meanwhile.
    fn once(
        &self,
        path: &str,
        is_first: bool,
        sink: &mut dyn Sink,
    ) -> Result<Option<Content>, Failed> {
        let now = SystemTime::now();
        let file = self.root.file(path)?;
        let before = fstat(&file).map_err(io::Error::from)?;
        if FileType::from_raw_mode(before.st_mode) != FileType::RegularFile {
            let reason = "it is no regular file any more".to_owned();
            return Err(Failed::File(Unread { kind: ProblemKind::Vanished, reason }));
        }
        let seen = Seen::from(&before);
        let told = |bytes: u64| {
            if is_first {
                self.monitor.advance(bytes);
            }
        };
        let is_same = |file: &File, len: u64| -> Result<bool, Failed> {
            let after = fstat(file).map_err(io::Error::from)?;
            Ok(Seen::from(&after) == seen && len == seen.size)
        };
        let chunks = match usize::try_from(seen.size) {
            Ok(size) if size <= self.cutting.min_size() => {
                let chunk = whole(&file, size)?;
                told(chunk.len() as u64);
                if !is_same(&file, chunk.len() as u64)? {
                    return Ok(None);
                }
                let id = ChunkId::of(&chunk);
                sink.take(id, chunk).map_err(Failed::Run)?;
                vec![id]
            }
            _ => {
                let (chunks, len) = self.cut(&file, seen.size, told, sink)?;
                if !is_same(&file, len)? {
                    return Ok(None);
                }
                chunks
            }
        };
        Ok(Some(Content { seen, settled: is_settled(&seen, now), chunks }))
    }

    /// A file of any size, a buffer at a time; not to its end where it has grown beyond `size`.
    fn cut(
        &self,
        file: &File,
        size: u64,
        told: impl Fn(u64),
        sink: &mut dyn Sink,
    ) -> Result<(Vec<ChunkId>, u64), Failed> {
        let mut cutter = Cutter::new(self.cutting);
        let mut buffer = vec![0; BUFFER];
        let (mut chunks, mut len) = (Vec::new(), 0);
        let mut take = |chunk: Vec<u8>| -> Result<(), Failed> {
            let id = ChunkId::of(&chunk);
            chunks.push(id);
            sink.take(id, chunk).map_err(Failed::Run)
        };
        loop {
            if self.monitor.stopped() {
                return Err(Failed::Run(Halt::Stopped));
            }
            let got = match passing::read_at(file, &mut buffer, len)? {
                0 => break,
                got => got,
            };
            len += got as u64;
            // One that grows as fast as it is read would be read for ever.
            if len > size {
                return Ok((chunks, len));
            }
            told(got as u64);
            let mut input = &buffer[..got];
            while let Some(chunk) = cutter.feed(&mut input) {
                take(chunk)?;
            }
        }
        if let Some(chunk) = cutter.finish() {
            take(chunk)?;
        }
        Ok((chunks, len))
    }
}

/// A file that is one chunk: its bytes, one more than it should have where it has grown.
fn whole(file: &File, size: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(size + 1);
    // A call that was asked for more than the size and gave the size has met the end.
    while bytes.len() < size {
        match rustix::io::read(file, spare_capacity(&mut bytes)) {
            Ok(0) => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(bytes)
}
