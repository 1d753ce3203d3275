//! What a mount looks like: content, attributes, each `-o` option once, and that nothing writes.

mod common;
mod mount_support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use common::{Expected, golden, sha256};
use mount_support::{Mount, Place, Spec, eventually, root, wanted};
use nix::errno::Errno;
use revu::mount::umount;

/// A user and a group that own nothing.
const NOBODY: u32 = 65534;

fn spec(place: &Place) -> Spec {
    let key = fs::read_to_string(common::fixtures().join("golden/key.txt")).unwrap();
    Spec::new(&golden().repo, key.trim(), &place.path("mount"))
}

fn leave(mount: &Mount) {
    umount(&mount.point).unwrap();
    mount.ended();
}

/// A file and a folder of the newest snapshot.
fn samples(mount: &Mount) -> (std::path::PathBuf, std::path::PathBuf) {
    let folder = mount.snapshot();
    let file = fs::read_dir(folder.join("."))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.is_file())
        .expect("the golden repository has files at its top");
    (file, folder)
}

/// All files below a folder, read with ordinary calls.
fn walk(folder: &Path, below: &str, files: &mut BTreeMap<String, Expected>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{below}{}", entry.file_name().into_string().unwrap());
        let meta = entry.metadata().unwrap();
        assert_eq!(meta.ino(), entry_ino(&entry), "{path}");
        if meta.is_dir() {
            walk(&entry.path(), &format!("{path}/"), files);
            continue;
        }
        assert_eq!((meta.nlink(), meta.blocks()), (1, meta.len().div_ceil(512)), "{path}");
        assert_eq!(meta.mtime_nsec() % 1_000_000, 0, "{path}");
        let updated = meta.mtime() * 1000 + meta.mtime_nsec() / 1_000_000;
        let content = fs::read(entry.path()).unwrap();
        files.insert(path, Expected { size: meta.len(), updated, sha256: sha256(&content) });
    }
}

fn entry_ino(entry: &fs::DirEntry) -> u64 {
    use std::os::unix::fs::DirEntryExt;
    entry.ino()
}

#[test]
fn every_byte_size_and_time_comes_through_the_kernel() {
    if !wanted("every_byte_size_and_time") {
        return;
    }
    let place = Place::new();
    let mount = place.mount(&spec(&place));
    let mut before_1970 = 0;
    for (id, expected) in golden().snapshots {
        let mut files = BTreeMap::new();
        walk(&mount.point.join("ids").join(id.to_string()), "", &mut files);
        assert_eq!(files, expected, "{id}");
        before_1970 += files.values().filter(|file| file.updated < 0).count();
    }
    assert!(before_1970 > 0, "the case of negative times is among them");
    leave(&mount);
}

#[test]
fn permissions_owner_and_group_follow_the_options() {
    if !wanted("permissions_owner_and_group") {
        return;
    }
    let place = Place::new();
    let (me, mine) = (nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw());
    let mut table = vec![
        (vec![], 0o400, 0o500, me, mine),
        (vec!["default_permissions"], 0o400, 0o500, me, mine),
        (vec!["uid=1234"], 0o400, 0o500, 1234, mine),
        (vec!["gid=4321", "umask=0077"], 0o400, 0o500, me, 4321),
    ];
    if root("permissions_owner_and_group") {
        table.push((vec!["allow_other"], 0o444, 0o555, me, mine));
        table.push((vec!["allow_other,umask=027"], 0o440, 0o550, me, mine));
        table.push((vec!["allow_root"], 0o400, 0o500, me, mine));
    }
    for (options, file_mode, dir_mode, uid, gid) in table {
        let spec =
            Spec { options: options.iter().map(|o| (*o).to_owned()).collect(), ..spec(&place) };
        let mount = place.mount(&spec);
        let (file, folder) = samples(&mount);
        for (path, mode) in [(&file, file_mode), (&folder, dir_mode)] {
            let meta = fs::metadata(path).unwrap();
            assert_eq!(meta.permissions().mode() & 0o7777, mode, "{options:?}: {path:?}");
            assert_eq!((meta.uid(), meta.gid()), (uid, gid), "{options:?}: {path:?}");
        }
        let link = fs::symlink_metadata(mount.snapshot()).unwrap();
        assert_eq!(link.permissions().mode() & 0o7777, 0o777);
        let line = mount.line().unwrap();
        let other = options.iter().any(|option| option.starts_with("allow_"));
        assert_eq!(line.contains("allow_other"), other, "{line}");
        let checks = other || options.contains(&"default_permissions");
        assert_eq!(line.contains("default_permissions"), checks, "{line}");
        leave(&mount);
    }
}

