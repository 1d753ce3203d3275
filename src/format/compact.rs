//! The bytes of our own disposable files: what is kept beside a repository to save time. Numbers are
//! little-endian and of fixed width, texts have their length before them; of a path only what differs
//! from the path before it is written. Such a file is compressed and sealed afterwards, which makes
//! little of the rest.

use super::Id;

/// Writes. See the module's documentation.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    path: Vec<u8>,
}

impl Writer {
    /// With room for that many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), path: Vec::new() }
    }

    /// Bytes whose number the reader knows.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A number.
    pub fn u32(&mut self, number: u32) {
        self.raw(&number.to_le_bytes());
    }

    /// A number.
    pub fn u64(&mut self, number: u64) {
        self.raw(&number.to_le_bytes());
    }

    /// A number.
    pub fn i64(&mut self, number: i64) {
        self.raw(&number.to_le_bytes());
    }

    /// An ID.
    pub fn id(&mut self, id: &Id) {
        self.raw(id.as_bytes());
    }

    /// Bytes with their number before them, less than 2^32.
    pub fn text(&mut self, text: &[u8]) {
        self.u32(u32::try_from(text.len()).expect("no text of a repository has 4 GiB"));
        self.raw(text);
    }

    /// A path: how much of it is as in the one before, and the rest.
    pub fn path(&mut self, path: &str) {
        let path = path.as_bytes();
        let shared = self.path.iter().zip(path).take_while(|(a, b)| a == b).count();
        self.u32(u32::try_from(shared).expect("no path has 4 GiB"));
        self.text(&path[shared..]);
        self.path.truncate(shared);
        self.path.extend_from_slice(&path[shared..]);
    }

    /// All that was written.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Reads what a [`Writer`] wrote. Every answer is `None` where that is not what is there.
#[derive(Debug)]
pub struct Reader<'a> {
    left: &'a [u8],
    path: Vec<u8>,
}

impl<'a> Reader<'a> {
    /// From the first byte on.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { left: bytes, path: Vec::new() }
    }

    /// `N` bytes.
    pub fn raw<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.left.split_first_chunk::<N>()?;
        self.left = rest;
        Some(*taken)
    }

    /// A number.
    pub fn u32(&mut self) -> Option<u32> {
        self.raw().map(u32::from_le_bytes)
    }

    /// A number.
    pub fn u64(&mut self) -> Option<u64> {
        self.raw().map(u64::from_le_bytes)
    }

    /// A number.
    pub fn i64(&mut self) -> Option<i64> {
        self.raw().map(i64::from_le_bytes)
    }

    /// An ID.
    pub fn id(&mut self) -> Option<Id> {
        self.raw().map(Id::from_bytes)
    }

    /// How many things follow, each of which has `least` bytes: more than there is room for is no
    /// number that was written, so nobody reserves memory for it.
    pub fn count(&mut self, least: usize) -> Option<usize> {
        let count = usize::try_from(self.u32()?).ok()?;
        (count <= self.left.len() / least.max(1)).then_some(count)
    }

    /// Bytes with their number before them.
    pub fn text(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.u32()?).ok()?;
        let (text, rest) = self.left.split_at_checked(len)?;
        self.left = rest;
        Some(text)
    }

    /// A path.
    pub fn path(&mut self) -> Option<&str> {
        let shared = usize::try_from(self.u32()?).ok()?;
        if shared > self.path.len() {
            return None;
        }
        let rest = self.text()?;
        self.path.truncate(shared);
        self.path.extend_from_slice(rest);
        std::str::from_utf8(&self.path).ok()
    }

    /// Whether nothing is left.
    pub fn is_at_end(&self) -> bool {
        self.left.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_written_is_read(paths in proptest::collection::vec("[a-c/é]{0,12}", 0..20), n: u64, m: i64) {
            let mut writer = Writer::default();
            writer.u32(paths.len() as u32);
            for path in &paths {
                writer.path(path);
                writer.text(path.as_bytes());
            }
            writer.u64(n);
            writer.i64(m);
            let bytes = writer.finish();
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.count(8), Some(paths.len()));
            for path in &paths {
                prop_assert_eq!(reader.path(), Some(path.as_str()));
                prop_assert_eq!(reader.text(), Some(path.as_bytes()));
            }
            prop_assert_eq!((reader.u64(), reader.i64()), (Some(n), Some(m)));
            prop_assert!(reader.is_at_end());
        }

        #[test]
        fn anything_is_read_without_harm(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            while let Some(count) = reader.count(9) {
                prop_assert!(count <= bytes.len());
                if reader.path().is_none() {
                    break;
                }
            }
        }
    }
}
