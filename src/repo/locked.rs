//! Keeping what a key is made into out of swap.

/// Asks the system to leave a value in memory for as long as it is there. A second line of defence: where
/// a limit forbids it (`ulimit -l`), the program works as well.
pub(super) fn keep_in_memory<T>(value: &T) {
    let at = std::ptr::from_ref(value).cast();
    // SAFETY: the range is that of one value, which is there; nothing of it is read or changed.
    if unsafe { libc::mlock(at, size_of::<T>()) } != 0 {
        log::debug!("the key may be swapped: {}", std::io::Error::last_os_error());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_locked_where_that_is_allowed() {
        let locked = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap();
            line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
        };
        let most = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_MEMLOCK);
        let value = Box::new([7u8; 64]);
        keep_in_memory(&*value);
        assert!(locked() > 0 || most.unwrap().0 < 1 << 16);
        assert_eq!(*value, [7; 64]);
    }
}
