//! Many keys, one wait: an object never has its final name before its bytes are safe, and thousands
//! share the wait for that.

use parking_lot::Mutex;

use super::backend::Staged;
use super::{Store, StoreError};

/// Keys that are written but not there yet. Dropping it forgets them. Share it between threads.
#[derive(Debug)]
pub struct Batch<'a> {
    pub(super) store: &'a Store,
    pub(super) staged: Mutex<Vec<(Staged, String)>>,
}

impl Batch<'_> {
    /// Writes bytes that will have this key once [`Batch::commit`] is through.
    ///
    /// # Errors
    /// [`super::StoreProblem::Unwritable`].
    pub fn put(&self, key: String, bytes: &[u8]) -> Result<(), StoreError> {
        let staged = self.store.backend.stage(bytes).map_err(|p| self.store.error(&key, p))?;
        self.staged.lock().push((staged, key));
        Ok(())
    }

    /// How many keys are waiting.
    pub fn len(&self) -> usize {
        self.staged.lock().len()
    }

    /// Whether none is waiting.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes what was put so far durable, then gives it its names; the batch is empty after. The
    /// *names* are durable after the next [`Store::sync`]: call that before anything refers to them.
    ///
    /// # Errors
    /// [`super::StoreProblem::Unwritable`]; some keys may be there then, each of them whole.
    pub fn commit(&self) -> Result<(), StoreError> {
        let mut staged = std::mem::take(&mut *self.staged.lock());
        if staged.is_empty() {
            return Ok(());
        }
        let result = self.store.sync().and_then(|()| {
            while let Some((bytes, key)) = staged.pop() {
                let published = self.store.backend.publish(&bytes, &key);
                published.map_err(|p| self.store.error(&key, p))?;
            }
            Ok(())
        });
        staged.into_iter().for_each(|(bytes, _)| self.store.backend.discard(bytes));
        result
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        for (bytes, _) in self.staged.get_mut().drain(..) {
            self.store.backend.discard(bytes);
        }
    }
}
