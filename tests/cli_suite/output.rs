//! Colours, JSON, quiet, usage.

use crate::support::{Home, golden, run};

#[test]
fn colours_when_they_are_wanted() {
    let home = Home::new();
    let has_colour = |args: &[&str], no_color: bool| {
        let mut command = home.command(["log", "--workspace"]);
        command.arg(golden()).args(args);
        if no_color {
            command.env("NO_COLOR", "1");
        }
        run(&mut command).ok().stdout.contains("\x1b[")
    };
    assert!(!has_colour(&[], false));
    assert!(has_colour(&["--color", "always"], false));
    assert!(has_colour(&["--color=always"], true), "an option comes before the environment");
    assert!(!has_colour(&["--color=always", "--json"], false), "JSON has none");
    let on_terminal = |no_color: &str| {
        let mut command = home.other("script");
        command.env("TERM", "xterm").env("NO_COLOR", no_color).env("WS", golden());
        let line = "\"$REVU\" log --workspace \"$WS\"";
        run(command.args(["-qec", line, "/dev/null"])).ok().stdout
    };
    let shown = on_terminal("");
    assert!(shown.contains("\x1b[33m1666729b\x1b[0m") && shown.contains("MiB"), "{shown}");
    assert!(shown.contains("memo"), "a person gets titles: {shown}");
    assert!(!on_terminal("1").contains("\x1b["));
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let home = Home::new();
    for args in [
        vec![],
        vec!["nonsense"],
        vec!["log", "--nonsense"],
        vec!["cat"],
        vec!["ls"],
        vec!["tag"],
        vec!["log", "--limit", "many"],
        vec!["mount", "--cache-size", "1.5G"],
        vec!["mount", "-o", "nonsense"],
        vec!["completions", "csh"],
        vec!["--color=sometimes", "log"],
    ] {
        let told = home.run(&args).fails(2);
        assert!(!told.contains("panicked"), "{args:?}: {told}");
    }
    let told = home.run(["cat", "--json"]).fails(2);
    let json: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&json["error"]["kind"], &json["error"]["exit"]), (&"usage".into(), &2.into()));
    assert!(json["error"]["message"].as_str().unwrap().contains("SNAPSHOT:PATH"), "{told}");
}

#[test]
fn version() {
    let home = Home::new();
    let text = home.run(["--version"]).ok().stdout;
    assert_eq!(text, format!("revu {}\n", env!("CARGO_PKG_VERSION")));
}
