//! Signals that ask to leave a mount.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Sender;

use signal_hook::consts::{SIGHUP, SIGINT, SIGPIPE, SIGTERM};
use signal_hook::iterator::Signals;

use super::supervise::Event;

/// From now on the signals that would end the program ask to leave the mount.
///
/// # Errors
/// Where the kernel refuses to say when they come.
pub(super) fn watch(tell: Sender<Event>) -> io::Result<()> {
    // A terminal or a pipe that is gone must not end the program and leave a dead mount.
    signal_hook::flag::register(SIGPIPE, Arc::new(AtomicBool::new(false)))?;
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            log::debug!("signal {signal}");
            if tell.send(Event::Leave).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}
