//! `revu check`: each damage with what it costs, and the way back.

use std::fs::{self, File};
use std::path::Path;

use revu::format::{ChunkId, layout};
use serde_json::Value;

use crate::support::{Home, Ran, golden_states, run};

fn ask(home: &Home, workspace: &Path, args: &[&str]) -> Ran {
    let mut command = home.command(args);
    run(command.arg("--workspace").arg(workspace))
}

/// Takes away the only chunk of `/form`; gives its key.
fn harm(ws: &Path) -> String {
    let states = golden_states();
    let of_latest = states.last().unwrap()["files"].as_array().unwrap();
    let file = of_latest.iter().find(|file| file["path"] == "/form").unwrap();
    let chunk: ChunkId = file["chunks"][0].as_str().unwrap().parse().unwrap();
    let key = layout::chunk(chunk);
    fs::remove_file(ws.join("repo").join(&key)).unwrap();
    key
}

#[test]
fn what_is_whole_is_said_to_be() {
    let home = Home::new();
    let ws = home.copy("golden", "ws");
    let text = ask(&home, &ws, &["check"]).ok();
    assert_eq!(text.lines().len(), 2, "{text:?}");
    assert!(text.stdout.starts_with("6 snapshots, 6 of them whole;"), "{text:?}");
    assert!(text.stdout.ends_with("no damage found\n"), "{text:?}");
    for (args, all) in
        [(&["check", "--json"][..], false), (&["check", "--json", "--read-data"], true)]
    {
        let lines = ask(&home, &ws, args).ok().json();
        let [line] = &lines[..] else { panic!("{lines:?}") };
        let summary = &line["summary"];
        assert_eq!((&summary["damage"], &summary["orphans"]), (&0.into(), &0.into()));
        assert_eq!(summary["verified"] == summary["chunks"], all, "{summary}");
    }
    ask(&home, &ws, &["check", "--read-data=50%"]).ok();
    for wrong in ["--read-data=0", "--read-data=101%", "--read-data=all"] {
        ask(&home, &ws, &["check", wrong]).fails(2);
    }
}

#[test]
fn damage_is_told_and_repaired() {
    let home = Home::new();
    let ws = home.copy("golden", "ws");
    let copy = home.copy("golden", "copy");
    let key = harm(&ws);
    fs::write(ws.join("repo/notes.txt"), b"").unwrap();
    let states = golden_states();
    let has = |state: &&Value| {
        state["files"].as_array().unwrap().iter().any(|file| {
            file["chunks"]
                .as_array()
                .unwrap()
                .iter()
                .any(|chunk| layout::chunk(chunk.as_str().unwrap().parse().unwrap()) == key)
        })
    };
    let lost: Vec<&str> =
        states.iter().filter(has).map(|state| state["index"].as_str().unwrap()).collect();

    let json = ask(&home, &ws, &["check", "--json"]);
    assert_eq!(json.code, 3, "{json:?}");
    let lines = json.json();
    let [found, note, last] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!((&found["kind"], &found["object"]), (&"chunk".into(), &key.as_str().into()));
    assert_eq!((&found["problem"], &found["damage"]), (&"missing".into(), &true.into()));
    assert_eq!(found["paths"], serde_json::json!(["/form"]));
    let mut named: Vec<_> = found["snapshots"].as_array().unwrap().iter().collect();
    named.sort_by_key(|id| states.iter().position(|state| state["index"] == **id));
    assert_eq!(named, lost);
    assert_eq!((&note["kind"], &note["damage"]), (&"unknown".into(), &false.into()));
    assert_eq!(last["summary"]["damage"], 1);
    assert!(last["summary"]["next"].to_string().contains("--repair-from"), "{last}");
    let error: Value = serde_json::from_str(json.stderr.trim()).unwrap();
    assert_eq!(error["error"]["exit"], 3);

    let text = ask(&home, &ws, &["check"]);
    assert_eq!(text.code, 3, "{text:?}");
    for part in [&key, "costs /form", &lost[0][..8], "note  unknown notes.txt"] {
        assert!(text.stdout.contains(part), "{part}: {text:?}");
    }
    assert!(text.stderr.contains("one thing in the repository is damaged"), "{text:?}");

    // Not while SiYuan is running; only looking may go on.
    fs::write(ws.join(".lock"), b"").unwrap();
    let siyuan = File::open(ws.join(".lock")).unwrap();
    siyuan.lock().unwrap();
    let from = ["check", "--repair-from", copy.to_str().unwrap()];
    ask(&home, &ws, &from).fails(11);
    assert_eq!(ask(&home, &ws, &["check"]).code, 3);
    drop(siyuan);
    fs::remove_file(ws.join(".lock")).unwrap();

    let repaired = ask(&home, &ws, &from).ok();
    assert!(
        repaired.stdout.contains(&format!("repaired  chunk {key} was missing")),
        "{repaired:?}"
    );
    assert!(repaired.stdout.contains("1 object taken from the copy"), "{repaired:?}");
    let again = ask(&home, &ws, &["check", "--read-data", "--json"]).ok();
    assert_eq!(again.json().pop().unwrap()["summary"]["repaired"], 0);
    assert!(!ws.join("repo/revu-locks").read_dir().unwrap().any(|_| true), "no lock is left");
}

#[test]
fn what_is_no_copy_is_refused() {
    let home = Home::new();
    let ws = home.copy("golden", "ws");
    harm(&ws);
    let other = home.copy("siyuan-workspace/workspace", "other");
    let from = |place: &Path| {
        let place = place.to_str().unwrap();
        ask(&home, &ws, &["check", "--repair-from", place])
    };
    let told = from(&other).fails(2);
    assert!(told.contains("another key"), "{told}");
    let told = from(&ws.join("repo")).fails(2);
    assert!(told.contains("repository itself"), "{told}");
    from(&home.path("home")).fails(10);
    from(Path::new("s3://bucket/x")).fails(2);
    assert_eq!(ask(&home, &ws, &["check"]).code, 3, "and nothing has changed");
}
