//! The cuts of the fixtures, and that buffers do not move a cut.

use std::collections::HashMap;
use std::io::Read;

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::format::ChunkId;

/// The chunks of `bytes`, fed in buffers of the given sizes, over and over.
fn cut(cutting: &Cutting, bytes: &[u8], buffers: &[usize]) -> Vec<Vec<u8>> {
    let mut cutter = Cutter::new(cutting);
    let (mut chunks, mut left) = (Vec::new(), bytes);
    for size in buffers.iter().cycle() {
        if left.is_empty() {
            break;
        }
        let (mut buffer, rest) = left.split_at(left.len().min(*size));
        left = rest;
        while let Some(chunk) = cutter.feed(&mut buffer) {
            chunks.push(chunk);
        }
        assert!(buffer.is_empty(), "feed takes all of a buffer");
        let room = cutting.max_size() + STEP;
        assert!(cutter.pending.len() <= room, "{} bytes are pending", cutter.pending.len());
    }
    chunks.extend(cutter.finish());
    chunks
}

fn ids(chunks: &[Vec<u8>]) -> Vec<ChunkId> {
    chunks.iter().map(|chunk| ChunkId::of(chunk)).collect()
}

fn lengths(chunks: &[Vec<u8>]) -> Vec<usize> {
    chunks.iter().map(Vec::len).collect()
}

/// The stream of chunking.json: SHA-256 of 0, 1, 2, … as eight little-endian bytes, joined.
fn stream(len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len + 32);
    for counter in 0_u64.. {
        if bytes.len() >= len {
            break;
        }
        bytes.extend_from_slice(&Sha256::digest(counter.to_le_bytes()));
    }
    bytes.truncate(len);
    bytes
}

#[test]
fn siyuan_cuts_the_reproducible_streams_like_this() {
    let facts = include_str!("../../../tests/fixtures/chunking.json");
    let facts: serde_json::Value = serde_json::from_str(facts).unwrap();
    let expected = |file: &str| -> Vec<ChunkId> {
        serde_json::from_value(facts["files"][file]["chunks"].clone()).unwrap()
    };
    let all = stream(41_943_040);
    let tail = &all[1_234_567..][..9_437_197];
    for buffers in [&[1 << 20][..], &[7, 65_537, 1, 999_983], &[usize::MAX]] {
        let chunks = cut(&Cutting::Rabin, &all, buffers);
        assert_eq!(ids(&chunks), expected("stream.bin"), "{buffers:?}");
        let chunks = cut(&Cutting::Rabin, tail, buffers);
        assert_eq!(ids(&chunks), expected("stream-tail.bin"), "{buffers:?}");
    }
    let byte_by_byte = cut(&Cutting::Rabin, &tail[..3 << 20], &[1]);
    assert_eq!(ids(&byte_by_byte)[..2], expected("stream-tail.bin")[..2]);
}

#[test]
fn siyuan_cuts_the_golden_files_like_this() {
    #[derive(serde::Deserialize)]
    struct State {
        files: Vec<File>,
    }
    #[derive(serde::Deserialize)]
    struct File {
        path: String,
        sha256: String,
        chunks: Vec<ChunkId>,
    }
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/golden");
    let mut expected: HashMap<String, File> = HashMap::new();
    for state in 1..=7 {
        let json = std::fs::read(format!("{golden}/expect/{state}.json")).unwrap();
        let files = serde_json::from_slice::<State>(&json).unwrap().files;
        expected.extend(files.into_iter().map(|file| (format!("{state}{}", file.path), file)));
    }

    let states = std::fs::File::open(format!("{golden}/states.tar.zst")).unwrap();
    let mut states = tar::Archive::new(zstd::Decoder::new(states).unwrap());
    let (mut same, mut of_several, mut unseen) = (0, 0, Vec::new());
    for entry in states.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        let Some(file) = expected.remove(&path) else { continue };
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let sha256: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        if sha256 != file.sha256 {
            unseen.push(path);
            continue;
        }
        assert_eq!(ids(&cut(&Cutting::Rabin, &bytes, &[100_003])), file.chunks, "{path}");
        same += 1;
        of_several += usize::from(file.chunks.len() > 1);
    }
    assert!(expected.is_empty(), "not in the archive: {:?}", expected.keys());
    assert_eq!((same, of_several), (168, 6), "all of expect/, and those of several chunks there");
    assert_eq!(unseen.len(), 1, "the edit of state 7 that DejaVu does not see: {unseen:?}");
}

#[test]
fn a_file_up_to_the_minimum_is_one_chunk() {
    let bytes = stream(FastCdc::STANDARD.min() as usize + 1);
    for cutting in [Cutting::Rabin, Cutting::FastCdc(FastCdc::STANDARD)] {
        let min = cutting.min_size();
        assert_eq!(min, 512 << 10);
        for len in [0, 1, 63, 64, 65, min - 1, min] {
            let chunks = cut(&cutting, &bytes[..len], &[4_096]);
            assert_eq!(lengths(&chunks), [len], "{cutting:?}");
        }
        assert_eq!(lengths(&cut(&cutting, &bytes[..min + 1], &[4_096])), [min + 1]);
        assert_eq!(ids(&cut(&cutting, b"", &[1])), [ChunkId::EMPTY]);
    }
}

