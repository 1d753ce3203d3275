//! Objects become durable in groups, while the next group is being filled.
//!
//! One thread waits until what a group holds is on the disk, another gives the group before it its names
//! meanwhile: each takes about as long. At a [`Writer::cut`] the first one waits for the second, so whatever is
//! put before it has its final name durably before anything that is put after it has one.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use parking_lot::{Mutex, RwLock};

use crate::format::Cipher;
use crate::repo::spare::Spare;
use crate::store::{Batch, Durable, Store, StoreError};

/// Objects in a group, and bytes: as many as the disk may lose at a power cut without much harm,
/// since the fewer waits the better. Each object costs some 200 bytes of memory meanwhile.
const GROUP_OBJECTS: u64 = 16_384;
const GROUP_BYTES: u64 = 256 << 20;

/// So many bytes of memory for sealing are kept.
const SPARE: usize = 8 << 20;

/// Writes objects from many threads.
pub(super) struct Writer<'a> {
    /// `None` where nothing is to be written.
    target: Option<Target<'a>>,
    objects: AtomicU64,
    bytes: AtomicU64,
    /// Memory for what is sealed.
    spare: Spare,
}

struct Target<'a> {
    store: &'a Store,
    /// Read by those who put, written by who takes it away to be committed.
    filling: RwLock<Filling<'a>>,
    full: SyncSender<Full<'a>>,
    failure: &'a Failure,
}

/// What comes to the thread that waits for the disk.
enum Full<'a> {
    Group(Batch<'a>),
    Cut,
}

/// What comes to the thread that gives names.
enum Nameless<'a> {
    Group(Durable<'a>),
    /// To be answered when all that came before has names.
    Cut(SyncSender<()>),
}

struct Filling<'a> {
    batch: Batch<'a>,
    objects: AtomicU64,
    bytes: AtomicU64,
}

/// The first error of a commit, for whoever puts next.
#[derive(Debug, Default)]
pub(super) struct Failure {
    failed: AtomicBool,
    error: Mutex<Option<StoreError>>,
}

impl Failure {
    fn set(&self, error: StoreError) {
        self.error.lock().get_or_insert(error);
        self.failed.store(true, Ordering::Release);
    }

    fn check(&self) -> Result<(), StoreError> {
        match self.failed.load(Ordering::Acquire) {
            true => Err(self.error.lock().clone().expect("set before the flag")),
            false => Ok(()),
        }
    }
}

/// Calls `work` with a writer into `store`, or one that writes nothing, and returns when all that
/// was put is committed. The names are durable after the next [`Store::sync`]. After an error some of
/// it may be there, each object whole, and nothing is left half-written.
///
/// # Errors
/// What `work` answers, or that something could not be written.
pub(super) fn write_to<R, E: From<StoreError>>(
    store: Option<&Store>,
    work: impl FnOnce(&Writer<'_>) -> Result<R, E>,
) -> Result<R, E> {
    let (objects, bytes) = (AtomicU64::new(0), AtomicU64::new(0));
    let spare = Spare::new(SPARE);
    let Some(store) = store else {
        return work(&Writer { target: None, objects, bytes, spare });
    };
    let failure = Failure::default();
    std::thread::scope(|scope| {
        // One group waits while one is on its way to the disk: whoever fills a third one waits too, so
        // what is neither durable nor written is bounded.
        let (full, groups) = sync_channel(1);
        let (durable, nameless) = sync_channel(1);
        let waiter = scope.spawn(|| make_durable(groups, durable, &failure));
        let namer = scope.spawn(|| give_names(nameless, &failure));
        let filling = RwLock::new(Filling::new(store));
        let target = Target { store, filling, full, failure: &failure };
        let writer = Writer { target: Some(target), objects, bytes, spare };
        let done = work(&writer);
        if done.is_ok() {
            writer.cut();
        }
        drop(writer);
        waiter.join().expect("waiting does not panic");
        namer.join().expect("renaming does not panic");
        // An error of the work may be but the echo of one of the writer.
        failure.check()?;
        done
    })
}

/// What comes after a failure is dropped, and its staged bytes with it.
fn make_durable<'a>(
    groups: Receiver<Full<'a>>,
    durable: SyncSender<Nameless<'a>>,
    failure: &Failure,
) {
    let hand_on = |group| durable.send(group).expect("names are given until the end");
    for group in groups {
        match group {
            Full::Group(batch) if failure.check().is_ok() => match batch.durable() {
                Ok(group) => hand_on(Nameless::Group(group)),
                Err(e) => failure.set(e),
            },
            Full::Group(_) => {}
            Full::Cut => {
                let (answer, named) = sync_channel(1);
                hand_on(Nameless::Cut(answer));
                named.recv().expect("each cut is answered");
            }
        }
    }
}

fn give_names(nameless: Receiver<Nameless<'_>>, failure: &Failure) {
    for group in nameless {
        match group {
            Nameless::Group(group) => {
                if failure.check().is_ok()
                    && let Err(e) = group.publish()
                {
                    failure.set(e);
                }
            }
            Nameless::Cut(answer) => answer.send(()).expect("somebody waits for it"),
        }
    }
}

