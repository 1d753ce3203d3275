//! The memory of the chunk cache: one stretch, given out in pieces. An allocator keeps free memory for each
//! thread and for each size, which for chunks of all sizes, loaded by many threads, came to twice the
//! cache's cap. This never has more than the cap, and what a chunk has left serves the next one at once.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::ptr::NonNull;
use std::slice;
use std::sync::Arc;

use parking_lot::Mutex;

/// Pieces begin at multiples of this, bytes.
const UNIT: usize = 256;

/// The stretch. Memory that was never given out takes no room: the system gives it with the first touch.
#[derive(Debug)]
pub struct Slab {
    base: NonNull<u8>,
    layout: Layout,
    free: Mutex<Free>,
}

// SAFETY: the stretch belongs to the slab until it is dropped, and is only touched through pieces, of which no
// two overlap.
unsafe impl Send for Slab {}
// SAFETY: as above; the list of what is free is behind a lock.
unsafe impl Sync for Slab {}

impl Slab {
    /// A stretch of `len` bytes, a little less where that is no multiple of 256. `None` where the system does
    /// not give it.
    pub fn new(len: usize) -> Option<Arc<Self>> {
        let units = u32::try_from(len / UNIT).ok().filter(|units| *units > 0)?;
        let layout = Layout::from_size_align(units as usize * UNIT, UNIT).ok()?;
        // SAFETY: the layout is not empty.
        let base = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        let mut free = Free::default();
        free.add(0, units);
        Some(Arc::new(Self { base, layout, free: Mutex::new(free) }))
    }

    /// A piece of `len` bytes, which hold anything; `None` where no free place is large enough.
    pub fn take(self: &Arc<Self>, len: usize) -> Option<Piece> {
        // Each piece has a place of its own, also one of nothing.
        let units = u32::try_from(len.div_ceil(UNIT)).ok()?.max(1);
        let start = self.free.lock().take(units)?;
        Some(Piece { slab: Arc::clone(self), start, units, len })
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout, and no piece is left: each holds the slab.
        unsafe { dealloc(self.base.as_ptr(), self.layout) }
    }
}

/// A part of a slab, for its owner alone; goes back when it is dropped.
#[derive(Debug)]
pub struct Piece {
    slab: Arc<Slab>,
    start: u32,
    units: u32,
    len: usize,
}

impl Piece {
    /// What it takes of the slab, bytes.
    pub fn weight(&self) -> usize {
        self.units as usize * UNIT
    }

    fn place(&self) -> *mut u8 {
        // SAFETY: a piece lies within its slab.
        unsafe { self.slab.base.as_ptr().add(self.start as usize * UNIT) }
    }

    /// The bytes, to be written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: `len` bytes from its place on are this piece's alone, were zeroed when the slab was made, and
        // stay while the piece is borrowed.
        unsafe { slice::from_raw_parts_mut(self.place(), self.len) }
    }
}

impl Deref for Piece {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: as in `bytes_mut`.
        unsafe { slice::from_raw_parts(self.place(), self.len) }
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.slab.free.lock().add(self.start, self.units);
    }
}

/// What is free, in units: stretches that do not touch each other.
#[derive(Debug, Default)]
struct Free {
    /// Lengths by their starts.
    by_start: BTreeMap<u32, u32>,
    /// Lengths and starts, the shortest first.
    by_len: BTreeSet<(u32, u32)>,
}

impl Free {
    /// The start of `units` units that are free no longer: of the smallest stretch that has them, so that
    /// large ones stay large.
    fn take(&mut self, units: u32) -> Option<u32> {
        let (len, start) = *self.by_len.range((units, 0)..).next()?;
        self.remove(start, len);
        if len > units {
            self.insert(start + units, len - units);
        }
        Some(start)
    }

    /// Makes units free; with free neighbours they become one stretch.
    fn add(&mut self, mut start: u32, mut units: u32) {
        if let Some((&before, &len)) = self.by_start.range(..start).next_back()
            && before + len == start
        {
            self.remove(before, len);
            (start, units) = (before, units + len);
        }
        if let Some(&len) = self.by_start.get(&(start + units)) {
            self.remove(start + units, len);
            units += len;
        }
        self.insert(start, units);
    }

    fn insert(&mut self, start: u32, len: u32) {
        self.by_start.insert(start, len);
        self.by_len.insert((len, start));
    }

    fn remove(&mut self, start: u32, len: u32) {
        self.by_start.remove(&start);
        self.by_len.remove(&(len, start));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn free_bytes(slab: &Slab) -> usize {
        slab.free.lock().by_start.values().map(|len| *len as usize * UNIT).sum()
    }

    proptest! {
        /// Pieces come and go; each keeps its own bytes, and at the end all is one stretch again.
        #[test]
        fn pieces_do_not_overlap_and_come_back(
            deeds in proptest::collection::vec((any::<bool>(), prop_oneof![Just(0usize), 0..20_000usize]), 1..300),
        ) {
            let slab = Slab::new(256 << 10).unwrap();
            let mut pieces: Vec<(u8, Piece)> = Vec::new();
            for (nth, (takes, number)) in deeds.into_iter().enumerate() {
                if takes || pieces.is_empty() {
                    let longest = slab.free.lock().by_len.last().map_or(0, |last| last.0);
                    let fits = longest as usize * UNIT >= number.max(1);
                    let piece = slab.take(number);
                    prop_assert_eq!(piece.is_some(), fits);
                    if let Some(mut piece) = piece {
                        prop_assert_eq!(piece.len(), number);
                        piece.bytes_mut().fill(nth as u8);
                        pieces.push((nth as u8, piece));
                    }
                } else {
                    drop(pieces.swap_remove(number % pieces.len()));
                }
                let held: usize = pieces.iter().map(|(_, piece)| piece.weight()).sum();
                prop_assert_eq!(held + free_bytes(&slab), 256 << 10);
            }
            for (byte, piece) in &pieces {
                prop_assert!(piece.iter().all(|found| found == byte));
            }
            drop(pieces);
            let free = slab.free.lock();
            prop_assert_eq!(free.by_start.len(), 1);
            prop_assert_eq!(free.by_len.len(), 1);
        }
    }

    #[test]
    fn what_cannot_be_given_is_not() {
        assert!(Slab::new(0).is_none() && Slab::new(UNIT - 1).is_none());
        assert!(Slab::new(usize::MAX).is_none());
        let slab = Slab::new(10 * UNIT).unwrap();
        assert!(slab.take(10 * UNIT + 1).is_none() && slab.take(usize::MAX).is_none());
        let piece = slab.take(9 * UNIT + 1).unwrap();
        assert!(slab.take(1).is_none());
        drop(piece);
        assert!(slab.take(10 * UNIT).is_some());
    }

    #[test]
    fn threads_share_it() {
        let slab = Slab::new(1 << 20).unwrap();
        std::thread::scope(|scope| {
            for n in 0..8u8 {
                let slab = &slab;
                scope.spawn(move || {
                    for round in 0..500usize {
                        let Some(mut piece) = slab.take(round * 97 % 60_000 + 1) else { continue };
                        piece.bytes_mut().fill(n);
                        assert!(piece.iter().all(|byte| *byte == n));
                    }
                });
            }
        });
        assert_eq!(free_bytes(&slab), 1 << 20);
    }
}
