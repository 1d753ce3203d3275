//! Holds the source code to the house rules that a compiler does not know: no module uses a floor
//! above its own, only the FUSE adapter names `fuser`, nobody imports all of the crate, files stay
//! small and say what they are for. The floors are those of the table in `src/lib.rs`.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use code::{Ending, lex, used_paths};

#[path = "architecture/code.rs"]
mod code;

/// Modules of one floor that may use each other; all others may not.
const NEIGHBOURS: &[(&str, &str)] = &[("cli", "ui")];
/// The crate that is named in `src/mount/` alone.
const FUSE_CRATE: &str = "fuser";
/// More lines than this are two files.
const MAX_LINES: usize = 600;
/// Files that may be longer: path below `src/`, and why.
const LONG_FILES: &[(&str, &str)] = &[];

/// Files that may hold `unsafe`, with how often and what for; all others do without.
const UNSAFE: &[(&str, usize, &str)] = &[
    ("cli/env.rs", 1, "wipes secrets out of the environment, before there are threads"),
    ("cli/harden.rs", 2, "sets a number of the allocator's; its test reads it"),
    ("memory.rs", 15, "the allocator: large blocks come from the system"),
    ("mount/attach.rs", 1, "takes the descriptor that fusermount3 passes"),
    (
        "mount/daemon.rs",
        2,
        "forks, before there are threads; asks inherited descriptors for their flags",
    ),
    ("repo/locked.rs", 1, "locks the key into memory"),
    (
        "repo/slab.rs",
        7,
        "gives out parts of one stretch of memory, for the cache's many readers and writers",
    ),
    ("store/local.rs", 1, "syncfs, which no safe crate here has"),
    ("store/lock/owner.rs", 2, "asks for the user's number and whether a process lives"),
];

/// Top-level module → floor.
type Floors = BTreeMap<String, u32>;

#[test]
fn the_house_stands() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let lib = read(&src.join("lib.rs"));
    let floors = floors(&lib);

    let mut modules: Vec<_> = declared_modules(&lib);
    modules.sort();
    let listed: Vec<_> = floors.keys().cloned().collect();
    assert_eq!(modules, listed, "the modules of src/lib.rs (left) and of its table (right) differ");

    let mut faults = Vec::new();
    let files = rust_files(&src);
    for path in &files {
        let name = path.strip_prefix(&src).expect("it was found below src").to_string_lossy();
        let text = read(path);
        faults.extend(check(&name, &text, &floors).iter().map(|f| format!("src/{name}{f}")));
        let lines = text.lines().count();
        let may_be_long = LONG_FILES.iter().any(|(long, _)| *long == name);
        if lines > MAX_LINES && !is_test(&name) && !may_be_long {
            faults.push(format!("src/{name}: {lines} lines, more than {MAX_LINES}"));
        }
        if lines <= MAX_LINES && may_be_long {
            faults.push(format!("src/{name}: not long any more, take it out of LONG_FILES"));
        }
    }
    assert!(files.len() > floors.len(), "only {} files were found in {src:?}", files.len());
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// That each has its reason beside it is clippy's to see (`undocumented_unsafe_blocks`).
#[test]
fn unsafe_code_stands_where_it_is_known_to_stand() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for path in rust_files(&src) {
        let name = path.strip_prefix(&src).expect("it was found below src").to_string_lossy();
        let count = lex(&read(&path)).iter().filter(|token| token.is("unsafe")).count();
        if count > 0 && !is_test(&name) {
            found.push((name.into_owned(), count));
        }
    }
    let known: Vec<_> =
        UNSAFE.iter().map(|(name, count, _)| ((*name).to_owned(), *count)).collect();
    assert_eq!(found, known, "in src (left) and as it is known (right)");
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.expect("the folder can be listed").path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Files that are all test, by the names that `#[cfg(test)] mod tests;` leads to.
fn is_test(name: &str) -> bool {
    name.split('/').any(|part| part == "tests" || part == "tests.rs" || part.ends_with("_tests.rs"))
}

