//! The list of files of an index as it is stored, line by line. One snapshot's list is nearly that of the
//! next, so who reads the lists of a thousand decodes only the lines in which they differ.

use std::ops::Range;

use super::{FileId, FormatError, Id, Index, IndexId, zst};

/// How a list begins. A quotation mark within a text has a backslash before it, so this stands nowhere
/// else.
const BEGIN: &[u8] = b"\"files\":[";
/// Bytes of a line without what parts it from the next: 40 digits in quotation marks.
const LINE: usize = 42;
/// Lines that are looked at to find out whether some were added or taken away.
const NEAR: usize = 16;
/// Lines that are compared at once, as long as they are alike.
const MANY: usize = 64;

/// See the module's documentation.
#[derive(Debug)]
pub struct Lines {
    json: Vec<u8>,
    begin: usize,
    len: usize,
}

impl Lines {
    /// Reads an index file, and of its list only where it is: the index that this gives has none. `None`
    /// for an index that is written otherwise than DejaVu and revu do.
    ///
    /// # Errors
    /// As [`Index::decode`].
    pub fn read(bytes: &[u8], expected: IndexId) -> Result<Option<(Index, Self)>, FormatError> {
        let json = zst::decompress(bytes, Index::most_len(bytes.len()))?;
        let Some((list, len)) = list(&json) else { return Ok(None) };
        let around = [&json[..list.start], &json[list.end..]].concat();
        let index: Index =
            serde_json::from_slice(&around).map_err(|e| FormatError::Undecodable(e.to_string()))?;
        if index.id != expected {
            return Err(FormatError::WrongIdentity(index.id.to_string()));
        }
        Ok(Some((index, Self { begin: list.start, len, json })))
    }

    /// Many lines from this one on, if there are so many.
    fn many(&self, n: usize) -> Option<&[u8]> {
        let begin = self.begin + n * (LINE + 1);
        (n + MANY < self.len).then(|| &self.json[begin..begin + MANY * (LINE + 1)])
    }

    fn line(&self, n: usize) -> Option<&[u8]> {
        let begin = self.begin + n * (LINE + 1);
        (n < self.len).then(|| &self.json[begin..begin + LINE])
    }

    fn id(&self, n: usize) -> Result<FileId, FormatError> {
        match self.line(n) {
            Some([b'"', digits @ .., b'"']) => Id::from_hex(digits).map(FileId),
            _ => Err(FormatError::BadId),
        }
    }

    /// The files of this list, but for those of which it is plain to see that `other` has them too. What
    /// both have is among them only where they stand at very different places.
    ///
    /// # Errors
    /// [`FormatError::BadId`].
    pub fn beside(&self, other: &Self) -> Result<Vec<FileId>, FormatError> {
        let mut new = Vec::new();
        let (mut here, mut there) = (0, 0);
        while let Some(line) = self.line(here) {
            if let Some(many) = self.many(here)
                && other.many(there) == Some(many)
            {
                (here, there) = (here + MANY, there + MANY);
                continue;
            }
            if other.line(there) == Some(line) {
                (here, there) = (here + 1, there + 1);
                continue;
            }
            if let Some(gone) = (1..=NEAR).find(|n| other.line(there + n) == Some(line)) {
                there += gone;
                continue;
            }
            new.push(self.id(here)?);
            here += 1;
            // Unless lines were added here, another one stood in this place.
            let next = other.line(there);
            let is_added = next.is_some() && (0..NEAR).any(|n| self.line(here + n) == next);
            there += usize::from(!is_added);
        }
        Ok(new)
    }
}

/// Where the lines of the list are, and how many.
fn list(json: &[u8]) -> Option<(Range<usize>, usize)> {
    let begin = json.windows(BEGIN.len()).position(|part| part == BEGIN)? + BEGIN.len();
    if json.get(begin) == Some(&b']') {
        return Some((begin..begin, 0));
    }
    for len in 1.. {
        let end = begin + len * (LINE + 1) - 1;
        match json.get(end)? {
            b',' => {}
            b']' => return Some((begin..end, len)),
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn index(files: &[u16], memo: &str) -> Index {
        let id = IndexId(Id::digest(memo.as_bytes()));
        let mut index: Index =
            serde_json::from_value(serde_json::json!({"id": id, "created": 1, "files": []}))
                .unwrap();
        index.memo = memo.to_owned();
        index.files = files.iter().map(|n| FileId(Id::digest(&n.to_le_bytes()))).collect();
        index
    }

    fn lines(index: &Index) -> Lines {
        let (head, lines) = Lines::read(&index.encode(), index.id).unwrap().unwrap();
        assert_eq!(head, Index { files: Vec::new(), ..index.clone() });
        lines
    }

    #[test]
    fn only_what_differs_is_decoded() {
        let all: Vec<u16> = (0..1_000).collect();
        let old = lines(&index(&all, "old"));
        let beside = |files: &[u16]| lines(&index(files, "new")).beside(&old).unwrap().len();
        assert_eq!(beside(&all), 0);
        assert_eq!(beside(&[]), 0);
        let mut other = all.clone();
        other[500] = 2_000;
        assert_eq!(beside(&other), 1, "one replaced");
        other.splice(100..100, 3_000..3_010);
        assert_eq!(beside(&other), 11, "ten more");
        other.drain(700..710);
        assert_eq!(beside(&other), 11, "ten less");
        other.push(4_000);
        assert_eq!(beside(&other), 12);
    }

    #[test]
    fn what_is_damaged_or_odd_is_told() {
        let good = index(&[1, 2, 3], r#"a memo with "files":[1] in it"#);
        assert_eq!(lines(&good).len, 3);
        let json = serde_json::to_vec(&good).unwrap();
        let read = |json: &[u8]| Lines::read(&zst::compress(json), good.id);
        let spaced = String::from_utf8(json.clone()).unwrap().replace(',', ", ");
        assert!(read(spaced.as_bytes()).unwrap().is_none());
        assert!(read(&json[..json.len() - 1]).is_err());
        let none = IndexId(Id::digest(b"another"));
        assert!(matches!(Lines::read(&good.encode(), none), Err(FormatError::WrongIdentity(_))));
        let upper = String::from_utf8(json).unwrap().replace("\"files\":[\"", "\"files\":[\"Z");
        assert!(read(upper.as_bytes()).unwrap().is_none(), "a line is too long");
        let mut bad = lines(&good);
        let at = bad.begin + 5;
        bad.json[at] = b'Z';
        assert!(bad.beside(&lines(&index(&[], ""))).is_err());
    }

    proptest! {
        #[test]
        fn nothing_that_is_new_is_missed(
            old in prop::collection::vec(0..60u16, 0..80),
            new in prop::collection::vec(0..60u16, 0..80),
        ) {
            let (old, new) = (index(&old, "old"), index(&new, "new"));
            let found: HashSet<FileId> = lines(&new).beside(&lines(&old)).unwrap().into_iter().collect();
            let known: HashSet<FileId> = old.files.iter().copied().collect();
            for id in &new.files {
                prop_assert!(known.contains(id) || found.contains(id));
            }
            prop_assert!(found.iter().all(|id| new.files.contains(id)));
        }
    }
}
