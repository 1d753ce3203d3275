//! `revu cat`.

use std::process::Stdio;

use crate::common;
use crate::support::{Home, golden, run};

#[test]
fn every_byte_of_every_snapshot() {
    let home = Home::new();
    for case in common::cases("every_byte_of_every_snapshot") {
        let key = home.secret(&case.name.replace('/', "-"), &case.key.to_base64());
        let step = case.snapshots.len().div_ceil(8);
        for (id, files) in case.snapshots.iter().step_by(step) {
            let mut command = home.command(["cat", "--repo"]);
            command.arg(&case.repo).arg("--key-file").arg(&key);
            command.args(files.keys().map(|path| format!("{id}:/{path}")));
            let output = command.output().unwrap();
            assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
            let mut rest = &output.stdout[..];
            for (path, file) in files {
                let (this, others) = rest.split_at(file.size as usize);
                assert_eq!(common::sha256(this), file.sha256, "{} {id} {path}", case.name);
                rest = others;
            }
            assert!(rest.is_empty());
        }
    }
}

#[test]
fn what_cannot_be_printed_does_not_keep_the_rest_from_it() {
    let home = Home::new();
    let mut command = home.command(["cat", "--workspace"]);
    let ran = run(command.arg(golden()).args([
        "latest:/assets",
        "latest:/later.txt",
        "latest:/gone",
        "v1",
        "latest:form",
    ]));
    assert_eq!(ran.stdout, "five\nnow a file\n");
    let told: Vec<_> = ran.stderr.lines().collect();
    assert_eq!((ran.code, told.len()), (1, 3), "{told:?}");
    assert!(told[0].contains("latest:/assets is a folder") && told[0].contains("revu ls"));
    assert!(told[1].contains("/gone"));
    assert!(told[2].contains("v1:/PATH"));
}

#[test]
fn errors_as_json() {
    let home = Home::new();
    let mut command = home.command(["cat", "--json", "latest:/assets", "latest:/x", "--workspace"]);
    let ran = run(command.arg(golden()));
    let errors: Vec<serde_json::Value> =
        ran.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = errors.iter().map(|e| e["error"]["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["is_a_folder", "no_path"]);
    assert_eq!((ran.code, &errors[0]["error"]["exit"]), (1, &1.into()));
}

#[test]
fn a_closed_pipe_ends_in_silence() {
    let home = Home::new();
    for args in [vec!["cat", "v1:/assets/text-3m.txt"], vec!["ls", "-R", "latest"], vec!["log"]] {
        let mut command = home.command(&args);
        command.arg("--workspace").arg(golden());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
        assert!(output.stderr.is_empty(), "{args:?}: {output:?}");
    }
}

#[test]
fn a_full_disk_is_told() {
    let home = Home::new();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = home.command(["cat", "v1:/assets/text-3m.txt", "--workspace"]);
    let ran = run(command.arg(golden()).stdout(full));
    assert!(ran.fails(1).contains("standard output"));
}
