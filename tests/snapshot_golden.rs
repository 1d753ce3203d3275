//! The states behind the golden repository, one after the other: what DejaVu made of them, revu
//! makes too, to the byte of every ID.

mod common;
mod snapshot;

use std::process::Command;

use revu::format::latest::FullLatest;
use revu::format::{FileRecord, IndexId, RepoKey, layout};
use revu::ops::Silent;
use revu::ops::snapshot::{Options, SkipKind, snapshot as make};
use revu::repo::Repository;
use revu::store::{Store, refs};

use snapshot::{records, siyuan, tempdir};

#[derive(serde::Deserialize)]
struct Expected {
    files: Vec<ExpectedFile>,
    new: bool,
}

#[derive(serde::Deserialize)]
struct ExpectedFile {
    #[serde(flatten)]
    record: FileRecord,
    sha256: String,
}

fn expected(state: u32) -> Expected {
    let path = common::fixtures().join(format!("golden/expect/{state}.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn go_through_the_states(with_state: bool) {
    let place = tempdir();
    let archive = common::fixtures().join("golden/states.tar.zst");
    let mut untar = Command::new("tar");
    untar.arg("--zstd").arg("-xpf").arg(archive).arg("-C").arg(place.path());
    assert!(untar.status().unwrap().success(), "tar and zstd are needed");

    let key = std::fs::read_to_string(common::fixtures().join("golden/key.txt")).unwrap();
    let key = RepoKey::parse(&key).unwrap();
    let repository = place.path().join("repo");
    std::fs::create_dir_all(repository.join("indexes")).unwrap();
    let store = Store::local(&repository);
    let data = place.path().join("data");
    let mut before: Option<IndexId> = None;
    for state in 1..=7 {
        if state > 1 {
            std::fs::remove_dir_all(&data).unwrap();
        }
        std::fs::rename(place.path().join(state.to_string()), &data).unwrap();
        let repo = Repository::open(store.clone(), &key, Default::default()).unwrap();
        let options = Options {
            memo: format!("state {state}"),
            states: with_state.then(|| place.path().join("states")),
            ..Options::default()
        };
        let made = make(&repo, &data, &siyuan(), &options, &Silent).unwrap();
        assert!(made.problems.is_empty(), "{:?}", made.problems);
        let expected = expected(state);
        if !expected.new {
            assert_eq!((state, made.index), (6, None));
            assert_eq!(made.base, before);
            continue;
        }
        let id = made.index.expect("a new snapshot");
        assert_eq!(refs::read(&store, layout::LATEST).unwrap(), Some(id));
        let index = repo.objects().index(id).unwrap();
        assert_eq!(index.memo, format!("state {state}"));
        assert_eq!(repo.objects().cipher().verifies(&index.aes_key_verify_val), Some(true));
        assert_eq!(
            (index.count, index.files.len()),
            (expected.files.len() as i64, expected.files.len())
        );
        let ours = records(&repo, id);
        let full = store.get(layout::FULL_LATEST, 1 << 20).unwrap();
        let full = FullLatest::decode(&full).unwrap();
        assert_eq!(full.id, id);
        let cached: Vec<FileRecord> = full.files.into_iter().map(Into::into).collect();
        assert_eq!(cached, ours, "full-latest.json says what the records say");
        assert_eq!(index.size, ours.iter().map(|r| r.size).sum::<i64>());

        let mut differing = Vec::new();
        for (ours, theirs) in ours.iter().zip(&expected.files) {
            assert_eq!(ours.path, theirs.record.path, "the order of the walk");
            let bytes = std::fs::read(data.join(&ours.path[1..])).unwrap();
            if common::sha256(&bytes) == theirs.sha256 {
                assert_eq!(*ours, theirs.record, "state {state}");
            } else {
                differing.push(ours);
            }
        }
        match &differing[..] {
            [] => assert_ne!(state, 7),
            [seen] => {
                // The edit that DejaVu does not see: the same second and size.
                assert_eq!(state, 7);
                let theirs = expected.files.iter().find(|f| f.record.path == seen.path).unwrap();
                assert_eq!(seen.updated, (theirs.record.updated / 1_000 + 1) * 1_000);
                let bytes = std::fs::read(data.join(&seen.path[1..])).unwrap();
                let chunks: Vec<u8> =
                    seen.chunks.iter().flat_map(|c| repo.objects().chunk(*c).unwrap()).collect();
                assert_eq!(chunks, bytes);
            }
            more => panic!("state {state}: {more:?}"),
        }
        if state == 1 {
            assert_eq!(made.counts.added, 27);
            assert!(made.skipped.count(SkipKind::Symlink) > 0);
            assert!(made.skipped.count(SkipKind::EmptyFolder) > 0);
            assert!(made.skipped.count(SkipKind::Excluded) > 0);
        }
        before = Some(id);
    }
    assert_eq!(store.list(layout::INDEXES).unwrap().len(), 6);
}

#[test]
fn each_state_gives_the_golden_snapshot() {
    go_through_the_states(true);
}

#[test]
fn each_state_gives_the_golden_snapshot_without_a_local_state() {
    go_through_the_states(false);
}
