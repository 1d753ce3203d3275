//! Where the program's memory comes from.

use std::alloc::{GlobalAlloc, Layout};
use std::ptr;

use mimalloc::MiMalloc;

/// From so many bytes on memory comes straight from the system, and goes back to it at once.
///
/// mimalloc keeps what was freed, and clears it when it gives it out again for something that has to be
/// zero: the buffers of the threads that answer the kernel, of 16 MiB each, of which they need the first
/// page, were 32 MiB of a mount's memory in that way. Smaller than this are chunks and all that is made of
/// them, for which taking memory anew each time is what costs.
const LARGE: usize = 16 << 20;

/// No page is smaller on any processor that Linux runs on.
const PAGE: usize = 4 << 10;

/// mimalloc, because that of glibc gives the memory of each large chunk back to the system and takes it anew
/// with the next one (docs/performance.md); the system itself for what is very large.
pub struct Allocator;

fn is_large(layout: Layout) -> bool {
    layout.size() >= LARGE && layout.align() <= PAGE
}

/// Zeroed memory straight from the system; null where it gives none.
fn map(size: usize) -> *mut u8 {
    // SAFETY: a new mapping of nothing touches nothing that is there.
    let mapped = unsafe {
        libc::mmap(
            ptr::null_mut(),
            size,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if mapped == libc::MAP_FAILED { ptr::null_mut() } else { mapped.cast() }
}

// SAFETY: both sources keep the contract, and by size and alignment, which the caller gives each time, a block
// goes back to the one that it came from.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match is_large(layout) {
            true => map(layout.size()),
            // SAFETY: the caller keeps the contract.
            false => unsafe { MiMalloc.alloc(layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match is_large(layout) {
            true => map(layout.size()),
            // SAFETY: the caller keeps the contract.
            false => unsafe { MiMalloc.alloc_zeroed(layout) },
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match is_large(layout) {
            // SAFETY: it was mapped with this size, see `is_large`. That it cannot fail then is of no use to
            // an allocator, which has nobody to tell.
            true => unsafe {
                libc::munmap(block.cast(), layout.size());
            },
            // SAFETY: the caller keeps the contract.
            false => unsafe { MiMalloc.dealloc(block, layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller sees to it that the size, rounded up to the alignment, is no overflow.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (is_large(layout), is_large(new)) {
            // SAFETY: the caller keeps the contract.
            (false, false) => unsafe { MiMalloc.realloc(block, layout, size) },
            (true, true) => {
                // SAFETY: it was mapped with this size. Where it moves, nothing is copied.
                let moved = unsafe {
                    libc::mremap(block.cast(), layout.size(), size, libc::MREMAP_MAYMOVE)
                };
                if moved == libc::MAP_FAILED { ptr::null_mut() } else { moved.cast() }
            }
            // SAFETY: both blocks have as many bytes as are copied, and the old one goes where it came from.
            _ => unsafe {
                let other = self.alloc(new);
                if !other.is_null() {
                    ptr::copy_nonoverlapping(block, other, layout.size().min(size));
                    self.dealloc(block, layout);
                }
                other
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test program uses it too: blocks grow and shrink across the bound and keep what they hold.
    #[test]
    fn blocks_keep_what_they_hold() {
        let mut grown: Vec<u32> = Vec::new();
        for n in 0..(5 * LARGE as u32 / 8) {
            grown.push(n);
        }
        assert!(grown.iter().zip(0..).all(|(found, n)| *found == n));
        for len in [grown.len() / 2, LARGE / 4, LARGE / 4 - 1, LARGE / 4 + 1, 1_000, 0] {
            grown.truncate(len);
            grown.shrink_to_fit();
            assert!(grown.iter().zip(0..).all(|(found, n)| *found == n));
        }
        for size in [LARGE - 1, LARGE, LARGE + 4096] {
            let zeroed = vec![0_u8; size];
            assert!(zeroed.iter().all(|byte| *byte == 0));
        }
        let aligned = Layout::from_size_align(LARGE, 2 * PAGE).unwrap();
        // SAFETY: the layout is not empty, and the block goes back with it.
        unsafe {
            let block = Allocator.alloc(aligned);
            assert_eq!(block as usize % (2 * PAGE), 0);
            Allocator.dealloc(block, aligned);
        }
    }
}
