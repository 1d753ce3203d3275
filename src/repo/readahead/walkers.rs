//! Read-ahead for those who walk through a folder of small files (`grep -r`, `cp -r`, `tar`): each file
//! is one object at a random place of the disk, and one after the other they wait for it.
//!
//! The catalog numbers the files of a folder in the order of their names, and folders in the order of a walk.
//! So the next file is the next number, as long as that comes true.

use std::ops::Range;

use parking_lot::Mutex;

use crate::repo::catalog::FileNo;

/// Walkers that are told apart.
const WALKERS: usize = 16;

/// Files ahead of a walker at the most.
pub const MAX_WINDOW: usize = 64;

/// A walker may pass over so many files that are in the kernel's cache already, or in another form in
/// an earlier snapshot.
const GAP: u32 = 64;

/// Where reads go on as foreseen, the first one in another folder begins with so many files.
const FIRST_WINDOW: usize = 16;

/// Of so many files one is not handed to the kernel ahead of its reader, so that he is seen to come by.
pub const HANDED: u32 = 16;

/// How often it must have come true for that, beyond four times for each jump.
const TRUST: i32 = 32;

#[derive(Debug, Clone, Copy, Default)]
struct Walker {
    /// The file that was read last, of those in order.
    last: u32,
    /// Files before this one have been asked for.
    fetched: u32,
    /// How many files ahead: doubles with success.
    window: usize,
    /// When it was seen last.
    seen: u64,
}

#[derive(Debug, Default)]
struct State {
    walkers: Vec<Walker>,
    clock: u64,
    /// How well the future was foreseen of late.
    trust: i32,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Walkers(Mutex<State>);

impl Walkers {
    /// Which files to fetch now that `no` has been opened, at most `budget` bytes of them. `sizes`
    /// gives those of the files behind it.
    pub fn ahead_of(
        &self,
        no: FileNo,
        sizes: impl FnOnce() -> Vec<u64>,
        budget: u64,
    ) -> Range<u32> {
        let no = no.0;
        let mut state = self.0.lock();
        state.clock += 1;
        let clock = state.clock;
        let follows = |walker: &Walker| {
            // Answers overtake each other: one a little behind changes nothing.
            no >= walker.last.saturating_sub(MAX_WINDOW as u32)
                && no <= walker.last.max(walker.fetched).saturating_add(GAP)
        };
        let nth = match state.newest(follows) {
            Some(nth) => {
                // What is read from what was handed to the kernel already comes to nobody's eyes.
                let steps = no.saturating_sub(state.walkers[nth].last).clamp(1, HANDED);
                state.trust = (state.trust + steps as i32).min(2 * TRUST);
                nth
            }
            None => {
                state.trust = (state.trust - 4).max(0);
                let trusted = state.trust > TRUST;
                let nth = state.begin(no);
                if !trusted {
                    return 0..0;
                }
                state.walkers[nth].window = FIRST_WINDOW / 2;
                nth
            }
        };
        let walker = &mut state.walkers[nth];
        walker.seen = clock;
        if no < walker.last {
            return 0..0;
        }
        walker.last = no;
        let half = (walker.window / 2) as u32;
        if walker.window > 1 && no.saturating_add(half) < walker.fetched {
            // Still far from the end of what was fetched.
            return 0..0;
        }
        walker.window = (walker.window * 2).clamp(1, MAX_WINDOW);
        let next = no.saturating_add(1);
        let end = next.saturating_add(fitting(sizes(), walker.window, budget));
        let from = walker.fetched.max(next);
        walker.fetched = walker.fetched.max(end);
        from..end.max(from)
    }

    /// Which files to have now that a folder has been listed whose first file is `no`: none, unless somebody
    /// who has read up to it may be the one who listed it.
    pub fn listed(&self, no: FileNo, sizes: impl FnOnce() -> Vec<u64>, budget: u64) -> Range<u32> {
        let no = no.0;
        let mut state = self.0.lock();
        let comes_to = |walker: &Walker| {
            walker.window > 1
                && no >= walker.last.saturating_sub(MAX_WINDOW as u32)
                && no <= walker.last.saturating_add(2 * MAX_WINDOW as u32)
        };
        let Some(nth) = state.newest(comes_to) else { return no..no };
        let walker = &mut state.walkers[nth];
        let end = no.saturating_add(fitting(sizes(), walker.window, budget));
        walker.fetched = walker.fetched.max(end);
        no..end
    }

    /// Whether somebody has read this file or is beyond it.
    pub fn has_passed(&self, no: FileNo) -> bool {
        let state = self.0.lock();
        state
            .walkers
            .iter()
            .any(|walker| walker.last >= no.0 && walker.last - no.0 < MAX_WINDOW as u32)
    }
}

/// How many of these sizes, at most `most`, make no more than `budget` bytes together.
fn fitting(sizes: Vec<u64>, most: usize, budget: u64) -> u32 {
    let mut bytes = 0;
    let fitting = sizes.into_iter().take(most).take_while(|size| {
        bytes += size;
        bytes <= budget
    });
    fitting.count() as u32
}

impl State {
    /// Of the walkers that are such, the one who was seen last.
    fn newest(&self, is_such: impl Fn(&Walker) -> bool) -> Option<usize> {
        let such = (0..self.walkers.len()).filter(|nth| is_such(&self.walkers[*nth]));
        such.max_by_key(|nth| self.walkers[*nth].seen)
    }

