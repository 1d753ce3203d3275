//! Builds a repository of one snapshot with a large file, `/large`, and with the same bytes once more as
//! parts of it, `/part-0` and so on, for benchmarks. Chunks are of 1 MiB, all different, of text that
//! compresses to about a third. The key is the base64 text of 32 bytes 42, as printed.
//!
//! `cargo run --release --example large_files -- REPOSITORY MIB PARTS`

mod synthetic;

use std::path::PathBuf;

use revu::format::ChunkId;
use synthetic::{Builder, store_in};

const CHUNK: usize = 1 << 20;

fn main() {
    let usage = "usage: large_files REPOSITORY MIB PARTS, with MIB a multiple of PARTS";
    let mut args = std::env::args_os().skip(1);
    let folder = PathBuf::from(args.next().expect(usage));
    let mut number =
        || -> usize { args.next().and_then(|text| text.to_str()?.parse().ok()).expect(usage) };
    let (mib, parts) = (number(), number());
    assert!(mib > 0 && parts > 0 && mib % parts == 0, "{usage}");
    let store = store_in(&folder);
    let mut builder = Builder::new(&store);

    let chunks = all_chunks(&builder, mib);
    let mut ids = vec![builder.file("/large".to_owned(), mib * CHUNK, 1_000, chunks.clone())];
    for (nth, part) in chunks.chunks(mib / parts).enumerate() {
        ids.push(builder.file(format!("/part-{nth}"), part.len() * CHUNK, 1_000, part.to_vec()));
    }
    builder.snapshot("large files", 1_700_000_000_000, ids, 2 * mib * CHUNK);
    builder.finish();
}

/// Writes the chunks with all processors: to compress four GiB is most of the work.
fn all_chunks(builder: &Builder, count: usize) -> Vec<ChunkId> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut numbered: Vec<(usize, ChunkId)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|first| {
                scope.spawn(move || {
                    let words = Words::new();
                    (first..count)
                        .step_by(threads)
                        .map(|n| (n, builder.chunk(&words.text(n as u64))))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no chunk is refused")).collect()
    });
    numbered.sort_unstable_by_key(|(n, _)| *n);
    numbered.into_iter().map(|(_, id)| id).collect()
}

/// A language of 4,096 words, some of them more common than others.
struct Words(Vec<Vec<u8>>);

impl Words {
    fn new() -> Self {
        let mut random = Random(1);
        let word = |_| {
            let letters = 2 + random.below(8);
            (0..letters).map(|_| b'a' + random.below(26) as u8).chain([b' ']).collect()
        };
        Self((0..4096).map(word).collect())
    }

    /// One chunk; another one for each number.
    fn text(&self, nth: u64) -> Vec<u8> {
        let mut random = Random(nth.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut text = Vec::with_capacity(CHUNK + 16);
        while text.len() < CHUNK {
            // The smaller of two: the first words of the language are the common ones.
            let word = random.below(4096).min(random.below(4096));
            text.extend_from_slice(&self.0[word]);
        }
        text.truncate(CHUNK);
        text
    }
}

/// Xorshift: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % end
    }
}