/// Runs a program as nobody.
fn as_nobody(program: &str, path: &Path) -> std::process::Output {
    Command::new(program).arg(path).uid(NOBODY).gid(NOBODY).output().unwrap()
}

#[test]
fn others_enter_as_far_as_they_are_let() {
    if !wanted("others_enter") || !root("others_enter") {
        return;
    }
    let place = Place::new();
    fs::set_permissions(place.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for (option, enter, read) in [
        ("ro", false, false),
        ("allow_root", false, false),
        ("allow_other", true, true),
        ("allow_other,umask=007", false, false),
        ("allow_other,umask=007,uid=65534", true, true),
    ] {
        let mount = place.mount(&spec(&place).option(option));
        let (file, _) = samples(&mount);
        let said = as_nobody("ls", &mount.point);
        assert_eq!(said.status.success(), enter, "{option}: {said:?}");
        let said = as_nobody("cat", &file);
        assert_eq!(said.status.success(), read, "{option}: {said:?}");
        leave(&mount);
    }
}

#[test]
fn a_user_mounts_with_the_helper() {
    if !wanted("a_user_mounts_with_the_helper") || !root("a_user_mounts_with_the_helper") {
        return;
    }
    // Where the device is root's alone, as in many containers, a world of its own (a mount namespace)
    // gets one for everybody, as machines have it.
    let place = Place::new();
    let world = "mount -t tmpfs none \"$1\" && mknod -m 666 \"$1/fuse\" c 10 229 && \
        mount --bind \"$1/fuse\" /dev/fuse && \
        exec \"$0\" --exact a_user_mounts --ignored --nocapture";
    fs::create_dir(place.path("dev")).unwrap();
    let output = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", world])
        .arg(std::env::current_exe().unwrap())
        .arg(place.path("dev"))
        .output()
        .unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
#[ignore = "a_user_mounts_with_the_helper runs it in a world of its own"]
fn a_user_mounts() {
    let place = Place::new();
    chown(place.folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    let run = |spec: &Spec| {
        let mut command = spec.command(&place.state());
        let output = command.uid(NOBODY).gid(NOBODY).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), text, Mount::of(&output.stdout))
    };
    let (code, text, mount) = run(&spec(&place).option(r"fsname=a\,b\\c"));
    assert_eq!(code, Some(0), "{text}");
    let point = place.path("mount");
    let line = mount_support::table().into_iter().find(|(at, _)| *at == point).unwrap().1;
    assert!(line.contains(r"- fuse.revu a,b\134c "), "{line}");
    assert!(line.contains(" ro,nosuid,nodev,"), "{line}");
    assert!(line.contains("user_id=65534"), "{line}");
    let listed = as_nobody("ls", &point);
    assert_eq!(listed.stdout, b"ids\nlatest\nnotes\nsnapshots\ntags\nversions\n", "{listed:?}");
    assert!(fs::read_dir(&point).is_err(), "not for root");

    // Busy, then not, then twice asked: all with the helper.
    let pid = mount.expect("it is told of").pid;
    // Not by `current_dir`: that would be entered as root, who may not.
    let mut sitting = Command::new("sh")
        .args(["-c", "cd \"$0\" && exec sleep 60"])
        .arg(point.join("ids"))
        .uid(NOBODY)
        .gid(NOBODY)
        .spawn()
        .unwrap();
    let cwd = format!("/proc/{}/cwd", sitting.id());
    eventually("it sits there", || fs::read_link(&cwd).is_ok_and(|to| to.starts_with(&point)));
    mount_support::signal(pid, "TERM");
    eventually("it says who", || place.logs().contains("is in use by"));
    sitting.kill().unwrap();
    sitting.wait().unwrap();
    eventually("it is left", || !mount_support::alive(pid));
    assert!(!point.exists());

    let (code, text, _) = run(&spec(&place).option("allow_other"));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("user_allow_other in /etc/fuse.conf"), "{text}");
    assert!(!point.exists());
}

