//! Everything that takes bytes from outside, fed with bytes: at random, and with what is nearly right.
//! `REVU_CASES` says how many for each entry, or `REVU_FUZZ_SECONDS` for how long; the number is printed.
//! `REVU_SEEDS` names a folder that is given what each entry begins with, for `fuzz/`.

mod entries;

use std::path::Path;
use std::time::{Duration, Instant};

use entries::ENTRIES;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// What each entry is fed with after it was changed: things that it accepts.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/golden");
    let read = |path: &str| std::fs::read(golden.join(path)).unwrap();
    let id = "01".repeat(20);
    let first = |folder: &str| {
        let mut paths: Vec<_> =
            std::fs::read_dir(golden.join(folder)).unwrap().map(|e| e.unwrap().path()).collect();
        paths.sort();
        std::fs::read(&paths[0]).unwrap()
    };
    let json = format!(
        r#"{{"id":"{id}","memo":"m","created":1,"files":["{id}"],"count":1,"size":2,"systemID":"","systemName":"","systemOS":"","checkIndexID":"","aesKeyVerifyVal":""}}"#
    );
    let text = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    match name {
        "index" => vec![zstd::bulk::compress(json.as_bytes(), 3).unwrap(), first("repo/indexes")],
        "index_json" => vec![json.into_bytes()],
        "record" => {
            let chunk = revu::format::ChunkId::of(b"x");
            vec![revu::format::FileRecord::new("/a/b.sy".into(), 1, 7, vec![chunk]).encode()]
        }
        "sealed" => {
            let key = revu::format::RepoKey::from_bytes([42; 32]);
            vec![revu::format::Cipher::new(&key).seal(&[b'x'; 300])]
        }
        "full_latest" => vec![read("repo/full-latest.json")],
        "check_index" => {
            let json = format!(r#"{{"id":"a","indexID":"{id}","files":[]}}"#);
            vec![zstd::bulk::compress(json.as_bytes(), 3).unwrap()]
        }
        "settings" => {
            let key = revu::format::RepoKey::from_bytes([1; 32]);
            vec![revu::format::own::Own::new(&key, Default::default()).encode()]
        }
        "conf" => vec![read("conf/conf.json")],
        "a_ref" => vec![id.clone().into_bytes(), format!("{id}\n").into_bytes()],
        "snapshot_name" => text(&[
            "latest~2",
            "2024-05-01T18:00",
            "2024-05-01T18.01.00+0800_12345678",
            "2024-05-01 18",
            "abcd",
            "/a/../b",
        ]),
        "vfs_name" => text(&["a\u{0}b", "..", "%2e", "x".repeat(300).as_str(), "\u{202e}标签"]),
        "ignore_rules" => text(&["*.tmp\n!keep.tmp\n/a/**/b\n[a-c]?\n\\#x\n", "**\n!**/\n{a,b}\n"]),
        _ => (0..6u8).map(|n| (0..200u8).map(|i| i.wrapping_mul(37 + n) ^ n).collect()).collect(),
    }
}

#[derive(Debug, Clone)]
enum Change {
    Flip(usize, u8),
    Cut(usize),
    Insert(usize, Vec<u8>),
    Repeat(usize, usize, usize),
}

fn change(bytes: &mut Vec<u8>, change: &Change) {
    let at = |n: usize| if bytes.is_empty() { 0 } else { n % bytes.len() };
    match change {
        Change::Flip(n, bits) => {
            let at = at(*n);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= bits;
            }
        }
        Change::Cut(n) => {
            let at = at(*n);
            bytes.truncate(at);
        }
        Change::Insert(n, new) => {
            let at = at(*n);
            drop(bytes.splice(at..at, new.iter().copied()));
        }
        Change::Repeat(n, len, times) => {
            let at = at(*n);
            let part = bytes[at..(at + len).min(bytes.len())].repeat(*times);
            drop(bytes.splice(at..at, part));
        }
    }
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let word = prop::sample::select(vec![
        &b"\0"[..],
        b"/",
        b"..",
        b"{",
        b"[[[[",
        b"\"",
        b"null",
        b"-1",
        b"9223372036854775808",
        b"\xff",
        b"\xdd\xff\xff\xff\xff",
        b"1e999",
        b"\n",
        b"*",
        b"!",
        b"\\",
        b"~",
        b"\"chunks\":[],",
    ]);
    let change = prop_oneof![
        (any::<usize>(), 1u8..).prop_map(|(at, bits)| Change::Flip(at, bits)),
        any::<usize>().prop_map(Change::Cut),
        (any::<usize>(), word).prop_map(|(at, word)| Change::Insert(at, word.to_vec())),
        (any::<usize>(), 1usize..20, 1usize..200).prop_map(|(at, n, t)| Change::Repeat(at, n, t)),
    ];
    prop::collection::vec(change, 0..6)
}

#[test]
fn none_panics_and_what_is_accepted_is_sound() {
    let number = |name: &str| {
        let number = std::env::var(name).ok()?;
        Some(number.parse::<u32>().unwrap_or_else(|_| panic!("{name} is a number")))
    };
    let cases = number("REVU_CASES").unwrap_or(300);
    let seconds = number("REVU_FUZZ_SECONDS").map(|n| Duration::from_secs(n.into()));
    let mut all = 0;
    for (name, entry) in ENTRIES {
        // Those that compile expressions or open repositories take their time.
        let slow = matches!(name, "ignore_rules" | "repository");
        let cases = if slow { cases / 6 } else { cases };
        let began = Instant::now();
        let seeds = seeds(name);
        seeds.iter().for_each(|seed| entry(seed));
        let nearly = (prop::sample::select(seeds), changes()).prop_map(|(mut bytes, changes)| {
            changes.iter().for_each(|c| change(&mut bytes, c));
            bytes
        });
        let bytes = prop_oneof![1 => prop::collection::vec(any::<u8>(), 0..400), 4 => nearly];
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let mut executions = 0u64;
        loop {
            let ran = TestRunner::new(config.clone()).run(&bytes, |bytes| {
                entry(&bytes);
                Ok(())
            });
            ran.unwrap_or_else(|e| panic!("{name}: {e}"));
            executions += u64::from(cases);
            if seconds.is_none_or(|seconds| began.elapsed() >= seconds) {
                break;
            }
        }
        all += executions;
        println!("{name}: {executions} executions, {:?}", began.elapsed());
    }
    println!("{all} executions in all");
}

#[test]
fn seeds_are_accepted_and_written_where_they_are_wanted() {
    let folder = std::env::var_os("REVU_SEEDS").map(std::path::PathBuf::from);
    for (name, entry) in ENTRIES {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "{name}");
        for (n, seed) in seeds.iter().enumerate() {
            entry(seed);
            if let Some(folder) = &folder {
                std::fs::create_dir_all(folder.join(name)).unwrap();
                std::fs::write(folder.join(name).join(format!("seed{n}")), seed).unwrap();
            }
        }
    }
}
