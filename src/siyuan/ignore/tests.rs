use super::*;

fn rules(lines: &[&str]) -> IgnoreRules {
    IgnoreRules::from_lines(lines).unwrap()
}

fn data_with(syncignore: &[u8]) -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    std::fs::create_dir(data.path().join(".siyuan")).unwrap();
    std::fs::write(data.path().join(SYNCIGNORE), syncignore).unwrap();
    data
}

#[test]
fn the_last_rule_that_matches_decides() {
    let some = rules(&["*.bin", "!keep.bin", "/a/keep.bin"]);
    for (path, ignored) in [
        ("/x.bin", true),
        ("/keep.bin", false),
        ("/b/keep.bin", false),
        ("/a/keep.bin", true),
        ("/x.txt", false),
    ] {
        assert_eq!(some.ignores(path), ignored, "{path}");
    }
    assert!(!rules(&["*", "!"]).ignores("/a"), "a lone ! takes back everything");
    assert!(!rules(&[]).ignores("/a"));
}

#[test]
fn what_the_rules_do_not_replace_is_an_operator() {
    for (line, path, ignored) in [
        ("a+b", "/aab", true),
        ("a+b", "/a+b", false),
        ("(x|y).txt", "/d/y.txt", true),
        ("a{2}", "/aa", true),
        ("*.{png,jpg}", "/x.{png,jpg}", true),
        ("*.{png,jpg}", "/x.png", false),
        ("f?o", "/f?o", true),
        (r"a\*", "/a*", true),
        (r"a\*", "/ab", false),
        (r"\d*", "/7", true),
        // A backslash before a dot leaves the dot's own backslash to be one.
        (r"a\.b", r"/a\xb", true),
        (r"a\.b", "/a.b", false),
        ("a|b", "/x/a-and-what-not", true),
        ("/FOO", "/foo", false),
    ] {
        assert_eq!(rules(&[line]).ignores(path), ignored, "{line} on {path}");
    }
}

#[test]
fn a_line_break_in_a_name_ends_what_a_folder_rule_covers() {
    let folder = rules(&["/a"]);
    assert!(folder.ignores("/a/b"));
    assert!(!folder.ignores("/a/b\nc"), "Go's dot does not match a line break");
    assert!(rules(&["/a/*"]).ignores("/a/b\nc"), "but a star does");
}

#[test]
fn lines_that_are_no_rules_are_told() {
    let some = rules(&["[a", "(b", "", "# x", "c"]);
    assert!(some.ignores("/c") && !some.ignores("/[a"));
    let skipped: Vec<_> = some.skipped().iter().map(|s| (&s.line[..], &s.reason[..])).collect();
    let bracket = ("[a", "a bracket is not closed");
    assert_eq!(skipped, [bracket, ("(b", "a parenthesis is not closed")]);
}

#[test]
fn a_data_folder_has_the_users_rules_and_siyuans() {
    let data = data_with("\u{feff}no\r\n*.bin\r\n!keep.bin\n".as_bytes());
    let some = IgnoreRules::load(data.path()).unwrap();
    for path in [
        "/a/x.bin",
        "/.siyuan/conf.json",
        "/20210808180117-6v0mkxr/a/b.sy",
        "/storage/av/20240530133134-wlxgyny.json",
    ] {
        assert!(some.ignores(path), "{path}");
    }
    for path in ["/keep.bin", "/a/.siyuan/conf.json", "/storage/av/x.json", "/.siyuan/syncignore"] {
        assert!(!some.ignores(path), "{path}");
    }
    let further = ["*.bin".to_owned(), "*.sy".to_owned()];
    let more = IgnoreRules::load_with(data.path(), &further).unwrap();
    assert!(more.ignores("/keep.bin") && more.ignores("/a.sy"));
}

