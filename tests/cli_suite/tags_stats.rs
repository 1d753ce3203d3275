//! `revu tag list` and `revu stats`.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Home, golden, golden_states, run};

#[test]
fn tags() {
    let home = Home::new();
    let ask = |args: &[&str]| {
        let mut command = home.command(["tag", "list", "--workspace"]);
        run(command.arg(golden()).args(args)).ok()
    };
    let text = "\
again            cf451171  2024-05-01 05:01:40  same second
v1               99d9defe  2024-05-01 02:01:00  first 🌱 snapshot
v1.1             ea1c9d27  2024-05-01 03:01:40  second
标签 with space  ea1c9d27  2024-05-01 03:01:40  second
";
    assert_eq!(ask(&[]).stdout, text);
    let found = ask(&["--json"]).json();
    let mut expected = Vec::new();
    for state in golden_states() {
        for tag in state["tags"].as_array().unwrap() {
            let time = jiff::Timestamp::from_millisecond(state["created"].as_i64().unwrap());
            expected.push(json!({
                "name": tag,
                "id": state["index"],
                "time": format!("{:.3}", time.unwrap()),
                "created": state["created"],
                "memo": state["memo"],
            }));
        }
    }
    expected.sort_by_key(|line| line["name"].as_str().unwrap().to_owned());
    assert_eq!(found, expected);
}

/// Files and bytes below a folder.
fn measure(folder: &Path) -> (u64, u64) {
    let mut sum = (0, 0);
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let meta = entry.metadata().unwrap();
        let (files, bytes) = if meta.is_dir() { measure(&entry.path()) } else { (1, meta.len()) };
        sum = (sum.0 + files, sum.1 + bytes);
    }
    sum
}

#[test]
fn stats() {
    let home = Home::new();
    let ask = |args: &[&str]| {
        let mut command = home.command(["stats", "--workspace"]);
        run(command.arg(golden()).args(args)).ok()
    };
    let states = golden_states();
    let files = |state: &Value| state["files"].as_array().unwrap().clone();
    let size = |state: &Value| -> u64 {
        files(state).iter().map(|file| file["size"].as_u64().unwrap()).sum()
    };
    let distinct: HashSet<String> =
        states.iter().flat_map(files).map(|file| file["id"].to_string()).collect();
    let (objects, object_bytes) = measure(&golden().join("repo/objects"));
    let (_, index_bytes) = measure(&golden().join("repo/indexes"));
    let total: u64 = states.iter().map(size).sum();
    let bytes = object_bytes + index_bytes;
    let latest = states.last().unwrap();
    let expected = json!({
        "repository": golden().join("repo").to_str().unwrap(),
        "snapshots": states.len(),
        "tags": 4,
        "oldest": "2024-04-30T18:01:00.000Z",
        "newest": "2024-04-30T23:01:40.000Z",
        "files": distinct.len(),
        "objects": objects,
        "bytes": bytes,
        "latest_files": files(latest).len(),
        "latest_size": size(latest),
        "total_size": total,
        "ratio": (total as f64 / bytes as f64 * 100.0).round() / 100.0,
    });
    assert_eq!(ask(&["--json"]).json(), [expected]);
    let text = ask(&[]).stdout;
    for line in ["snapshots              6", "oldest                 2024-05-01 02:01:00"] {
        assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
    }
}
