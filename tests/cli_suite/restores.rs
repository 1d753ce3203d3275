//! `revu restore`, `diff`, `find` and `versions`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::common::sha256;
use crate::support::{Home, golden_states, run};

/// Path to hash, of a state of the golden workspace.
fn files_of(state: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let files = state["files"].as_array().unwrap();
    files.iter().map(|file| (text(&file["path"])[1..].to_owned(), text(&file["sha256"]))).collect()
}

fn on_disk(folder: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut todo = vec![(folder.to_owned(), String::new())];
    while let Some((folder, prefix)) = todo.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            match entry.file_type().unwrap().is_dir() {
                true => todo.push((entry.path(), format!("{path}/"))),
                false => {
                    all.insert(path, sha256(&fs::read(entry.path()).unwrap()));
                }
            }
        }
    }
    all
}

#[test]
fn a_snapshot_comes_back() {
    let home = Home::new();
    let workspace = home.copy("golden", "ws");
    let ask = |words: &[&str]| run(home.command(words).arg("--workspace").arg(&workspace));
    let states = golden_states();
    let first = states[0]["index"].as_str().unwrap();
    let files = files_of(&states[0]);
    let count = files.len();

    let dry = ask(&["restore", first, "--to", "out", "--dry-run"]).ok();
    assert_eq!(dry.stdout.matches("\ncreate ").count() + 1, count, "{}", dry.stdout);
    assert!(dry.stdout.contains("would be restored to out"), "{}", dry.stdout);
    assert!(!home.path("out").exists());

    let told = ask(&["restore", first, "--to", "out"]).ok().stdout;
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.starts_with(&format!("{count} files restored to out: ")), "{told}");
    assert_eq!(on_disk(&home.path("out")), files);

    let last = ask(&["restore", first, "--to", "out", "--json"]).ok().json();
    assert_eq!(last.len(), 1, "nothing to do");
    assert_eq!(last[0]["summary"]["equal"], count);

    let victim = files.keys().next().unwrap();
    fs::write(home.path("out").join(victim), "edited").unwrap();
    fs::write(home.path("out/extra"), "extra").unwrap();
    let keep = ask(&["restore", first, "--to", "out", "--json"]).ok().json();
    assert_eq!(keep[0]["action"], "keep");
    assert_eq!(keep[0]["path"], format!("/{victim}"));
    assert_eq!(keep[1]["summary"]["kept"], 1);
    let all = ["restore", first, "--to", "out", "--overwrite", "always", "--delete", "--json"];
    let back = ask(&all).ok().json();
    let actions: Vec<_> = back.iter().filter_map(|line| line["action"].as_str()).collect();
    assert_eq!(actions, ["replace", "remove"]);
    assert_eq!(on_disk(&home.path("out")), files);
}

#[test]
fn parts_and_failures() {
    let home = Home::new();
    let workspace = home.copy("golden", "ws");
    let ask = |words: &[&str]| run(home.command(words).arg("--workspace").arg(&workspace));
    ask(&["restore", "v1:/assets", "--to", "out"]).ok();
    let names: Vec<_> = on_disk(&home.path("out")).into_keys().collect();
    assert!(!names.is_empty() && names.iter().all(|name| name.starts_with("assets/")));
    let told = ask(&["restore", "v1:/nowhere", "--to", "out"]).fails(1);
    assert!(told.contains("/nowhere") && told.contains("revu ls"), "{told}");
    ask(&["restore", "v1"]).fails(2);
    ask(&["restore", "v1", "--to", "out", "--overwrite", "sometimes"]).fails(2);
    let inside = workspace.join("repo/objects");
    let told = ask(&["restore", "v1", "--to", inside.to_str().unwrap()]).fails(1);
    assert!(told.contains("repository itself"), "{told}");
    fs::write(home.path("file"), "").unwrap();
    let told = ask(&["restore", "v1", "--to", "file"]).fails(1);
    assert!(told.contains("cannot restore to file"), "{told}");
}

