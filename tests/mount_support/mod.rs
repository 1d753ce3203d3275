//! What tests with real mounts need: mounts made by processes of their own, and left whatever happens.
#![allow(dead_code, reason = "each test program uses its part")]

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use revu::format::RepoKey;
use revu::mount::{self, Failure, MountPoint, MountRequest, Options};
use revu::repo::{self, Repository};
use revu::store::Store;
use revu::vfs::{Vfs, VfsOptions};
use serde::{Deserialize, Serialize};

/// Whether tests with mounts are wanted. Without FUSE they fail, unless told to be skipped.
pub fn wanted(test: &str) -> bool {
    if std::env::var_os("REVU_SKIP_FUSE").is_some_and(|value| value == "1") {
        println!("SKIPPED: {test}: REVU_SKIP_FUSE is set");
        return false;
    }
    assert!(
        Path::new("/dev/fuse").exists(),
        "/dev/fuse is missing: load the module \"fuse\", or set REVU_SKIP_FUSE=1 to skip"
    );
    true
}

/// Whether this is root; tests that need it are named and skipped otherwise.
pub fn root(test: &str) -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        println!("SKIPPED: {test}: this part needs root");
    }
    root
}

/// What a process of its own is to mount.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    pub repo: PathBuf,
    pub key: String,
    /// `None`: a fresh one.
    pub point: Option<PathBuf>,
    pub options: Vec<String>,
    pub foreground: bool,
    /// Something to do instead of opening the repository, or before it.
    pub twist: Twist,
}

/// What happens while the repository is being opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Twist {
    None,
    /// It takes this many milliseconds.
    Slow(u64),
    /// It fails with exit code 12.
    Fails,
    /// The process is killed.
    Killed,
    /// There is a bug.
    Panics,
}

impl Spec {
    pub fn new(repo: &Path, key: &str, point: &Path) -> Self {
        Self {
            repo: repo.to_owned(),
            key: key.to_owned(),
            point: Some(point.to_owned()),
            options: Vec::new(),
            foreground: false,
            twist: Twist::None,
        }
    }

    pub fn option(mut self, option: &str) -> Self {
        self.options.push(option.to_owned());
        self
    }

    pub fn foreground(mut self) -> Self {
        self.foreground = true;
        self
    }

    pub fn twist(mut self, twist: Twist) -> Self {
        self.twist = twist;
        self
    }

    /// The command that mounts this: `revu mount`, or where there is a twist this test program, running
    /// [`child`] alone.
    pub fn command(&self, state: &Path) -> Command {
        let mut command = match self.twist {
            Twist::None => self.revu(),
            _ => {
                let mut command = Command::new(std::env::current_exe().unwrap());
                command
                    .args(["--exact", "child", "--ignored", "--nocapture"])
                    .env("REVU_TEST_CHILD", serde_json::to_string(self).unwrap());
                command
            }
        };
        command
            .env("XDG_STATE_HOME", state)
            // What another test has seen of a repository must not help this one.
            .env("XDG_CACHE_HOME", state)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn revu(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_revu"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("REVU_") {
                command.env_remove(name);
            }
        }
        command.args(["mount", "--json", "-v", "--utc"]);
        command.env("REVU_REPO", &self.repo).env("REVU_KEY", &self.key);
        for option in &self.options {
            command.args(["-o", option]);
        }
        if self.foreground {
            command.arg("-f");
        }
        command.args(&self.point);
        command
    }
}

/// The body of the test `child`: mounts as it is told and ends the process.
pub fn child() {
    let Some(spec) = std::env::var_os("REVU_TEST_CHILD") else {
        println!("SKIPPED: child: other tests run it");
        return;
    };
    let spec: Spec = serde_json::from_str(spec.to_str().unwrap()).unwrap();
    mount::logger::install(log::LevelFilter::Info);
    let exit = match serve(spec) {
        Ok(()) => 0,
        Err(failure) => {
            eprintln!("FAILED {}: {failure}", failure.kind);
            failure.exit.into()
        }
    };
    std::process::exit(exit);
}

fn serve(spec: Spec) -> Result<(), Failure> {
    let options = Options::parse(spec.options.iter().map(String::as_str))?;
    let point = match &spec.point {
        Some(point) => MountPoint::check(point, Some(&spec.repo))?,
        None => MountPoint::fresh("test", Some(&spec.repo))?,
    };
    let source = spec.repo.clone().into_os_string();
    let foreground = spec.foreground;
    let request =
        MountRequest { open: Box::new(move || open(&spec)), point, options, source, foreground };
    mount::mount(request, |_| {}).map(drop)
}

