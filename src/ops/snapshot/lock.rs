//! Who else may be at work: SiYuan, a purge, another snapshot.

use std::time::{Duration, Instant};

use crate::ops::Monitor;
use crate::store::Store;
use crate::store::lock::{Kind, Lock, LockError, locks};

/// What the lock's file says of us.
const COMMAND: &str = "snapshot";

/// Tried again this long in any case: two who step back for each other should not both give up.
const GRACE: Duration = Duration::from_secs(2);

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(150);

/// A lock against purges and other snapshots. Of two snapshots at a time each could find a second
/// of a file free and give it another content.
pub(super) fn take(
    store: &Store,
    wait: Duration,
    monitor: &dyn Monitor,
) -> Result<Lock, LockError> {
    let stopped = || monitor.stopped();
    let until = Instant::now() + wait.max(GRACE);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let lock = Lock::take(store, Kind::Shared, COMMAND, left, &stopped)?;
        // As locks do: one's own first, then a look. Of two who see each other both step back, and
        // come again at different moments.
        let others = locks(store)?.into_iter();
        let mut others = others.filter(|found| found.alive && found.key != lock.key());
        let Some(by) =
            others.find(|found| found.note.as_ref().is_some_and(|n| n.command == COMMAND))
        else {
            return Ok(lock);
        };
        let key = lock.key().to_owned();
        drop(lock);
        if stopped() || left.is_zero() {
            return Err(LockError::Held { place: store.place(), by: Box::new(by) });
        }
        // The digits of a key are random.
        let uneven = key.bytes().map(u64::from).sum::<u64>() % 100;
        std::thread::sleep(PAUSE + Duration::from_millis(uneven));
    }
}