#[test]
fn damage_is_named_once_and_the_exit_code_tells() {
    let home = Home::new();
    let workspace = home.copy("golden", "ws");
    let ask = |words: &[&str]| run(home.command(words).arg("--workspace").arg(&workspace));
    let states = golden_states();
    let state = &states[0];
    let file = state["files"].as_array().unwrap().iter().find(|file| file["size"] == 524_288);
    let file = file.expect("a file of exactly 512 KiB");
    let chunk = file["chunks"][0].as_str().unwrap();
    let object = workspace.join("repo/objects").join(&chunk[..2]).join(&chunk[2..]);
    fs::remove_file(object).unwrap();
    let hurt = state["files"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|other| other["chunks"].as_array().unwrap().contains(&file["chunks"][0]));
    let hurt = hurt.count();
    let ran = ask(&["restore", state["index"].as_str().unwrap(), "--to", "out", "--json"]);
    let summary = ran.json().pop().unwrap();
    assert_eq!(summary["summary"]["problems"].as_array().unwrap().len(), hurt);
    let told = ran.fails(3);
    let named = told.lines().filter(|line| line.contains(chunk)).count();
    assert_eq!(named, hurt, "{told}");
    assert!(told.lines().last().unwrap().contains("\"exit\":3"), "{told}");
    assert_eq!(on_disk(&home.path("out")).len() + hurt, files_of(state).len());
}

#[test]
fn diffs_of_snapshots_and_of_the_data_folder() {
    let home = Home::new();
    let workspace = home.copy("golden", "ws");
    let ask = |words: &[&str]| run(home.command(words).arg("--workspace").arg(&workspace));
    let states = golden_states();
    let id = |nth: usize| states[nth].get("index").and_then(Value::as_str).unwrap();
    let (old, new) = (files_of(&states[0]), files_of(&states[1]));
    let lines = ask(&["diff", id(0), id(1), "--json"]).ok().json();
    let (summary, changes) = lines.split_last().unwrap();
    for change in changes {
        let path = &change["path"].as_str().unwrap()[1..];
        let expected = match (old.get(path), new.get(path)) {
            (None, _) => "added",
            (_, None) => "removed",
            (Some(old), Some(new)) if old == new => "touched",
            _ => "modified",
        };
        let found = change["change"].as_str().unwrap();
        assert!(found == expected || found == "renamed", "{change}");
    }
    let sum = ["added", "removed", "modified", "touched", "renamed"]
        .map(|kind| summary["summary"][kind].as_u64().unwrap());
    assert_eq!(sum.iter().sum::<u64>(), changes.len() as u64);
    assert!(!changes.is_empty());
    let text = ask(&["diff", id(0), id(1)]).ok();
    assert_eq!(text.lines().len(), changes.len());
    assert!(ask(&["diff", id(0), id(0)]).ok().stdout.is_empty());
    assert!(ask(&["diff", id(0), id(1), "--stat"]).ok().stdout.contains(" modified, "));
    let patch = ask(&["diff", id(0), id(2), "--patch"]).ok().stdout;
    assert!(patch.contains("diff --git a/") && patch.contains("\n@@ -"), "{patch}");

    // The data folder as SiYuan would see it.
    let data = workspace.join("data");
    ask(&["restore", "latest", "--to", data.to_str().unwrap()]).ok();
    assert!(ask(&["diff", "latest"]).ok().stdout.is_empty());
    fs::write(data.join("new.sy"), "{}").unwrap();
    fs::write(data.join("ignored.tmp"), "x").unwrap();
    assert_eq!(ask(&["diff", "latest"]).ok().stdout, "A /new.sy\n");
    assert!(ask(&["diff", "latest", "--patch"]).ok().stdout.contains("\n+++ b/new.sy\n"));
    let folder = data.to_str().unwrap();
    let all = ask(&["diff", "latest", "--folder", folder]).ok();
    assert!(all.lines().contains(&"A /ignored.tmp"), "{}", all.stdout);
    ask(&["diff", "latest", "v1", "--folder", folder]).fails(2);
    assert!(ask(&["diff", "latest", "none"]).fails(1).contains("none"));

    let lone = home.path("lone");
    fs::rename(workspace.join("repo"), &lone).unwrap();
    let key = fs::read_to_string(workspace.join("key.txt")).unwrap();
    let mut alone = home.command(["diff", "latest"]);
    let told = run(alone.arg("--repo").arg(&lone).env("REVU_KEY", key.trim())).fails(2);
    assert!(told.contains("--folder"), "{told}");
}

