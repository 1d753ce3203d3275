//! Keys stay in memory while a repository is open: neither a core dump nor another program of the
//! same user gets to read it.

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
