//! Many small reads at once. Objects lie on a disk in random order, and one after the other they
//! cost six times as much as sixteen side by side (measured: 33.9 s against 5.8 s for 158,000).

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Reads in flight. More than 16 did not help on a disk, fewer did harm.
pub const IN_FLIGHT: usize = 16;

/// Below this a thread costs more than it saves.
const WORTH_A_THREAD: usize = 4;

/// Applies `f` to every item, on up to [`IN_FLIGHT`] threads, and gives the results in order.
pub fn map<T: Sync, R: Send + Sync>(items: &[T], f: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = IN_FLIGHT.min(items.len() / WORTH_A_THREAD);
    if threads <= 1 {
        return items.iter().map(f).collect();
    }
    let results: Vec<OnceLock<R>> = items.iter().map(|_| OnceLock::new()).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(i) else { break };
                    let set = results[i].set(f(item));
                    debug_assert!(set.is_ok(), "each place is taken once");
                }
            });
        }
    });
    results
        .into_iter()
        .map(|r| r.into_inner().expect("every place was filled before the threads ended"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_and_nothing_is_lost() {
        for n in [0, 1, 7, 100, 5_000] {
            let items: Vec<usize> = (0..n).collect();
            assert_eq!(map(&items, |i| i * 2), items.iter().map(|i| i * 2).collect::<Vec<_>>());
        }
    }
}
