//! The chunk cache: plain chunks, least recently used out first, weighed in bytes.

use std::collections::HashMap;
use std::sync::Arc;

use lru::LruCache;
use parking_lot::{Condvar, Mutex};

use crate::format::ChunkId;

use super::objects::ObjectError;

/// A plain chunk, shared by the cache and by whoever is reading it.
pub type Chunk = Arc<Vec<u8>>;

/// What an entry costs beside its bytes: two allocations, the list's and the table's share.
const OVERHEAD: usize = 160;

/// A byte-weighted LRU with one load per chunk, however many wait for it.
#[derive(Debug)]
pub struct ChunkCache {
    cap: usize,
    state: Mutex<State>,
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
        if let Outcome::Ended(Ok(chunk)) = &self.outcome {
            state.insert(self.id, Arc::clone(chunk), self.cache.cap);
        }
        drop(state);
        *self.load.done.lock() = Some(self.outcome.clone());
        self.load.changed.notify_all();
    }
}

fn weight(chunk: &Chunk) -> usize {
    chunk.capacity() + OVERHEAD
}

impl State {
    fn insert(&mut self, id: ChunkId, chunk: Chunk, cap: usize) {
        let new = weight(&chunk);
        if new > cap {
            return;
        }
        while self.weight + new > cap {
            let Some((_, old)) = self.lru.pop_lru() else { break };
            self.weight -= weight(&old);
        }
        self.weight += new;
        if let Some(old) = self.lru.put(id, chunk) {
            self.weight -= weight(&old);
        }
    }
}

impl ChunkCache {
    /// A cache that never holds more than `cap` bytes. A chunk larger than that is not kept.
    pub fn new(cap: usize) -> Self {
        let state = State { lru: LruCache::unbounded(), weight: 0, loads: HashMap::new() };
        Self { cap, state: Mutex::new(state) }
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

    /// The chunk from the cache or from `load`, which runs once however many ask at the same time
    /// and without any lock held. A failed load is not remembered: the next one tries again.
    ///
    /// # Errors
    /// What `load` answered.
    pub fn get_or_load(
        &self,
        id: ChunkId,
        load: impl FnOnce() -> Result<Vec<u8>, ObjectError>,
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
        let result = load().map(Arc::new).map_err(Arc::new);
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
                        assert_eq!(*chunk.unwrap(), vec![n as u8; 10]);
                    }
                });
            }
        });
        assert_eq!(loads.load(Ordering::SeqCst), 50);
    }

    #[test]
    fn a_panic_in_a_load_leaves_nobody_waiting() {
        let cache = ChunkCache::new(1 << 20);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = cache.get_or_load(id(1), || panic!("on purpose"));
        }));
        assert!(panicked.is_err());
        assert_eq!(*cache.get_or_load(id(1), || Ok(vec![1])).unwrap(), vec![1]);
    }
}
