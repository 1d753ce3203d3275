//! Room for what is being expanded: a few kilobytes may be made to expand to as much as is allowed, and
//! sixteen are read side by side.

use parking_lot::{Condvar, Mutex};

/// So many bytes, shared by all threads.
#[derive(Debug)]
pub struct Room {
    whole: u64,
    left: Mutex<u64>,
    changed: Condvar,
}

impl Room {
    /// Room for so many bytes.
    pub fn new(bytes: u64) -> Self {
        Self { whole: bytes, left: Mutex::new(bytes), changed: Condvar::new() }
    }

    /// Waits until there is room for so many bytes, and gives it back when the result is dropped. What
    /// needs more than there is gets all of it, and so is alone.
    ///
    /// Who holds some must not wait for more.
    pub fn take(&self, bytes: u64) -> Taken<'_> {
        let bytes = bytes.min(self.whole);
        let mut left = self.left.lock();
        while *left < bytes {
            self.changed.wait(&mut left);
        }
        *left -= bytes;
        Taken { room: self, bytes }
    }
}

/// A part of a [`Room`], until it is dropped.
#[derive(Debug)]
pub struct Taken<'a> {
    room: &'a Room,
    bytes: u64,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        *self.room.left.lock() += self.bytes;
        self.room.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn no_more_is_taken_than_there_is_and_all_of_it_comes_back() {
        let room = Room::new(1_000);
        let taken = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for n in 1..9u64 {
                let (room, taken) = (&room, &taken);
                scope.spawn(move || {
                    for i in 0..200 {
                        // Also more than there is.
                        let bytes = n * i % 1_500;
                        let _taken = room.take(bytes);
                        let bytes = bytes.min(1_000);
                        assert!(taken.fetch_add(bytes, Ordering::SeqCst) + bytes <= 1_000);
                        taken.fetch_sub(bytes, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(*room.left.lock(), 1_000);
    }
}
