//! Builds a repository of one snapshot with folders of given sizes, for benchmarks: `FOLDERS` folders of
//! `ENTRIES` files each, as `/ENTRIES/FOLDER/NAME`. The key is the base64 text of 32 bytes 42, as printed.
//!
//! `cargo run --release --example wide_folders -- REPOSITORY ENTRIES:FOLDERS…`

mod synthetic;

use std::path::PathBuf;

use synthetic::{Builder, store_in};

fn main() {
    let usage = "usage: wide_folders REPOSITORY ENTRIES:FOLDERS…";
    let mut args = std::env::args_os().skip(1);
    let folder = PathBuf::from(args.next().expect(usage));
    let pair = |text: std::ffi::OsString| -> Option<(usize, usize)> {
        let (entries, folders) = text.to_str()?.split_once(':')?;
        Some((entries.parse().ok()?, folders.parse().ok()?))
    };
    let sizes: Vec<_> = args.map(|text| pair(text).expect(usage)).collect();
    let store = store_in(&folder);
    let mut builder = Builder::new(&store);

    // All files have one content: this is about names.
    let content = b"{\"ID\":\"20240501100000-abcdefg\",\"Type\":\"NodeDocument\"}";
    let chunk = builder.chunk(content);
    let mut ids = Vec::new();
    for (entries, folders) in sizes {
        for nth in 0..folders {
            ids.extend((0..entries).map(|n| {
                let path = format!("/{entries}/{nth}/20240501100000-{n:07}.sy");
                builder.file(path, content.len(), 1_000, vec![chunk])
            }));
        }
    }
    let size = ids.len() * content.len();
    builder.snapshot("wide folders", 1_700_000_000_000, ids, size);
    builder.finish();
}
