//! What is set for the whole process before anything else. Keys stay in memory while a repository is open:
//! neither a core dump nor another program of the same user gets to read it.

use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};

/// Forbids core dumps, and that other programs of this user look into this one's memory and
/// environment. Mounting as a plain user works nevertheless: what belongs to a process in `/proc`
/// is open to the process itself whoever owns it.
pub fn harden() {
    // Both are a second line of defence: where a sandbox forbids them, the program works as well.
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    let _ = prctl::set_dumpable(false);
}

/// Asks the kernel for small pages alone. The allocator asks for huge ones, of two megabytes each, and
/// keeps memory for every thread: a mount then held twice of what it needs (docs/performance.md).
pub fn small_pages() {
    // It only saves memory: without, the program works as well.
    let _ = prctl::set_thp_disable(true);
}
