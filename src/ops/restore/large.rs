//! Files of several chunks: their chunks are opened out of order, on many threads, and written in order by one
//! of them at a time, without anybody waiting for the disk who could open the next one.

use std::collections::BTreeMap;

use parking_lot::{Condvar, Mutex};

/// How far the chunks of one file are opened ahead of the one that is written next: enough for all
/// cores, and a bound on memory, at most 8 MiB each.
const AHEAD: usize = 8;

/// Where such a file stands; `F` is the file that is being written.
#[derive(Debug)]
pub(super) struct Large<F> {
    state: Mutex<Under<F>>,
    moved: Condvar,
}

#[derive(Debug)]
struct Under<F> {
    /// `None` before the first chunk, and while somebody writes.
    file: Option<F>,
    /// Somebody writes, and goes on as long as there is something to write.
    writing: bool,
    /// The chunk that is written next, or now.
    next: usize,
    ahead: BTreeMap<usize, Vec<u8>>,
    /// It has failed and been named; what is still to come of it is not needed.
    failed: bool,
}

/// How a file is written.
pub(super) trait Output<F, E> {
    /// Makes it.
    fn begin(&self) -> Result<F, E>;
    /// Writes the next chunk.
    fn append(&self, file: &mut F, plain: &[u8]) -> Result<(), E>;
    /// All chunks are written.
    fn end(&self, file: &F) -> Result<(), E>;
    /// Takes away what is there of it.
    fn discard(&self, file: F);
    /// Takes memory back for the next chunk.
    fn recycle(&self, memory: Vec<u8>);
}

impl<F> Default for Large<F> {
    fn default() -> Self {
        let under =
            Under { file: None, writing: false, next: 0, ahead: BTreeMap::new(), failed: false };
        Self { state: Mutex::new(under), moved: Condvar::new() }
    }
}

impl<F> Large<F> {
    /// Waits until a chunk may be opened; `false` where it is not needed any more.
    pub fn wait_for(&self, chunk: usize) -> bool {
        let mut under = self.state.lock();
        // Whoever has the next chunk never waits here, so this ends.
        while !under.failed && chunk >= under.next + AHEAD {
            self.moved.wait(&mut under);
        }
        !under.failed
    }

    /// Takes a chunk of a file of `chunks`, and writes what there is of it in order, unless somebody does.
    /// Gives the file when it is complete.
    ///
    /// # Errors
    /// What `output` answers, or what `plain` is; once for each file, of which nothing is left then.
    pub fn take<E>(
        &self,
        chunk: usize,
        plain: Result<Vec<u8>, E>,
        chunks: usize,
        output: &impl Output<F, E>,
    ) -> Result<Option<F>, E> {
        let mut under = self.state.lock();
        if under.failed {
            return Ok(None);
        }
        match plain {
            Ok(plain) => under.ahead.insert(chunk, plain),
            Err(e) => {
                self.give_up(&mut under, output);
                return Err(e);
            }
        };
        if under.writing {
            return Ok(None);
        }
        while let next = under.next
            && let Some(plain) = under.ahead.remove(&next)
        {
            under.writing = true;
            let file = under.file.take();
            drop(under);
            let written = write(file, &plain, next + 1 == chunks, output);
            output.recycle(plain);
            under = self.state.lock();
            under.writing = false;
            under.next += 1;
            match written {
                // Another's chunk was bad, or all of it ends.
                Ok(file) if under.failed => {
                    output.discard(file);
                    return Ok(None);
                }
                Ok(file) if under.next == chunks => return Ok(Some(file)),
                Ok(file) => under.file = Some(file),
                Err(_) if under.failed => return Ok(None),
                Err(e) => {
                    self.give_up(&mut under, output);
                    return Err(e);
                }
            }
            self.moved.notify_all();
        }
        Ok(None)
    }

    fn give_up<E>(&self, under: &mut Under<F>, output: &impl Output<F, E>) {
        under.failed = true;
        under.ahead.clear();
        if let Some(file) = under.file.take() {
            output.discard(file);
        }
        self.moved.notify_all();
    }

    /// Nothing more of it is needed.
    pub fn end(&self) {
        // Under its lock, so that nobody is between looking and waiting.
        self.state.lock().failed = true;
        self.moved.notify_all();
    }

    /// What was begun and will not be completed.
    pub fn left(&self) -> Option<F> {
        self.state.lock().file.take()
    }
}

