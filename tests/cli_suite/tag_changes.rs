//! `revu tag add` and `remove`.

use std::fs;
use std::path::Path;

use crate::support::{Home, golden_states, run};

#[test]
fn tags_come_and_go() {
    let home = Home::new();
    let workspace = home.copy("golden", "ws");
    let tags = workspace.join("repo/refs/tags");
    let ask = |words: &[&str]| run(home.command(words).arg("--workspace").arg(&workspace));
    let states = golden_states();
    let first = states[0]["index"].as_str().unwrap();
    let before = ask(&["tag", "list"]).ok().stdout;

    let added = ask(&["tag", "add", &first[..8], "发布 1.0", "--json"]).ok().json();
    assert_eq!(added[0]["summary"]["id"], first);
    assert_eq!(added[0]["summary"]["name"], "发布 1.0");
    assert_eq!(fs::read_to_string(tags.join("发布 1.0")).unwrap(), first);
    assert!(ask(&["tag", "list"]).ok().stdout.contains("发布 1.0"));
    assert_eq!(ask(&["ls", "发布 1.0"]).ok().stdout, ask(&["ls", first]).ok().stdout);
    let told = ask(&["tag", "add", "latest", "发布 1.0"]).fails(1);
    assert!(told.contains("already") && told.contains(&first[..8]), "{told}");
    assert_eq!(fs::read_to_string(tags.join("发布 1.0")).unwrap(), first);

    let removed = ask(&["tag", "remove", "发布 1.0", "--json"]).ok().json();
    assert_eq!(removed[0]["summary"]["state"], "removed");
    assert_eq!(ask(&["tag", "list"]).ok().stdout, before);
    assert!(ask(&["tag", "remove", "发布 1.0"]).fails(1).contains("revu tag list"));
    assert!(ask(&["tag", "add", "latest", "v9"]).ok().stdout.contains("v9"));
    assert_eq!(ask(&["tag", "remove", "v9"]).ok().lines().len(), 1);
}

#[test]
fn what_cannot_be_a_tag_is_wrong_usage() {
    let home = Home::new();
    let workspace = home.copy("golden", "ws");
    let ask = |words: &[&str]| run(home.command(words).arg("--workspace").arg(&workspace));
    for bad in ["", " a", "a/b", "../latest", ".x", "latest", "latest~1", "a:b"] {
        let told = ask(&["tag", "add", "latest", bad]).fails(2);
        assert!(told.contains("cannot be a tag"), "{told}");
    }
    assert!(ask(&["tag", "add", "none", "v9"]).fails(1).contains("none"));
    for none in ["..", "../latest", "none"] {
        ask(&["tag", "remove", none]).fails(1);
    }
    assert!(workspace.join("repo/refs/latest").exists());
}

#[test]
fn the_key_is_needed_to_add_and_not_to_remove() {
    let home = Home::new();
    let workspace = home.copy("golden", "ws");
    let repo = workspace.join("repo");
    let lone = home.path("lone");
    fs::rename(&repo, &lone).unwrap();
    let wrong = |words: &[&str], repo: &Path| {
        run(home.command(words).arg("--repo").arg(repo).env("REVU_PASSPHRASE", "wrong"))
    };
    wrong(&["tag", "add", "latest", "v9"], &lone).fails(12);
    assert!(!lone.join("refs/tags/v9").exists());
    wrong(&["tag", "remove", "v1"], &lone).ok();
    assert!(!lone.join("refs/tags/v1").exists());
}
