//! Finding the repository without being told.

use std::fs;
use std::path::Path;

use crate::support::{Home, golden, golden_key, run};

fn log_in(home: &Home, folder: &Path) -> crate::support::Ran {
    run(home.command(["log", "-n1", "--json"]).current_dir(folder))
}

#[test]
fn within_a_workspace() {
    let home = Home::new();
    let workspace = home.copy("golden", "home/notes");
    fs::create_dir_all(workspace.join("data/assets")).unwrap();
    for inside in ["", "data/assets", "repo", "repo/refs/tags", "conf"] {
        assert_eq!(log_in(&home, &workspace.join(inside)).ok().lines().len(), 1, "{inside}");
    }
    assert!(log_in(&home, &home.path("home")).fails(10).contains("--workspace"));
    let mut command = home.command(["log", "--repo", "."]);
    run(command.current_dir(workspace.join("repo"))).ok();
    let mut command = home.command(["log", "--repo"]);
    run(command.arg(&workspace)).ok();
}

#[test]
fn the_workspaces_that_siyuan_knows() {
    let home = Home::new();
    let folder = home.path("home");
    let default = home.copy("golden", "home/SiYuan");
    assert_eq!(log_in(&home, &folder).ok().lines().len(), 1, "~/SiYuan");
    let other = home.copy("siyuan-workspace/workspace", "other notes");
    fs::create_dir_all(folder.join(".config/siyuan")).unwrap();
    let list = |workspaces: &[&Path]| {
        let json = serde_json::to_string(workspaces).unwrap();
        fs::write(folder.join(".config/siyuan/workspace.json"), json).unwrap();
    };
    list(&[&other]);
    assert_eq!(run(&mut home.command(["log"])).ok().lines().len(), 7, "not ~/SiYuan");
    list(&[&other, &default]);
    let told = run(&mut home.command(["log"])).fails(2);
    assert_eq!(told.lines().count(), 1);
    for workspace in [&other, &default] {
        assert!(told.contains(workspace.to_str().unwrap()), "{told}");
    }
    list(&[]);
    assert_eq!(run(&mut home.command(["log"])).ok().lines().len(), 6, "~/SiYuan again");
}

#[test]
fn the_environment_and_options() {
    let home = Home::new();
    let key = home.secret("key", &golden_key());
    let with = |name: &str, value: &Path| {
        run(home.command(["log"]).env(name, value).env("REVU_KEY_FILE", &key))
    };
    assert_eq!(with("REVU_REPO", &golden().join("repo")).ok().lines().len(), 6);
    assert_eq!(with("REVU_WORKSPACE", &golden()).ok().lines().len(), 6);
    assert_eq!(with("REVU_REPO", Path::new("")).fails(10).lines().count(), 1, "empty is none");
    let mut command = home.command(["log", "--workspace"]);
    let ran = run(command.arg(golden()).env("REVU_REPO", "/nowhere"));
    assert_eq!(ran.ok().lines().len(), 6, "an option comes before the environment");
}

#[test]
fn what_is_no_repository() {
    let home = Home::new();
    for args in [["--repo", "/nowhere"], ["--workspace", "/nowhere"], ["--repo", "/"]] {
        let begin = std::time::Instant::now();
        let mut command = home.command(["log"]);
        let told = run(command.args(args)).fails(10);
        assert!(begin.elapsed() < std::time::Duration::from_secs(1));
        assert!(told.starts_with("revu: there is no ") && told.contains(args[1]), "{told}");
        let mut command = home.command(["log", "--json"]);
        let told = run(command.args(args)).fails(10);
        let json: serde_json::Value = serde_json::from_str(&told).unwrap();
        assert_eq!(json["error"]["kind"], "no_repository");
    }
    let told = home.run(["log", "--repo", "webdav://me:s3cret@host/"]).fails(1);
    assert!(told.contains("not there yet") && !told.contains("s3cret"), "{told}");
}
