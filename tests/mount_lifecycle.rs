//! Mounts from their beginning to their end, good or bad, with the real kernel.

mod common;
mod mount_support;

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::golden;
use mount_support::{Mount, Place, Spec, Twist, alive, eventually, finish, root, signal, wanted};
use revu::mount::{Health, Holder, Left, UmountError, Use, mounts, umount};

fn spec(place: &Place, name: &str) -> Spec {
    let key = fs::read_to_string(common::fixtures().join("golden/key.txt")).unwrap();
    Spec::new(&golden().repo, key.trim(), &place.path(name))
}

/// Runs `grep -r` in a mount until it ends.
fn grep(mount: &Mount) -> Command {
    let mut command = Command::new("grep");
    command.args(["-r", "no such words anywhere"]).arg(mount.point.join("ids"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A process that stays in a folder of the mount.
fn sit(mount: &Mount) -> std::process::Child {
    Command::new("sleep").arg("60").current_dir(mount.snapshot()).spawn().unwrap()
}

#[test]
#[ignore = "other tests run it as a process of its own"]
fn child() {
    mount_support::child();
}

#[test]
fn a_background_mount_is_there_when_its_parent_returns_and_goes_without_a_trace() {
    if !wanted("a_background_mount_is_there") {
        return;
    }
    let place = Place::new();
    let mount = place.mount(&spec(&place, "new"));
    assert_eq!(mount.point, place.path("new"));
    let names: Vec<_> = fs::read_dir(&mount.point)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names, ["ids", "latest", "notes", "snapshots", "tags", "versions"]);

    let line = mount.line().unwrap();
    assert!(line.contains(" ro,nosuid,nodev,"), "{line}");
    assert!(line.contains(&format!("- fuse.revu {} ", golden().repo.display())), "{line}");
    let listed = mounts().unwrap();
    let ours = listed.iter().find(|listed| listed.point == mount.point).unwrap();
    assert_eq!((ours.health, ours.source.as_os_str()), (Health::Alive, golden().repo.as_os_str()));

    // Nothing of whoever started it is held: no folder, no terminal, no pipe.
    let cwd = fs::read_link(format!("/proc/{}/cwd", mount.pid)).unwrap();
    assert_eq!(cwd.to_str(), Some("/"));
    for fd in 0..3 {
        let to = fs::read_link(format!("/proc/{}/fd/{fd}", mount.pid)).unwrap();
        assert!(to.starts_with("/dev/null") || to.starts_with(place.state()), "{fd}: {to:?}");
    }

    assert_eq!(umount(&mount.point).unwrap(), Left::Unmounted);
    assert!(!mount.is_up());
    mount.ended();
    assert!(!place.path("new").exists(), "the folder that was made is removed again");
    let logs = place.logs();
    assert!(logs.contains("info: mounted at") && logs.contains("info: left"), "{logs}");
    assert!(!logs.contains("error:") && !logs.contains("warning:"), "{logs}");
    assert!(matches!(umount(&mount.point), Err(UmountError::NotAMount(_))));
}

#[test]
fn a_folder_that_was_there_stays_there() {
    if !wanted("a_folder_that_was_there_stays_there") {
        return;
    }
    let place = Place::new();
    fs::create_dir(place.path("old")).unwrap();
    let mount = place.mount(&spec(&place, "old"));
    umount(&mount.point).unwrap();
    mount.ended();
    assert!(place.path("old").is_dir());
}

#[test]
fn without_a_mount_point_a_fresh_one_is_made() {
    if !wanted("without_a_mount_point_a_fresh_one_is_made") {
        return;
    }
    let place = Place::new();
    fs::create_dir(place.path("run")).unwrap();
    let fresh = Spec { point: None, ..spec(&place, "") };
    let mounted: Vec<_> = (0..2)
        .map(|_| {
            let mut command = fresh.command(&place.state());
            let child = command.env("XDG_RUNTIME_DIR", place.path("run")).spawn().unwrap();
            let (code, text) = finish(child);
            assert_eq!(code, Some(0), "{text}");
            Mount::of(text.as_bytes()).expect("the last line tells of it")
        })
        .collect();
    assert_eq!(mounted[0].point, place.path("run/revu/golden"));
    assert_eq!(mounted[1].point, place.path("run/revu/golden-2"), "two mounts of one repository");
    for mount in &mounted {
        assert!(mount.snapshot().join(".").is_dir());
        umount(&mount.point).unwrap();
        mount.ended();
        assert!(!mount.point.exists());
    }
}

#[test]
fn what_fails_fails_in_the_parent_and_leaves_nothing() {
    if !wanted("what_fails_fails_in_the_parent") {
        return;
    }
    let place = Place::new();
    for (twist, foreground, exit, words) in [
        (Twist::Fails, false, 12, "FAILED wrong_key: wrong key\nfor \"this\""),
        (Twist::Fails, true, 12, "FAILED wrong_key: wrong key\nfor \"this\""),
        (Twist::Killed, false, 1, "was ended by signal 9"),
        (Twist::Panics, false, 1, "ended with exit code 101"),
    ] {
        let mut spec = spec(&place, "new").twist(twist);
        spec.foreground = foreground;
        for options in [vec![], vec!["auto_unmount".to_owned()]] {
            let output = place.run(&Spec { options, ..spec.clone() });
            let text = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(exit), "{twist:?}: {text}");
            assert!(text.contains(words), "{twist:?}: {text}");
            assert!(!place.path("new").exists(), "{twist:?}");
        }
    }
    assert!(place.logs().contains("wrong key"), "{}", place.logs());
}

#[test]
fn an_interrupted_start_leaves_nothing() {
    if !wanted("an_interrupted_start_leaves_nothing") {
        return;
    }
    let place = Place::new();
    // Long enough for a busy machine: the signal has to come before the mount is up.
    let slow = spec(&place, "new").twist(Twist::Slow(4_000));
    let parent = slow.command(&place.state()).spawn().unwrap();
    let background = || -> Option<u32> {
        // The test program runs each test in a thread of its own, so the fork is that thread's.
        let tasks = fs::read_dir(format!("/proc/{}/task", parent.id())).ok()?;
        let all = tasks.map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok());
        all.flatten().collect::<String>().trim().parse().ok()
    };
    eventually("the background process is there", || background().is_some());
    let background = background().unwrap();
    // The parent handles signals by now, or soon: it waits for what the other one tells it.
    std::thread::sleep(Duration::from_millis(300));
    signal(parent.id(), "INT");
    let (code, _) = finish(parent);
    assert_eq!(code, None, "ended by the signal");
    eventually("the background process ends too", || !alive(background));
    assert!(!place.path("new").exists());
}