#[test]
fn a_cut_at_the_very_minimum_and_at_the_very_end() {
    let min = Cutting::Rabin.min_size();
    // 64 zeros are a cut wherever they end.
    let mut bytes = vec![1; min + 1];
    bytes[min - 64..min].fill(0);
    assert_eq!(lengths(&cut(&Cutting::Rabin, &bytes, &[1_000])), [min, 1]);
    assert_eq!(lengths(&cut(&Cutting::Rabin, &bytes[..min], &[1_000])), [min]);
    assert_eq!(lengths(&cut(&Cutting::Rabin, &bytes[..min - 1], &[1_000])), [min - 1]);
}

#[test]
fn without_a_cut_a_chunk_ends_at_the_maximum() {
    let bytes = vec![1; 20 << 20];
    for cutting in [Cutting::Rabin, Cutting::FastCdc(FastCdc::new(64, 256, 8 << 20).unwrap())] {
        let max = cutting.max_size();
        assert_eq!(max, crate::format::MAX_CHUNK);
        for buffer in [100_001, 8 << 20, usize::MAX] {
            let chunks = cut(&cutting, &bytes, &[buffer]);
            assert_eq!(lengths(&chunks), [max, max, 4 << 20], "{cutting:?} {buffer}");
            assert_eq!(lengths(&cut(&cutting, &bytes[..2 * max], &[buffer])), [max, max]);
        }
    }
}

#[test]
fn the_settings_of_a_repository_hold_a_cutting() {
    let text = r#"{"algorithm":"fast-cdc","min":524288,"avg":1048576,"max":8388608}"#;
    let cutting = Cutting::FastCdc(FastCdc::STANDARD);
    assert_eq!(serde_json::to_string(&cutting).unwrap(), text);
    assert_eq!(serde_json::from_str::<Cutting>(text).unwrap(), cutting);
    assert_eq!(serde_json::to_string(&Cutting::Rabin).unwrap(), r#"{"algorithm":"rabin"}"#);
    for bad in ["0", "1", "524289", "2097152", "4294967295"] {
        let error = serde_json::from_str::<Cutting>(&text.replace("524288", bad)).unwrap_err();
        assert!(error.to_string().contains("cannot be used"), "{bad}: {error}");
    }
    assert!(FastCdc::new(1 << 19, 1 << 20, 9 << 20).is_err(), "larger than any chunk may be");
    assert!(FastCdc::new(1 << 20, 1 << 19, 1 << 21).is_err(), "out of order");
}

/// Bytes that repeat here and there, so that some cuts are found and some are not.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let stretch = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..20_000),
        (any::<u8>(), 0..20_000_usize).prop_map(|(byte, len)| vec![byte; len]),
    ];
    prop::collection::vec(stretch, 0..6).prop_map(|stretches| stretches.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn fastcdc_cuts_as_its_crate_does_whatever_the_buffers(
        bytes in content(),
        buffers in prop::collection::vec(1..9_000_usize, 1..5),
        (min, avg, max) in (32..2_000_u32, 128..4_000_u32, 512..9_000_u32)
            .prop_map(|(a, b, c)| (2 * a, 2 * b.max(a), 2 * c.max(b).max(a))),
    ) {
        let cutting = Cutting::FastCdc(FastCdc::new(min, avg, max).unwrap());
        let theirs = fastcdc::v2020::FastCDC::new(&bytes, min as usize, avg as usize, max as usize);
        let mut theirs: Vec<_> = theirs.map(|chunk| chunk.length).collect();
        if theirs.is_empty() {
            theirs.push(0);
        }
        let ours = cut(&cutting, &bytes, &buffers);
        prop_assert_eq!(lengths(&ours), theirs);
        prop_assert_eq!(ours.concat(), bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn rabin_cuts_do_not_depend_on_buffers(
        offset in 0..2_000_000_usize,
        len in 0..4_000_000_usize,
        zeros in 0..4_000_000_usize,
        buffers in prop::collection::vec(1..300_000_usize, 1..5),
    ) {
        let mut bytes = stream(6_000_000)[offset..offset + len].to_vec();
        if let Some(some) = bytes.get_mut(zeros..) {
            let end = some.len().min(100);
            some[..end].fill(0);
        }
        let whole = cut(&Cutting::Rabin, &bytes, &[usize::MAX]);
        let parts = cut(&Cutting::Rabin, &bytes, &buffers);
        prop_assert_eq!(lengths(&whole), lengths(&parts));
        prop_assert_eq!(whole.concat(), bytes);
    }
}
