//! Memory that is used again and again, instead of being taken anew for each object, which costs a look for a
//! place, and often clearing.

use parking_lot::Mutex;

/// Pieces of memory that nobody uses now, shared by threads.
#[derive(Debug)]
pub struct Spare {
    most: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    pieces: Vec<Vec<u8>>,
    bytes: usize,
}

impl Spare {
    /// Keeps at most so many bytes: a small piece for each of many threads, or a few large ones.
    pub fn new(most: usize) -> Self {
        Self { most, kept: Mutex::default() }
    }

    /// The piece that was used last, which the processor still has in its cache, or one of nothing. What it
    /// holds is of no use.
    pub fn take(&self) -> Vec<u8> {
        let mut kept = self.kept.lock();
        let piece = kept.pieces.pop().unwrap_or_default();
        kept.bytes -= piece.capacity();
        piece
    }

    /// Takes a piece back, or lets go of it where there would be too much.
    pub fn give(&self, piece: Vec<u8>) {
        let mut kept = self.kept.lock();
        if kept.bytes + piece.capacity() <= self.most {
            kept.bytes += piece.capacity();
            kept.pieces.push(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_keeps_more_than_it_should() {
        let spare = Spare::new(1_000);
        assert_eq!(spare.take().capacity(), 0);
        for len in [400, 500, 200, 100] {
            spare.give(Vec::with_capacity(len));
        }
        let kept: Vec<usize> = (0..4).map(|_| spare.take().capacity()).collect();
        assert_eq!(kept, [100, 500, 400, 0]);
        spare.give(Vec::with_capacity(1_000));
        assert_eq!(spare.take().capacity(), 1_000);
    }
}
