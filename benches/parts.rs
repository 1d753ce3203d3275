//! The parts, each by itself: `cargo bench`. How the whole compares with other programs is what
//! `scripts/bench` measures.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use revu::format::cut::{Cutter, Cutting, FastCdc};
use revu::format::{ChunkId, Cipher, FileRecord, Id, Index, IndexId, RepoKey, layout};
use revu::ops::Silent;
use revu::ops::snapshot::{Options, Profile, snapshot};
use revu::repo::{self, Repository};
use revu::store::Store;
use revu::vfs::{ROOT, Vfs, VfsOptions};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KEY: [u8; 32] = [42; 32];

/// Text of so many bytes that compresses about as notes do.
fn text(bytes: usize) -> Vec<u8> {
    const WORDS: [&str; 16] = [
        "oak", "garden", "the", "of", "water", "snapshot", "and", "under", "three", "letter",
        "winter", "a", "was", "stone", "river", "to",
    ];
    let mut state = 1_u64;
    let mut out = Vec::with_capacity(bytes + 16);
    while out.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        out.extend_from_slice(WORDS[(state >> 60) as usize].as_bytes());
        out.push(b' ');
    }
    out.truncate(bytes);
    out
}

fn objects(c: &mut Criterion) {
    let cipher = Cipher::new(&RepoKey::from_bytes(KEY));
    let mut group = c.benchmark_group("object");
    for (name, size) in
        [("256 B", 256), ("4 KiB", 4 << 10), ("64 KiB", 64 << 10), ("1 MiB", 1 << 20)]
    {
        let plain = text(size);
        let sealed = cipher.seal(&plain);
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(format!("seal {name}"), |b| b.iter(|| cipher.seal(black_box(&plain))));
        group.bench_function(format!("open and identify {name}"), |b| {
            b.iter_batched(
                || sealed.clone(),
                |mut sealed| ChunkId::of(&cipher.open(&mut sealed, 1 << 20).expect("it is sound")),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn cut(c: &mut Criterion) {
    let plain = text(64 << 20);
    let mut group = c.benchmark_group("cut 64 MiB");
    group.throughput(Throughput::Bytes(plain.len() as u64)).sample_size(10);
    for (name, cutting) in
        [("Rabin", Cutting::Rabin), ("FastCDC", Cutting::FastCdc(FastCdc::STANDARD))]
    {
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut cutter = Cutter::new(&cutting);
                let (mut chunks, mut left) = (0, &plain[..]);
                while let Some(chunk) = cutter.feed(&mut left) {
                    chunks += usize::from(!black_box(chunk).is_empty());
                }
                chunks
            });
        });
    }
    group.finish();
}

/// A repository of one snapshot with so many files in one folder.
fn repository(folder: &Path, files: usize) -> (RepoKey, IndexId) {
    std::fs::create_dir_all(folder).expect("room");
    let store = Store::local(folder);
    let key = RepoKey::from_bytes(KEY);
    let cipher = Cipher::new(&key);
    let batch = store.batch();
    let chunk = ChunkId::of(b"content");
    batch.put(layout::chunk(chunk), &cipher.seal(b"content")).expect("room");
    let ids = (0..files).map(|n| {
        let record = FileRecord::new(format!("/folder/file {n:06}.md"), 7, 1_000, vec![chunk]);
        batch.put(layout::file(record.id), &cipher.seal(&record.encode())).expect("room");
        record.id
    });
    let index = Index {
        id: IndexId(Id::digest(b"snapshot")),
        memo: String::new(),
        created: 1_700_000_000_000,
        files: ids.collect(),
        count: files as i64,
        size: 7 * files as i64,
        system_id: String::new(),
        system_name: String::new(),
        system_os: String::new(),
        check_index_id: String::new(),
        aes_key_verify_val: cipher.verify_val(),
    };
    batch.put(layout::index(index.id), &index.encode()).expect("room");
    batch.commit().expect("room");
    (key, index.id)
}

fn tree(c: &mut Criterion) {
    const FILES: usize = 10_000;
    let folder = tempfile::tempdir().expect("a folder");
    let (key, id) = repository(&folder.path().join("repo"), FILES);
    let open = || {
        let store = Store::local(folder.path().join("repo"));
        Repository::open(store, &key, repo::Options::default()).expect("it opens")
    };
    let mut group = c.benchmark_group("10,000 files");
    group.sample_size(20);
    group.bench_function("catalog from objects", |b| {
        b.iter_batched(open, |repo| repo.load(id).map(|l| l.files.len()), BatchSize::PerIteration);
    });
    let cached = || {
        let repo = open();
        repo.keep_catalogs_in(&folder.path().join("cache"));
        repo
    };
    cached().load(id).expect("it is sound");
    group.bench_function("catalog from the cache", |b| {
        b.iter_batched(
            cached,
            |repo| repo.load(id).map(|l| l.files.len()),
            BatchSize::PerIteration,
        );
    });

    let vfs = Vfs::new(Arc::new(cached()), VfsOptions::default()).expect("it lists");
    let at =
        |parent, name: &str| vfs.lookup(parent, name.as_bytes()).expect("it is there").attr.ino;
    let inner = at(at(at(ROOT, "ids"), &id.to_string()), "folder");
    group.bench_function("lookup", |b| {
        let mut n = 0;
        b.iter(|| {
            n = (n + 7_919) % FILES;
            at(inner, &format!("file {n:06}.md"))
        });
    });
    group.bench_function("readdirplus", |b| {
        b.iter(|| {
            let mut sum = 0;
            vfs.readdir(inner, 0, &mut |item| {
                sum += item.entry.attr.size + item.name.len() as u64;
                true
            })
            .expect("it lists");
            sum
        });
    });
    group.finish();
}

fn pipeline(c: &mut Criterion) {
    let place = tempfile::tempdir().expect("a folder");
    let data = place.path().join("data");
    std::fs::create_dir(&data).expect("room");
    let content = text(16 << 20);
    for n in 0..1_000 {
        let from = n * 9_973;
        std::fs::write(data.join(n.to_string()), &content[from..from + 4_000 + n]).expect("room");
    }
    std::fs::write(data.join("large"), &content).expect("room");
    let key = RepoKey::from_bytes(KEY);
    let profile = Profile::Plain { cutting: Cutting::FastCdc(FastCdc::STANDARD) };
    let mut group = c.benchmark_group("snapshot");
    group.sample_size(10);
    let mut nth = 0;
    group.bench_function("1,000 small files and one of 16 MiB", |b| {
        b.iter_batched(
            || {
                nth += 1;
                let folder = place.path().join(format!("repo {nth}"));
                std::fs::create_dir_all(folder.join("indexes")).expect("room");
                Repository::open(Store::local(folder), &key, repo::Options::default())
                    .expect("it opens")
            },
            |repo| {
                snapshot(&repo, &data, &profile, &Options::default(), &Silent)
                    .map(|s| s.counts.files)
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, objects, cut, tree, pipeline);
criterion_main!(benches);
