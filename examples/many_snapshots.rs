//! Builds a repository of many snapshots, for benchmarks: each has all files, some of them changed since
//! the one before. The key is the base64 text of 32 bytes 42, as printed.
//!
//! `cargo run --release --example many_snapshots -- REPOSITORY SNAPSHOTS FILES CHANGED`

use std::path::PathBuf;

use revu::format::{ChunkId, Cipher, FileRecord, Id, Index, IndexId, RepoKey, layout};
use revu::store::Store;

fn main() {
    let usage = "usage: many_snapshots REPOSITORY SNAPSHOTS FILES CHANGED";
    let mut args = std::env::args_os().skip(1);
    let folder = PathBuf::from(args.next().expect(usage));
    let mut number =
        || -> usize { args.next().and_then(|text| text.to_str()?.parse().ok()).expect(usage) };
    let (snapshots, files, changed) = (number(), number(), number());
    std::fs::create_dir_all(&folder).expect("the repository can be made");
    let store = Store::local(&folder);
    let key = RepoKey::from_bytes([42; 32]);
    let cipher = Cipher::new(&key);
    let batch = store.batch();
    let put = |key: String, bytes: &[u8]| batch.put(key, bytes).expect("the disk takes it");

    // All files have one content: this is about names and snapshots.
    let content = b"{\"ID\":\"20240501100000-abcdefg\",\"Type\":\"NodeDocument\"}";
    let chunk = ChunkId::of(content);
    put(layout::chunk(chunk), &cipher.seal(content));
    let record = |n: usize, updated: i64| {
        let path = format!("/20240501100000-{:07}/20240501100000-{n:07}.sy", n / 50);
        let record = FileRecord::new(path, content.len() as i64, updated, vec![chunk]);
        put(layout::file(record.id), &cipher.seal(&record.encode()));
        record.id
    };
    let mut ids: Vec<_> = (0..files).map(|n| record(n, 1_000)).collect();
    let mut latest = IndexId(Id::digest(b""));
    for nth in 0..snapshots {
        let created = 1_700_000_000_000 + nth as i64 * 3_600_000;
        if nth > 0 {
            for i in 0..changed {
                let n = (nth * 7_919 + i * 104_729) % files;
                ids[n] = record(n, created);
            }
        }
        latest = IndexId(Id::digest(format!("{nth} of {snapshots}").as_bytes()));
        let index = Index {
            id: latest,
            memo: format!("snapshot {nth}"),
            created,
            files: ids.clone(),
            count: files as i64,
            size: (files * content.len()) as i64,
            system_id: String::new(),
            system_name: "benchmark".to_owned(),
            system_os: std::env::consts::OS.to_owned(),
            check_index_id: String::new(),
            aes_key_verify_val: cipher.verify_val(),
        };
        put(layout::index(latest), &index.encode());
    }
    batch.commit().expect("the disk takes it");
    store.put(layout::LATEST, latest.to_string().as_bytes()).expect("the disk takes it");
    println!("{}", key.to_base64().as_str());
}
