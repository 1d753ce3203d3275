//! Rabin fingerprints as restic's chunker, and so SiYuan's, cuts by them.
//!
//! Bytes are read as a polynomial over GF(2); the fingerprint is its remainder modulo a fixed
//! irreducible polynomial. A chunk ends behind the first byte, at [`MIN`] bytes or later, at which
//! the fingerprint of the last [`WINDOW`] bytes ends in 20 zero bits, and at [`MAX`] bytes at the
//! latest. Those 64 bytes alone decide, so the search starts 64 bytes before the minimum, and
//! several stretches of a chunk can be searched side by side.

use super::super::MAX_CHUNK;

/// Smallest chunk, bytes (format page, Chunking).
pub const MIN: usize = 512 << 10;
/// Largest chunk, bytes (format page, Chunking).
pub const MAX: usize = 8 << 20;
/// Bytes that decide on a cut behind them (format page, Chunking).
const WINDOW: usize = 64;
/// The polynomial: bit n stands for xⁿ (format page, Chunking).
const POLYNOMIAL: u64 = 0x003D_A335_8B4D_C173;
const DEGREE: u32 = POLYNOMIAL.ilog2();
/// The bits that are zero at a cut: 20 of them make 1 MiB the average above the minimum.
const CUT_BITS: u64 = (1 << 20) - 1;

const _: () = assert!(MAX <= MAX_CHUNK);

/// The remainder of a polynomial of degree 63 at most.
const fn modulo(mut value: u64) -> u64 {
    while value >> DEGREE != 0 {
        value ^= POLYNOMIAL << (value.ilog2() - DEGREE);
    }
    value
}

/// For the eight bits that a shift by a byte lifts to the degree and above: what has to be added to
/// clear them and reduce what they stood for.
const REDUCE: [u64; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let lifted = (byte as u64) << DEGREE;
        table[byte] = lifted | modulo(lifted);
        byte += 1;
    }
    table
};

/// What a byte still contributes to the fingerprint when the byte that pushes it out of the window
/// has come in. Adding it then, and not before the shift, keeps it out of the chain of steps in
/// which each has to wait for the last.
const LEAVE: [u64; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut value = byte as u64;
        let mut shifts = 0;
        while shifts < WINDOW {
            value = modulo(value << 8);
            shifts += 1;
        }
        table[byte] = value;
        byte += 1;
    }
    table
};

/// The fingerprint with one more byte at its end. `fingerprint` is below the degree, so eight bits
/// remain when the others are shifted away.
#[inline(always)]
fn append(fingerprint: u64, byte: u8) -> u64 {
    let lifted = (fingerprint >> (DEGREE - 8)) as u8;
    ((fingerprint << 8) | u64::from(byte)) ^ REDUCE[usize::from(lifted)]
}

/// The fingerprint of the window one byte further on.
#[inline(always)]
fn slide(fingerprint: u64, leaving: u8, byte: u8) -> u64 {
    append(fingerprint, byte) ^ LEAVE[usize::from(leaving)]
}

/// The fingerprint of a whole window.
fn fingerprint(window: &[u8]) -> u64 {
    window.iter().fold(0, |fingerprint, byte| append(fingerprint, *byte))
}

const fn is_cut(fingerprint: u64) -> bool {
    fingerprint & CUT_BITS == 0
}

/// Stretches searched side by side. Each step waits some seven cycles for the table; four chains
/// that do not wait for each other keep a core busy (measured: twice as fast as one; six are more
/// than there are registers for).
const LANES: usize = 4;
/// Bytes of a stretch. Long enough that computing a window anew at its start is little beside it,
/// short enough that what is searched behind a cut in vain is too.
const STRETCH: usize = 2 << 10;

/// The search for a chunk's end, see [`super::Search`].
#[derive(Default)]
pub struct Search {
    /// How much of the chunk has been searched; 0 before its minimum is there.
    at: usize,
    /// The fingerprint of the 64 bytes before `at`.
    fingerprint: u64,
}

