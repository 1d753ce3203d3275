//! The names of files that a restore has not finished.

/// The name of the `nth` unfinished file of one run. Hidden and ending in `.tmp`, so that SiYuan's
/// snapshots leave it out.
pub fn temporary_name(run: u32, nth: u64) -> String {
    format!(".revu-{run:08x}-{nth:x}.tmp")
}

/// Whether this is such a name, of whatever run. A file that has it while no restore runs is what a
/// killed one has left.
pub fn is_temporary_name(name: &str) -> bool {
    let is_hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let numbers = name.strip_prefix(".revu-").and_then(|rest| rest.strip_suffix(".tmp"));
    numbers.and_then(|numbers| numbers.split_once('-')).is_some_and(|(run, nth)| {
        run.len() == 8 && is_hex(run) && (1..=16).contains(&nth.len()) && is_hex(nth)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_known_again_and_nothing_else() {
        for (run, nth) in [(0, 0), (u32::MAX, u64::MAX), (0xabc, 1)] {
            assert!(is_temporary_name(&temporary_name(run, nth)));
        }
        for other in [
            ".revu-0000abcd-.tmp",
            ".revu-abcd-1.tmp",
            ".revu-0000ABCD-1.tmp",
            ".revu-0000abcd-1",
            "revu-0000abcd-1.tmp",
            ".revu-0000abcd-10000000000000000.tmp",
            ".revu-0000abcd-1.tmp.txt",
            ".revu-.tmp",
            ".revu-标签标-1.tmp",
            ".revuignore",
        ] {
            assert!(!is_temporary_name(other), "{other}");
        }
    }
}
