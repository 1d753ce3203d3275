//! Damage: named, with exit code 3, and never in the way of what is sound.

use std::fs;
use std::path::Path;

use revu::format::{ChunkId, FileId, layout};

use crate::support::{Home, golden_states, run};

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn ask(home: &Home, workspace: &Path, args: &[&str]) -> crate::support::Ran {
    let mut command = home.command(args);
    run(command.arg("--workspace").arg(workspace))
}

#[test]
fn a_damaged_index_costs_its_own_line() {
    let home = Home::new();
    let ws = home.copy("golden", "ws");
    let states = golden_states();
    let id = states[1]["index"].as_str().unwrap();
    fs::write(ws.join("repo/indexes").join(id), b"not a frame").unwrap();
    let log = ask(&home, &ws, &["log"]);
    assert_eq!((log.code, log.lines().len()), (3, 5), "{log:?}");
    assert!(log.stderr.contains(id) && log.stderr.contains("refs/tags/v1.1"), "{}", log.stderr);
    let log = ask(&home, &ws, &["log", "--json", "/later.txt"]);
    assert_eq!((log.code, log.json().len()), (3, 1), "{log:?}");
    let last: serde_json::Value = serde_json::from_str(log.stderr.lines().last().unwrap()).unwrap();
    assert_eq!((&last["error"]["kind"], &last["error"]["exit"]), (&"damaged".into(), &3.into()));
    let tags = ask(&home, &ws, &["tag", "list"]);
    assert_eq!((tags.code, tags.lines().len()), (3, 2), "{tags:?}");
    let stats = ask(&home, &ws, &["stats", "--json"]);
    assert_eq!((stats.code, &stats.json()[0]["snapshots"]), (3, &5.into()));
    // What was asked for is sound.
    assert_eq!(ask(&home, &ws, &["cat", "latest:/later.txt"]).code, 0);
    assert_eq!(ask(&home, &ws, &["ls", "latest"]).code, 0);
}

#[test]
fn an_index_that_is_cut_off_behind_its_head_is_listed_without_numbers() {
    let home = Home::new();
    let repo = home.path("ws/repo");
    let maker = crate::common::Maker::new(revu::store::Store::local(&repo));
    let records: Vec<_> = (0..20_000)
        .map(|n| revu::format::FileRecord::new(format!("/{n}"), 0, 0, vec![ChunkId::EMPTY]))
        .collect();
    maker.record(&records[0]);
    let id = maker.snapshot(1_000, &records);
    let sound = maker.snapshot(2_000, &records[..1]);
    let path = repo.join(layout::index(id));
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1000]).unwrap();
    let key = home.secret("key", &maker.key.to_base64());
    let mut command = home.command(["log", "--json", "--repo"]);
    let log = run(command.arg(&repo).arg("--key-file").arg(&key));
    assert_eq!(log.code, 3, "{log:?}");
    let lines = log.json();
    assert_eq!((&lines[0]["id"], &lines[0]["files"]), (&sound.to_string().into(), &1.into()));
    assert_eq!((&lines[1]["id"], lines[1]["files"].is_null()), (&id.to_string().into(), true));
    assert!(log.stderr.contains(&id.to_string()), "{}", log.stderr);
}

#[test]
fn a_damaged_chunk_costs_its_file() {
    let home = Home::new();
    let ws = home.copy("golden", "ws");
    let states = golden_states();
    let latest = states.last().unwrap();
    let file = latest["files"].as_array().unwrap().iter().find(|f| f["path"] == "/form").unwrap();
    let chunk: ChunkId = file["chunks"][0].as_str().unwrap().parse().unwrap();
    flip(&ws.join("repo").join(layout::chunk(chunk)));
    let cat = ask(&home, &ws, &["cat", "latest:/form", "latest:/later.txt"]);
    assert_eq!((cat.code, cat.stdout.as_str()), (3, "five\n"), "{cat:?}");
    assert!(
        cat.stderr.contains(&chunk.to_string()) && cat.stderr.contains("latest:/form is damaged")
    );
    let cat = ask(&home, &ws, &["-v", "cat", "latest:/form"]);
    assert!(cat.stderr.contains("because: "), "{cat:?}");
    let cat = ask(&home, &ws, &["cat", "latest:/form", "latest:/gone"]);
    assert_eq!(cat.code, 1, "what is not there is worse than what is damaged");
    assert_eq!(ask(&home, &ws, &["ls", "-R", "latest"]).code, 0, "names need no chunks");
}

#[test]
fn a_damaged_record_costs_a_name() {
    let home = Home::new();
    let ws = home.copy("golden", "ws");
    let states = golden_states();
    let latest = states.last().unwrap();
    let file = latest["files"].as_array().unwrap().iter().find(|f| f["path"] == "/form").unwrap();
    let id: FileId = file["id"].as_str().unwrap().parse().unwrap();
    fs::remove_file(ws.join("repo").join(layout::file(id))).unwrap();
    fs::remove_file(ws.join("repo/full-latest.json")).unwrap();
    let ls = ask(&home, &ws, &["ls", "latest"]);
    assert_eq!(ls.code, 3, "{ls:?}");
    assert!(ls.lines().contains(&"revu-damaged/") && !ls.lines().contains(&"form"), "{ls:?}");
    assert!(ls.stderr.contains(&id.to_string()), "{ls:?}");
    let ls = ask(&home, &ws, &["ls", "latest:revu-damaged", "--json"]);
    let line = &ls.json()[0];
    assert_eq!((&line["damage"], line["size"].is_null()), (&"missing".into(), true), "{line}");
    let cat = ask(&home, &ws, &["cat", "latest:/form"]);
    assert_eq!(cat.code, 1, "{cat:?}");
    assert!(cat.stderr.contains("1 of its files are damaged"), "{cat:?}");
    let cat = ask(&home, &ws, &["cat", &format!("latest:revu-damaged/{id}")]);
    assert_eq!(cat.code, 3, "{cat:?}");
    let log = ask(&home, &ws, &["log", "/later.txt"]);
    assert_eq!((log.code, log.lines().len()), (3, 1), "{log:?}");
}

#[test]
fn tags_that_lead_nowhere_are_named() {
    let home = Home::new();
    let ws = home.copy("golden", "ws");
    fs::write(ws.join("repo/refs/tags/bad"), "nonsense").unwrap();
    fs::write(ws.join("repo/refs/tags/gone"), "0123456789012345678901234567890123456789").unwrap();
    let tags = ask(&home, &ws, &["tag", "list", "--json"]);
    assert_eq!((tags.code, tags.json().len()), (3, 4), "{tags:?}");
    assert!(tags.stderr.contains("refs/tags/bad") && tags.stderr.contains("refs/tags/gone"));
    for line in tags.stderr.lines() {
        serde_json::from_str::<serde_json::Value>(line).expect(line);
    }
}