impl<'a> Filling<'a> {
    fn new(store: &'a Store) -> Self {
        Self { batch: store.batch(), objects: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }

    fn is_full(&self) -> bool {
        self.objects.load(Ordering::Relaxed) >= GROUP_OBJECTS
            || self.bytes.load(Ordering::Relaxed) >= GROUP_BYTES
    }
}

impl Writer<'_> {
    /// Seals and writes one object; see [`write_to`] for when it is there.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn seal(&self, cipher: &Cipher, key: String, plain: &[u8]) -> Result<(), StoreError> {
        let mut sealed = self.spare.take();
        cipher.seal_into(plain, &mut sealed);
        let put = self.put(key, &sealed);
        self.spare.give(sealed);
        put
    }

    /// Writes one object; see [`write_to`] for when it is there.
    ///
    /// # Errors
    /// [`StoreError`], also where an earlier one could not be written.
    pub fn put(&self, key: String, bytes: &[u8]) -> Result<(), StoreError> {
        self.objects.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let Some(target) = &self.target else { return Ok(()) };
        target.failure.check()?;
        let is_full = {
            let filling = target.filling.read();
            filling.batch.put(key, bytes)?;
            filling.objects.fetch_add(1, Ordering::Relaxed);
            filling.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            filling.is_full()
        };
        if is_full {
            self.hand_over(|filling| filling.is_full());
        }
        Ok(())
    }

    /// Ends a group, see the module.
    pub fn cut(&self) {
        self.hand_over(|filling| filling.objects.load(Ordering::Relaxed) > 0);
        if let Some(target) = &self.target {
            target.full.send(Full::Cut).expect("groups are taken until the end");
        }
    }

    /// Objects and bytes put so far.
    pub fn totals(&self) -> (u64, u64) {
        (self.objects.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }

    fn hand_over(&self, wanted: impl Fn(&Filling<'_>) -> bool) {
        let Some(target) = &self.target else { return };
        let mut filling = target.filling.write();
        // Another thread may have been faster.
        if wanted(&filling) {
            let full = std::mem::replace(&mut *filling, Filling::new(target.store));
            // Others wait for the lock meanwhile, as they should: see `write_to`.
            target.full.send(Full::Group(full.batch)).expect("groups are taken until the end");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Fault, Faults};

    fn fill(store: &Store, objects: u64) -> Result<(u64, u64), StoreError> {
        write_to(Some(store), |writer| {
            std::thread::scope(|scope| {
                let work = |part: u64| -> Result<(), StoreError> {
                    let mut keys = (part..objects).step_by(3);
                    keys.try_for_each(|n| writer.put(format!("objects/{n}"), b"four"))
                };
                let threads: Vec<_> = (0..3).map(|part| scope.spawn(move || work(part))).collect();
                threads.into_iter().try_for_each(|t| t.join().unwrap())
            })?;
            Ok(writer.totals())
        })
    }

    #[test]
    fn several_groups_are_all_there() {
        let (store, calls) = Store::memory().recorded();
        let objects = GROUP_OBJECTS * 2 + 7;
        assert_eq!(fill(&store, objects).unwrap(), (objects, objects * 4));
        assert_eq!(store.list("objects").unwrap().len() as u64, objects);
        let syncs = calls.take().iter().filter(|c| c.verb == crate::store::Verb::Sync).count();
        assert!((3..=5).contains(&syncs), "{syncs} waits for three groups");
    }

    #[test]
    fn nothing_is_written_where_nothing_should_be() {
        let put = write_to::<_, StoreError>(None, |writer| {
            writer.put("objects/1".into(), b"four")?;
            writer.cut();
            Ok(writer.totals())
        });
        assert_eq!(put.unwrap(), (1, 4));
    }

    #[test]
    fn what_was_put_before_a_cut_is_named_before_what_comes_after() {
        let (store, calls) = Store::memory().recorded();
        write_to::<_, StoreError>(Some(&store), |writer| {
            writer.put("a".into(), b"")?;
            writer.cut();
            writer.put("b".into(), b"")
        })
        .unwrap();
        let calls: Vec<_> =
            calls.take().into_iter().map(|c| format!("{:?} {}", c.verb, c.key)).collect();
        assert_eq!(calls, ["Sync ", "Put a", "Sync ", "Put b"]);
    }

    #[test]
    fn a_failed_commit_is_the_answer_and_leaves_no_half_of_anything() {
        let folder = tempfile::tempdir().unwrap();
        let inner = Store::local(folder.path());
        let objects = GROUP_OBJECTS * 4;
        // The first wait comes after the first group has been staged.
        let store = inner.faulty(&Faults::among_writes(GROUP_OBJECTS + 3, Fault::Errno(libc::EIO)));
        assert!(fill(&store, objects).is_err());
        for staging in std::fs::read_dir(folder.path()).unwrap() {
            let staging = staging.unwrap();
            if staging.file_name() != "objects" {
                assert_eq!(std::fs::read_dir(staging.path()).unwrap().count(), 0);
            }
        }
    }
}
