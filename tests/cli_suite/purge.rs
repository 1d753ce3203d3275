//! `revu purge`: what goes is what was said to go.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use revu::store::Store;
use revu::store::lock::{Kind, Lock};
use serde_json::Value;

use crate::support::{Home, Ran, golden_key, golden_states, run};

fn ask(home: &Home, workspace: &Path, args: &[&str]) -> Ran {
    let mut command = home.command(args);
    run(command.arg("--workspace").arg(workspace))
}

/// Every file below a folder.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => drop(found.insert(path)),
        }
    }
    found
}

fn bytes(files: &BTreeSet<PathBuf>) -> u64 {
    files.iter().map(|path| fs::metadata(path).unwrap().len()).sum()
}

#[test]
fn a_dry_run_says_what_goes_and_the_run_does_it() {
    let home = Home::new();
    let ws = home.copy("golden", "ws");
    let before = files(&ws);
    let size = bytes(&before);
    let args = ["purge", "--keep-last", "2", "--json", "--dry-run"];
    let dry = ask(&home, &ws, &args).ok();
    assert_eq!(files(&ws), before, "a dry run leaves no trace");
    let mut lines = dry.json();
    let summary = lines.pop().unwrap()["summary"].clone();
    let states = golden_states();
    assert_eq!(lines.len(), states.len());
    let mut removed = Vec::new();
    for (nth, (line, state)) in lines.iter().zip(&states).enumerate() {
        assert_eq!(line["id"], state["index"], "oldest first");
        let reasons: Vec<_> = line["reasons"].as_array().unwrap().iter().collect();
        for tag in line["tags"].as_array().unwrap() {
            let reason = Value::from(format!("tag {}", tag.as_str().unwrap()));
            assert!(reasons.contains(&&reason), "{line}");
        }
        assert_eq!(reasons.contains(&&"last snapshot".into()), nth >= 4, "{line}");
        assert_eq!(reasons.contains(&&"latest".into()), nth == 5, "{line}");
        assert_eq!(line["action"], if reasons.is_empty() { "remove" } else { "keep" });
        if reasons.is_empty() {
            removed.push(line["id"].as_str().unwrap());
        }
    }
    assert!(!removed.is_empty());
    assert_eq!((&summary["dry_run"], &summary["removed"]), (&true.into(), &removed.len().into()));
    assert_eq!(summary["kept"], states.len() - removed.len());

    let text = ask(&home, &ws, &["purge", "--keep-last", "2", "-n"]).ok();
    assert_eq!(text.lines().len(), states.len() + 1);
    let last = text.lines().pop().unwrap().to_owned();
    assert!(last.starts_with("would remove") && last.contains("would free"), "{last}");

    let done = ask(&home, &ws, &["purge", "--keep-last", "2"]).ok();
    let lines = done.lines();
    assert_eq!(lines.len(), removed.len() + 1, "{done:?}");
    for (line, id) in lines.iter().zip(&removed) {
        assert!(line.starts_with("remove") && line.contains(&id[..8]), "{line}");
    }
    let after = files(&ws);
    let freed = size - bytes(&after);
    assert_eq!(summary["bytes"], freed);
    assert!(lines.last().unwrap().contains(&format!("freed {freed} bytes")), "{done:?}");
    for id in removed {
        assert!(!ws.join("repo/indexes").join(id).exists());
    }
    let gone: Vec<_> = before.difference(&after).collect();
    let objects = gone.iter().filter(|path| path.to_str().unwrap().contains("/objects/")).count();
    assert_eq!(summary["objects"], objects);
    assert_eq!(after.difference(&before).count(), 0, "no lock is left");
    ask(&home, &ws, &["check", "--read-data"]).ok();
    let again = ask(&home, &ws, &["purge", "--keep-last", "2", "--json"]).ok();
    assert_eq!(again.json().pop().unwrap()["summary"]["bytes"], 0);
}