#[test]
fn kill_9_under_a_reader_hangs_nobody_and_is_cleared_away() {
    if !wanted("kill_9_under_a_reader") {
        return;
    }
    let place = Place::new();
    for cleared_by_mount in [false, true] {
        let mount = place.mount(&spec(&place, "new"));
        let readers: Vec<_> = (0..3).map(|_| grep(&mount).spawn().unwrap()).collect();
        std::thread::sleep(Duration::from_millis(5));
        signal(mount.pid, "KILL");
        for reader in readers {
            let (code, _) = finish(reader);
            assert!(matches!(code, Some(1 | 2)), "grep ended: {code:?}");
        }
        mount.ended();
        assert!(mount.is_up(), "a dead mount stays, lest a mirror deletes its copies");
        // What the kernel remembers of the root it may show for half a second more.
        let enotconn = Some(nix::errno::Errno::ENOTCONN as i32);
        let listed = || fs::read_dir(&mount.point).map(|listing| listing.count());
        eventually("it is dead", || listed().is_err_and(|e| e.raw_os_error() == enotconn));
        let listed = mounts().unwrap();
        let dead = listed.iter().find(|listed| listed.point == mount.point).unwrap();
        assert_eq!(dead.health, Health::Dead);

        if cleared_by_mount {
            let output = place.run(&spec(&place, "new"));
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && text.contains("cleared away"), "{text}");
            assert!(mount.snapshot().join(".").is_dir());
            let lines = mount_support::table();
            let ours = lines.iter().filter(|(point, _)| *point == mount.point).count();
            assert_eq!(ours, 1, "the dead one is gone");
            umount(&mount.point).unwrap();
        } else {
            assert_eq!(umount(&mount.point).unwrap(), Left::Cleared);
            assert!(!mount.is_up());
            assert!(place.path("new").is_dir(), "who made it is dead");
        }
    }
}