/// The rows `//! | 1 | [`store`]: …; [`siyuan`]: … |` of the table in `src/lib.rs`.
fn floors(lib: &str) -> Floors {
    let mut floors = Floors::new();
    for line in lib.lines() {
        let Some(row) = line.strip_prefix("//! |") else { continue };
        let Some((floor, rest)) = row.split_once('|') else { continue };
        let Ok(floor) = floor.trim().parse() else { continue };
        for name in rest.split("[`").skip(1).filter_map(|part| part.split_once("`]")) {
            // rustdoc wants `mod@` where a macro has the same name.
            let name = name.0.trim_start_matches("mod@");
            let twice = floors.insert(name.to_owned(), floor);
            assert!(twice.is_none(), "`{name}` is on two floors in src/lib.rs");
        }
    }
    floors
}

/// The names of all `mod name;` in a file.
fn declared_modules(text: &str) -> Vec<String> {
    let tokens = lex(text);
    tokens
        .windows(3)
        .filter(|w| w[0].is("mod") && w[2].is(";"))
        .map(|w| w[1].text.clone())
        .collect()
}

/// What is wrong, and in which line.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    line: usize,
    what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ":{}: {}", self.line, self.what)
    }
}

/// Checks one file. `name` is its path below `src/`.
fn check(name: &str, text: &str, floors: &Floors) -> Vec<Fault> {
    let mut faults = Vec::new();
    if !text.starts_with("//!") {
        let what = "does not begin with a //! comment that says what it is for".to_owned();
        faults.push(Fault { line: 1, what });
    }
    let tokens = lex(text);
    let module = module_of(name);
    for pair in tokens.windows(3) {
        // Where a file lies would no longer say which module it is.
        if pair[0].is("[") && pair[1].is("path") && pair[2].is("=") {
            faults.push(Fault { line: pair[1].line, what: "#[path] hides the module".to_owned() });
        }
    }
    if module.first().is_none_or(|top| top != "mount") {
        for token in tokens.iter().filter(|t| t.is(FUSE_CRATE)) {
            let what = format!("names {FUSE_CRATE}, which only src/mount/ may");
            faults.push(Fault { line: token.line, what });
        }
    }
    // main.rs and lib.rs hold the house together and stand above all floors.
    let above_all = module.is_empty();
    for used in used_paths(&tokens, &module) {
        let fault = match (&used.path[..], used.ending) {
            ([], Ending::Glob) => Some("imports all of the crate".to_owned()),
            ([], Ending::Name) => Some("gives the crate another name".to_owned()),
            ([top, ..], _) if !above_all => arrow_up(&module[0], top, floors),
            _ => None,
        };
        faults.extend(fault.map(|what| Fault { line: used.line, what }));
    }
    faults.sort_by_key(|fault| fault.line);
    faults
}

fn arrow_up(from: &str, to: &str, floors: &Floors) -> Option<String> {
    if from == to || NEIGHBOURS.iter().any(|&n| n == (from, to) || n == (to, from)) {
        return None;
    }
    match (floors.get(from), floors.get(to)) {
        (Some(own), Some(other)) if other < own => None,
        (Some(own), Some(other)) => {
            Some(format!("`{from}` (floor {own}) uses `{to}` (floor {other})"))
        }
        (None, _) => Some(format!("`{from}` is on no floor of the table in src/lib.rs")),
        (_, None) => Some(format!("uses `crate::{to}`, which is on no floor")),
    }
}

/// `store/local.rs` → `[store, local]`; `store/mod.rs` → `[store]`; `main.rs`, `lib.rs` → `[]`.
fn module_of(name: &str) -> Vec<String> {
    let mut parts: Vec<_> = name.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "main" | "lib")) {
        parts.pop();
    }
    parts
}

mod the_checker_itself {
    //! A checker that finds nothing proves nothing: small houses that must fall, and some that must not.

    use super::*;

    fn house() -> Floors {
        floors(
            "//! | floor | modules |\n//! |---|---|\n//! | 0 | [`mod@format`]: bytes |\n\
             //! | 1 | [`store`]: objects; [`siyuan`]: notes |\n//! | 2 | [`repo`] |\n\
             //! | 3 | [`ops`]: deeds; [`vfs`]: tree |\n//! | 4 | [`mount`] |\n//! | 5 | [`cli`] and [`ui`] |\n",
        )
    }

