//! What is set for the whole process before anything else. Keys stay in memory while a repository is open:
//! neither a core dump nor another program of the same user gets to read it.

use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};

/// Forbids core dumps, and that other programs of this user look into this one's memory and
/// environment. Mounting as a plain user works nevertheless: what belongs to a process in `/proc`
/// is open to the process itself whoever owns it.
pub fn harden() {
    // All of it is of use and not needed: where a sandbox forbids it, the program works as well.
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    let _ = prctl::set_dumpable(false);
    // The allocator asks the kernel for huge pages, of two megabytes each, for each thread by itself: a restore
    // had twice the memory that it needs, and was no faster (docs/performance.md).
    let _ = prctl::set_thp_disable(true);
}

/// Keeps a mount small. The allocator keeps what was freed for a while, for each thread by itself, and a mount
/// would hold twice of what it needs, for days (docs/performance.md). Chunks, for which that would cost time, lie
/// in memory of their own.
pub fn hold_little_memory() {
    // SAFETY: it sets a number of the allocator's, also where that allocator is not in use.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, 0) };
}

/// After how many milliseconds what was freed goes back to the system: mimalloc's option `purge_delay`, for
/// which the crate has no name.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

#[cfg(test)]
mod tests {
    /// Another number of the option in another version would be another option.
    #[test]
    fn the_option_is_the_one_that_is_meant() {
        // SAFETY: it reads a number.
        let usual = unsafe { libmimalloc_sys::mi_option_get(super::PURGE_DELAY) };
        assert_eq!(usual, 1_000, "mimalloc's own delay");
    }
}
