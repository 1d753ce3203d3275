//! Notes on the command line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use revu::store::Store;

use super::support::{BOX, Notes};
use crate::common::{Maker, fixtures};

const A: &str = "20260101000001-aaaaaa1";
const B: &str = "20260101000002-bbbbbb2";

/// A folder with a repository of notes in it, for the program itself.
pub struct Home {
    pub folder: tempfile::TempDir,
    pub repo: PathBuf,
    key: String,
}

impl Home {
    /// Two snapshots: in the second, a note was renamed, moved below another and changed.
    pub fn with_notes() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repo = folder.path().join("repo");
        fs::create_dir(&repo).unwrap();
        let notes = Notes::at(Maker::new(Store::local(&repo)));
        let book = notes.notebook(BOX, "Field notes");
        let picture = notes.maker.file("/assets/x.png", 1_000, b"png", 100);
        let garden = notes.note(&format!("{BOX}/{A}"), "Garden", "roses and **weeds**");
        let old = notes.note(&format!("{BOX}/{B}"), "Oak", "one oak\nthe third oak");
        notes.snapshot(1_000, &[book.clone(), picture.clone(), garden.clone(), old]);
        let new = notes.note(&format!("{BOX}/{A}/{B}"), "Oaks", "one oak\nthe fourth oak");
        notes.snapshot(2_000, &[book, picture, garden, new]);
        let key = notes.maker.key.to_base64().to_string();
        Self { folder, repo, key }
    }

    /// A repository that a test made.
    pub fn of(folder: tempfile::TempDir, repo: PathBuf, key: &revu::format::RepoKey) -> Self {
        Self { folder, repo, key: key.to_base64().to_string() }
    }

    /// The workspace that SiYuan made.
    pub fn siyuan() -> Self {
        let key = fs::read_to_string(fixtures().join("siyuan-workspace/key.txt")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        Self { folder, repo: fixtures().join("siyuan-workspace/workspace/repo"), key }
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.other(env!("CARGO_BIN_EXE_revu"));
        command.args(args);
        command
    }

    /// Another program, in the same surroundings.
    pub fn other(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("TZ", "UTC")
            .env("REVU_REPO", &self.repo)
            .env("REVU_KEY", self.key.trim())
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    pub fn fails(&self, args: &[&str], code: i32) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}

#[test]
fn cat_prints_markdown_of_a_file_or_of_a_name() {
    let home = Home::with_notes();
    let wanted = "# Oak\n\none oak  \nthe third oak\n";
    for path in [format!("/{BOX}/{B}.sy"), "/Field notes/Oak.md".into(), "Field notes/Oak".into()] {
        assert_eq!(home.ok(&["cat", "--markdown", &format!("latest~1:{path}")]), wanted, "{path}");
    }
    let later = home.ok(&["cat", "--markdown", "latest:/Field notes/Garden/Oaks"]);
    assert!(later.contains("fourth"));
    let absent = home.fails(&["cat", "--markdown", "latest:/Field notes/Oak"], 1);
    assert!(absent.contains("there is no note /Field notes/Oak"), "{absent}");
}

#[test]
fn cat_opens_encrypted_notes_with_their_password_alone() {
    let home = Home::siyuan();
    let plain = "The treasure is under the third oak.";
    let args = ["cat", "--markdown", "--unlock", "Safe", "latest:/Safe/Secret plan"];
    let mut right = home.command(&args);
    let output = right.env("REVU_NOTEBOOK_PASSWORD", "opens the safe").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8(output.stdout).unwrap().contains(plain));
    let by_command = ["--notebook-password-command", "echo opens the safe"];
    assert!(home.ok(&[&args[..], &by_command].concat()).contains(plain));

    let mut wrong = home.command(&args);
    let output = wrong.env("REVU_NOTEBOOK_PASSWORD", "no idea").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(12), "{said}");
    assert!(said.contains("wrong password") && !said.contains("no idea"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    // Nobody to ask, and no password.
    let said = home.fails(&args, 12);
    assert!(said.contains("REVU_NOTEBOOK_PASSWORD"), "{said}");
    let said = home.fails(&["cat", "--markdown", "latest:/Safe/Secret plan"], 1);
    assert!(said.contains("Safe (encrypted)"), "{said}");
}

#[test]
fn export_writes_notes_and_attachments_and_never_over_anything() {
    let home = Home::with_notes();
    let to = home.folder.path().join("out");
    let said = home.ok(&["export", "--markdown", "latest", "--to", "out"]);
    assert!(said.contains("2 notes and 1 attachment written"), "{said}");
    let read = |path: &str| fs::read_to_string(to.join(path)).unwrap();
    assert_eq!(read("Field notes/Garden.md"), "# Garden\n\nroses and **weeds**\n");
    assert!(read("Field notes/Garden/Oaks.md").contains("fourth"));
    assert_eq!(read("Field notes/assets/x.png"), "png");
    assert_eq!(read("Field notes/Garden/assets/x.png"), "png");
    let time = fs::metadata(to.join("Field notes/Garden.md")).unwrap().modified().unwrap();
    let wanted = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_767_323_045);
    assert_eq!(time, wanted, "the note's own time, 2026-01-02 03:04:05");
    let names = |folder: &Path| -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&to.join("Field notes")), ["Garden", "Garden.md", "assets"]);

    fs::write(to.join("Field notes/Garden.md"), "mine").unwrap();
    let said = home.fails(&["export", "--markdown", "latest", "--to", "out"], 3);
    assert!(said.contains("Garden.md") && said.contains("stays"), "{said}");
    assert_eq!(read("Field notes/Garden.md"), "mine");
    assert_eq!(names(&to.join("Field notes")), ["Garden", "Garden.md", "assets"]);
}

