//! Measures the read path without a mount: the files of a folder are sealed into a repository in
//! memory-backed storage and read back through `Repository::read`, every chunk authenticated,
//! decompressed and identified. Prints processor seconds, which a busy machine disturbs less than the
//! clock.
//!
//! `cargo run --release --example read_path -- FOLDER [TEMPORARY FOLDER]`

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use revu::format::{ChunkId, Cipher, FileRecord, Id, Index, IndexId, RepoKey, layout};
use revu::repo::{Options, Repository};
use revu::store::Store;

/// Processor time of this process so far.
fn cpu() -> Duration {
    // SAFETY: `usage` has room for the answer.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let time = |t: libc::timeval| {
        Duration::from_secs(t.tv_sec as u64) + Duration::from_micros(t.tv_usec as u64)
    };
    time(usage.ru_utime) + time(usage.ru_stime)
}

fn files(folder: &Path, all: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files(&path, all),
            Ok(kind) if kind.is_file() => all.push(path),
            _ => {}
        }
    }
}

fn main() {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let folder = args.next().expect("usage: read_path FOLDER [TEMPORARY FOLDER]");
    let place = args.next().unwrap_or_else(std::env::temp_dir);
    let dir = tempfile::tempdir_in(place).expect("a temporary folder");
    let store = Store::local(dir.path());
    let key = RepoKey::random();
    let cipher = Cipher::new(&key);

    let mut paths = Vec::new();
    files(&folder, &mut paths);
    let (mut records, mut small, mut total) = (Vec::new(), 0usize, 0u64);
    let mut large = Vec::new();
    let batch = store.batch();
    let mut add = |name: String, content: &[u8]| {
        let mut chunks = Vec::new();
        for piece in content.chunks(1 << 20) {
            let id = ChunkId::of(piece);
            batch.put(layout::chunk(id), &cipher.seal(piece)).expect("room for the objects");
            chunks.push(id);
        }
        if chunks.is_empty() {
            return;
        }
        let record = FileRecord::new(name, content.len() as i64, 0, chunks);
        batch.put(layout::file(record.id), &cipher.seal(&record.encode())).expect("room");
        total += content.len() as u64;
        records.push(record);
    };
    for (n, path) in paths.iter().enumerate() {
        let Ok(content) = std::fs::read(path) else { continue };
        large.extend_from_slice(&content);
        small += 1;
        add(format!("/small/{}/{n}", n / 100), &content);
    }
    add("/large".into(), &large);
    batch.commit().expect("room for the objects");
    let index = Index {
        id: IndexId(Id::digest(b"measure")),
        memo: String::new(),
        created: 0,
        count: records.len() as i64,
        size: records.iter().map(|r| r.size).sum(),
        files: records.iter().map(|r| r.id).collect(),
        system_id: String::new(),
        system_name: String::new(),
        system_os: String::new(),
        check_index_id: String::new(),
        aes_key_verify_val: cipher.verify_val(),
    };
    store.put(&layout::index(index.id), &index.encode()).expect("room for the index");

    drop(batch);
    let repo =
        Repository::open(store.clone(), &key, Options::default()).expect("the repository opens");
    let measure = |what: &str, work: &dyn Fn() -> u64| {
        let (clock, before) = (Instant::now(), cpu());
        let bytes = work();
        let (clock, used) = (clock.elapsed(), cpu() - before);
        println!(
            "{what}: {:.3} s processor, {:.3} s clock, {:.0} MB/s of processor time",
            used.as_secs_f64(),
            clock.as_secs_f64(),
            bytes as f64 / 1e6 / used.as_secs_f64()
        );
    };
    println!("{small} files, {:.1} MB in all", total as f64 / 1e6);
    let mut loaded = None;
    let slot = std::cell::RefCell::new(&mut loaded);
    measure("catalog", &|| {
        **slot.borrow_mut() = Some(repo.load(index.id).expect("the snapshot loads"));
        0
    });
    let loaded = loaded.expect("just loaded");
    let (last, rest) = loaded.files.split_last().expect("at least one file");
    measure("small files", &|| {
        rest.iter().map(|no| repo.read(*no, 0, usize::MAX).expect("it reads").len() as u64).sum()
    });
    measure("one large file, 128 KiB at a time", &|| {
        let mut offset = 0;
        loop {
            let got = repo.read(*last, offset, 128 << 10).expect("it reads").len() as u64;
            if got == 0 {
                return offset;
            }
            offset += got;
        }
    });
}
