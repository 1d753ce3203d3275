//! Measures the write path: makes a snapshot of a folder in a repository that is made on the spot,
//! and says what it took. Run it twice on one repository to see what an unchanged folder costs.
//!
//! `cargo run --release --example snapshot_path -- FOLDER REPOSITORY [plain|siyuan]`

use std::path::PathBuf;
use std::time::{Duration, Instant};

use revu::format::RepoKey;
use revu::format::cut::{Cutting, FastCdc};
use revu::ops::Silent;
use revu::ops::snapshot::{DEFAULT_MEMO, Options, Profile, snapshot};
use revu::repo::{self, Repository};
use revu::store::Store;

/// Processor time of this process so far, in user space and in the kernel, and the most memory
/// that it had, KiB.
fn usage() -> (Duration, Duration, i64) {
    // SAFETY: `usage` has room for the answer.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let time = |t: libc::timeval| {
        Duration::from_secs(t.tv_sec as u64) + Duration::from_micros(t.tv_usec as u64)
    };
    (time(usage.ru_utime), time(usage.ru_stime), usage.ru_maxrss)
}

fn main() {
    let usage_text = "usage: snapshot_path FOLDER REPOSITORY [plain|siyuan]";
    let mut args = std::env::args_os().skip(1);
    let folder = PathBuf::from(args.next().expect(usage_text));
    let repository = PathBuf::from(args.next().expect(usage_text));
    let profile = match args.next() {
        Some(profile) if profile == "siyuan" => Profile::Siyuan { workspace: None },
        _ => Profile::Plain { cutting: Cutting::FastCdc(FastCdc::STANDARD) },
    };
    let begin = Instant::now();
    std::fs::create_dir_all(repository.join("indexes")).expect("the repository can be made");
    let store = Store::local(&repository);
    let key = RepoKey::from_bytes([7; 32]);
    let repo = Repository::open(store, &key, repo::Options::default()).expect("it opens");
    let options = Options {
        memo: DEFAULT_MEMO.into(),
        states: Some(repository.with_extension("states")),
        ..Options::default()
    };
    let made = snapshot(&repo, &folder, &profile, &options, &Silent).expect("a snapshot");
    let seconds = begin.elapsed().as_secs_f64();
    let (user, system, memory) = usage();
    println!(
        "{} files, {} bytes: {} added, {} changed, {} removed, {} unchanged; {} objects, {} bytes stored; {} problems",
        made.counts.files,
        made.counts.size,
        made.counts.added,
        made.counts.changed,
        made.counts.removed,
        made.counts.unchanged,
        made.stored_objects,
        made.stored_bytes,
        made.problems.len(),
    );
    println!(
        "{seconds:.2} s, {:.2} s in user space, {:.2} s in the kernel, {} MiB at most",
        user.as_secs_f64(),
        system.as_secs_f64(),
        memory / 1024
    );
}
