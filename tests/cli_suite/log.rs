//! `revu log`.

use std::collections::{BTreeMap, BTreeSet};

use revu::format::{Id, Index, IndexId, RepoKey};
use revu::store::Store;
use serde_json::{Value, json};

use crate::common::{self, Maker};
use crate::support::{GOLDEN_NAMES, Home, golden, golden_states, run};

fn log(home: &Home, args: &[&str]) -> crate::support::Ran {
    let mut command = home.command(["log"]);
    run(command.args(args).arg("--workspace").arg(golden()))
}

#[test]
fn golden_as_text() {
    let home = Home::new();
    let text = "\
2024-05-01T07.01.40+0800           1666729b  23   3674310                         lost edit
2024-05-01T05.01.40+0800_cf451171  cf451171  22   3674304  again                  same second
2024-05-01T05.01.40+0800           214ffe91  21   3674299                         ignoring
2024-05-01T04.01.40+0800           61c9bd05  27  16781524
2024-05-01T03.01.40+0800           ea1c9d27  27  16781566  v1.1, 标签 with space  second
2024-05-01T02.01.00+0800           99d9defe  27  17306162  v1                     first 🌱 snapshot
";
    assert_eq!(log(&home, &[]).ok().stdout, text);
}

#[test]
fn golden_as_json() {
    let home = Home::new();
    let mut expected: Vec<Value> = golden_states()
        .iter()
        .zip(GOLDEN_NAMES)
        .map(|(state, name)| {
            let files = state["files"].as_array().unwrap();
            let mut tags: Vec<_> = state["tags"].as_array().unwrap().clone();
            tags.sort_by_key(|tag| tag.as_str().unwrap().to_owned());
            let size: u64 = files.iter().map(|file| file["size"].as_u64().unwrap()).sum();
            json!({
                "id": state["index"],
                "name": name,
                "created": state["created"],
                "memo": state["memo"],
                "tags": tags,
                "files": files.len(),
                "size": size,
                "device": {"id": "device-golden", "name": "device-golden", "os": "linux"},
                "latest": false,
            })
        })
        .collect();
    expected.reverse();
    expected[0]["latest"] = true.into();
    let mut found = log(&home, &["--json"]).ok().json();
    for line in &mut found {
        let time = line.as_object_mut().unwrap().remove("time").unwrap();
        let time: jiff::Timestamp = time.as_str().unwrap().parse().unwrap();
        assert_eq!(line["created"], time.as_millisecond());
    }
    assert_eq!(found, expected);
    let first = log(&home, &["--json", "-n1"]).ok();
    let keys =
        ["id", "name", "time", "created", "memo", "tags", "files", "size", "device", "latest"];
    let at: Vec<_> =
        keys.iter().map(|key| first.stdout.find(&format!("\"{key}\":")).expect(key)).collect();
    assert!(at.is_sorted(), "the keys stand in their order: {}", first.stdout);
    assert!(first.stdout.contains("\"time\":\"2024-04-30T23:01:40.000Z\""));
}

#[test]
fn every_fixture_has_its_snapshots() {
    let home = Home::new();
    for case in common::cases("every_fixture_has_its_snapshots") {
        let key = home.secret(&case.name.replace('/', "-"), &case.key.to_base64());
        let mut command = home.command(["log", "--json", "--repo"]);
        let found = run(command.arg(&case.repo).arg("--key-file").arg(&key)).ok().json();
        let found: BTreeMap<IndexId, (u64, u64)> = found
            .iter()
            .map(|line| {
                let id = line["id"].as_str().unwrap().parse().unwrap();
                (id, (line["files"].as_u64().unwrap(), line["size"].as_u64().unwrap()))
            })
            .collect();
        let expected: BTreeMap<IndexId, (u64, u64)> = case
            .snapshots
            .iter()
            .map(|(id, files)| (*id, (files.len() as u64, files.values().map(|f| f.size).sum())))
            .collect();
        assert_eq!(found, expected, "{}", case.name);
    }
}

/// The short IDs that `log` lists, oldest first, as places in `GOLDEN_NAMES`.
#[track_caller]
fn listed(home: &Home, args: &[&str]) -> Vec<usize> {
    let states = golden_states();
    let place = |line: &Value| states.iter().position(|s| s["index"] == line["id"]).unwrap();
    let mut places: Vec<_> =
        log(home, &[&["--json"], args].concat()).ok().json().iter().map(place).collect();
    places.reverse();
    places
}