/// One chunk into a file, which is made where there is none yet. Nothing is left of it where that fails.
fn write<F, E>(
    file: Option<F>,
    plain: &[u8],
    is_last: bool,
    output: &impl Output<F, E>,
) -> Result<F, E> {
    let mut file = match file {
        Some(file) => file,
        None => output.begin()?,
    };
    let mut done = output.append(&mut file, plain);
    if done.is_ok() && is_last {
        done = output.end(&file);
    }
    match done {
        Ok(()) => Ok(file),
        Err(e) => {
            output.discard(file);
            Err(e)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Writes to memory; refuses the chunk that begins with `refused`.
    #[derive(Default)]
    struct Memory {
        refused: Option<u8>,
        begun: AtomicUsize,
        discarded: AtomicUsize,
        appending: AtomicUsize,
    }

    impl Output<Vec<u8>, String> for Memory {
        fn begin(&self) -> Result<Vec<u8>, String> {
            self.begun.fetch_add(1, Ordering::SeqCst);
            Ok(Vec::new())
        }
        fn append(&self, file: &mut Vec<u8>, plain: &[u8]) -> Result<(), String> {
            assert_eq!(self.appending.fetch_add(1, Ordering::SeqCst), 0, "one at a time");
            std::thread::yield_now();
            file.extend_from_slice(plain);
            self.appending.fetch_sub(1, Ordering::SeqCst);
            match plain.first() == self.refused.as_ref() {
                true => Err("refused".to_owned()),
                false => Ok(()),
            }
        }
        fn end(&self, file: &Vec<u8>) -> Result<(), String> {
            assert!(!file.is_empty());
            Ok(())
        }
        fn discard(&self, _: Vec<u8>) {
            self.discarded.fetch_add(1, Ordering::SeqCst);
        }
        fn recycle(&self, _: Vec<u8>) {}
    }

    /// All chunks of a file by eight threads; what came of it: files, and errors.
    fn run(target: &Memory, chunks: usize, bad: Option<usize>) -> (Vec<Vec<u8>>, Vec<String>) {
        let (large, next) = (&Large::default(), &AtomicUsize::new(0));
        let done: Vec<_> = std::thread::scope(|scope| {
            let work = move || {
                let mut done = Vec::new();
                loop {
                    let chunk = next.fetch_add(1, Ordering::SeqCst);
                    if chunk >= chunks {
                        return done;
                    }
                    if !large.wait_for(chunk) {
                        continue;
                    }
                    let plain = match bad == Some(chunk) {
                        true => Err("bad".to_owned()),
                        false => Ok(vec![chunk as u8; 3]),
                    };
                    done.push(large.take(chunk, plain, chunks, target));
                }
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(work)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert!(large.left().is_none(), "complete or given up");
        let errors = done.iter().filter_map(|d| d.as_ref().err().cloned()).collect();
        (done.into_iter().filter_map(|d| d.ok().flatten()).collect(), errors)
    }

    #[test]
    fn chunks_come_in_order_whoever_has_them() {
        for chunks in [2, 7, 250] {
            let target = Memory::default();
            let (files, errors) = run(&target, chunks, None);
            let all: Vec<u8> = (0..chunks).flat_map(|chunk| [chunk as u8; 3]).collect();
            assert_eq!((files, errors), (vec![all], vec![]));
            assert_eq!(target.begun.into_inner(), 1);
        }
    }

    #[test]
    fn a_failure_is_told_once_and_nothing_is_left() {
        for at in [0, 1, 57, 199] {
            let target = Memory::default();
            assert_eq!(run(&target, 200, Some(at)), (vec![], vec!["bad".to_owned()]));
            assert_eq!(target.begun.into_inner(), target.discarded.into_inner(), "{at}");
            let target = Memory { refused: Some(at as u8), ..Memory::default() };
            assert_eq!(run(&target, 200, None), (vec![], vec!["refused".to_owned()]));
            assert_eq!(target.begun.into_inner(), target.discarded.into_inner(), "{at}");
        }
    }

    #[test]
    fn nobody_waits_for_a_file_that_is_not_needed_any_more() {
        let large = &Large::<Vec<u8>>::default();
        std::thread::scope(|scope| {
            let waits = scope.spawn(move || large.wait_for(AHEAD));
            large.end();
            assert!(!waits.join().unwrap());
        });
        let done = large.take(0, Ok(vec![1]), 2, &Memory::default());
        assert_eq!(done, Ok(None));
    }
}
