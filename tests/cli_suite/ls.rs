//! `revu ls`.

use std::collections::BTreeMap;

use revu::format::RepoKey;
use revu::store::Store;
use serde_json::Value;

use crate::common::{self, Maker};
use crate::support::{Home, Ran, golden, golden_states, run};

fn ls(home: &Home, args: &[&str]) -> Ran {
    let mut command = home.command(["ls", "--workspace"]);
    run(command.arg(golden()).args(args))
}

#[test]
fn every_file_of_every_snapshot() {
    let home = Home::new();
    for case in common::cases("every_file_of_every_snapshot") {
        let key = home.secret(&case.name.replace('/', "-"), &case.key.to_base64());
        // All of the large fixture takes long and shows no more than its ends do.
        let step = case.snapshots.len().div_ceil(8);
        for (id, files) in case.snapshots.iter().step_by(step) {
            let mut command = home.command(["ls", "--json", "-R", &id.to_string(), "--repo"]);
            let found = run(command.arg(&case.repo).arg("--key-file").arg(&key)).ok().json();
            let mut expected: BTreeMap<String, Option<(u64, i64)>> = BTreeMap::new();
            for (path, file) in files {
                let path = format!("/{path}");
                for (at, _) in path.match_indices('/').skip(1) {
                    expected.insert(path[..at].to_owned(), None);
                }
                expected.insert(path, Some((file.size, file.updated)));
            }
            let listed: BTreeMap<String, Option<(u64, i64)>> = found
                .iter()
                .map(|line| {
                    let file = match line["type"].as_str().unwrap() {
                        "file" => Some((
                            line["size"].as_u64().unwrap(),
                            line["updated"].as_i64().unwrap(),
                        )),
                        "dir" => None,
                        other => panic!("{other}"),
                    };
                    (line["path"].as_str().unwrap().to_owned(), file)
                })
                .collect();
            assert_eq!(listed.len(), found.len(), "no path twice");
            assert_eq!(listed, expected, "{} {id}", case.name);
        }
    }
}

#[test]
fn golden_as_json() {
    let home = Home::new();
    let states = golden_states();
    for state in &states {
        let id = state["index"].as_str().unwrap();
        let found = ls(&home, &["-R", "--json", id]).ok().json();
        let by_path: BTreeMap<&str, &Value> =
            found.iter().map(|line| (line["path"].as_str().unwrap(), line)).collect();
        for file in state["files"].as_array().unwrap() {
            let line = by_path[file["path"].as_str().unwrap()];
            assert_eq!(line["id"], file["id"]);
            assert_eq!(line["chunks"], file["chunks"].as_array().unwrap().len());
            let mtime: jiff::Timestamp = line["mtime"].as_str().unwrap().parse().unwrap();
            assert_eq!(line["updated"], mtime.as_millisecond());
        }
    }
    let keys = ["path", "type", "size", "updated", "mtime", "id", "chunks"];
    let line = ls(&home, &["latest:/later.txt", "--json"]).ok().stdout;
    let at: Vec<_> = keys.iter().map(|key| line.find(&format!("\"{key}\":")).expect(key)).collect();
    assert!(at.is_sorted(), "{line}");
}

#[test]
fn golden_as_text() {
    let home = Home::new();
    let names = "\
.siyuan/
20240501100000-abcdefg/
assets/
form
later.txt
shape/
storage/
sub/
times/
";
    for snapshot in ["latest", "latest:", "latest:/", "1666", "2024-05-01", "2024-05-01T07:01:40:"]
    {
        assert_eq!(ls(&home, &[snapshot]).ok().stdout, names, "{snapshot}");
    }
    assert_eq!(
        ls(&home, &["latest", "-l"]).ok().lines()[3..5],
        ["11  2024-05-01 04:00:00  form", " 5  2024-05-01 05:01:40  later.txt"]
    );
    assert_eq!(ls(&home, &["latest:later.txt"]).ok().stdout, "later.txt\n");
    assert_eq!(ls(&home, &["latest:later.txt", "-R"]).ok().stdout, "/later.txt\n");
    assert_eq!(
        ls(&home, &["latest:/20240501100000-abcdefg/.siyuan", "-R"]).ok().stdout,
        "/20240501100000-abcdefg/.siyuan/conf.json\n/20240501100000-abcdefg/.siyuan/sort.json\n"
    );
}

#[test]
fn what_is_not_there() {
    let home = Home::new();
    let wrong = ls(&home, &["v1:/later.txt"]).fails(1);
    assert!(wrong.contains("/later.txt") && wrong.contains("99d9defe"), "{wrong}");
    let wrong = ls(&home, &["nothing:/x"]).fails(1);
    assert!(wrong.contains("`nothing`") && wrong.contains("revu log"), "{wrong}");
    let wrong = ls(&home, &["2024-04-30"]).fails(1);
    assert!(wrong.contains("2024-04-30"), "{wrong}");
}

#[test]
fn an_ambiguous_name_lists_what_it_could_be() {
    let home = Home::new();
    let (repo, key) = odd(&home);
    let mut command = home.command(["ls", "--repo"]);
    let wrong = run(command.arg(&repo).arg("--key-file").arg(&key).arg("abcd")).fails(1);
    assert!(wrong.contains("tag abcd") && wrong.matches(", ").count() >= 1, "{wrong}");
}

/// A repository with a name that commands terminals, a tag with a colon, and a tag that is the beginning
/// of an ID.
fn odd(home: &Home) -> (std::path::PathBuf, std::path::PathBuf) {
    let repo = home.path("odd");
    let maker = Maker::new(Store::local(&repo));
    let record = maker.file("/red \x1b[31m\n\u{202e}.txt", 0, b"x", 9);
    let id = revu::format::IndexId(
        "abcd000000000000000000000000000000000000".parse::<revu::format::ChunkId>().unwrap().0,
    );
    let other = maker.snapshot(1_000, std::slice::from_ref(&record));
    let index = maker.open().objects().index(other).unwrap();
    maker.index(&revu::format::Index { id, created: 2_000, ..index });
    maker.tag("a:b", other);
    maker.tag("abcd", other);
    (repo, home.secret("odd key", &RepoKey::from_bytes([42; 32]).to_base64()))
}

#[test]
fn names_cannot_command_a_terminal() {
    let home = Home::new();
    let (repo, key) = odd(&home);
    let mut command = home.command(["ls", "a:b", "--repo"]);
    let piped = run(command.arg(&repo).arg("--key-file").arg(&key)).ok();
    assert_eq!(piped.stdout, "red \x1b[31m\n\u{202e}.txt\n", "in a pipe a name is as it is");
    let mut terminal = home.other("script");
    terminal.env("REPO", &repo).env("KEY", &key).env("TERM", "xterm");
    let line = "\"$REVU\" ls a:b --repo \"$REPO\" --key-file \"$KEY\"";
    let shown = run(terminal.args(["-qec", line, "/dev/null"])).ok();
    assert_eq!(shown.stdout.trim_end(), r"red \u{1b}[31m\n\u{202e}.txt");
}