#[test]
fn finds_and_versions() {
    let home = Home::new();
    let workspace = home.copy("golden", "ws");
    let ask = |words: &[&str]| run(home.command(words).arg("--workspace").arg(&workspace));
    let states = golden_states();
    // A file of the first state, and the states of each of its versions.
    let snapshots: std::collections::BTreeSet<_> =
        states.iter().map(|state| state["index"].as_str().unwrap()).collect();
    let (path, hash) = files_of(&states[0]).into_iter().find(|(p, _)| p.ends_with(".bin")).unwrap();
    let lines = ask(&["versions", &format!("/{path}"), "--json"]).ok().json();
    let (summary, versions) = lines.split_last().unwrap();
    assert_eq!(summary["summary"]["versions"], versions.len());
    let held: usize = versions.iter().map(|v| v["snapshots"].as_array().unwrap().len()).sum();
    let has = |state: &&Value| files_of(state).contains_key(&path);
    let mut holders: Vec<_> =
        states.iter().filter(has).map(|state| state["index"].as_str().unwrap()).collect();
    holders.sort_unstable();
    holders.dedup();
    assert_eq!(held, holders.len(), "each snapshot that has it once");
    assert!(snapshots.len() >= held && !hash.is_empty());
    assert_eq!(ask(&["versions", &path]).ok().lines().len(), versions.len());
    ask(&["versions", "/none"]).fails(1);

    let name = path.rsplit('/').next().unwrap();
    let found = ask(&["find", name, "--json"]).ok().json();
    let (_, found) = found.split_last().unwrap();
    assert_eq!(found.len(), versions.len());
    assert_eq!(found[0]["path"], format!("/{path}"));
    assert_eq!(found[0]["type"], "file");
    let folder = path.split('/').next().unwrap();
    let dirs = ask(&["find", folder, "--json"]).ok().json();
    assert!(dirs.iter().any(|line| line["type"] == "dir" && line["path"] == format!("/{folder}")));
    let one = ask(&["find", name, "--snapshot", "v1", "--json"]).ok().json();
    assert!(one.iter().all(|line| line["snapshots"].as_array().is_none_or(|s| s.len() == 1)));
    assert!(ask(&["find", "no such name"]).ok().stdout.is_empty());
    ask(&["find", "[a"]).fails(2);
    ask(&["find", "a", "--title", "--content"]).fails(2);
    let text = ask(&["find", "--content", "E", "-i"]).ok().stdout;
    assert!(!text.is_empty());

    let notes = home.copy("siyuan-workspace/workspace", "notes");
    let mut command = home.command(["find", "--title", "field *", "-i", "--json"]);
    let found = run(command.arg("--workspace").arg(&notes)).ok().json();
    assert!(found.iter().any(|line| line["title"] == "Field notes"), "{found:?}");
}

#[test]
fn in_place_what_was_there_is_saved_first() {
    let home = Home::new();
    let workspace = home.copy("golden", "ws");
    let ask = |words: &[&str]| run(home.command(words).arg("--workspace").arg(&workspace));
    let data = workspace.join("data");
    fs::create_dir_all(&data).unwrap();
    // Into an empty data folder: there is nothing to save.
    let snapshots = ask(&["log", "--json"]).ok().json().len();
    ask(&["restore", "v1", "--in-place"]).ok();
    assert_eq!(ask(&["log", "--json"]).ok().json().len(), snapshots);
    assert!(ask(&["diff", "v1"]).ok().stdout.is_empty());

    fs::write(data.join("new.sy"), "{}").unwrap();
    let dry = ask(&["restore", "latest", "--in-place", "--dry-run"]).ok().stdout;
    assert!(dry.lines().any(|line| line == "remove  new.sy"), "{dry}");
    assert!(data.join("new.sy").exists());
    ask(&["restore", "latest", "--in-place"]).ok();
    assert!(!data.join("new.sy").exists());
    assert_eq!(ask(&["log", "--json"]).ok().json().len(), snapshots + 1);
    // What was there can be had back.
    assert_eq!(ask(&["cat", "latest:/new.sy"]).ok().stdout, "{}");
    assert!(ask(&["diff", "latest~1"]).ok().stdout.is_empty());
    assert!(!workspace.join(".lock").exists());

    let lock = fs::File::create(workspace.join(".lock")).unwrap();
    lock.lock().unwrap();
    let told = ask(&["restore", "v1", "--in-place"]).fails(11);
    assert!(told.contains("SiYuan is running"), "{told}");
    drop(lock);
    ask(&["restore", "v1", "--in-place", "--to", "x"]).fails(2);
    ask(&["restore", "v1", "--in-place", "--delete"]).fails(2);
    let lone = home.path("lone");
    home.copy("golden/repo", "lone");
    let told = run(home
        .command(["restore", "v1", "--in-place", "--repo"])
        .arg(&lone)
        .arg("--workspace")
        .arg(&workspace))
    .fails(2);
    assert!(told.contains("--to"), "{told}");
}