#[test]
fn names_and_flags_show_in_the_table_of_mounts() {
    if !wanted("names_and_flags") {
        return;
    }
    let place = Place::new();
    let mount = place.mount(&spec(&place).option("noexec,noatime,nodev,nosuid,ro,subtype=revu"));
    let line = mount.line().unwrap();
    assert!(line.contains(" ro,nosuid,nodev,noexec,"), "{line}");
    leave(&mount);

    let mount = place.mount(&spec(&place).option(r"fsname=my notes\, old"));
    let line = mount.line().unwrap();
    assert!(line.contains(r"- fuse.revu my\040notes,\040old "), "{line}");
    let df = Command::new("df").args(["--output=source,fstype,avail"]).arg(&mount.point).output();
    let df = String::from_utf8(df.unwrap().stdout).unwrap();
    let last = df.lines().last().unwrap();
    assert!(last.contains("my notes, old") && last.contains("fuse.revu"), "{df}");
    assert!(last.trim_end().ends_with(" 0"), "nothing is free: {df}");
    leave(&mount);
}

/// Names and values of extended attributes, as the kernel gives them.
fn xattr(path: &Path, name: Option<&str>, room: usize) -> Result<Vec<u8>, Errno> {
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    let mut buffer = vec![0u8; room];
    let to = if room == 0 { std::ptr::null_mut() } else { buffer.as_mut_ptr().cast() };
    // SAFETY: the strings end with NUL and live until the call returns; the kernel writes `room` bytes
    // at most, which the buffer has.
    let length = unsafe {
        match name {
            Some(name) => {
                let name = CString::new(name).unwrap();
                libc::getxattr(path.as_ptr(), name.as_ptr(), to, room)
            }
            None => libc::listxattr(path.as_ptr(), to.cast(), room),
        }
    };
    let length = usize::try_from(Errno::result(length)?).unwrap();
    if room == 0 {
        buffer.resize(length, 0);
    }
    buffer.truncate(length);
    Ok(buffer)
}

#[test]
fn extended_attributes_are_an_option() {
    if !wanted("extended_attributes") {
        return;
    }
    let place = Place::new();
    let mount = place.mount(&spec(&place));
    let (file, folder) = samples(&mount);
    assert_eq!(xattr(&file, None, 0), Err(Errno::EOPNOTSUPP));
    assert_eq!(xattr(&file, Some("user.revu.id"), 100), Err(Errno::EOPNOTSUPP));
    let folder_name = fs::read_link(&folder).unwrap();
    leave(&mount);

    let mount = place.mount(&spec(&place).option("xattr"));
    let snapshot = mount.point.join(folder_name).canonicalize().unwrap();
    let length = xattr(&snapshot, None, 0).unwrap().len();
    let names = xattr(&snapshot, None, length).unwrap();
    assert_eq!(names.len(), length);
    let names: Vec<_> =
        String::from_utf8(names).unwrap().split_terminator('\0').map(str::to_owned).collect();
    assert!(names.contains(&"user.revu.id".to_owned()), "{names:?}");
    assert_eq!(xattr(&snapshot, None, length - 1), Err(Errno::ERANGE));

    let id = xattr(&snapshot, Some("user.revu.id"), 100).unwrap();
    assert_eq!(id.len(), 40);
    assert_eq!(xattr(&snapshot, Some("user.revu.id"), 0).unwrap().len(), 40);
    assert_eq!(xattr(&snapshot, Some("user.revu.id"), 40), Ok(id));
    assert_eq!(xattr(&snapshot, Some("user.revu.id"), 39), Err(Errno::ERANGE));
    assert_eq!(xattr(&snapshot, Some("user.no"), 100), Err(Errno::ENODATA));
    leave(&mount);
}

