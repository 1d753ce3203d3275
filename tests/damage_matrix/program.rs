//! The real program and a real mount: one cell of each row.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::deeds::files_below;
use crate::harms::{HARMS, Harmed};
use crate::sample::{Files, Row, Sample, tempdir};

/// What a row meets here.
const CELLS: [(Row, &str); 12] = [
    (Row::Index(1), "a bit flipped"),
    (Row::Index(2), "inflating without end"),
    (Row::Record("/notes/b.md"), "inflating without end"),
    (Row::Chunk("/notes/b.md", 0), "a bit flipped"),
    (Row::Chunk("/large.bin", 1), "swapped"),
    (Row::Latest, "a pipe"),
    (Row::Tag, "a link to nothing"),
    (Row::FullLatest, "a pipe"),
    (Row::Settings, "cut"),
    (Row::Catalog, "huge"),
    (Row::State, "a pipe"),
    (Row::Lock, "a pipe"),
];

/// The program may take this much address space, KiB: an index expands to 256 MiB at the most.
const MOST_MEMORY: u64 = 4 << 20;

struct Program<'a> {
    sample: &'a Sample,
    place: PathBuf,
    cell: String,
}

impl Program<'_> {
    /// Runs it with a limit of time and of memory, and with its key.
    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new("timeout");
        let limits = format!("ulimit -v {MOST_MEMORY}; exec \"$@\"");
        command.args(["-k", "5", "60", "sh", "-c", &limits, "sh", env!("CARGO_BIN_EXE_revu")]);
        command
            .args(words)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.place)
            .env("XDG_RUNTIME_DIR", &self.place)
            .env("REVU_REPO", self.place.join("repo"))
            .env("REVU_KEY", self.sample.key.to_base64().as_str())
            .current_dir(&self.place);
        let output = command.output().unwrap();
        let code = output.status.code();
        let told = String::from_utf8_lossy(&output.stderr);
        // 124: it hung. 101: it panicked.
        assert!(
            code.is_some_and(|code| matches!(code, 0 | 1 | 3 | 11)) && !told.contains("panicked"),
            "{}: {words:?}: {code:?}: {told}",
            self.cell
        );
        output
    }

    /// Every file below a folder that can be read is one that was stored.
    fn is_true(&self, folder: &Path, what: &str) -> usize {
        let mut found = Files::new();
        read_below(folder, "", &mut found);
        for (path, bytes) in &found {
            let holds = |files: &Files| files.get(path) == Some(bytes);
            let is_true = self.sample.truth.values().any(holds);
            assert!(is_true, "{}: {what}: {path}: wrong bytes", self.cell);
        }
        found.len()
    }
}

fn read_below(folder: &Path, prefix: &str, all: &mut Files) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = format!("{prefix}/{}", entry.file_name().into_string().unwrap());
        if entry.file_type().unwrap().is_dir() {
            read_below(&entry.path(), &path, all);
        } else if let Ok(bytes) = std::fs::read(entry.path()) {
            all.insert(path, bytes);
        }
    }
}

fn can_mount() -> bool {
    let can = std::env::var_os("REVU_SKIP_FUSE").is_none() && Path::new("/dev/fuse").exists();
    if !can {
        println!("SKIPPED: no mount of damaged repositories here");
    }
    can
}

#[test]
fn the_program_and_a_mount_meet_one_cell_of_each_row() {
    let sample = Sample::new();
    let mounts = can_mount();
    for (row, name) in CELLS {
        let harm = HARMS.iter().find(|harm| harm.name == name).unwrap();
        let scenes = tempdir();
        let place = scenes.path().join("place");
        sample.copy(&place);
        // Where the program looks for its caches.
        std::fs::create_dir(place.join(".cache")).unwrap();
        std::fs::rename(place.join("cache"), place.join(".cache/revu")).unwrap();
        let file = match row.path(&sample).strip_prefix("cache") {
            Ok(below) => place.join(".cache/revu").join(below),
            Err(_) => place.join(row.path(&sample)),
        };
        let bytes = std::fs::read(&file).unwrap();
        let harmed = Harmed { sample: &sample, row, path: &file, bytes: &bytes, nth: 1, times: 2 };
        assert!((harm.harm)(&harmed), "{name}");
        let cell = format!("{} | {name}", row.name());
        let program = Program { sample: &sample, place: place.clone(), cell };
        let ids = sample.ids.map(|id| id.to_string());

        program.run(&["log"]);
        program.run(&["ls", "-R", &ids[2]]);
        for (path, bytes) in &sample.truth[&sample.ids[0]] {
            let cat = program.run(&["cat", &format!("{}:{path}", ids[0])]);
            let is_whole = cat.status.success();
            assert!(!is_whole || cat.stdout == *bytes, "{}: cat {path}", program.cell);
            let must = sample.costs(&row).is_empty();
            assert!(is_whole || !must, "{}: cat {path}: {cat:?}", program.cell);
        }
        program.run(&["diff", &ids[0], &ids[2]]);
        program.run(&["find", "--content", "needle"]);
        program.run(&["restore", &ids[2], "--to", "restored"]);
        program.is_true(&place.join("restored"), "restore");
        if mounts {
            let point = place.join("mount");
            std::fs::create_dir(&point).unwrap();
            program.run(&["mount", "mount"]);
            let read: usize =
                ids.iter().map(|id| program.is_true(&point.join("ids").join(id), "mount")).sum();
            assert!(read >= 4, "{}: {read} files were read", program.cell);
            program.run(&["umount", "mount"]);
        }
        let check = program.run(&["check", "--read-data", "--json"]);
        let named = String::from_utf8_lossy(&check.stdout)
            .contains(&file.file_name().unwrap().to_string_lossy()[2..]);
        let is_cache = matches!(row, Row::Catalog | Row::State | Row::Lock);
        assert!(named || is_cache, "{}: check names it: {check:?}", program.cell);
        program.run(&["snapshot", "data"]);
        let purge = program.run(&["purge", "--keep-last", "1"]);
        let refuses = matches!(row, Row::Latest | Row::Tag | Row::Record(_) | Row::Index(_));
        assert!(!refuses || !purge.status.success(), "{}: {purge:?}", program.cell);
        let mut left = Files::new();
        files_below(&place.join("data"), "", &mut left);
        assert_eq!(left.len(), 6, "{}: the user's own files are untouched", program.cell);
    }
}
