//! Every dependency's licence is one of those that `deny.toml` allows: what `cargo deny check
//! licenses` says, without having to build cargo-deny.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

#[test]
fn every_dependency_has_an_allowed_licence() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("deny.toml")).expect("deny.toml can be read");
    let allowed = allowed_licences(&text);
    assert!(allowed.contains("MIT"), "no list of allowed licences was found in deny.toml");

    let mut refused = Vec::new();
    let packages = packages(root);
    assert!(packages.len() > 20, "cargo metadata names only {} packages", packages.len());
    for package in &packages {
        let name = format!("{} {}", text_of(package, "name"), text_of(package, "version"));
        match package["license"].as_str() {
            None => refused.push(format!("{name}: states no licence expression")),
            Some(expression) => match satisfied(expression, &allowed) {
                Ok(true) => {}
                Ok(false) => refused.push(format!("{name}: {expression}")),
                Err(why) => refused.push(format!("{name}: {expression}: {why}")),
            },
        }
    }
    assert!(refused.is_empty(), "deny.toml does not allow these:\n{}", refused.join("\n"));
}

#[test]
fn no_crate_comes_in_two_versions_but_those_that_are_known() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("deny.toml")).expect("deny.toml can be read");
    let known: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("{ crate = \"")?.split_once('"'))
        .filter_map(|(spec, _)| spec.split_once('@'))
        .map(|(name, _)| name)
        .collect();
    // What the program itself is made of; tests may be made of whatever they like.
    let tree = run(Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--edges", "normal,build", "--prefix", "none"])
        .args(["--format", "{p}"])
        .current_dir(root));
    let versions: BTreeSet<(&str, &str)> = tree
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, words.next()?))
        })
        .collect();
    assert!(versions.len() > 20, "cargo tree names only {versions:?}");
    let names: Vec<&str> = versions.iter().map(|(name, _)| *name).collect();
    let twice: BTreeSet<&str> =
        names.windows(2).filter(|two| two[0] == two[1]).map(|two| two[0]).collect();
    assert_eq!(twice, known, "in two versions (left), and in `skip` of deny.toml (right)");
}

/// All packages that revu is built from on this kind of machine: only those has the build fetched,
/// so that this test needs no network.
fn packages(root: &Path) -> Vec<Value> {
    let rustc = run(Command::new("rustc").arg("-vV"));
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc -vV");
    let json = run(Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--format-version", "1", "--filter-platform", host])
        .current_dir(root));
    let metadata: Value = serde_json::from_str(&json).expect("cargo metadata writes JSON");
    metadata["packages"].as_array().expect("cargo metadata lists packages").clone()
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}: {errors}", output.status);
    String::from_utf8(output.stdout).expect("cargo and rustc write UTF-8")
}

fn text_of<'a>(package: &'a Value, key: &str) -> &'a str {
    package[key].as_str().expect("cargo metadata gives every package a name and a version")
}

/// The list `allow` of `[licenses]`, which has one licence a line.
fn allowed_licences(deny_toml: &str) -> BTreeSet<String> {
    deny_toml
        .lines()
        .skip_while(|line| line.trim() != "[licenses]")
        .skip_while(|line| line.trim() != "allow = [")
        .skip(1)
        .take_while(|line| line.trim() != "]")
        .filter_map(|line| line.split('"').nth(1))
        .map(str::to_owned)
        .collect()
}

/// Whether one may use what has this SPDX licence expression under `allowed` licences alone. The
/// slash of old manifests means OR.
fn satisfied(expression: &str, allowed: &BTreeSet<String>) -> Result<bool, String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    let answer = either(&mut words, allowed)?;
    match words.next() {
        None => Ok(answer),
        Some(word) => Err(format!("'{word}' is not expected there")),
    }
}

type Words<'a> = Peekable<std::str::SplitWhitespace<'a>>;

/// `both OR both OR …`
fn either(words: &mut Words, allowed: &BTreeSet<String>) -> Result<bool, String> {
    let mut answer = both(words, allowed)?;
    while words.next_if_eq(&"OR").is_some() {
        answer |= both(words, allowed)?;
    }
    Ok(answer)
}

/// `one AND one AND …`
fn both(words: &mut Words, allowed: &BTreeSet<String>) -> Result<bool, String> {
    let mut answer = one(words, allowed)?;
    while words.next_if_eq(&"AND").is_some() {
        answer &= one(words, allowed)?;
    }
    Ok(answer)
}

/// A licence, a licence `WITH` an exception, or an expression in parentheses.
fn one(words: &mut Words, allowed: &BTreeSet<String>) -> Result<bool, String> {
    match words.next() {
        None => Err("it ends too early".to_owned()),
        Some("(") => {
            let answer = either(words, allowed)?;
            words.next_if_eq(&")").ok_or("a ')' is missing")?;
            Ok(answer)
        }
        Some(word @ (")" | "OR" | "AND" | "WITH")) => {
            Err(format!("'{word}' is not expected there"))
        }
        Some(licence) => match words.next_if_eq(&"WITH") {
            None => Ok(allowed.contains(licence)),
            Some(_) => {
                let exception = words.next().ok_or("WITH names no exception")?;
                Ok(allowed.contains(&format!("{licence} WITH {exception}")))
            }
        },
    }
}

#[test]
fn expressions_are_understood() {
    let allowed =
        ["MIT", "Zlib", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
    for (expression, expected) in [
        ("MIT", Ok(true)),
        ("GPL-3.0-only", Ok(false)),
        ("MIT OR GPL-3.0-only", Ok(true)),
        ("GPL-3.0-only OR MIT", Ok(true)),
        ("GPL-3.0-only/MIT", Ok(true)),
        ("GPL-3.0-only / MPL-2.0", Ok(false)),
        ("MIT AND GPL-3.0-only", Ok(false)),
        ("MIT AND Zlib", Ok(true)),
        // AND binds closer than OR.
        ("MIT OR Zlib AND GPL-3.0-only", Ok(true)),
        ("(MIT OR Zlib) AND GPL-3.0-only", Ok(false)),
        ("(MIT OR GPL-3.0-only) AND (Zlib)", Ok(true)),
        ("Apache-2.0 WITH LLVM-exception", Ok(true)),
        // An exception may take away as well as give.
        ("Apache-2.0 WITH Commons-Clause", Ok(false)),
        ("", Err(())),
        ("MIT OR", Err(())),
        ("(MIT", Err(())),
        ("MIT)", Err(())),
        ("MIT Zlib", Err(())),
        ("OR MIT", Err(())),
    ] {
        let answer = satisfied(expression, &allowed).map_err(drop);
        assert_eq!(answer, expected, "{expression}");
    }
}

#[test]
fn the_list_ends_where_it_ends() {
    let list =
        allowed_licences("[graph]\n[licenses]\n# x\nallow = [\n  \"MIT\", # a\n]\n\"GPL\"\n");
    assert_eq!(list, BTreeSet::from(["MIT".to_owned()]));
}