#[test]
fn nothing_writes_not_even_root() {
    if !wanted("nothing_writes") {
        return;
    }
    let place = Place::new();
    // Permissions are not what refuses: root ignores them, and others see EROFS before them.
    let mount = place.mount(&spec(&place).option("xattr"));
    let (file, folder) = samples(&mount);
    let new = folder.join("new");
    let path = |path: &Path| path.to_owned();
    let deeds: Vec<(&str, std::io::Result<()>)> = vec![
        ("create", fs::write(&new, "x")),
        ("write", fs::OpenOptions::new().write(true).open(&file).map(drop)),
        ("append", fs::OpenOptions::new().append(true).open(&file).map(drop)),
        ("truncate", nix::unistd::truncate(&path(&file), 0).map_err(Into::into)),
        ("unlink", fs::remove_file(&file)),
        ("mkdir", fs::create_dir(&new)),
        ("rmdir", fs::remove_dir(mount.point.join("ids"))),
        ("rename", fs::rename(&file, &new)),
        ("link", fs::hard_link(&file, &new)),
        ("symlink", std::os::unix::fs::symlink("x", &new)),
        ("chmod", fs::set_permissions(&file, fs::Permissions::from_mode(0o777))),
        ("chown", chown(&file, Some(0), Some(0))),
        ("utimes", {
            let now = nix::sys::time::TimeSpec::new(0, 0);
            let follow = nix::sys::stat::UtimensatFlags::FollowSymlink;
            nix::sys::stat::utimensat(nix::fcntl::AT_FDCWD, &file, &now, &now, follow)
                .map_err(Into::into)
        }),
        ("mkfifo", {
            nix::unistd::mkfifo(&new, nix::sys::stat::Mode::S_IRWXU).map_err(Into::into)
        }),
        ("in the root", fs::write(mount.point.join("new"), "x")),
        ("a tag", fs::create_dir(mount.point.join("tags/new"))),
        ("latest", fs::remove_file(mount.point.join("latest"))),
    ];
    for (deed, done) in deeds {
        assert_eq!(done.unwrap_err().raw_os_error(), Some(Errno::EROFS as i32), "{deed}");
    }
    let said = Command::new("setfattr").args(["-n", "user.x", "-v", "y"]).arg(&file).output();
    if let Ok(said) = said {
        let text = String::from_utf8_lossy(&said.stderr);
        assert!(text.contains("Read-only file system"), "{text}");
    } else {
        println!("SKIPPED: nothing_writes: setfattr is not installed");
    }
    leave(&mount);
}

#[test]
fn reading_programs_find_nothing_odd() {
    if !wanted("reading_programs") {
        return;
    }
    use std::io::{Read, Seek, SeekFrom};
    let place = Place::new();
    let mount = place.mount(&spec(&place));
    let (path, folder) = samples(&mount);
    // What answers with "never ask me that again" goes on working.
    for _ in 0..2 {
        let mut file = fs::File::open(&path).unwrap();
        file.sync_all().unwrap();
        let length = file.metadata().unwrap().len();
        assert_eq!(file.seek(SeekFrom::End(0)).unwrap(), length);
        let hole = nix::unistd::lseek(&file, 0, nix::unistd::Whence::SeekHole).unwrap();
        assert_eq!(u64::try_from(hole).unwrap(), length, "there are no holes");
        let mut bytes = Vec::new();
        assert_eq!(file.read_to_end(&mut bytes).unwrap(), 0, "at the hole, which is the end");
        fs::File::open(folder.join(".")).unwrap().sync_all().unwrap();
    }
    let access = |flags| nix::unistd::access(&path, flags);
    assert_eq!(access(nix::unistd::AccessFlags::R_OK), Ok(()));
    assert_eq!(access(nix::unistd::AccessFlags::W_OK), Err(Errno::EROFS));
    let long = "x".repeat(256);
    for (name, wanted) in
        [("no such", Errno::ENOENT), ("no such", Errno::ENOENT), (&long, Errno::ENAMETOOLONG)]
    {
        let error = fs::metadata(folder.join(name)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(wanted as i32));
    }
    let below_a_file = fs::metadata(path.join("x")).unwrap_err();
    assert_eq!(below_a_file.raw_os_error(), Some(Errno::ENOTDIR as i32));
    leave(&mount);
    assert!(!place.logs().contains("error:"), "{}", place.logs());
}