    /// Who reads elsewhere takes the place of who has not been seen for longest.
    fn begin(&mut self, no: u32) -> usize {
        let new = Walker { last: no, fetched: no.saturating_add(1), window: 0, seen: self.clock };
        if self.walkers.len() < WALKERS {
            self.walkers.push(new);
            return self.walkers.len() - 1;
        }
        let oldest = (0..WALKERS).min_by_key(|nth| self.walkers[*nth].seen).unwrap_or(0);
        self.walkers[oldest] = new;
        oldest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(walkers: &Walkers, no: u32) -> Range<u32> {
        walkers.ahead_of(FileNo(no), || vec![100; MAX_WINDOW], 1 << 20)
    }

    #[test]
    fn a_walker_is_served_ahead_and_every_file_once() {
        let walkers = Walkers::default();
        let mut fetched = Vec::new();
        for no in 0..1_000 {
            let range = ask(&walkers, no);
            assert!(range.is_empty() || range.start > no);
            assert!(range.end <= no + 1 + MAX_WINDOW as u32);
            fetched.extend(range);
        }
        assert_eq!(fetched[..998], (2..1_000).collect::<Vec<_>>());
    }

    #[test]
    fn several_walkers_do_not_disturb_each_other() {
        let walkers = Walkers::default();
        let mut fetched = [0; 4];
        for step in 0..500 {
            for (nth, count) in fetched.iter_mut().enumerate() {
                *count += ask(&walkers, nth as u32 * 100_000 + step).len();
            }
        }
        assert!(
            fetched.iter().all(|count| (498..=498 + MAX_WINDOW).contains(count)),
            "{fetched:?}"
        );
    }

    #[test]
    fn who_jumps_about_is_left_alone() {
        let walkers = Walkers::default();
        let fetched: usize = (0..2_000u32)
            .map(|n| ask(&walkers, n.wrapping_mul(2_654_435_761) % 1_000_000).len())
            .sum();
        assert!(fetched < 200, "{fetched} files for 2,000 random ones");
    }

    #[test]
    fn the_budget_holds() {
        let walkers = Walkers::default();
        for no in 0..200 {
            let range = walkers.ahead_of(FileNo(no), || vec![1 << 20; MAX_WINDOW], 4 << 20);
            assert!(range.is_empty() || range.end <= no + 1 + 4, "{range:?} at {no}");
        }
    }

    /// A walker who is handed what is ahead of him, so that one file of [`HANDED`] is all that is seen of him,
    /// and who lists each folder of ten files before he reads it.
    #[test]
    fn a_walker_who_is_seldom_seen_is_followed_into_each_folder() {
        let walkers = Walkers::default();
        for no in 0..100 {
            ask(&walkers, no);
        }
        let mut had = std::collections::BTreeSet::new();
        for no in 100..2_000 {
            if no % 10 == 0 {
                let listed = walkers.listed(FileNo(no), || vec![100; MAX_WINDOW], 1 << 20);
                assert!(listed.start == no && listed.len() <= MAX_WINDOW);
                had.extend(listed);
            }
            if no % HANDED == 0 {
                had.extend(ask(&walkers, no));
                assert!(walkers.has_passed(FileNo(no)) && walkers.has_passed(FileNo(no - 5)));
            }
            assert!(!walkers.has_passed(FileNo(no + 1)));
            assert!(had.contains(&no) || no < 110, "{no}");
        }
    }

    #[test]
    fn listing_alone_leads_nowhere() {
        let walkers = Walkers::default();
        let listed = |no| walkers.listed(FileNo(no), || vec![100; MAX_WINDOW], 1 << 20).len();
        assert_eq!((0..1_000).map(listed).sum::<usize>(), 0, "nobody has read anything");
        for no in 0..100 {
            ask(&walkers, no);
        }
        assert!(listed(150) > 0);
        assert_eq!((300..3_000).map(listed).sum::<usize>(), 0, "nobody has come so far");
        assert_eq!(listed(u32::MAX), 0);
    }

    #[test]
    fn the_end_of_all_files() {
        let walkers = Walkers::default();
        for no in 0..10 {
            let left = 9 - no as usize;
            let range = walkers.ahead_of(FileNo(no), || vec![1; left], 1 << 20);
            assert!(range.is_empty() || range.end <= 10);
        }
        for no in [u32::MAX - 1, u32::MAX] {
            assert!(walkers.ahead_of(FileNo(no), Vec::new, 1).is_empty());
        }
    }
}
