//! Every snapshot of every fixture, through a real mount and with ordinary tools.

mod common;
mod mount_support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use common::{Case, Expected, cases};
use mount_support::{Mount, Place, Spec, wanted};

#[test]
#[ignore = "other tests run it as a process of its own"]
fn child() {
    mount_support::child();
}

fn mount(place: &Place, case: &Case) -> Mount {
    place.mount(&Spec::new(&case.repo, &case.key.to_base64(), &place.path("mount")))
}

/// Runs a tool that must succeed and say nothing on standard error.
fn clean(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert_clean(command, &output);
    output.stdout
}

fn assert_clean(command: &Command, output: &Output) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && stderr.is_empty(),
        "{command:?}: {}: {stderr}",
        output.status
    );
}

/// Path, size and time of every file, as `find` sees them.
fn found(folder: &Path) -> BTreeMap<String, (u64, i64)> {
    let out =
        clean(Command::new("find").arg(folder).args(["-type", "f", "-printf", r"%P\0%s\0%T@\0"]));
    let text = String::from_utf8(out).unwrap();
    let fields: Vec<&str> = text.split_terminator('\0').collect();
    let file = |fields: &[&str]| {
        let [path, size, time] = fields else { panic!("{fields:?}") };
        (path.to_string(), (size.parse().unwrap(), milliseconds(time)))
    };
    fields.chunks(3).map(file).collect()
}

/// `find` prints seconds with ten digits behind the point, also before 1970: -1.5000000000 lies half a
/// second before -1.
fn milliseconds(time: &str) -> i64 {
    let (seconds, rest) = time.split_once('.').unwrap();
    let digits: i64 = rest[..3].parse().unwrap();
    assert!(rest[3..].bytes().all(|b| b == b'0'), "nothing below a millisecond: {time}");
    let whole: i64 = seconds.parse().unwrap();
    if seconds.starts_with('-') { whole * 1000 - digits } else { whole * 1000 + digits }
}

fn hashes(folder: &Path) -> BTreeMap<String, String> {
    let script = "find . -type f -print0 | xargs -0 -r sha256sum -z --";
    let out = clean(Command::new("sh").args(["-c", script]).current_dir(folder));
    let text = String::from_utf8(out).unwrap();
    text.split_terminator('\0')
        .map(|line| {
            let (hash, path) = line.split_once("  ./").unwrap();
            (path.to_owned(), hash.to_owned())
        })
        .collect()
}

fn assert_holds(folder: &Path, files: &BTreeMap<String, Expected>, what: &str) {
    let stats: BTreeMap<_, _> =
        files.iter().map(|(path, f)| (path.clone(), (f.size, f.updated))).collect();
    assert_eq!(found(folder), stats, "{what}: paths, sizes and times");
    let sums: BTreeMap<_, _> =
        files.iter().map(|(path, f)| (path.clone(), f.sha256.clone())).collect();
    assert_eq!(hashes(folder), sums, "{what}: contents");
}

#[test]
fn every_snapshot_and_tag_reads_right_through_the_kernel() {
    if !wanted("every_snapshot_and_tag_reads_right_through_the_kernel") {
        return;
    }
    for case in cases("every_snapshot_and_tag_reads_right_through_the_kernel") {
        let place = Place::new();
        let mount = mount(&place, &case);
        for (id, files) in &case.snapshots {
            let folder = mount.point.join("ids").join(id.to_string());
            assert_holds(&folder, files, &format!("{}: {id}", case.name));
        }
        for (tag, id) in case.tags() {
            let folder = mount.point.join("tags").join(&tag);
            assert_holds(&folder, &case.snapshots[&id], &format!("{}: tag {tag}", case.name));
        }
        let latest = std::fs::read_to_string(case.repo.join("refs/latest")).unwrap();
        let latest = &case.snapshots[&latest.trim().parse().unwrap()];
        assert_eq!(&found(&mount.point.join("latest/")).len(), &latest.len());
        let by_time = std::fs::read_dir(mount.point.join("snapshots")).unwrap().count();
        assert_eq!(by_time, case.snapshots.len());
    }
}

