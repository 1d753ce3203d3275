//! The chunk cache: plain chunks, least recently used out first, weighed in bytes.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use lru::LruCache;
use parking_lot::{Condvar, Mutex};

use crate::format::ChunkId;

use super::objects::ObjectError;
use super::slab::{Piece, Slab};

/// A plain chunk, shared by the cache and by whoever is reading it.
pub type Chunk = Arc<Plain>;

/// A chunk's plain bytes.
#[derive(Debug)]
pub enum Plain {
    /// In the cache's memory.
    Piece(Piece),
    /// In memory of their own.
    Own(Vec<u8>),
}

impl Deref for Plain {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Self::Piece(piece) => piece,
            Self::Own(bytes) => bytes,
        }
    }
}

impl From<Vec<u8>> for Plain {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Own(bytes)
    }
}

/// Smaller chunks lie in memory of their own: the allocator packs them well.
const SMALLEST_PIECE: usize = 1 << 10;

/// What an entry costs beside its bytes: two allocations, the list's and the table's share.
const OVERHEAD: usize = 160;

/// This part of the cap is not given to the stretch of memory, which stays taken once it was used: small chunks and
/// what entries cost lie outside of it, and the cap is for all of them.
const OUTSIDE: usize = 20;

/// A byte-weighted LRU with one load per chunk, however many wait for it.
#[derive(Debug)]
pub struct ChunkCache {
    cap: usize,
    state: Mutex<State>,
    /// Made with the first chunk; `None` where there is no such memory to be had.
    slab: OnceLock<Option<Arc<Slab>>>,
}

#[derive(Debug)]
struct State {
    lru: LruCache<ChunkId, Chunk>,
    weight: usize,
    loads: HashMap<ChunkId, Arc<Load>>,
}

/// A load under way. Everybody but its owner waits on it.
#[derive(Debug, Default)]
struct Load {
    done: Mutex<Option<Outcome>>,
    changed: Condvar,
}

#[derive(Debug, Clone)]
enum Outcome {
    Ended(Result<Chunk, Arc<ObjectError>>),
    /// Its thread panicked: whoever waits tries for himself.
    Abandoned,
}

/// Ends a load whatever happens, so that nobody waits for ever.
struct Guard<'a> {
    cache: &'a ChunkCache,
    id: ChunkId,
    load: Arc<Load>,
    outcome: Outcome,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let mut state = self.cache.state.lock();
        state.loads.remove(&self.id);
        let mut gone = Vec::new();
        if let Outcome::Ended(Ok(chunk)) = &self.outcome {
            state.insert(self.id, Arc::clone(chunk), self.cache.cap, &mut gone);
        }
        drop(state);
        // Not before: it takes another lock for each.
        drop(gone);
        *self.load.done.lock() = Some(self.outcome.clone());
        self.load.changed.notify_all();
    }
}

fn weight(chunk: &Chunk) -> usize {
    OVERHEAD
        + match &**chunk {
            Plain::Piece(piece) => piece.weight(),
            Plain::Own(bytes) => bytes.capacity(),
        }
}

impl State {
    /// Puts a chunk in; those that had to go for it come to `gone`.
    fn insert(&mut self, id: ChunkId, chunk: Chunk, cap: usize, gone: &mut Vec<Chunk>) {
        let new = weight(&chunk);
        if new > cap {
            return;
        }
        while self.weight + new > cap {
            let Some(old) = self.pop() else { break };
            gone.push(old);
        }
        self.weight += new;
        if let Some(old) = self.lru.put(id, chunk) {
            self.weight -= weight(&old);
            gone.push(old);
        }
    }

    /// Takes out what was used longest ago.
    fn pop(&mut self) -> Option<Chunk> {
        let (_, old) = self.lru.pop_lru()?;
        self.weight -= weight(&old);
        Some(old)
    }
}

impl ChunkCache {
    /// A cache that never holds more than `cap` bytes. A chunk larger than that is not kept.
    pub fn new(cap: usize) -> Self {
        let state = State { lru: LruCache::unbounded(), weight: 0, loads: HashMap::new() };
        Self { cap, state: Mutex::new(state), slab: OnceLock::new() }
    }

    /// The most it holds, bytes.
    pub fn cap(&self) -> usize {
        self.cap
    }

    /// What it holds now, bytes.
    pub fn weight(&self) -> usize {
        self.state.lock().weight
    }

    /// Whether asking for this chunk would read nothing.
    pub fn has_or_loads(&self, id: ChunkId) -> bool {
        let state = self.state.lock();
        state.lru.contains(&id) || state.loads.contains_key(&id)
    }

    /// The chunk, if it is here.
    pub fn peek(&self, id: ChunkId) -> Option<Chunk> {
        self.state.lock().lru.get(&id).cloned()
    }

