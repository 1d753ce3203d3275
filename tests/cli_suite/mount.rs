//! `revu mount`, `umount`, `mounts`, with the real kernel.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use revu::format::RepoKey;

use crate::support::{GOLDEN_NAMES, Home, Ran, golden, golden_key, run};

/// Whether tests with mounts are wanted. Without FUSE they fail, unless told to be skipped.
fn wanted(test: &str) -> bool {
    if std::env::var_os("REVU_SKIP_FUSE").is_some_and(|value| value == "1") {
        println!("SKIPPED: {test}: REVU_SKIP_FUSE is set");
        return false;
    }
    true
}

/// A home whose mounts are left when the test ends, however it does.
struct Mounting(Home);

impl Mounting {
    fn new() -> Self {
        Self(Home::new())
    }

    fn mount(&self, args: &[&str]) -> Ran {
        let mut command = self.0.command(["mount"]);
        run(command.arg("--workspace").arg(golden()).args(args))
    }

    fn umount(&self, point: &Path) -> Ran {
        run(self.0.command(["umount"]).arg(point))
    }

    /// The mount points below this home, as the kernel knows them.
    fn mounted(&self) -> Vec<PathBuf> {
        let text = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let points = text.lines().map(|line| PathBuf::from(line.split(' ').nth(4).unwrap()));
        points.filter(|point| point.starts_with(self.0.path(""))).collect()
    }
}