    /// The faults of a file, each as `line: what`, without the one for a missing doc comment.
    fn faults(name: &str, code: &str) -> Vec<String> {
        let text = format!("//! A room.\n{code}");
        check(name, &text, &house()).iter().map(|f| format!("{}: {}", f.line - 1, f.what)).collect()
    }

    #[track_caller]
    fn falls(name: &str, code: &str, expected: &[&str]) {
        assert_eq!(faults(name, code), expected, "{name}:\n{code}");
    }

    #[track_caller]
    fn stands(name: &str, code: &str) {
        falls(name, code, &[]);
    }

    #[test]
    fn the_table_is_read() {
        let house = house();
        assert_eq!(house.len(), 9);
        assert_eq!((house["format"], house["siyuan"], house["ui"]), (0, 1, 5));
    }

    #[test]
    fn arrows_down_are_fine() {
        stands(
            "vfs/tree.rs",
            "use crate::repo::Repository;\nuse crate::format::{FileId, IndexId};",
        );
        stands("vfs/tree.rs", "use super::node::Node;\nuse super::super::repo;\nuse self::x::Y;");
        stands("repo/mod.rs", "pub use catalog::Catalog;\nfn f() { crate::store::open::<u8>(); }");
        stands("cli/log.rs", "use crate::ui::table;");
        stands("ui/mod.rs", "use crate::cli::Global;");
        stands("main.rs", "fn main() { revu::cli::main() }");
        stands("lib.rs", "pub mod vfs;\npub use crate::vfs::Tree;");
    }

    #[test]
    fn arrows_up_fall() {
        let up = "`format` (floor 0) uses `repo` (floor 2)";
        falls("format/id.rs", "use crate::repo::Reader;", &[&format!("1: {up}")]);
        falls("format/id.rs", "\nuse super::super::repo;", &[&format!("2: {up}")]);
        falls("format/mod.rs", "use super::repo;", &[&format!("1: {up}")]);
        falls(
            "format/id.rs",
            "fn f() {\n  let x = crate::repo::open();\n}",
            &[&format!("2: {up}")],
        );
        falls("format/id.rs", "fn f(_: &dyn crate::repo::Read) {}", &[&format!("1: {up}")]);
        falls("format/id.rs", "type T = <crate::repo::A as B>::C;", &[&format!("1: {up}")]);
        falls(
            "format/id.rs",
            "macro_rules! m { () => { $crate::repo::f() } }",
            &[&format!("1: {up}")],
        );
        falls("format/id.rs", "use revu::repo;", &[&format!("1: {up}")]);
        falls("format/id.rs", "use ::revu::repo;", &[&format!("1: {up}")]);
    }

    #[test]
    fn neighbours_are_strangers() {
        let strangers = "1: `store` (floor 1) uses `siyuan` (floor 1)";
        falls("store/mod.rs", "use crate::siyuan::Workspace;", &[strangers]);
        falls("vfs/mod.rs", "use crate::ops;", &["1: `vfs` (floor 3) uses `ops` (floor 3)"]);
    }

    #[test]
    fn grouped_uses_are_read_to_the_end() {
        let code = "use crate::{\n  format::{self, FileId},\n  repo as r, // a comment, with a comma\n  \
                    store::{\n    local::*,\n  },\n  vfs::{Tree},\n};\nuse crate::mount;";
        falls(
            "repo/mod.rs",
            code,
            &[
                "7: `repo` (floor 2) uses `vfs` (floor 3)",
                "9: `repo` (floor 2) uses `mount` (floor 4)",
            ],
        );
        falls(
            "repo/a.rs",
            "use super::{b, super::vfs};",
            &["1: `repo` (floor 2) uses `vfs` (floor 3)"],
        );
        falls(
            "repo/a.rs",
            "use {std::fmt, crate::vfs};",
            &["1: `repo` (floor 2) uses `vfs` (floor 3)"],
        );
    }