#[test]
fn words_that_say_nothing_are_refused() {
    let home = Home::new();
    let ws = home.copy("golden", "ws");
    let told = ask(&home, &ws, &["purge"]).fails(2);
    assert!(told.contains("--keep-last") && told.contains("--siyuan-policy"), "{told}");
    for wrong in [
        ["--keep-last", "0"],
        ["--keep-last", "many"],
        ["--keep-daily", "-1"],
        ["--keep-within", "5w"],
        ["--keep-within", "2"],
    ] {
        ask(&home, &ws, &[&["purge"], &wrong[..]].concat()).fails(2);
    }
    let all = ask(&home, &ws, &["purge", "--keep-last", "unlimited", "--json"]).ok();
    assert_eq!(all.json().pop().unwrap()["summary"]["removed"], 0);
    assert_eq!(ask(&home, &ws, &["log"]).ok().lines().len(), 6);
}

#[test]
fn siyuans_own_rule() {
    let home = Home::new();
    let ws = home.copy("golden", "ws");
    let args = ["purge", "--siyuan-policy", "--json"];
    // All are years old; fewer than three would stay.
    let dry = ask(&home, &ws, &[&args[..], &["-n"]].concat()).ok();
    let lines = dry.json();
    let by_policy = |line: &&Value| line["reasons"].to_string().contains("SiYuan's policy");
    assert_eq!(lines.iter().filter(by_policy).count(), 6);
    let key = home.secret("key", &golden_key());
    let mut command = home.command(args);
    let bare = run(command.arg("--repo").arg(ws.join("repo")).arg("--key-file").arg(&key));
    assert_eq!(bare.code, 0, "a workspace's repository is known as such: {bare:?}");
    fs::rename(ws.join("repo"), home.path("bare")).unwrap();
    let mut command = home.command(args);
    let bare = run(command.arg("--repo").arg(home.path("bare")).arg("--key-file").arg(&key));
    assert!(bare.fails(2).contains("--workspace"));
}

#[test]
fn whoever_else_is_there_keeps_it_out() {
    let home = Home::new();
    let ws = home.copy("golden", "ws");
    let before = files(&ws);
    let args = ["purge", "--keep-last", "1"];
    let dry = ["purge", "--keep-last", "1", "--dry-run"];

    fs::write(ws.join(".lock"), b"").unwrap();
    let siyuan = File::open(ws.join(".lock")).unwrap();
    siyuan.lock().unwrap();
    assert!(ask(&home, &ws, &args).fails(11).contains("SiYuan is running"));
    ask(&home, &ws, &dry).ok();
    drop(siyuan);
    fs::remove_file(ws.join(".lock")).unwrap();

    let store = Store::local(ws.join("repo"));
    let wait = Duration::ZERO;
    let lock = Lock::take(&store, Kind::Shared, "snapshot", wait, &|| false).unwrap();
    let told = ask(&home, &ws, &args).fails(11);
    assert!(told.contains("revu snapshot") && told.contains("since"), "{told}");
    ask(&home, &ws, &dry).ok();
    drop(lock);
    assert_eq!(files(&ws), before);
    ask(&home, &ws, &args).ok();
}

#[test]
fn damage_stops_it_before_anything_goes() {
    let home = Home::new();
    let ws = home.copy("golden", "ws");
    let states = golden_states();
    let file = states[5]["files"][3]["id"].as_str().unwrap();
    let path = ws.join("repo/objects").join(&file[..2]).join(&file[2..]);
    let good = fs::read(&path).unwrap();
    fs::write(&path, &good[..good.len() - 1]).unwrap();
    let before = files(&ws);
    let told = ask(&home, &ws, &["purge", "--keep-last", "1", "--json"]).fails(1);
    let error: Value = serde_json::from_str(&told).unwrap();
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains(file) && message.contains("nothing was removed"), "{message}");
    assert_eq!(files(&ws), before);
}
