//! A bar on standard error for what takes a while: on a terminal alone, and not before half a second,
//! so that quick things stay quiet.

use std::borrow::Cow;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::{Look, text};

/// Nobody waits for a bar that is gone again.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often it is drawn anew.
const STEP: Duration = Duration::from_millis(100);
/// Its length in columns.
const LENGTH: u64 = 24;

/// The bar on the screen, so that other lines can get out of its way. Empty where there is none.
static SHOWN: Mutex<String> = Mutex::new(String::new());

/// Does something to standard error with no bar in its way.
pub(super) fn with_none(write: impl FnOnce()) {
    let shown = SHOWN.lock();
    if !shown.is_empty() {
        erase();
    }
    write();
    if !shown.is_empty() {
        draw(&shown);
    }
}

/// How far something has come. It may be told from many threads, and goes when it is dropped.
#[derive(Debug)]
pub struct Progress {
    what: Cow<'static, str>,
    done: AtomicU64,
    total: u64,
    /// When to draw next; `None` where nothing is to be drawn.
    next: Option<Mutex<Instant>>,
    width: usize,
}

impl Progress {
    /// A bar for `total` things, called `what` (a plural). `wanted`: neither `--quiet` nor `--json`.
    pub fn new(what: impl Into<Cow<'static, str>>, total: usize, look: Look, wanted: bool) -> Self {
        let next = (wanted && look.terminal).then(|| Mutex::new(Instant::now() + PATIENCE));
        let width = look.width.unwrap_or(80);
        let what = what.into();
        Self { what, done: AtomicU64::new(0), total: total as u64, next, width }
    }

    /// One more is done.
    pub fn step(&self) {
        self.step_by(1);
    }

    /// So many more are done.
    pub fn step_by(&self, more: u64) {
        let done = self.done.fetch_add(more, Ordering::Relaxed) + more;
        let Some(next) = &self.next else { return };
        // Whoever draws is enough.
        let Some(mut next) = next.try_lock() else { return };
        let now = Instant::now();
        if now < *next {
            return;
        }
        *next = now + STEP;
        let bar = bar(&self.what, done, self.total);
        let bar = text::cut(&bar, self.width.saturating_sub(1)).into_owned();
        let mut shown = SHOWN.lock();
        erase();
        draw(&bar);
        *shown = bar;
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.next.is_some() {
            let mut shown = SHOWN.lock();
            if !shown.is_empty() {
                erase();
                shown.clear();
            }
        }
    }
}

fn bar(what: &str, done: u64, total: u64) -> String {
    let done = done.min(total);
    let filled = (done * LENGTH).checked_div(total).unwrap_or(LENGTH);
    let (full, empty) = ("█".repeat(filled as usize), "░".repeat((LENGTH - filled) as usize));
    format!("{full}{empty} {done} of {total} {what}")
}

fn draw(bar: &str) {
    // A bar that cannot be drawn is no loss.
    let _ = std::io::stderr().write_all(bar.as_bytes());
}

fn erase() {
    let _ = std::io::stderr().write_all(b"\r\x1b[K");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills() {
        assert_eq!(bar("snapshots", 0, 2), format!("{} 0 of 2 snapshots", "░".repeat(24)));
        assert_eq!(
            bar("snapshots", 1, 2),
            format!("{}{} 1 of 2 snapshots", "█".repeat(12), "░".repeat(12))
        );
        assert_eq!(bar("x", 9, 0), format!("{} 0 of 0 x", "█".repeat(24)));
    }

    #[test]
    fn a_pipe_gets_none() {
        let progress = Progress::new("x", 1, Look::default(), true);
        progress.step();
        assert!(progress.next.is_none());
        let look = Look { terminal: true, ..Look::default() };
        assert!(Progress::new("x", 1, look, false).next.is_none());
    }
}