fn open(spec: &Spec) -> Result<Arc<Vfs>, Failure> {
    match spec.twist {
        Twist::None => {}
        Twist::Slow(ms) => std::thread::sleep(Duration::from_millis(ms)),
        Twist::Fails => {
            return Err(Failure {
                kind: "wrong_key".to_owned(),
                message: "wrong key\nfor \"this\"".to_owned(),
                exit: 12,
                causes: Vec::new(),
            });
        }
        Twist::Killed => {
            signal(std::process::id(), "KILL");
            std::thread::sleep(Duration::from_secs(60));
        }
        Twist::Panics => panic!("a bug"),
    }
    let key = RepoKey::parse(&spec.key).expect("a fixture's key");
    let failed = |error: &dyn std::error::Error| Failure::new("open", 1, error);
    let repo = Repository::open(Store::local(&spec.repo), &key, repo::Options::default())
        .map_err(|error| failed(&error))?;
    let vfs = Vfs::new(Arc::new(repo), VfsOptions { utc: true });
    Ok(Arc::new(vfs.map_err(|error| failed(&error))?))
}

/// A place for mounts; whatever is still mounted in it is left when it is dropped.
pub struct Place {
    pub folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { folder: tempfile::Builder::new().prefix("revu-test-").tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    pub fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// Mounts in the background, asserting that it works.
    pub fn mount(&self, spec: &Spec) -> Mount {
        let output = self.run(spec);
        Mount::of(&output.stdout).unwrap_or_else(|| panic!("{spec:?}: {output:?}"))
    }

    pub fn run(&self, spec: &Spec) -> Output {
        spec.command(&self.state()).output().unwrap()
    }

    /// Everything that was logged by background mounts.
    pub fn logs(&self) -> String {
        let mut text = String::new();
        for entry in fs::read_dir(self.state().join("revu")).into_iter().flatten().flatten() {
            text.push_str(&fs::read_to_string(entry.path()).unwrap());
        }
        text
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let below = self.folder.path().canonicalize().unwrap();
        for (point, _) in table().into_iter().rev().filter(|(p, _)| p.starts_with(&below)) {
            let _ = nix::mount::umount2(&point, nix::mount::MntFlags::MNT_DETACH);
            let _ = Command::new("fusermount3").arg("-uzq").arg(&point).output();
        }
    }
}

/// A mount that is up.
#[derive(Debug)]
pub struct Mount {
    pub pid: u32,
    pub point: PathBuf,
}

impl Mount {
    /// The mount that `revu mount --json` tells of in its last line.
    pub fn of(stdout: &[u8]) -> Option<Self> {
        let last = std::str::from_utf8(stdout).ok()?.lines().last()?;
        let json: serde_json::Value = serde_json::from_str(last).ok()?;
        let summary = &json["summary"];
        Some(Self {
            pid: summary["pid"].as_u64()?.try_into().ok()?,
            point: summary["mountpoint"].as_str()?.into(),
        })
    }

    pub fn is_up(&self) -> bool {
        self.line().is_some()
    }

    pub fn line(&self) -> Option<String> {
        table().into_iter().find(|(point, _)| *point == self.point).map(|(_, line)| line)
    }

    /// Waits until the process has ended.
    pub fn ended(&self) {
        eventually("the process ends", || !alive(self.pid));
    }

    pub fn snapshot(&self) -> PathBuf {
        self.point.join("latest")
    }
}

/// Mount points and lines of the kernel's table, read without revu. Fixtures' points need no
/// unescaping.
pub fn table() -> Vec<(PathBuf, String)> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let point = |line: &str| line.split(' ').nth(4).unwrap().into();
    text.lines().map(|line| (point(line), line.to_owned())).collect()
}

/// Whether a process runs; one that has ended and waits for its parent does not.
pub fn alive(pid: u32) -> bool {
    state(pid).is_some_and(|state| state != 'Z')
}

/// The state of a process as `ps` shows it: `D` is one that hangs.
pub fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

pub fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    assert!(sent.unwrap().success(), "kill -{name} {pid}");
}

/// Waits up to ten seconds.
pub fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(10);
    while !is_so() {
        assert!(Instant::now() < until, "not within ten seconds: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits for a child, but not for ever; its exit code and what it wrote.
pub fn finish(mut child: Child) -> (Option<i32>, String) {
    let until = Instant::now() + Duration::from_secs(20);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > until {
            let state = state(child.id());
            let _ = child.kill();
            panic!("process {} does not end: state {state:?}", child.id());
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let mut text = String::new();
    for pipe in [
        child.stdout.take().map(|p| Box::new(p) as Box<dyn Read>),
        child.stderr.take().map(|p| Box::new(p) as Box<dyn Read>),
    ]
    .into_iter()
    .flatten()
    {
        let mut bytes = Vec::new();
        let mut pipe = pipe;
        pipe.read_to_end(&mut bytes).unwrap();
        text.push_str(&String::from_utf8_lossy(&bytes));
    }
    (status.code(), text)
}
