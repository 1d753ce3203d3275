//! The real program on a repository of its own, for tests of what happens to it from outside.
#![allow(dead_code, reason = "each test program uses its part")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A folder with a home for the program. In memory where that can be: a killed process loses nothing
/// that it has written, on whatever disk.
pub struct Bed {
    folder: tempfile::TempDir,
    key: String,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// Asserts how it failed, and that it says so in one line; gives that.
    #[track_caller]
    pub fn fails(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
        self.stderr
    }
}

impl Bed {
    /// A bed with an empty repository of our own in `repo`.
    pub fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let mut builder = tempfile::Builder::new();
        let builder = builder.prefix("revu-program-");
        let folder = builder.tempdir_in(memory).or_else(|_| builder.tempdir()).unwrap();
        let mut bed = Self { folder, key: String::new() };
        std::fs::create_dir(bed.path("home")).unwrap();
        bed.init("repo");
        bed
    }

    /// Makes a repository of our own, to be opened with its own key: that is quick.
    pub fn init(&mut self, name: &str) {
        let (repo, file) = (self.path(name), self.path("home").join(format!("{name}.key")));
        if let Some(above) = file.parent() {
            std::fs::create_dir_all(above).unwrap();
        }
        let mut init = self.command(&["init", "--new-key-file"]);
        Ran::of(init.arg(&file).arg(&repo).output().unwrap()).ok();
        let mut show = self.command(&["key", "show", "--key-file"]);
        let shown = Ran::of(show.arg(&file).arg("--repo").arg(&repo).output().unwrap()).ok();
        self.key = shown.stdout.trim().to_owned();
    }

    /// The key file that `repo` was made with.
    pub fn key_file(&self) -> PathBuf {
        self.path("home").join("repo.key")
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    /// The program, knowing nothing.
    pub fn command<S: AsRef<OsStr>>(&self, words: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_revu"));
        command
            .args(words)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("XDG_RUNTIME_DIR", self.path("home"))
            .current_dir(self.path(""))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// The program on the repository `repo`, with its key.
    pub fn revu<S: AsRef<OsStr>>(&self, words: &[S]) -> Command {
        self.revu_on("repo", words)
    }

    pub fn revu_on<S: AsRef<OsStr>>(&self, repo: &str, words: &[S]) -> Command {
        let mut command = self.command(words);
        command.env("REVU_REPO", self.path(repo)).env("REVU_KEY", &self.key);
        command
    }

    pub fn run<S: AsRef<OsStr>>(&self, words: &[S]) -> Ran {
        run(&mut self.revu(words))
    }

    /// Writes a file, with folders.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Asserts that every byte that any ref leads to is there.
    #[track_caller]
    pub fn is_whole(&self) {
        let checked = self.run(&["check", "--read-data"]);
        assert_eq!(checked.code, Some(0), "the repository is not whole: {checked:?}");
    }

    /// What `check` finds that is no damage: `(kind, problem)`, each once.
    #[track_caller]
    pub fn oddities(&self) -> Vec<(String, String)> {
        let checked = self.run(&["check", "--json"]).ok();
        let lines = checked.stdout.lines().map(|line| serde_json::from_str(line).unwrap());
        let lines = lines.filter(|line: &serde_json::Value| line["summary"].is_null());
        let word = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let mut found: Vec<_> =
            lines.map(|line| (word(&line["kind"]), word(&line["problem"]))).collect();
        found.sort();
        found.dedup();
        found
    }
}

pub fn run(command: &mut Command) -> Ran {
    Ran::of(command.output().unwrap())
}

/// Waits for a child.
pub fn finish(child: Child) -> Ran {
    Ran::of(child.wait_with_output().unwrap())
}

/// Waits up to a minute; says whether it came true.
pub fn soon(is_so: impl Fn() -> bool) -> bool {
    let until = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        if Instant::now() > until {
            return false;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    true
}

/// Sends a signal, such as `STOP`.
pub fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(sent.unwrap().success(), "kill -{name}");
}

/// Files by their paths: content and time in milliseconds.
pub type Files = BTreeMap<String, (Vec<u8>, i64)>;

/// All regular files below a folder; none where it is not there.
pub fn files(folder: &Path) -> Files {
    fn walk(folder: &Path, prefix: &str, found: &mut Files) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for entry in entries {
            let entry = entry.unwrap();
            let path = format!("{prefix}{}", entry.file_name().into_string().unwrap());
            let meta = entry.metadata().unwrap();
            if meta.is_dir() {
                walk(&entry.path(), &format!("{path}/"), found);
            } else {
                let updated = meta.mtime() * 1_000 + meta.mtime_nsec() / 1_000_000;
                found.insert(path, (std::fs::read(entry.path()).unwrap(), updated));
            }
        }
    }
    let mut found = Files::new();
    walk(folder, "", &mut found);
    found
}

/// The name of a file that a restore has not finished.
pub fn is_temporary(path: &str) -> bool {
    revu::ops::disk::is_temporary_name(path.rsplit_once('/').map_or(path, |(_, name)| name))
}

/// Random bytes that do not compress.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut random = Random(seed);
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend_from_slice(&random.next().to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Random numbers (splitmix64).
pub struct Random(pub u64);

impl Random {
    /// Others in each run.
    pub fn new() -> Self {
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).unwrap();
        Self(u64::from_le_bytes(seed))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}
