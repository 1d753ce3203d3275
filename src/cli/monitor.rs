//! How far a deed has come, for who watches it on a terminal; and Ctrl-C, which ends it where it can
//! end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::ops::{Monitor, Unit};
use crate::ui::Look;
use crate::ui::progress::Progress;

use super::context::Context;

/// See the module's documentation.
#[derive(Debug)]
pub struct Watch {
    look: Look,
    wanted: bool,
    stopped: Arc<AtomicBool>,
    bar: Mutex<Option<Arc<Progress>>>,
}

impl Watch {
    /// Begins to watch. From here on the first Ctrl-C asks the deed to end, and a second one ends the
    /// process at once.
    pub fn new(context: &Context) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // In this order: the first one finds the flag down, and sets it.
            let end = signal_hook::flag::register_conditional_shutdown(
                signal,
                i32::from(super::error::INTERRUPTED),
                Arc::clone(&stopped),
            );
            let ask = signal_hook::flag::register(signal, Arc::clone(&stopped));
            if let Err(error) = end.and(ask) {
                // Then Ctrl-C ends the process as it ends any other, which harms nothing either.
                ::log::debug!("cannot listen to signal {signal}: {error}");
            }
        }
        let wanted = !context.global.quiet && !context.global.json;
        Self { look: context.stderr, wanted, stopped, bar: Mutex::new(None) }
    }

    /// Takes the bar away, before results are printed.
    pub fn done(&self) {
        *self.bar.lock() = None;
    }
}

impl Monitor for Watch {
    fn begin(&self, what: &str, total: Option<u64>, _: Unit) {
        // The old one erases itself before the new one is drawn.
        self.done();
        let total = usize::try_from(total.unwrap_or(0)).unwrap_or(usize::MAX);
        let bar = Progress::new(what.to_owned(), total, self.look, self.wanted);
        *self.bar.lock() = Some(Arc::new(bar));
    }

    fn advance(&self, done: u64) {
        // Not drawn under the lock: whoever only counts must not wait for a terminal.
        let bar = self.bar.lock().clone();
        if let Some(bar) = bar {
            bar.step_by(done);
        }
    }

    fn problem(&self, sentence: &str) {
        ::log::error!("{sentence}");
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}
