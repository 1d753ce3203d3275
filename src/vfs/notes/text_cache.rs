//! Rendered texts, least recently used out first, weighed in bytes.

use std::sync::Arc;

use lru::LruCache;
use parking_lot::Mutex;

/// What an entry costs beside its bytes.
const OVERHEAD: usize = 160;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct TextCache {
    cap: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    lru: LruCache<u64, Arc<[u8]>>,
    weight: usize,
}

impl TextCache {
    pub fn new(cap: usize) -> Self {
        Self { cap, state: Mutex::new(State { lru: LruCache::unbounded(), weight: 0 }) }
    }

    pub fn get(&self, key: u64) -> Option<Arc<[u8]>> {
        self.state.lock().lru.get(&key).cloned()
    }

    /// Keeps a text. One that is larger than the whole cache is kept alone, so that reading it piece by
    /// piece does not make it anew for each.
    pub fn put(&self, key: u64, text: Arc<[u8]>) {
        let mut state = self.state.lock();
        state.weight += text.len() + OVERHEAD;
        if let Some(old) = state.lru.put(key, text) {
            state.weight -= old.len() + OVERHEAD;
        }
        while state.weight > self.cap && state.lru.len() > 1 {
            let Some((_, old)) = state.lru.pop_lru() else { break };
            state.weight -= old.len() + OVERHEAD;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_within_its_bytes() {
        let cache = TextCache::new(1_000);
        for key in 0..10 {
            cache.put(key, vec![0; 200].into());
        }
        let kept: Vec<u64> = (0..10).filter(|key| cache.get(*key).is_some()).collect();
        assert_eq!(kept, [8, 9], "360 bytes each");
        cache.put(9, vec![1; 5_000].into());
        assert_eq!(cache.get(9).unwrap().len(), 5_000);
        assert!(cache.get(8).is_none());
    }
}