#[test]
fn export_writes_databases_and_attachments_as_a_mount_shows_them() {
    let folder = tempfile::tempdir().unwrap();
    let repo = folder.path().join("repo");
    fs::create_dir(&repo).unwrap();
    let notes = Notes::at(Maker::new(Store::local(&repo)));
    let id = "20260101000000-dataaaa";
    let database = serde_json::json!({"id": id, "name": "Costs", "viewID": "v", "keyValues": [
        {"key": {"id": "k", "name": "Name", "type": "block"}, "values": [
            {"blockID": "r", "isDetached": true, "block": {"id": "r", "content": "a, b"}}]}],
        "views": [{"id": "v", "type": "table", "itemIds": ["r"],
            "table": {"columns": [{"id": "k"}]}}]});
    let file = |path: &str, text: &str| notes.maker.file(path, 1_000, text.as_bytes(), 1 << 20);
    let records = [
        notes.notebook(BOX, "Book"),
        notes.note(&format!("{BOX}/{A}"), "Note", "x"),
        notes.note(&format!("{BOX}/{A}/{B}"), "Below", "x"),
        file(&format!("/storage/av/{id}.json"), &database.to_string()),
        file("/assets/both.txt", "the data folder's"),
        file(&format!("/{BOX}/assets/both.txt"), "the notebook's"),
        file(&format!("/{BOX}/assets/own.txt"), "own"),
    ];
    notes.snapshot(1_000, &records);
    let home = Home::of(folder, repo, &notes.maker.key);
    let said = home.ok(&["export", "--markdown", "latest", "--to", "out"]);
    assert!(said.contains("2 notes, 1 database and 3 attachments written"), "{said}");
    let read = |path: &str| fs::read_to_string(home.folder.path().join("out").join(path)).unwrap();
    assert_eq!(read("databases/Costs.csv"), "Name\n\"a, b\"\n");
    assert_eq!(read("Book/assets/both.txt"), "the data folder's", "as SiYuan resolves it");
    assert_eq!(read("Book/assets/own.txt"), "own");
    assert_eq!(read("Book/Note/assets/own.txt"), "own");
    // Once more: what is there stays, and nothing is wrong with the links.
    let said = home.fails(&["export", "--markdown", "latest", "--to", "out"], 3);
    assert!(!said.contains("assets:"), "{said}");
    let json = home.ok(&["export", "--markdown", "latest", "--to", "other", "--json"]);
    assert!(json.contains("\"databases\":1"), "{json}");
}

#[test]
fn export_leaves_encrypted_notebooks_out_and_says_so() {
    let home = Home::siyuan();
    let output = home.run(&["export", "--markdown", "latest", "--to", "out"]);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("Safe (encrypted)"));
    assert!(!home.folder.path().join("out/Safe (encrypted)").exists());
    assert!(home.folder.path().join("out/Field notes").is_dir());
}

#[test]
fn find_reads_notes_as_people_do() {
    let home = Home::with_notes();
    let found = home.ok(&["find", "--json", "--content", "roses and **weeds**"]);
    assert_eq!(found.lines().count(), 2, "one note and the summary: {found}");
    assert!(found.contains(&format!("/{BOX}/{A}.sy")));
    let nothing = home.ok(&["find", "--json", "--content", "NodeParagraph"]);
    assert_eq!(nothing.lines().count(), 1, "what only the file says is not text: {nothing}");
    let titled = home.ok(&["find", "--json", "--title", "Oak*"]);
    assert_eq!(titled.lines().count(), 3, "both versions: {titled}");
}

#[test]
fn versions_follow_a_note_by_its_title() {
    let home = Home::with_notes();
    // By its last name, and by the one that it had before.
    for name in ["/Field notes/Garden/Oaks", "Field notes/Oak.md"] {
        let lines = home.ok(&["versions", "--json", name]);
        let json: Vec<serde_json::Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(json[0]["path"], format!("/{BOX}/{A}/{B}.sy"));
        assert_eq!(json[1]["path"], format!("/{BOX}/{B}.sy"));
        assert_eq!(json[2]["summary"]["versions"], 2);
    }
    assert!(home.fails(&["versions", "/Field notes/Elm"], 1).contains("no snapshot has"));
}

#[test]
fn diff_names_notes_by_their_titles() {
    let home = Home::with_notes();
    let patch = home.ok(&["diff", "--notes", "latest~1", "latest"]);
    let wanted = "diff --git a/Field notes/Oak.md b/Field notes/Garden/Oaks.md\n\
        rename from Field notes/Oak.md\nrename to Field notes/Garden/Oaks.md\n\
        --- a/Field notes/Oak.md\t\n+++ b/Field notes/Garden/Oaks.md\t\n\
        @@ -1,4 +1,4 @@\n-# Oak\n+# Oaks\n \n one oak  \n-the third oak\n+the fourth oak\n";
    assert_eq!(patch, wanted);
    let stat = home.ok(&["diff", "--notes", "--stat", "latest~1", "latest"]);
    assert_eq!(stat, "R Field notes/Oak.md -> Field notes/Garden/Oaks.md\n");
    assert_eq!(home.ok(&["diff", "--notes", "latest", "latest"]), "");
    let json = home.ok(&["diff", "--notes", "--json", "latest~1", "latest"]);
    assert!(json.contains("\"change\":\"renamed\"") && json.contains("\"renamed\":1"), "{json}");
}