    #[test]
    fn inline_modules_count() {
        let tests =
            "mod tests {\n  use super::*;\n  use super::super::Id;\n  fn f() { if a { b } }\n}\n";
        stands("format/id.rs", tests);
        falls(
            "format/id.rs",
            &format!("{tests}use super::super::vfs;\nmod a {{ use super::super::super::ops; }}"),
            &[
                "6: `format` (floor 0) uses `vfs` (floor 3)",
                "7: `format` (floor 0) uses `ops` (floor 3)",
            ],
        );
    }

    #[test]
    fn nobody_imports_everything_or_hides_the_crate() {
        for code in
            ["use crate::*;", "use super::*;", "use crate::{*};", "use super::{self as c, *};"]
        {
            let found = faults("store/mod.rs", code);
            assert!(found.contains(&"1: imports all of the crate".to_owned()), "{code}: {found:?}");
        }
        stands("store/local.rs", "use super::*;\nuse crate::format::*;");
        for code in ["use crate as c;", "use crate::{self as c};", "use super as c;"] {
            falls("store/mod.rs", code, &["1: gives the crate another name"]);
        }
        falls(
            "store/mod.rs",
            "use crate::nobody::X;",
            &["1: uses `crate::nobody`, which is on no floor"],
        );
        falls(
            "attic.rs",
            "use crate::format::Id;",
            &["1: `attic` is on no floor of the table in src/lib.rs"],
        );
        falls(
            "store/mod.rs",
            "#[path = \"../repo/x.rs\"]\nmod x;",
            &["1: #[path] hides the module"],
        );
    }

    #[test]
    fn fuse_stays_in_its_room() {
        let named = "1: names fuser, which only src/mount/ may";
        falls("vfs/node.rs", "use fuser::FileAttr;", &[named]);
        falls("cli/mod.rs", "fn f(_: fuser::Request) {}", &[named]);
        falls("lib.rs", "pub use fuser;", &[named]);
        stands("mount/adapter.rs", "use fuser::FileAttr;");
        stands(
            "vfs/node.rs",
            "// as fuser does\n/* fuser */ const A: &str = \"fuser\";\nconst B: u8 = 1;",
        );
    }

    #[test]
    fn what_is_no_code_is_no_arrow() {
        stands("format/id.rs", "/// See [`crate::repo::Catalog`].\n/* /* nested */ crate::repo */");
        stands("format/id.rs", "const A: &str = \"crate::repo \\\" crate::repo\";");
        stands(
            "format/id.rs",
            "const A: &str = r#\"a \" crate::repo\"#; const B: &[u8] = br\"crate::repo\";",
        );
        stands(
            "format/id.rs",
            "pub(crate) fn a() {}\npub(super) fn b() {}\npub(in crate::format) fn c() {}",
        );
        stands("main.rs", "fn a(self) -> u8 { self as u8 }");
        stands(
            "format/id.rs",
            "macro_rules! m { ($($t:ident)*) => { use crate::format::{$($t)*}; } }",
        );
        stands("format/id.rs", "fn a(self) { self.crate_repo::<u8>(); x::crate_::repo(); }");
        // Quotes in characters and lifetimes must not swallow what follows them.
        for quote in
            ["'\"'", "'\\''", "b'\"'", "f::<'a>()", "'\\u{1F600}'", "\"\\\\\"", "r\"\\\"", "c\"\""]
        {
            let code = format!("const A: X = {quote}; use crate::repo;");
            falls("format/id.rs", &code, &["1: `format` (floor 0) uses `repo` (floor 2)"]);
        }
    }

    #[test]
    fn every_file_says_what_it_is_for() {
        let found = check("format/id.rs", "use std::fmt;\n//! late\n", &house());
        assert_eq!(found.len(), 1);
        assert!(found[0].what.starts_with("does not begin with"));
    }

    #[test]
    fn test_files_are_told_by_name() {
        assert!(
            is_test("repo/tests.rs") && is_test("repo/tests/a.rs") && is_test("repo/lru_tests.rs")
        );
        assert!(!is_test("repo/attests.rs") && !is_test("repo/mod.rs"));
    }
}