impl Drop for Mounting {
    fn drop(&mut self) {
        for point in self.mounted() {
            let _ = Command::new("fusermount3").arg("-uz").arg(&point).output();
        }
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn there_and_back() {
    if !wanted("there_and_back") {
        return;
    }
    let place = Mounting::new();
    let point = place.0.path("past");
    let mounted = place.mount(&["past"]).ok();
    assert_eq!(mounted.stdout, "", "the user knows where it is");
    assert_eq!(names(&point), ["ids", "latest", "notes", "snapshots", "tags", "versions"]);
    assert_eq!(names(&point.join("snapshots")), GOLDEN_NAMES);
    assert_eq!(fs::read_to_string(point.join("latest/later.txt")).unwrap(), "five\n");

    let listed = place.0.run(["mounts", "--json"]).ok().json();
    let line = listed.iter().find(|line| line["mountpoint"] == point.to_str().unwrap()).unwrap();
    assert_eq!(line["repository"], golden().join("repo").to_str().unwrap());
    assert_eq!(line["state"], "alive");
    let text = place.0.run(["mounts"]).ok().stdout;
    assert!(text.lines().any(|line| line.starts_with(point.to_str().unwrap())), "{text}");

    let again = place.mount(&["past"]).fails(11);
    assert!(again.contains("already"), "{again}");

    let left = run(place.0.command(["umount", "--json"]).arg("past")).ok().json();
    assert_eq!(left[0]["summary"]["state"], "unmounted");
    assert_eq!(left[0]["summary"]["mountpoint"], point.to_str().unwrap());
    assert_eq!(place.mounted(), [] as [PathBuf; 0]);
    let told = place.umount(&point).fails(1);
    assert!(told.contains("revu mounts"), "{told}");
}

#[test]
fn a_mount_point_of_our_own_is_printed() {
    if !wanted("a_mount_point_of_our_own_is_printed") {
        return;
    }
    let place = Mounting::new();
    let printed = place.mount(&["--utc"]).ok().stdout;
    let point = PathBuf::from(printed.trim_end());
    assert_eq!(point, place.0.path("run/revu/golden"));
    assert!(names(&point.join("snapshots")).contains(&"2024-04-30T23.01.40Z".to_owned()));
    let json = place.mount(&["--json"]).ok().json();
    let second = PathBuf::from(json[0]["summary"]["mountpoint"].as_str().unwrap());
    assert_eq!(names(&second).len(), 6);
    assert!(json[0]["summary"]["pid"].as_u64().unwrap() > 1);
    for point in [&point, &second] {
        place.umount(point).ok();
        // The process behind it does that when it ends.
        let until = Instant::now() + Duration::from_secs(10);
        while point.exists() {
            assert!(Instant::now() < until, "what was made for the mount stays");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn a_wrong_key_mounts_nothing() {
    if !wanted("a_wrong_key_mounts_nothing") {
        return;
    }
    let place = Mounting::new();
    let wrong = place.0.secret("wrong", &RepoKey::from_bytes([1; 32]).to_base64());
    for front in [&["past"][..], &["-f", "past"], &["--json", "past"], &[]] {
        let begin = Instant::now();
        let told =
            place.mount(&[front, &["--key-file", wrong.to_str().unwrap()]].concat()).fails(12);
        assert!(begin.elapsed() < Duration::from_secs(1));
        assert_eq!(told.lines().count(), 1, "{told}");
        assert!(told.contains("wrong key for "), "{told}");
        assert_eq!(place.mounted(), [] as [PathBuf; 0]);
        assert!(!place.0.path("past").exists() && !place.0.path("run/revu/golden").exists());
    }
    let told = run(&mut place.0.command(["mount", "past", "--repo", "/nowhere"])).fails(10);
    assert!(told.contains("/nowhere"), "{told}");
}

#[test]
fn the_key_does_not_lie_open_while_a_mount_lives() {
    let test = "the_key_does_not_lie_open_while_a_mount_lives";
    if !wanted(test) {
        return;
    }
    let place = Mounting::new();
    let repo = place.0.copy("golden/repo", "lone");
    let mut command = place.0.command(["mount", "past", "--json", "--repo"]);
    let mounted = run(command.arg(&repo).env("REVU_KEY", golden_key())).ok().json();
    let process = PathBuf::from(format!("/proc/{}", mounted[0]["summary"]["pid"]));
    let limits = fs::read_to_string(process.join("limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "{core}");
    // The kernel hides what is hidden from its user by giving it to root.
    use std::os::unix::fs::MetadataExt;
    assert_eq!(fs::metadata(process.join("environ")).unwrap().uid(), 0);
    match fs::read(process.join("environ")) {
        Ok(environ) => {
            let environ = String::from_utf8_lossy(&environ);
            assert!(environ.contains("TZ=CST-8"), "{environ}");
            assert!(!environ.contains(&golden_key()[..8]), "the key is in the environment");
        }
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied),
    }
    place.umount(&place.0.path("past")).ok();
}

#[test]
fn in_front_until_ctrl_c() {
    if !wanted("in_front_until_ctrl_c") {
        return;
    }
    let place = Mounting::new();
    let mut command = place.0.command(["mount", "-f", "--json", "past", "--workspace"]);
    command.arg(golden()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let json: serde_json::Value = serde_json::from_str(&line).unwrap();
    let point = place.0.path("past");
    assert_eq!(json["mountpoint"], point.to_str().unwrap());
    assert_eq!(names(&point.join("tags")).len(), 4);
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), &ended.stderr[..]), (Some(0), &b""[..]), "{ended:?}");
    let json: serde_json::Value = serde_json::from_str(&rest).unwrap();
    assert_eq!(json["summary"]["state"], "unmounted");
    assert_eq!(place.mounted(), [] as [PathBuf; 0]);
}

#[test]
fn a_path_in_a_mount_names_a_file_in_a_snapshot() {
    if !wanted("a_path_in_a_mount_names_a_file_in_a_snapshot") {
        return;
    }
    let place = Mounting::new();
    place.mount(&["past", "--utc"]).ok();
    let key = place.0.secret("key", &golden_key());
    let point = place.0.path("past");
    let ask = |current: &Path, args: &[&str]| {
        run(place.0.command(args).current_dir(current).env("REVU_KEY_FILE", &key))
    };
    let home = place.0.path("");
    std::os::unix::fs::symlink("past", place.0.path("link")).unwrap();
    for path in [
        "past/latest/later.txt",
        "link/latest/later.txt",
        "./past/snapshots/2024-04-30T23.01.40Z/later.txt",
        "past/tags/../snapshots/2024-04-30T21.01.40Z_cf451171/later.txt",
        "past/tags/again/later.txt",
        "past/ids/1666729b22f1ea1818fcc731343101694319fc28/later.txt",
    ] {
        assert_eq!(ask(&home, &["cat", path]).ok().stdout, "five\n", "{path}");
    }
    let inside = point.join("snapshots/2024-04-30T21.01.40Z_cf451171/assets");
    assert_eq!(
        ask(&inside, &["ls", "."]).ok().stdout,
        ask(&home, &["ls", "past/tags/again/assets"]).ok().stdout
    );
    assert_eq!(ask(&inside, &["log", "../later.txt"]).ok().lines().len(), 1);
    assert_eq!(ask(&inside, &["log"]).ok().lines().len(), 6, "its repository is the mount's");
    let told = ask(&home, &["ls", "past/snapshots"]).fails(1);
    assert!(told.contains("none of its snapshots"), "{told}");

    // Within the mount, the shell keeps it busy, and nobody else is named.
    let mut shell = place.0.other("sh");
    shell.current_dir(&inside).args(["-c", "\"$REVU\" umount ../../..; echo $?"]);
    let ran = run(&mut shell);
    assert_eq!(ran.stdout, "11\n", "{ran:?}");
    assert!(!ran.stderr.contains("revu ("), "it names itself: {ran:?}");
    place.umount(&point).ok();
}

#[test]
fn what_cannot_be_a_mount_point() {
    let place = Mounting::new();
    fs::create_dir(place.0.path("full")).unwrap();
    fs::write(place.0.path("full/file"), "").unwrap();
    for (point, code) in [("full", 1), ("full/file", 1), ("no/parent", 1)] {
        place.mount(&[point]).fails(code);
    }
    let repo = golden().join("repo/new");
    place.mount(&[repo.to_str().unwrap()]).fails(1);
    assert!(!repo.exists());
}
