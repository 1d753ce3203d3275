//! How far what is known of a file may be believed, in four bytes: there is one for each file.

use std::sync::atomic::{AtomicU32, Ordering};

/// How often snapshots have gone since the repository was opened. A File ID does not depend on the content:
/// once nobody needs a file's record any more, the ID may come back with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Losses(u32);

impl Losses {
    /// A number of them. Beyond what fits, each further one counts as the same: a mount that lives so long
    /// would doubt what it knows at each load.
    pub fn new(number: u64) -> Self {
        Self(number.min(u64::from(MOST)) as u32)
    }
}

const MOST: u32 = u32::MAX >> 1;

/// The bit that says that the record itself was read and authenticated; above it, after how many losses
/// what is known was last known to be what the repository has under its ID.
const AUTHENTIC: u32 = 1;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Belief(AtomicU32);

impl Belief {
    /// Of what was read from its authenticated record, or kept of it.
    pub fn authentic(losses: Losses) -> Self {
        Self(AtomicU32::new(losses.0 << 1 | AUTHENTIC))
    }

    /// Of what somebody says who cannot be believed without a look.
    pub fn hinted(losses: Losses) -> Self {
        Self(AtomicU32::new(losses.0 << 1))
    }

    /// The same for what the record has confirmed or corrected now.
    pub fn confirmed(&self) -> Self {
        Self(AtomicU32::new(self.0.load(Ordering::Acquire) | AUTHENTIC))
    }

    pub fn is_authentic(&self) -> bool {
        self.0.load(Ordering::Acquire) & AUTHENTIC != 0
    }

    /// Says that the record has confirmed it.
    pub fn confirm(&self) {
        self.0.fetch_or(AUTHENTIC, Ordering::AcqRel);
    }

    /// Whether snapshots have gone since it was last known to be right.
    pub fn is_before(&self, losses: Losses) -> bool {
        self.0.load(Ordering::Acquire) >> 1 < losses.0
    }

    /// Says that it was looked at after so many losses.
    pub fn renew(&self, losses: Losses) {
        let renewed = |old: u32| Some(losses.0 << 1 | old & AUTHENTIC);
        // It never answers `None`, so this cannot fail.
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, renewed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_halves_do_not_touch_each_other() {
        for (belief, authentic) in
            [(Belief::hinted(Losses::new(3)), false), (Belief::authentic(Losses::new(3)), true)]
        {
            assert_eq!(belief.is_authentic(), authentic);
            assert!(belief.is_before(Losses::new(4)) && !belief.is_before(Losses::new(3)));
            assert!(belief.confirmed().is_authentic());
            belief.renew(Losses::new(5));
            assert_eq!(belief.is_authentic(), authentic);
            assert!(belief.is_before(Losses::new(6)) && !belief.is_before(Losses::new(5)));
            belief.confirm();
            assert!(belief.is_authentic() && !belief.is_before(Losses::new(5)));
        }
    }

    #[test]
    fn too_many_losses_are_doubted_for_ever_at_the_worst() {
        let last = Losses::new(u64::from(MOST));
        assert_eq!(Losses::new(u64::MAX), last);
        assert!(Belief::authentic(Losses::new(7)).is_before(last));
        assert!(!Belief::authentic(last).is_before(last));
    }
}