#[test]
fn filters() {
    let home = Home::new();
    assert_eq!(listed(&home, &["--since", "2024-05-01T04"]), [2, 3, 4, 5]);
    assert_eq!(listed(&home, &["--since", "2024-05-01T04:02"]), [3, 4, 5]);
    assert_eq!(listed(&home, &["--until", "2024-05-01T04"]), [0, 1, 2]);
    assert_eq!(listed(&home, &["--until", "2024-05-01T03:01:40"]), [0, 1]);
    assert_eq!(
        listed(&home, &["--since", "2024-05-01", "--until", "2024-05-01"]),
        [0, 1, 2, 3, 4, 5]
    );
    assert_eq!(listed(&home, &["--since", "2024-05-02"]), [0; 0]);
    assert_eq!(listed(&home, &["--since", "2024-04-30T21:01:40Z", "-n", "2"]), [4, 5]);
    assert_eq!(listed(&home, &["--tag", "v1", "--tag", "again"]), [0, 4]);
    assert_eq!(listed(&home, &["--tag", "nothing"]), [0; 0]);
    assert_eq!(listed(&home, &["--limit", "0"]), [0; 0]);
    let wrong = log(&home, &["--since", "last week"]).fails(2);
    assert!(wrong.contains("--since last week"), "{wrong}");
}

#[test]
fn a_path_is_listed_where_it_changed() {
    let home = Home::new();
    let states = golden_states();
    // Every path, be it a file or a folder; and for each state, what is at or below it.
    let mut paths: BTreeMap<String, Vec<BTreeSet<String>>> = BTreeMap::new();
    for (nth, state) in states.iter().enumerate() {
        for file in state["files"].as_array().unwrap() {
            let path = file["path"].as_str().unwrap();
            let ends = path.match_indices('/').map(|(at, _)| at).skip(1).chain([path.len()]);
            for end in ends {
                let all = paths.entry(path[..end].to_owned());
                all.or_insert_with(|| vec![BTreeSet::new(); states.len()])[nth]
                    .insert(file["id"].to_string());
            }
        }
    }
    // Forty folders within each other change together: one of them is enough.
    paths.retain(|path, _| path.matches('/').count() < 4);
    assert!(paths.len() > 30, "the fixture holds more than this");
    for (path, contents) in paths {
        let mut before = &BTreeSet::new();
        let mut expected = Vec::new();
        for (nth, now) in contents.iter().enumerate() {
            let change = match (before.is_empty(), now.is_empty()) {
                _ if before == now => None,
                (true, _) => Some("added"),
                (_, true) => Some("removed"),
                _ => Some("modified"),
            };
            expected.extend(change.map(|change| (nth, change.to_owned())));
            before = now;
        }
        expected.reverse();
        let found: Vec<_> = log(&home, &["--json", &path])
            .ok()
            .json()
            .iter()
            .map(|line| {
                let nth = states.iter().position(|s| s["index"] == line["id"]).unwrap();
                (nth, line["change"].as_str().unwrap().to_owned())
            })
            .collect();
        assert_eq!(found, expected, "{path}");
    }
    // A folder changes with what is in it; that it was a file before makes no difference.
    assert_eq!(listed(&home, &["assets/"]), [0, 1, 2, 3, 5]);
    assert_eq!(listed(&home, &["/assets", "-n", "1"]), [5]);
    let nowhere = log(&home, &["/no such thing"]).fails(1);
    assert!(nowhere.contains("/no such thing"), "{nowhere}");
}

#[test]
fn old_indexes_say_less() {
    let home = Home::new();
    let repo = home.path("repo");
    let maker = Maker::new(Store::local(&repo));
    let record = maker.file("/a.txt", 1_600_000_000_000, b"content", 100);
    maker.index(&Index {
        id: IndexId(Id::digest(b"old")),
        memo: String::new(),
        created: 1_600_000_000_000,
        files: vec![record.id],
        count: 0,
        size: 0,
        system_id: String::new(),
        system_name: String::new(),
        system_os: String::new(),
        check_index_id: String::new(),
        aes_key_verify_val: String::new(),
    });
    let key = home.secret("key", &RepoKey::from_bytes([42; 32]).to_base64());
    let log = |args: &[&str]| {
        let mut command = home.command(["log", "--repo"]);
        run(command.arg(&repo).arg("--key-file").arg(&key).args(args)).ok()
    };
    let line = &log(&["--json"]).json()[0];
    assert_eq!(
        (&line["files"], &line["size"], &line["latest"]),
        (&1.into(), &Value::Null, &true.into())
    );
    let text = log(&[]).stdout;
    assert!(text.ends_with("  1  ?\n"), "{text}");
}