#[test]
fn a_mount_whose_program_hangs_hangs_nobody_else() {
    if !wanted("a_mount_whose_program_hangs") {
        return;
    }
    let place = Place::new();
    let mount = place.mount(&spec(&place, "new"));
    let mut sitting = sit(&mount);
    signal(mount.pid, "STOP");
    let begin = Instant::now();
    let listed = mounts().unwrap();
    let ours = listed.iter().find(|listed| listed.point == mount.point).unwrap();
    assert_eq!(ours.health, Health::Silent);
    assert!(begin.elapsed() < Duration::from_secs(5));
    let output = place.run(&spec(&place, "new"));
    assert_eq!(output.status.code(), Some(11), "a mount is there: {output:?}");
    // Somebody who uses it is named; nobody is waited for who does not answer.
    let error = umount(&mount.point).unwrap_err();
    assert!(error.to_string().contains("sleep"), "{error}");
    sitting.kill().unwrap();
    sitting.wait().unwrap();
    assert_eq!(umount(&mount.point).unwrap(), Left::Unmounted);
    assert!(!mount.is_up());
    signal(mount.pid, "CONT");
    mount.ended();
}

#[test]
fn a_busy_mount_says_who_uses_it() {
    if !wanted("a_busy_mount_says_who_uses_it") {
        return;
    }
    let place = Place::new();
    let mount = place.mount(&spec(&place, "new"));
    let mut sitting = sit(&mount);
    let who = |mount: &Mount| match umount(&mount.point).unwrap_err() {
        UmountError::Busy { holders, .. } => holders,
        other => panic!("{other}"),
    };
    let held = who(&mount);
    let Holder::Process { pid, command, what } = &held[0] else { panic!("{held:?}") };
    assert_eq!((*pid, command.as_str(), what), (sitting.id(), "sleep", &Use::CurrentFolder));
    assert!(mount.is_up());
    sitting.kill().unwrap();
    sitting.wait().unwrap();

    let file = fs::read_dir(mount.point.join("ids")).unwrap();
    let held = who(&mount);
    let open = |h: &Holder| {
        matches!(h, Holder::Process { pid, what: Use::Open(path), .. }
            if *pid == std::process::id() && path.ends_with("ids"))
    };
    assert!(held.iter().any(open), "{held:?}");
    drop(file);
    assert_eq!(umount(&mount.point).unwrap(), Left::Unmounted);
    mount.ended();
}