impl Search {
    pub fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let bytes = &bytes[..bytes.len().min(MAX)];
        if bytes.len() < MIN {
            return None;
        }
        let end = self.search(bytes);
        if end.is_some() {
            *self = Self::default();
        }
        end
    }

    fn search(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.at == 0 {
            self.at = MIN;
            self.fingerprint = fingerprint(&bytes[MIN - WINDOW..MIN]);
            if is_cut(self.fingerprint) {
                return Some(MIN);
            }
        }
        while bytes.len() - self.at >= LANES * STRETCH {
            if let Some(end) = self.search_lanes(bytes) {
                return Some(end);
            }
        }
        let leaving = &bytes[self.at - WINDOW..];
        for (byte, leaving) in bytes[self.at..].iter().zip(leaving) {
            self.fingerprint = slide(self.fingerprint, *leaving, *byte);
            self.at += 1;
            if is_cut(self.fingerprint) {
                return Some(self.at);
            }
        }
        (bytes.len() == MAX).then_some(MAX)
    }

    /// Searches the next [`LANES`] stretches, which must be there.
    fn search_lanes(&mut self, bytes: &[u8]) -> Option<usize> {
        let start = self.at;
        let lane = |n: usize| {
            let from = start + n * STRETCH;
            let stretch: &[u8; STRETCH] =
                bytes[from..][..STRETCH].try_into().expect("a slice of that length");
            let leaving: &[u8; STRETCH] =
                bytes[from - WINDOW..][..STRETCH].try_into().expect("a slice of that length");
            (stretch, leaving)
        };
        let lanes: [_; LANES] = std::array::from_fn(lane);
        let mut fingerprints: [u64; LANES] = std::array::from_fn(|n| match n {
            0 => self.fingerprint,
            _ => fingerprint(&bytes[start + n * STRETCH - WINDOW..][..WINDOW]),
        });
        let mut first = [None; LANES];
        for step in 0..STRETCH {
            for n in 0..LANES {
                let (stretch, leaving) = lanes[n];
                fingerprints[n] = slide(fingerprints[n], leaving[step], stretch[step]);
                if is_cut(fingerprints[n]) {
                    first[n].get_or_insert(start + n * STRETCH + step + 1);
                }
            }
            if first[0].is_some() {
                break;
            }
        }
        self.at = start + LANES * STRETCH;
        self.fingerprint = fingerprints[LANES - 1];
        first.into_iter().flatten().next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Long division, bit by bit: nothing in common with the tables but the definition.
    fn by_division(window: &[u8]) -> u64 {
        let mut remainder = 0;
        for bit in window.iter().flat_map(|byte| (0..8).rev().map(move |n| byte >> n & 1)) {
            remainder = remainder << 1 | u64::from(bit);
            if remainder >> DEGREE & 1 == 1 {
                remainder ^= POLYNOMIAL;
            }
        }
        remainder
    }

    #[test]
    fn the_polynomial_has_degree_53() {
        assert_eq!(DEGREE, 53);
    }

    #[test]
    fn sliding_is_dividing_anew() {
        let bytes: Vec<u8> =
            (0..2_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let mut sliding = fingerprint(&bytes[..WINDOW]);
        assert_eq!(sliding, by_division(&bytes[..WINDOW]));
        for at in WINDOW..bytes.len() {
            sliding = slide(sliding, bytes[at - WINDOW], bytes[at]);
            assert_eq!(sliding, by_division(&bytes[at + 1 - WINDOW..=at]), "at {at}");
        }
    }

    #[test]
    fn lanes_find_what_one_by_one_finds() {
        // A window of zeros is a cut; everything else here is not.
        for cut in [1, 63, 64, STRETCH, STRETCH + 1, 3 * STRETCH - 1, LANES * STRETCH, 100_000] {
            let mut bytes = vec![1; MIN + 200_000];
            bytes[MIN + cut - WINDOW..MIN + cut].fill(0);
            assert!(!is_cut(fingerprint(&[1; WINDOW])));
            assert_eq!(Search::default().end(&bytes), Some(MIN + cut), "{cut}");
        }
    }
}
