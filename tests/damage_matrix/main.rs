//! Every kind of file of a repository, damaged in every way, met by every deed: no panic, no hang, no
//! wrong byte, nothing lost but what needs the file, `check --read-data` names it, and a purge never makes
//! it worse. `docs/reliability.md` has the table in words; `--nocapture` prints it in numbers.
//!
//! `REVU_DAMAGE=full` does every harm as often as it can be done; else fewer places are harmed.

#[path = "../common/mod.rs"]
mod common;
mod deeds;
mod harms;
mod program;
#[path = "../purge_support/mod.rs"]
mod purge_support;
mod sample;
mod watch;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use deeds::{READ, Scene, WRITE};
use harms::{HARMS, Harmed};
use sample::{Row, Sample, tempdir};

/// How often a harm is done to one file at the most.
fn most(row: Row) -> usize {
    match (std::env::var_os("REVU_DAMAGE"), row) {
        (Some(_), _) => usize::MAX,
        // Who meets a lock that counts waits for seconds.
        (None, Row::Lock) => 2,
        (None, _) => 12,
    }
}

/// Whether nothing is left that says that there was something.
fn is_gone(row: Row, path: &std::path::Path) -> bool {
    match path.symlink_metadata() {
        Err(_) => true,
        // An empty folder is no tag.
        Ok(meta) => row == Row::Tag && meta.is_dir(),
    }
}

/// Harms a file in every way, and looks what each deed makes of it.
fn row(row: Row) {
    watch::start();
    let sample = Sample::new();
    let costs = sample.costs(&row);
    let file = row.path(&sample);
    let bytes = std::fs::read(sample.path().join(&file)).unwrap();
    let mut table: BTreeMap<usize, BTreeMap<&str, usize>> = BTreeMap::new();
    let mut times_taken: BTreeMap<&str, std::time::Duration> = BTreeMap::new();
    let mut faults = Vec::new();
    let began = std::time::Instant::now();
    for (n, harm) in HARMS.iter().enumerate() {
        let times = (harm.times)(bytes.len(), most(row));
        for nth in 0..times {
            let scenes = tempdir();
            let mut number = 0;
            let mut scene = |deeds: &[(&'static str, deeds::Deed)]| {
                number += 1;
                let place = scenes.path().join(number.to_string());
                sample.copy(&place);
                let path = place.join(&file);
                let harmed =
                    Harmed { sample: &sample, row, path: &path, bytes: &bytes, nth, times };
                if !(harm.harm)(&harmed) {
                    println!(
                        "SKIPPED: {}, {}: permissions do not bind this user",
                        row.name(),
                        harm.name
                    );
                    return;
                }
                let scene = Scene {
                    sample: &sample,
                    place: &place,
                    row,
                    costs: costs.clone(),
                    is_gone: is_gone(row, &path),
                    is_plausible: harm.name == "swapped",
                };
                for (deed, run) in deeds {
                    let cell = format!("{} | {} ({nth}) | {deed}", row.name(), harm.name);
                    let _watched = watch::this(&cell);
                    let at = std::time::Instant::now();
                    let judged = catch_unwind(AssertUnwindSafe(|| run(&scene)));
                    let judged = judged.unwrap_or_else(|_| Err("it panicked".into()));
                    *times_taken.entry(deed).or_default() += at.elapsed();
                    *table.entry(n).or_default().entry(deed).or_default() += 1;
                    faults.extend(judged.err().map(|fault| format!("{cell}: {fault}")));
                }
            };
            scene(&READ);
            WRITE.iter().for_each(|deed| scene(std::slice::from_ref(deed)));
        }
    }
    println!("{}: harms and deeds, {:?}; {times_taken:?}", row.name(), began.elapsed());
    for (n, deeds) in &table {
        println!("  {:24} {deeds:?}", HARMS[*n].name);
    }
    assert!(faults.is_empty(), "{} cells:\n{}", faults.len(), faults.join("\n"));
    assert_eq!(table.len(), HARMS.len() - usize::from(!table.contains_key(&10)));
    watch::memory_is_bounded();
}

macro_rules! rows {
    ($($name:ident: $row:expr;)+) => {
        $(#[test]
        fn $name() {
            row($row);
        })+
    };
}

rows! {
    an_index: Row::Index(1);
    the_index_of_the_latest: Row::Index(2);
    a_file_record: Row::Record("/notes/b.md");
    a_chunk: Row::Chunk("/notes/b.md", 0);
    a_chunk_among_others: Row::Chunk("/large.bin", 1);
    latest: Row::Latest;
    a_tag: Row::Tag;
    full_latest: Row::FullLatest;
    settings: Row::Settings;
    a_catalog: Row::Catalog;
    a_state: Row::State;
    a_lock: Row::Lock;
}
