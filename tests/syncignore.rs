//! What SiYuan's own matcher and walk leave out, and what they take.

use std::fs;
use std::path::Path;

use revu::siyuan::ignore::{IgnoreRules, enter_folder, take_file};
use serde::Deserialize;

/// Every case of `syncignore-cases.json`, sorted as SiYuan's matcher sorts it.
#[test]
fn every_case_is_sorted_as_siyuan_does() {
    #[derive(Deserialize)]
    struct Case {
        lines: Vec<String>,
        ignored: Vec<String>,
        kept: Vec<String>,
    }
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("fixtures/syncignore-cases.json")).unwrap();
    assert_eq!(cases.len(), 55);
    let mut wrong = Vec::new();
    for case in &cases {
        assert_eq!(case.ignored.len() + case.kept.len(), 44);
        let rules = IgnoreRules::from_lines(&case.lines).unwrap();
        let sides = [(&case.ignored, true), (&case.kept, false)];
        for (path, ignored) in sides.iter().flat_map(|(paths, i)| paths.iter().map(|p| (p, *i))) {
            if rules.ignores(path) != ignored {
                wrong.push((&case.lines, path, ignored));
            }
        }
    }
    assert!(wrong.is_empty(), "of lines, path, ignored by SiYuan: {wrong:#?}");
}

/// Each state of the golden data folder, walked with the rules: exactly the paths that DejaVu took,
/// in the order of its index.
#[test]
fn every_golden_state_is_walked_as_dejavu_does() {
    #[derive(Deserialize)]
    struct Expected {
        files: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        path: String,
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/golden");
    let states = tempfile::tempdir().unwrap();
    let archive = fs::File::open(golden.join("states.tar.zst")).unwrap();
    tar::Archive::new(zstd::Decoder::new(archive).unwrap()).unpack(states.path()).unwrap();

    let mut files = 0;
    for state in 1..=7 {
        let expected = fs::read(golden.join(format!("expect/{state}.json"))).unwrap();
        let expected: Expected = serde_json::from_slice(&expected).unwrap();
        let expected: Vec<_> = expected.files.into_iter().map(|file| file.path).collect();
        let data = states.path().join(state.to_string());
        let rules = IgnoreRules::load(&data).unwrap();
        assert_eq!(rules.skipped(), []);
        let mut taken = Vec::new();
        walk(&data, "", &rules, &mut taken);
        assert_eq!(taken, expected, "state {state}");
        files += taken.len();
    }
    assert_eq!(files, 169, "as many as expect/ lists");
}

fn walk(folder: &Path, path: &str, rules: &IgnoreRules, taken: &mut Vec<String>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(Result::unwrap).collect();
    entries.sort_by_key(|entry| entry.file_name().into_encoded_bytes());
    for entry in entries {
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{path}/{name}");
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && enter_folder(&name) {
            walk(&entry.path(), &path, rules, taken);
        } else if kind.is_file() && take_file(&path, &name) && !rules.ignores(&path) {
            taken.push(path);
        }
    }
}
