//! A place to run the program in.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::common;

/// What a run of the program left.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Asserts that it worked and said nothing on standard error.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!((self.code, self.stderr.as_str()), (0, ""), "{self:?}");
        self
    }

    /// Asserts how it failed; gives back what it said.
    #[track_caller]
    pub fn fails(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:?}");
        assert!(!self.stderr.is_empty(), "a failure must be told");
        self.stderr
    }

    pub fn lines(&self) -> Vec<&str> {
        self.stdout.lines().collect()
    }

    /// Standard output as lines of JSON.
    #[track_caller]
    pub fn json(&self) -> Vec<Value> {
        let parse =
            |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        self.stdout.lines().map(parse).collect()
    }
}

/// A home folder for one test, and the program in it, which knows nothing of the real one.
pub struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("revu-cli-").tempdir().unwrap();
        let home = Self { folder };
        for name in ["home", "run"] {
            fs::create_dir(home.path(name)).unwrap();
        }
        home
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    /// The program with these arguments, not yet started.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_revu"));
        command.args(args);
        self.surround(&mut command);
        command
    }

    /// Any other program, in the same place.
    pub fn other(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        self.surround(&mut command);
        command.env("REVU", env!("CARGO_BIN_EXE_revu"));
        command
    }

    fn surround(&self, command: &mut Command) {
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("XDG_STATE_HOME", self.path("state"))
            // Eight hours ahead, whatever zones the machine knows.
            .env("TZ", "CST-8")
            .current_dir(self.path(""))
            .stdin(Stdio::null());
    }

    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        run(&mut self.command(args))
    }

    /// A file that its owner alone can read.
    pub fn secret(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::OpenOptionsExt;
        let path = self.path(name);
        let options = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        options.unwrap().write_all(text.as_bytes()).unwrap();
        path
    }

    /// A copy of a fixture's folder.
    pub fn copy(&self, fixture: &str, name: &str) -> PathBuf {
        let path = self.path(name);
        common::copy_tree(&common::fixtures().join(fixture), &path);
        path
    }
}

#[track_caller]
pub fn run(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("all that is tested here is text");
    Ran {
        code: output.status.code().unwrap_or_else(|| panic!("{:?}", output.status)),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// The workspace of the fixture `golden`, which has its key.
pub fn golden() -> PathBuf {
    common::fixtures().join("golden")
}

/// The workspace that SiYuan made.
pub fn siyuan() -> PathBuf {
    common::fixtures().join("siyuan-workspace/workspace")
}

/// The key of `golden`, a fixture like the rest of it.
pub fn golden_key() -> String {
    fs::read_to_string(golden().join("key.txt")).unwrap().trim().to_owned()
}

/// What `golden` holds, as DejaVu's own tool wrote it down: one entry for each snapshot, oldest first.
/// State 6 made no new snapshot, but a tag.
pub fn golden_states() -> Vec<Value> {
    let mut states: Vec<Value> = Vec::new();
    for nth in 1..=7 {
        let text = fs::read_to_string(golden().join(format!("expect/{nth}.json"))).unwrap();
        let state: Value = serde_json::from_str(&text).unwrap();
        match states.last_mut().filter(|last| last["index"] == state["index"]) {
            Some(last) => last["tags"] = state["tags"].clone(),
            None => states.push(state),
        }
    }
    states
}

/// The names of the snapshots of `golden` eight hours ahead of Greenwich, oldest first.
pub const GOLDEN_NAMES: [&str; 6] = [
    "2024-05-01T02.01.00+0800",
    "2024-05-01T03.01.40+0800",
    "2024-05-01T04.01.40+0800",
    "2024-05-01T05.01.40+0800",
    "2024-05-01T05.01.40+0800_cf451171",
    "2024-05-01T07.01.40+0800",
];
