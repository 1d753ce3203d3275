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

/// What is durable and has no names yet. Dropping it forgets it.
#[derive(Debug)]
pub struct Durable<'a> {
    store: &'a Store,
    staged: Vec<(Staged, String)>,
}

impl<'a> Batch<'a> {
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
        self.durable()?.publish()
    }

    /// The first half of [`Batch::commit`]: makes what was put so far durable, and takes it out.
    ///
    /// # Errors
    /// [`super::StoreProblem::Unwritable`]; what was put is forgotten then.
    pub fn durable(&self) -> Result<Durable<'a>, StoreError> {
        let staged = std::mem::take(&mut *self.staged.lock());
        let durable = Durable { store: self.store, staged };
        if !durable.staged.is_empty() {
            self.store.sync()?;
        }
        Ok(durable)
    }
}

impl Durable<'_> {
    /// The second half of [`Batch::commit`]: gives the names. They are durable after the next [`Store::sync`].
    ///
    /// # Errors
    /// [`super::StoreProblem::Unwritable`]; some keys may be there then, each of them whole.
    pub fn publish(mut self) -> Result<(), StoreError> {
        while let Some((bytes, key)) = self.staged.last() {
            let published = self.store.backend.publish(bytes, key);
            published.map_err(|p| self.store.error(key, p))?;
            self.staged.pop();
        }
        Ok(())
    }
}

impl Drop for Durable<'_> {
    fn drop(&mut self) {
        self.staged.drain(..).for_each(|(bytes, _)| self.store.backend.discard(bytes));
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        for (bytes, _) in self.staged.get_mut().drain(..) {
            self.store.backend.discard(bytes);
        }
    }
}