#[test]
fn each_signal_unmounts() {
    if !wanted("each_signal_unmounts") {
        return;
    }
    let place = Place::new();
    for name in ["INT", "TERM", "HUP"] {
        let mount = place.mount(&spec(&place, "new"));
        signal(mount.pid, name);
        mount.ended();
        assert!(!mount.is_up(), "{name}");
        assert!(!place.path("new").exists(), "{name}");

        let child = spec(&place, "new").foreground().command(&place.state()).spawn().unwrap();
        eventually("it is mounted", || place.path("new/ids").is_dir());
        signal(child.id(), name);
        let (code, text) = finish(child);
        assert_eq!(code, Some(0), "{name}: {text}");
        assert!(text.contains(r#""state":"unmounted""#), "{text}");
        assert!(!place.path("new").exists(), "{name}");
    }
}

#[test]
fn a_busy_mount_waits_at_the_first_signal_and_goes_at_the_second() {
    if !wanted("a_busy_mount_waits") {
        return;
    }
    let place = Place::new();
    // The one that sits there goes: the mount goes with it.
    let mount = place.mount(&spec(&place, "new"));
    let mut sitting = sit(&mount);
    signal(mount.pid, "TERM");
    let said =
        format!("is in use by sleep (process {}, its current folder is there)", sitting.id());
    eventually("it says who", || place.logs().contains(&said));
    std::thread::sleep(Duration::from_millis(600));
    assert!(mount.is_up() && alive(mount.pid), "it waits");
    assert!(mount.point.join("ids").is_dir(), "and still answers");
    sitting.kill().unwrap();
    sitting.wait().unwrap();
    mount.ended();
    assert!(!mount.is_up());
    assert_eq!(place.logs().matches("is in use by").count(), 1, "it is said once");

    // A second signal does not wait.
    let mount = place.mount(&spec(&place, "new"));
    let mut sitting = sit(&mount);
    signal(mount.pid, "TERM");
    eventually("it says who", || place.logs().matches("is in use by").count() == 2);
    signal(mount.pid, "TERM");
    mount.ended();
    assert!(!mount.is_up());
    assert!(!place.path("new").exists());
    assert!(sitting.try_wait().unwrap().is_none(), "nobody was killed");
    sitting.kill().unwrap();
    sitting.wait().unwrap();
}

#[test]
fn a_mount_left_by_others_ends_the_process() {
    if !wanted("a_mount_left_by_others") {
        return;
    }
    let place = Place::new();
    let child = spec(&place, "new").foreground().command(&place.state()).spawn().unwrap();
    eventually("it is mounted", || place.path("new/ids").is_dir());
    let mut leave = Command::new("fusermount3");
    leave.arg("-u").arg(place.path("new")).stderr(Stdio::null());
    // Another test may just be looking at all mounts.
    let leave = std::cell::RefCell::new(leave);
    eventually("it is left", || leave.borrow_mut().status().unwrap().success());
    let (code, text) = finish(child);
    assert_eq!(code, Some(0), "{text}");
    assert!(!place.path("new").exists());
}

#[test]
fn auto_unmount_clears_up_after_a_crash() {
    if !wanted("auto_unmount_clears_up") {
        return;
    }
    let place = Place::new();
    let mount = place.mount(&spec(&place, "new").option("auto_unmount"));
    signal(mount.pid, "KILL");
    eventually("it is unmounted", || !mount.is_up());
    eventually("the folder is removed", || !place.path("new").exists());

    // And does nothing where nothing crashed.
    let mount = place.mount(&spec(&place, "new").option("auto_unmount"));
    umount(&mount.point).unwrap();
    mount.ended();
    let again = place.mount(&spec(&place, "new"));
    std::thread::sleep(Duration::from_millis(200));
    assert!(again.is_up(), "a later mount at the same place is not its business");
    umount(&again.point).unwrap();
    again.ended();
}

#[test]
fn mount_points_that_will_not_do_are_refused() {
    if !wanted("mount_points_that_will_not_do") {
        return;
    }
    let place = Place::new();
    common::copy_tree(&golden().repo, &place.path("data/repo"));
    let at = |point: &str| {
        let repo = place.path("data/repo");
        let output = place.run(&Spec { repo, ..spec(&place, point) });
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    fs::create_dir(place.path("full")).unwrap();
    fs::write(place.path("full/file"), "x").unwrap();
    for (point, words) in [
        ("data", "on, in or above the repository"),
        ("data/repo", "on, in or above the repository"),
        ("data/repo/objects", "on, in or above the repository"),
        ("data/repo/new", "on, in or above the repository"),
        ("full", "is not empty"),
        ("full/file", "is not a folder"),
        ("a/b", "parent folder is not there"),
    ] {
        let (code, text) = at(point);
        assert_eq!(code, Some(1), "{point}: {text}");
        assert!(text.contains(words), "{point}: {text}");
    }
    let mount = place.mount(&spec(&place, "new"));
    let (code, text) = at("new");
    assert_eq!(code, Some(11), "{text}");
    assert!(text.contains("already"), "{text}");
    umount(&mount.point).unwrap();
    mount.ended();
}

#[test]
fn a_repository_on_a_read_only_disk_mounts() {
    if !wanted("a_repository_on_a_read_only_disk") || !root("a_repository_on_a_read_only_disk") {
        return;
    }
    use nix::mount::{MsFlags, mount};
    let place = Place::new();
    fs::create_dir(place.path("disk")).unwrap();
    let none = None::<&str>;
    let disk = place.path("disk");
    mount(Some(&golden().repo), &disk, none, MsFlags::MS_BIND, none).unwrap();
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    mount(none, &disk, none, flags, none).unwrap();
    assert!(fs::write(disk.join("x"), "x").is_err(), "it is read-only");
    let mounted = place.mount(&Spec { repo: disk, ..spec(&place, "new") });
    let (code, text) = finish(grep(&mounted).spawn().unwrap());
    assert_eq!((code, text.as_str()), (Some(1), ""), "all of it reads");
    umount(&mounted.point).unwrap();
    mounted.ended();
}
