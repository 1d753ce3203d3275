//! What is kept from one run to the next: it saves reading, and nothing depends on it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use revu::format::{FileRecord, layout};

use crate::support::{Home, Ran, golden_states};

/// The files in the cache.
fn kept(home: &Home) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(home.path("home/.cache/revu/catalogs")) else { return vec![] };
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_snapshot_is_known_the_second_time() {
    let home = Home::new();
    let ws = home.copy("golden", "ws");
    let ask = |more: &[&str]| -> Ran {
        let list = ["ls", "v1", "-R", "--json", "--workspace", ws.to_str().unwrap()];
        home.run(list.iter().chain(more))
    };
    let without = ask(&["--no-cache"]).ok();
    assert!(kept(&home).is_empty(), "the user wants none");
    let first = ask(&[]).ok();
    assert_eq!(first.stdout, without.stdout);
    let [file] = &kept(&home)[..] else { panic!("{:?}", kept(&home)) };
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    let folder = file.parent().unwrap();
    assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);

    // A file record that goes is not missed, as long as the cache is there.
    let state = golden_states().into_iter().next().unwrap();
    let file_state = &state["files"][0];
    let path = file_state["path"].as_str().unwrap();
    let id = FileRecord::identity(path, file_state["updated"].as_i64().unwrap());
    fs::remove_file(ws.join("repo").join(layout::file(id))).unwrap();
    assert_eq!(ask(&[]).ok().stdout, first.stdout);
    assert_eq!(ask(&["--no-cache"]).code, 3);
    let elsewhere = home.path("elsewhere");
    assert_eq!(ask(&["--cache-dir", elsewhere.to_str().unwrap()]).code, 3);
    assert!(!elsewhere.join("catalogs").exists(), "what is damaged is not kept");

    // Whatever happens to the cache, the repository decides.
    let good = fs::read(file).unwrap();
    fs::write(file, &good[..good.len() / 2]).unwrap();
    assert_eq!(ask(&[]).code, 3);
    fs::write(file, &good).unwrap();
    assert_eq!(ask(&[]).ok().stdout, first.stdout);
}