    /// Memory for a chunk of `len` bytes that is to be loaded; others go for it. `None` where it lies better,
    /// or has to lie, in memory of its own.
    pub(super) fn memory(&self, len: usize) -> Option<Piece> {
        let stretch = self.cap - self.cap / OUTSIDE;
        if !(SMALLEST_PIECE..=stretch).contains(&len) {
            return None;
        }
        let slab = self.slab.get_or_init(|| Slab::new(stretch)).as_ref()?;
        loop {
            if let Some(piece) = slab.take(len) {
                return Some(piece);
            }
            // What somebody is reading stays until he has done, so this may be no gain yet.
            let old = self.state.lock().pop();
            drop(old?);
        }
    }

    /// The chunk from the cache or from `load`, which runs once however many ask at the same time
    /// and without any lock held. A failed load is not remembered: the next one tries again.
    ///
    /// # Errors
    /// What `load` answered.
    pub fn get_or_load<P: Into<Plain>>(
        &self,
        id: ChunkId,
        load: impl FnOnce() -> Result<P, ObjectError>,
    ) -> Result<Chunk, Arc<ObjectError>> {
        let mut guard = loop {
            let running = {
                let mut state = self.state.lock();
                if let Some(chunk) = state.lru.get(&id) {
                    return Ok(Arc::clone(chunk));
                }
                if let Some(running) = state.loads.get(&id) {
                    Arc::clone(running)
                } else {
                    let load = Arc::new(Load::default());
                    state.loads.insert(id, Arc::clone(&load));
                    break Guard { cache: self, id, load, outcome: Outcome::Abandoned };
                }
            };
            let mut done = running.done.lock();
            while done.is_none() {
                running.changed.wait(&mut done);
            }
            if let Some(Outcome::Ended(result)) = &*done {
                return result.clone();
            }
        };
        let result = load().map(|plain| Arc::new(plain.into())).map_err(Arc::new);
        guard.outcome = Outcome::Ended(result.clone());
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn id(n: usize) -> ChunkId {
        ChunkId::of(&n.to_le_bytes())
    }

    #[test]
    fn it_never_holds_more_than_its_cap_and_forgets_the_oldest() {
        let cache = ChunkCache::new(10 * (1000 + OVERHEAD));
        for n in 0..100 {
            cache.get_or_load(id(n), || Ok(vec![0; 1000])).unwrap();
            assert!(cache.weight() <= cache.cap());
        }
        assert!(cache.peek(id(90)).is_some() && cache.peek(id(89)).is_none());
        cache.get_or_load(id(7), || Ok(vec![0; 1 << 20])).unwrap();
        assert!(cache.peek(id(7)).is_none(), "larger than the cache: not kept");
        assert!(cache.peek(id(95)).is_some(), "and nothing was thrown out for it");
    }

    #[test]
    fn one_load_however_many_wait() {
        let cache = ChunkCache::new(1 << 20);
        let loads = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for n in 0..50 {
                        let chunk = cache.get_or_load(id(n), || {
                            loads.fetch_add(1, Ordering::SeqCst);
                            std::thread::sleep(std::time::Duration::from_millis(1));
                            Ok(vec![n as u8; 10])
                        });
                        assert_eq!(chunk.unwrap()[..], [n as u8; 10]);
                    }
                });
            }
        });
        assert_eq!(loads.load(Ordering::SeqCst), 50);
    }

    /// Chunks of all sizes in the cache's own memory: they are right, whoever still reads them, and what is
    /// held and what is being loaded never comes to more than the cap.
    #[test]
    fn chunks_in_its_own_memory() {
        let cache = ChunkCache::new(256 << 10);
        let cache = &cache;
        let len = |n: usize| 900 + n * 7_919 % 60_000;
        let load = &|n: usize| {
            cache
                .get_or_load(id(n), || {
                    let Some(mut piece) = cache.memory(len(n)) else {
                        return Ok(Plain::Own(vec![n as u8; len(n)]));
                    };
                    piece.bytes_mut().fill(n as u8);
                    Ok(Plain::Piece(piece))
                })
                .unwrap()
        };
        std::thread::scope(|scope| {
            for seed in 0..4 {
                scope.spawn(move || {
                    let mut read = Vec::new();
                    for n in (0..2_000usize).map(|n| (n * 31 + seed * 17) % 97) {
                        read.push((n, load(n)));
                        if read.len() > 3 {
                            read.remove(0);
                        }
                        for (n, chunk) in &read {
                            assert!(chunk.len() == len(*n) && chunk.iter().all(|b| *b == *n as u8));
                        }
                        assert!(cache.weight() <= cache.cap());
                    }
                });
            }
        });
        assert!(cache.weight() > cache.cap() / 2, "it is of use");
        assert!(cache.memory(cache.cap()).is_none(), "larger than all of it");
    }

    #[test]
    fn a_panic_in_a_load_leaves_nobody_waiting() {
        let cache = ChunkCache::new(1 << 20);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = cache.get_or_load::<Vec<u8>>(id(1), || panic!("on purpose"));
        }));
        assert!(panicked.is_err());
        assert_eq!(cache.get_or_load(id(1), || Ok(vec![1])).unwrap()[..], [1]);
    }
}