#[test]
fn a_line_counts_where_it_stands_first() {
    let data = data_with(b"foo\n!foo\nfoo\n");
    assert!(!IgnoreRules::load(data.path()).unwrap().ignores("/foo"));
    let data = data_with(b"foo\n!foo\nfoo \n");
    assert!(IgnoreRules::load(data.path()).unwrap().ignores("/foo"));
    // One of SiYuan's own lines, taken back by the user: it stands before the `!` then.
    let data = data_with(b"/.siyuan/conf.json\n!/.siyuan/conf.json");
    assert!(!IgnoreRules::load(data.path()).unwrap().ignores("/.siyuan/conf.json"));
}

#[test]
fn missing_unreadable_and_odd_files() {
    let data = tempfile::tempdir().unwrap();
    assert!(IgnoreRules::load(data.path()).unwrap().ignores("/.siyuan/conf.json"));

    let data = data_with(b"\xff\xfe\nfoo\n");
    let some = IgnoreRules::load(data.path()).unwrap();
    assert!(some.ignores("/foo"));
    assert_eq!(some.skipped()[0].reason, "it is not UTF-8");

    let data = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(data.path().join(SYNCIGNORE)).unwrap();
    let error = IgnoreRules::load(data.path()).unwrap_err();
    assert!(error.to_string().starts_with("cannot read the ignore rules in /"), "{error}");

    let data = data_with(b"");
    let file = File::options().write(true).open(data.path().join(SYNCIGNORE)).unwrap();
    file.set_len(LARGEST_FILE + 1).unwrap();
    let error = IgnoreRules::load(data.path()).unwrap_err();
    assert!(matches!(error, IgnoreError::LargeFile { .. }), "{error}");
}

/// Lines that drive a matcher that tries and goes back, or one without bounds, out of its mind.
#[test]
fn hostile_lines_cost_little() {
    let long = "a".repeat(4_000);
    let path = format!("/{long}/b");
    let mebi = |text: &str| text.repeat((1 << 20) / text.len());

    let backtrack = ["*a".repeat(50) + "c", "(a*)*".repeat(20) + "c", "(a|a)+".repeat(10) + "c"];
    let some = IgnoreRules::from_lines(backtrack).unwrap();
    assert!(!some.ignores(&path));
    assert!(some.ignores(&format!("/{long}c")));

    // Lines of a mebibyte: many stars are one, and what no path is long enough for is left out.
    assert!(IgnoreRules::from_lines([mebi("*")]).unwrap().ignores(&path));
    assert!(!IgnoreRules::from_lines([mebi("a")]).unwrap().ignores(&path));
    assert!(!IgnoreRules::from_lines([mebi("a*")]).unwrap().ignores(&path));
    // These are no expressions.
    for line in ["(", ")", "[", "[:", "[[:", "[a", "\\", "+", "{1", "a{1000}{1000}", "\\Q", "\\p{"]
    {
        let some = IgnoreRules::from_lines([mebi(line)]).unwrap();
        assert!(!some.ignores(&path), "{line}");
    }
    // These would need too much. (`#$~` is a star of the expression itself.)
    for line in ["|", "a|", "((a{0,100}){0,10}b#$~)", "a{0,1000}", "[é-ü]{0,1000}"] {
        let error = IgnoreRules::from_lines([mebi(line)]).unwrap_err();
        assert!(error.to_string().contains("shorten it"), "{line}: {error}");
        assert!(error.to_string().len() < 200, "{error}");
    }
}

#[test]
fn many_rules_are_matched_at_once() {
    let lines: Vec<_> = (0..1_000).map(|n| format!("/folder {n}/**/*.x")).collect();
    let some = IgnoreRules::from_lines(&lines).unwrap();
    assert!(some.ignores("/folder 999/a/b.x"));
    assert!(!some.ignores("/folder 1000/a/b.x"));
    // Each of these is small enough, but not all of them together.
    let error = IgnoreRules::from_lines((0..10_000).map(|n| format!("{n}[é-ü]{{0,1000}}")));
    assert!(matches!(error, Err(IgnoreError::LargeRule { .. })), "{error:?}");
}