#[test]
fn ordinary_tools_run_clean() {
    if !wanted("ordinary_tools_run_clean") {
        return;
    }
    for case in cases("ordinary_tools_run_clean") {
        let place = Place::new();
        let mount = mount(&place, &case);
        let latest: revu::format::IndexId =
            std::fs::read_to_string(case.repo.join("refs/latest")).unwrap().trim().parse().unwrap();
        let folder = mount.point.join("ids").join(latest.to_string());
        let files = &case.snapshots[&latest];
        let copies = place.path("copies");
        std::fs::create_dir(&copies).unwrap();

        let cp = copies.join("cp");
        clean(Command::new("cp").arg("-a").args([&folder, &cp]));
        let rsync = copies.join("rsync");
        clean(Command::new("rsync").arg("-a").arg(folder.join("")).arg(&rsync));
        let tar = copies.join("tar");
        std::fs::create_dir(&tar).unwrap();
        let pack =
            r#"tar -C "$1" --format=pax -cf - . | tar -C "$2" --warning=no-timestamp -xpf -"#;
        clean(Command::new("sh").args(["-c", pack, "sh"]).args([&folder, &tar]));
        for copy in [&cp, &rsync, &tar] {
            // Folders of a snapshot are read-only, and so are their copies: root does not mind.
            assert_holds(copy, files, &format!("{}: {copy:?}", case.name));
            let diff = clean(Command::new("diff").arg("-r").args([&folder, copy]));
            assert!(diff.is_empty(), "{}", String::from_utf8_lossy(&diff));
        }
        let again = clean(
            Command::new("rsync")
                .args(["-a", "-n", "-i", "--delete"])
                .arg(folder.join(""))
                .arg(&rsync),
        );
        assert!(again.is_empty(), "rsync finds nothing to do: {}", String::from_utf8_lossy(&again));

        let git =
            clean(Command::new("git").args(["diff", "--no-index", "--stat"]).args([&folder, &cp]));
        assert!(git.is_empty(), "{}", String::from_utf8_lossy(&git));

        let grep = Command::new("grep").args(["-r", "-c", "", "--"]).arg(&folder).output().unwrap();
        assert!(grep.stderr.is_empty(), "{}", String::from_utf8_lossy(&grep.stderr));
        assert_eq!(
            lines_of(&grep.stdout),
            lines_of(
                &Command::new("grep")
                    .args(["-r", "-c", "", "--"])
                    .arg(&cp)
                    .output()
                    .unwrap()
                    .stdout
            )
        );

        let du = |flags: &[&str]| -> u64 {
            let out = clean(Command::new("du").args(flags).arg(&folder));
            String::from_utf8(out).unwrap().split_once('\t').unwrap().0.parse().unwrap()
        };
        assert_eq!(
            du(&["-s", "--apparent-size", "-b"]),
            files.values().map(|f| f.size).sum::<u64>()
        );
        let blocks: u64 = files.values().map(|f| f.size.div_ceil(512)).sum();
        assert_eq!(
            du(&["-s", "-B512"]),
            blocks,
            "du counts blocks of 512 bytes, each file its own"
        );

        let stat = clean(Command::new("stat").args(["-c", "%F %h %a %U"]).arg(&folder));
        assert_eq!(
            String::from_utf8(stat).unwrap(),
            "directory 1 500 root\n".replace("root", &user())
        );
        let tree = clean(Command::new("tree").args(["-a", "--noreport"]).arg(&folder));
        assert!(!tree.is_empty());
        let df = clean(Command::new("df").args(["--output=fstype,pcent"]).arg(&mount.point));
        assert!(String::from_utf8_lossy(&df).contains("fuse.revu"));
    }
}

fn user() -> String {
    String::from_utf8(clean(Command::new("id").arg("-un"))).unwrap().trim().to_owned()
}

/// The counts that `grep -c` prints, without the folder before the names.
fn lines_of(out: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(out);
    let mut counts: Vec<String> =
        text.lines().filter_map(|line| line.rsplit_once(':')).map(|(_, n)| n.to_owned()).collect();
    counts.sort();
    counts
}

#[test]
fn folders_list_in_order_and_a_missing_name_is_remembered() {
    if !wanted("folders_list_in_order_and_a_missing_name_is_remembered") {
        return;
    }
    let case = common::golden();
    let place = Place::new();
    let mount = mount(&place, &case);
    let mut folders = vec![mount.point.join("ids")];
    while let Some(folder) = folders.pop() {
        let entries: Vec<_> = std::fs::read_dir(&folder).unwrap().map(Result::unwrap).collect();
        let names: Vec<_> = entries.iter().map(|entry| entry.file_name()).collect();
        assert!(names.is_sorted(), "{folder:?}: {names:?}");
        for entry in &entries {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
        }
        for _ in 0..2 {
            let missing = std::fs::metadata(folder.join("not there")).unwrap_err();
            assert_eq!(missing.raw_os_error(), Some(libc::ENOENT));
        }
        let long = std::fs::metadata(folder.join("n".repeat(256))).unwrap_err();
        assert_eq!(long.raw_os_error(), Some(libc::ENAMETOOLONG));
    }
}

#[test]
fn equal_files_of_two_snapshots_are_one_inode_so_diff_reads_nothing() {
    if !wanted("equal_files_of_two_snapshots_are_one_inode_so_diff_reads_nothing") {
        return;
    }
    use std::os::unix::fs::MetadataExt;
    let case = common::golden();
    let place = Place::new();
    let mount = mount(&place, &case);
    let ids: Vec<_> = case.snapshots.keys().collect();
    for (a, b) in ids.iter().zip(&ids[1..]) {
        for (path, file) in &case.snapshots[a] {
            let Some(other) = case.snapshots[b].get(path) else { continue };
            let ino = |id: &revu::format::IndexId| {
                let path = mount.point.join("ids").join(id.to_string()).join(path);
                std::fs::metadata(path).unwrap().ino()
            };
            let same_state = other.updated / 1000 == file.updated / 1000;
            assert_eq!(ino(a) == ino(b), same_state, "{path}");
        }
    }
}
