//! From the moment that a mount is up until it is left: waits, and leaves it when asked to.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use super::busy;
use super::session::Mounted;
use super::table;
use super::umount::{self, Detach};

/// How often a busy mount is tried again.
const RETRY: Duration = Duration::from_millis(250);

/// At which try it is said that it is busy. Not at the first: desktops, `df` and `revu mounts` look at
/// every mount now and then, each for less than a blink.
const TOLD_AT: u32 = 2;

/// What a mount's life brings.
#[derive(Debug)]
pub(super) enum Event {
    /// The threads that answer have ended: it is unmounted, or has failed.
    Ended(io::Result<()>),
    /// Somebody asks to leave it.
    Leave,
}

/// Asks a running mount to be left, from any thread, as a signal would: the first call unmounts, or
/// waits for those who use it; the second leaves at once.
#[derive(Debug, Clone)]
pub struct Unmounter(pub(super) Sender<Event>);

impl Unmounter {
    /// Asks.
    pub fn unmount(&self) {
        // If nobody listens, it is unmounted already.
        let _ = self.0.send(Event::Leave);
    }
}

/// Waits until the mount is left. Asked once, it is unmounted, or those who keep it busy are named and
/// waited for; asked twice, it is taken out of the tree at once.
///
/// # Errors
/// That of the threads that answer, if they failed.
pub(super) fn supervise(mounted: &Mounted, events: &Receiver<Event>) -> io::Result<()> {
    let mut asked = 0u32;
    let mut tries = 0u32;
    loop {
        let event = match asked {
            0 => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
            _ => events.recv_timeout(RETRY),
        };
        match event {
            Ok(Event::Leave) => asked += 1,
            Ok(Event::Ended(Ok(()))) => return Ok(()),
            Ok(Event::Ended(Err(error))) => {
                // Nobody answers any more: better no mount than one that hangs.
                let _ = mounted.detach(true);
                return Err(error);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(io::Error::other("the threads that answer are gone"));
            }
        }
        if asked > 1 {
            match mounted.detach(true) {
                Ok(()) | Err(Detach::NotThere) => return Ok(()),
                Err(why) => return Err(io::Error::other(explain(why))),
            }
        }
        if asked == 1 {
            match mounted.detach(false) {
                // The threads notice, and tell.
                Ok(()) => {}
                Err(why) => {
                    tries += 1;
                    if tries == TOLD_AT {
                        say(mounted, why);
                    }
                }
            }
        }
    }
}

fn say(mounted: &Mounted, why: Detach) {
    let point = mounted.point.display();
    let table = table::read().unwrap_or_default();
    match (why, mounted.line(&table)) {
        // The last request may just be on its way out.
        (Detach::NotThere, _) => log::debug!("{point} is no longer in the tree"),
        (Detach::Busy, Some(line)) => log::warn!(
            "{point} is in use by {}: waiting for that to end; a second signal leaves it at once",
            umount::name(&busy::holders(&table, line))
        ),
        (Detach::Busy, None) => log::warn!(
            "another file system is mounted over {point}: waiting for that to go; \
             a second signal ends this at once"
        ),
        (why, _) => log::warn!("{point} cannot be unmounted yet: {}", explain(why)),
    }
}

fn explain(why: Detach) -> String {
    match why {
        Detach::Busy => "it is in use".to_owned(),
        Detach::NotThere => "it is not mounted".to_owned(),
        Detach::NoHelper => "fusermount3 is missing".to_owned(),
        Detach::Refused(why) => why,
    }
}
