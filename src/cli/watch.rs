//! Watches a deed for the user: bars, problems on standard error, Ctrl-C.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::ops::{Monitor, Unit};
use crate::ui::progress::Progress;

use super::context::Context;
use super::error::{FAILED, Failure, INTERRUPTED, failure};

/// Shows a deed's progress and problems, and passes on the wish to stop.
#[derive(Debug)]
pub struct Watch {
    look: crate::ui::Look,
    wanted: bool,
    bar: Mutex<Option<Arc<Progress>>>,
    problems: AtomicU64,
    stop: Arc<AtomicBool>,
}

impl Watch {
    /// Begins to watch. From now on the first Ctrl-C asks the deed to stop, and the second one ends
    /// the program.
    ///
    /// # Errors
    /// Where signals cannot be listened to.
    pub fn new(context: &Context) -> Result<Self, Failure> {
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            let exit = i32::from(INTERRUPTED);
            // In this order: a signal that finds the flag set by the one before ends the program.
            signal_hook::flag::register_conditional_shutdown(signal, exit, Arc::clone(&stop))
                .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
                .map_err(|error| Failure::new("signals", FAILED, &error))?;
        }
        Ok(Self {
            look: context.stderr,
            wanted: !context.global.quiet && !context.global.json,
            bar: Mutex::new(None),
            problems: AtomicU64::new(0),
            stop,
        })
    }

    /// How many problems were told.
    pub fn problems(&self) -> u64 {
        self.problems.load(Ordering::Relaxed)
    }

    /// Takes the bar away, before results are printed.
    pub fn clear(&self) {
        *self.bar.lock() = None;
    }

    /// The failure for a deed that stopped because the user wanted it to.
    pub fn interrupted() -> Failure {
        failure(
            "interrupted",
            INTERRUPTED,
            "interrupted: what was found so far is not all there is",
        )
    }
}

impl Monitor for Watch {
    fn begin(&self, what: &str, total: Option<u64>, unit: Unit) {
        let Some(total) = total else { return self.clear() };
        let what = what.to_owned();
        let bar = match unit {
            Unit::Bytes => Progress::of_bytes(what, total, self.look, self.wanted),
            Unit::Items => {
                let total = usize::try_from(total).unwrap_or(usize::MAX);
                Progress::new(what, total, self.look, self.wanted)
            }
        };
        // The old bar goes before the new one comes.
        self.clear();
        *self.bar.lock() = Some(Arc::new(bar));
    }

    fn advance(&self, done: u64) {
        if !self.wanted {
            return;
        }
        let bar = self.bar.lock().clone();
        if let Some(bar) = bar {
            bar.advance(done);
        }
    }

    fn problem(&self, sentence: &str) {
        self.problems.fetch_add(1, Ordering::Relaxed);
        ::log::error!("{sentence}");
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
