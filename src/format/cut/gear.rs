//! FastCDC of 2020: a gear hash that takes in a byte by one shift and one addition, and a mask that
//! is strict up to the average size and lenient behind it.
//!
//! The table and the masks are those of the `fastcdc` crate, version 2020, level 1, so its own
//! iterators cut as this does (tested). The loop is our own because theirs starts over whenever
//! there are more bytes.

use fastcdc::v2020::{self, Normalization};
use serde::{Deserialize, Serialize};

use super::super::MAX_CHUNK;

/// The sizes of FastCDC's chunks, bytes. Every value of this type is one that the algorithm can
/// work with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Sizes", into = "Sizes")]
pub struct FastCdc {
    sizes: Sizes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Sizes {
    min: u32,
    avg: u32,
    max: u32,
}

/// Sizes that FastCDC cannot work with. The text is a part of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "chunk sizes of {min}, {avg} and {max} bytes cannot be used: they must be even, in this order, \
     within 64 bytes to 1 MiB (smallest), 256 bytes to 4 MiB (average) and 1 KiB to 8 MiB (largest)"
)]
pub struct BadFastCdc {
    min: u32,
    avg: u32,
    max: u32,
}

impl FastCdc {
    /// Sizes of 512 KiB, 1 MiB and 8 MiB: those of SiYuan's chunker but for the average, so a
    /// repository cut by them has about as many objects.
    pub const STANDARD: Self =
        Self { sizes: Sizes { min: 512 << 10, avg: 1 << 20, max: MAX_CHUNK as u32 } };

    /// FastCDC with a smallest (but for a file's last), average and largest chunk, bytes.
    ///
    /// # Errors
    /// [`BadFastCdc`] for sizes that are odd, out of order or beyond the crate's limits, and for
    /// chunks that no reader of the format would accept.
    pub fn new(min: u32, avg: u32, max: u32) -> Result<Self, BadFastCdc> {
        let sizes = Sizes { min, avg, max };
        let within = |size: u32, from: usize, to: usize| {
            (from..=to).contains(&(size as usize)) && size.is_multiple_of(2)
        };
        let good = within(min, v2020::MINIMUM_MIN, v2020::MINIMUM_MAX)
            && within(avg, v2020::AVERAGE_MIN, v2020::AVERAGE_MAX)
            && within(max, v2020::MAXIMUM_MIN, MAX_CHUNK)
            && min <= avg
            && avg <= max;
        if good { Ok(Self { sizes }) } else { Err(BadFastCdc { min, avg, max }) }
    }

    /// The smallest chunk but for a file's last, bytes.
    pub const fn min(&self) -> u32 {
        self.sizes.min
    }

    /// The average chunk, bytes, roughly.
    pub const fn avg(&self) -> u32 {
        self.sizes.avg
    }

    /// The largest chunk, bytes.
    pub const fn max(&self) -> u32 {
        self.sizes.max
    }
}

impl Default for FastCdc {
    fn default() -> Self {
        Self::STANDARD
    }
}

impl TryFrom<Sizes> for FastCdc {
    type Error = BadFastCdc;
    fn try_from(sizes: Sizes) -> Result<Self, BadFastCdc> {
        Self::new(sizes.min, sizes.avg, sizes.max)
    }
}

impl From<FastCdc> for Sizes {
    fn from(cutting: FastCdc) -> Self {
        cutting.sizes
    }
}

/// The search for a chunk's end, see [`super::Search`].
pub struct Search {
    min: usize,
    avg: usize,
    max: usize,
    strict: u64,
    lenient: u64,
    gear: Box<[u64; 256]>,
    /// How much of the chunk has been searched; the minimum before it is there.
    at: usize,
    hash: u64,
}

impl Search {
    pub fn new(cutting: &FastCdc) -> Self {
        let Sizes { min, avg, max } = cutting.sizes;
        let (strict, lenient) = v2020::select_masks(avg as usize, Normalization::Level1);
        let (gear, _) = v2020::get_gear_with_seed(0);
        let gear = gear.as_ref().try_into().expect("a gear table has an entry for each byte");
        let gear = Box::new(gear);
        let min = min as usize;
        Self { min, avg: avg as usize, max: max as usize, strict, lenient, gear, at: min, hash: 0 }
    }

    pub fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let bytes = &bytes[..bytes.len().min(self.max)];
        // The algorithm takes bytes in pairs: of an odd number it leaves the last unsearched, and
        // whether it is the file's last is not known before the next comes.
        let known = bytes.len() & !1;
        let end = self
            .search(bytes, known.min(self.avg), self.strict)
            .or_else(|| self.search(bytes, known, self.lenient))
            .or((bytes.len() == self.max).then_some(self.max));
        if end.is_some() {
            (self.at, self.hash) = (self.min, 0);
        }
        end
    }

    /// Searches up to `to`. A cut lies before the byte at which the hash meets the mask.
    fn search(&mut self, bytes: &[u8], to: usize, mask: u64) -> Option<usize> {
        let (at, mut hash) = (self.at, self.hash);
        for (passed, byte) in bytes.get(at..to)?.iter().enumerate() {
            hash = (hash << 1).wrapping_add(self.gear[usize::from(*byte)]);
            if hash & mask == 0 {
                return Some(at + passed);
            }
        }
        (self.at, self.hash) = (to, hash);
        None
    }
}
