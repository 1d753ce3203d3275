//! Builds a repository of many snapshots, for benchmarks: each has all files, some of them changed since
//! the one before. The key is the base64 text of 32 bytes 42, as printed.
//!
//! `cargo run --release --example many_snapshots -- REPOSITORY SNAPSHOTS FILES CHANGED`

mod synthetic;

use std::path::PathBuf;

use synthetic::{Builder, store_in};

fn main() {
    let usage = "usage: many_snapshots REPOSITORY SNAPSHOTS FILES CHANGED";
    let mut args = std::env::args_os().skip(1);
    let folder = PathBuf::from(args.next().expect(usage));
    let mut number =
        || -> usize { args.next().and_then(|text| text.to_str()?.parse().ok()).expect(usage) };
    let (snapshots, files, changed) = (number(), number(), number());
    let store = store_in(&folder);
    let mut builder = Builder::new(&store);

    // All files have one content: this is about names and snapshots.
    let content = b"{\"ID\":\"20240501100000-abcdefg\",\"Type\":\"NodeDocument\"}";
    let chunk = builder.chunk(content);
    let file = |builder: &Builder, n: usize, updated: i64| {
        let path = format!("/20240501100000-{:07}/20240501100000-{n:07}.sy", n / 50);
        builder.file(path, content.len(), updated, vec![chunk])
    };
    let mut ids: Vec<_> = (0..files).map(|n| file(&builder, n, 1_000)).collect();
    for nth in 0..snapshots {
        let created = 1_700_000_000_000 + nth as i64 * 3_600_000;
        if nth > 0 {
            for i in 0..changed {
                let n = (nth * 7_919 + i * 104_729) % files;
                ids[n] = file(&builder, n, created);
            }
        }
        let name = format!("snapshot {nth} of {snapshots}");
        builder.snapshot(&name, created, ids.clone(), files * content.len());
    }
    builder.finish();
}
