//! Where the chunks of a large file begin. Their lengths are stored nowhere, but for the header of
//! each chunk's frame.

use crate::format::{ChunkId, MAX_CHUNK};

use super::parallel;

/// The place of each chunk in its file. Damage costs the places that depend on it and no others:
/// chunks before the first one of unknown length are placed from the front, those after the last from
/// the back, and a single one by what is left between.
#[derive(Debug, PartialEq, Eq)]
pub struct Spans {
    /// Where chunk `i` begins; one more for the end. Sorted.
    starts: Box<[u64]>,
    /// The chunks `from..to` have no known place; their region begins at `starts[from]` and ends
    /// at `starts[to]`.
    lost: Option<(usize, usize)>,
}

/// A file's record and its chunks cannot both be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disagree;

impl Spans {
    /// Places chunks by their lengths, `None` for those that cannot be told.
    ///
    /// # Errors
    /// [`Disagree`] where the lengths cannot make `size`.
    pub fn new(lengths: &[Option<u64>], size: u64) -> Result<Self, Disagree> {
        let n = lengths.len();
        let known: u64 = lengths
            .iter()
            .flatten()
            .try_fold(0u64, |sum, l| sum.checked_add(*l))
            .ok_or(Disagree)?;
        let first = lengths.iter().position(Option::is_none);
        let last = lengths.iter().rposition(Option::is_none);
        let (Some(first), Some(last)) = (first, last) else {
            if known != size {
                return Err(Disagree);
            }
            return Ok(Self { starts: place(lengths.iter().map(|l| l.unwrap_or(0))), lost: None });
        };
        let unknown = (last - first + 1) as u64;
        let between: u64 = lengths[first..=last].iter().flatten().sum();
        let outside = known - between;
        let gap = size.checked_sub(outside).ok_or(Disagree)?;
        if gap < between || gap > unknown * MAX_CHUNK as u64 {
            return Err(Disagree);
        }
        let mut starts = vec![0; n + 1];
        for i in 0..first {
            starts[i + 1] = starts[i] + lengths[i].unwrap_or(0);
        }
        // Within the gap nothing is placed, unless it is one chunk: then it fills the gap.
        let begin = starts[first];
        starts[first + 1..=last].fill(begin);
        starts[last + 1] = begin + gap;
        for i in last + 1..n {
            starts[i + 1] = starts[i] + lengths[i].unwrap_or(0);
        }
        let lost = (first != last).then_some((first, last + 1));
        Ok(Self { starts: starts.into(), lost })
    }

    /// The chunk that holds `offset` (which lies within the file): its number, where it begins
    /// and where it ends. `None` where damage has taken the answer.
    pub fn find(&self, offset: u64) -> Option<(usize, u64, u64)> {
        if let Some((from, to)) = self.lost
            && (self.starts[from]..self.starts[to]).contains(&offset)
        {
            return None;
        }
        // The last one that begins at or before it: empty chunks in between are passed over.
        let i = self.starts.partition_point(|start| *start <= offset) - 1;
        Some((i, self.starts[i], self.starts[i + 1]))
    }
}

impl Spans {
    /// The end of the run of chunks from `from` on, at most up to `to`, that has at most `budget`
    /// bytes. Chunks without a known place count nothing.
    pub fn within(&self, from: usize, to: usize, budget: u64) -> usize {
        let to = to.min(self.starts.len() - 1);
        if from >= to {
            return from.min(to);
        }
        let limit = self.starts[from].saturating_add(budget);
        from + self.starts[from + 1..=to].partition_point(|end| *end <= limit)
    }
}

fn place(lengths: impl Iterator<Item = u64>) -> Box<[u64]> {
    std::iter::once(0)
        .chain(lengths.scan(0, |end, length| {
            *end += length;
            Some(*end)
        }))
        .collect()
}

/// Lengths of chunks as `length` tells them, side by side, each distinct chunk once.
pub fn lengths(
    chunks: &[ChunkId],
    length: impl Fn(ChunkId) -> Option<u64> + Sync,
) -> Vec<Option<u64>> {
    let mut distinct = chunks.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let told = parallel::map(&distinct, |id| length(*id));
    chunks
        .iter()
        .map(|id| told[distinct.binary_search(id).expect("every chunk is among the distinct ones")])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_unknown_chunk_fills_the_gap() {
        let spans = Spans::new(&[Some(10), None, Some(5)], 22).unwrap();
        assert_eq!(spans.find(9), Some((0, 0, 10)));
        assert_eq!(spans.find(10), Some((1, 10, 17)));
        assert_eq!(spans.find(17), Some((2, 17, 22)));
    }

    #[test]
    fn several_unknown_chunks_cost_only_what_lies_between() {
        let spans = Spans::new(&[Some(10), None, Some(3), None, Some(5)], 40).unwrap();
        assert_eq!(spans.find(9), Some((0, 0, 10)));
        assert_eq!(spans.find(10), None);
        assert_eq!(spans.find(34), None);
        assert_eq!(spans.find(35), Some((4, 35, 40)));
    }

    #[test]
    fn lengths_that_cannot_be_are_refused() {
        assert_eq!(Spans::new(&[Some(1), Some(2)], 4), Err(Disagree));
        assert_eq!(Spans::new(&[Some(5), None], 4), Err(Disagree));
        assert_eq!(Spans::new(&[None], MAX_CHUNK as u64 + 1), Err(Disagree));
        assert_eq!(Spans::new(&[Some(u64::MAX), Some(2)], 1), Err(Disagree));
    }

    proptest! {
        #[test]
        fn every_offset_is_found_where_it_is(lengths in proptest::collection::vec(0u64..50, 1..40)) {
            let size: u64 = lengths.iter().sum();
            let known: Vec<_> = lengths.iter().map(|l| Some(*l)).collect();
            let spans = Spans::new(&known, size).unwrap();
            let mut offset = 0;
            for (i, length) in lengths.iter().enumerate() {
                for at in offset..offset + length {
                    prop_assert_eq!(spans.find(at), Some((i, offset, offset + length)));
                }
                offset += length;
            }
        }

        #[test]
        fn what_is_found_despite_damage_is_right(
            lengths in proptest::collection::vec(1u64..50, 1..20),
            bad in proptest::collection::vec(any::<bool>(), 20),
        ) {
            let size: u64 = lengths.iter().sum();
            let known: Vec<_> = lengths.iter().zip(&bad).map(|(l, bad)| (!bad).then_some(*l)).collect();
            let spans = Spans::new(&known, size).unwrap();
            let mut begin = 0;
            for (i, length) in lengths.iter().enumerate() {
                for at in begin..begin + length {
                    if let Some(found) = spans.find(at) {
                        prop_assert_eq!(found, (i, begin, begin + length));
                    }
                }
                begin += length;
            }
        }
    }
}
