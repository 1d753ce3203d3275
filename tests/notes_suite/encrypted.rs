//! Encrypted notebooks: locked, unlocked, with a wrong password.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use revu::siyuan::notes::crypt::{CryptError, Vault};
use revu::vfs::notes::{NotesOptions, UnlockError, unlock};
use revu::vfs::{Kind, Vfs, VfsError};

use super::support::{Notes, files, find, names, text, tree, tree_with};
use crate::common::cases;

fn fixture() -> (std::sync::Arc<revu::repo::Repository>, serde_json::Value) {
    let case = cases("encrypted").into_iter().find(|case| case.name == "siyuan-workspace").unwrap();
    let json = std::fs::read(case.repo.join("../../encrypted.json")).unwrap();
    (case.open(), serde_json::from_slice(&json).unwrap())
}

fn latest(vfs: &Vfs) -> String {
    let link = find(vfs, "notes/latest").unwrap();
    let name = String::from_utf8(vfs.readlink(link.ino).unwrap()).unwrap();
    format!("notes/{name}")
}

/// All bytes that can be read below a folder.
fn everything(vfs: &Vfs, path: &str) -> Vec<u8> {
    let all = files(vfs, path);
    let files = all.iter().filter(|(_, attr)| attr.kind == Kind::File);
    let read = files.flat_map(|(path, attr)| {
        let bytes = vfs.read(attr.ino, 0, 1 << 30).unwrap();
        [path.as_bytes().to_vec(), bytes.to_vec()].concat()
    });
    read.collect()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn locked_nothing_of_it_leaks_and_all_else_works() {
    let (repo, json) = fixture();
    let vfs = tree(repo);
    let top = latest(&vfs);
    let books = names(&vfs, &top);
    assert_eq!(books, ["Field notes", "Safe (encrypted)", "日记  Journal"]);
    assert_eq!(names(&vfs, &format!("{top}/Safe (encrypted)")), ["LOCKED.txt"]);
    let how = text(&vfs, &format!("{top}/Safe (encrypted)/LOCKED.txt"));
    assert_eq!(how.lines().count(), 2);
    assert!(how.contains("revu mount --unlock"));
    let all = everything(&vfs, "notes");
    for (title, words) in json["docs"].as_object().unwrap() {
        assert!(!holds(&all, title), "{title}");
        assert!(!holds(&all, words.as_str().unwrap()), "{title}");
    }
    assert!(holds(&all, "Watered twice"), "the others are there");
}

#[test]
fn unlocked_its_notes_read_like_all_others() {
    let (repo, json) = fixture();
    let password = json["password"].as_str().unwrap();
    let snapshots = repo.snapshots().unwrap();
    for name in ["Safe", "Safe (encrypted)", json["notebook"].as_str().unwrap()] {
        let vault = unlock(&repo, &snapshots, &[name.to_owned()], password.as_bytes()).unwrap();
        assert_eq!(format!("{vault:?}"), "Vault(1 notebooks)", "no key is shown");
        let vfs = tree_with(repo.clone(), NotesOptions { vault, ..NotesOptions::default() });
        let top = latest(&vfs);
        assert!(names(&vfs, &top).contains(&"Safe".to_owned()));
        let all = files(&vfs, &format!("{top}/Safe"));
        for (title, words) in json["docs"].as_object().unwrap() {
            let (_, attr) =
                all.iter().find(|(path, _)| path.ends_with(&format!("/{title}.md"))).unwrap();
            let text = super::support::read(&vfs, attr);
            assert!(text.starts_with(&format!("# {title}\n")), "{text}");
            assert!(text.contains(words.as_str().unwrap()), "{text}");
        }
    }
}

#[test]
fn a_wrong_password_and_a_wrong_name_are_told() {
    let (repo, _) = fixture();
    let snapshots = repo.snapshots().unwrap();
    let ask = |name: &str, password: &[u8]| {
        unlock(&repo, &snapshots, &[name.to_owned()], password).unwrap_err()
    };
    let wrong = ask("Safe", b"opens nothing");
    assert!(matches!(wrong, UnlockError::Crypt { error: CryptError::WrongPassword, .. }));
    let said = wrong.to_string();
    assert!(said.contains("`Safe`") && said.contains("wrong password") && !said.contains("opens"));
    assert!(matches!(ask("Field notes", b"x"), UnlockError::NoSuchNotebook(_)));
}

/// An encrypted notebook of our own making, with all that one can hold.
struct Locker {
    salt: [u8; 16],
    kek: [u8; 32],
    dek: [u8; 32],
}

const BOOK: &str = "20260101000000-lockedb";
const HEADER: &[u8] = b"SENC\x01\x01\x0c";

fn seal(key: &[u8; 32], bound_to: &str, plain: &[u8]) -> Vec<u8> {
    let nonce = [7; 12];
    let aad = [HEADER, bound_to.as_bytes()].concat();
    let payload = Payload { msg: plain, aad: &aad };
    let sealed = Aes256Gcm::new(key.into()).encrypt(&Nonce::from(nonce), payload).unwrap();
    [HEADER, &nonce, &sealed].concat()
}

impl Locker {
    fn new(password: &str) -> Self {
        let salt = [3; 16];
        let params = argon2::Params::new(65_536, 3, 4, Some(32)).unwrap();
        let stretch =
            argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
        let mut kek = [0; 32];
        let mut memory = vec![argon2::Block::new(); stretch.params().block_count()];
        stretch
            .hash_password_into_with_memory(password.as_bytes(), &salt, &mut kek, &mut memory[..])
            .unwrap();
        Self { salt, kek, dek: [9; 32] }
    }

    fn subkey(&self, info: &str) -> [u8; 32] {
        let mut key = [0; 32];
        hkdf::Hkdf::<sha2::Sha256>::new(None, &self.dek).expand(info.as_bytes(), &mut key).unwrap();
        key
    }

    fn global(&self) -> String {
        let verifier = seal(&self.kek, "siyuan:v1:kek-verifier", b"siyuan-enc-v1");
        serde_json::json!({"masterSalt": STANDARD.encode(self.salt), "spec": 1,
            "kdfParams": {"memory": 65536, "iterations": 3, "parallelism": 4, "keyLength": 32},
            "kekVerifier": STANDARD.encode(verifier)})
        .to_string()
    }

    fn conf(&self, name: &str) -> String {
        let wrapped = seal(&self.kek, &format!("siyuan:v1:wrapped-dek:{BOOK}"), &self.dek);
        serde_json::json!({"name": name, "encrypted": true,
            "boxCrypt": {"wrappedDEK": STANDARD.encode(wrapped)}})
        .to_string()
    }

    fn note(&self, id: &str, bound_as: &str, title: &str) -> Vec<u8> {
        let json = serde_json::json!({"ID": id, "Spec": "2", "Type": "NodeDocument",
            "Properties": {"title": title}, "Children": [
            {"ID": "20260101000000-tableee", "Type": "NodeAttributeView",
                "AttributeViewID": "20260101000000-databas"}]});
        let bound_to = format!("siyuan:v1:file:{BOOK}:{bound_as}.sy");
        seal(&self.subkey("siyuan/file"), &bound_to, json.to_string().as_bytes())
    }
}

#[test]
fn attachments_and_databases_are_opened_and_swapped_files_are_not() {
    let locker = Locker::new("pass");
    let notes = Notes::new();
    let (a, b) = ("20260101000001-aaaaaa1", "20260101000002-bbbbbb2");
    let picture = vec![b'p'; 100_000];
    let database = serde_json::json!({"id": "20260101000000-databas", "name": "D", "viewID": "v",
        "keyValues": [{"key": {"id": "k", "name": "Name", "type": "block"}, "values": [
            {"blockID": "r", "isDetached": true, "block": {"id": "r", "content": "a secret row"}}]}],
        "views": [{"id": "v", "type": "table", "table": {"columns": [{"id": "k"}]}, "itemIds": ["r"]}]});
    let asset = seal(
        &locker.subkey("siyuan/asset"),
        &format!("siyuan:v1:asset:{BOOK}:assets/x.png"),
        &picture,
    );
    let database = seal(
        &locker.subkey("siyuan/av"),
        &format!("siyuan:v1:av:{BOOK}:20260101000000-databas"),
        database.to_string().as_bytes(),
    );
    let make = |path: &str, bytes: &[u8]| notes.maker.file(path, 1_000, bytes, 1 << 20);
    let records = [
        make("/.siyuan/notebook-crypto-backup.json", locker.global().as_bytes()),
        make(&format!("/{BOOK}/.siyuan/conf.json"), locker.conf("Vault").as_bytes()),
        make(&format!("/{BOOK}/{a}.sy"), &locker.note(a, a, "Right")),
        // A note of this notebook under the name of another one.
        make(&format!("/{BOOK}/{b}.sy"), &locker.note(a, b, "Swapped")),
        make(&format!("/{BOOK}/assets/x.png"), &asset),
        make(&format!("/{BOOK}/storage/av/20260101000000-databas.json"), &database),
    ];
    notes.snapshot(1_000, &records);
    let repo = notes.maker.open();
    let snapshots = repo.snapshots().unwrap();
    let vault = unlock(&repo, &snapshots, &["Vault".to_owned()], b"pass").unwrap();
    assert!(vault.is_sealed(&format!("/{BOOK}/{a}.sy")));
    let vfs = tree_with(repo.clone(), NotesOptions { vault, ..NotesOptions::default() });
    let top = "notes/1970-01-01T00.00.01Z/Vault";
    assert_eq!(names(&vfs, top), ["assets", &format!("{b}.md"), "Right.md", "databases"]);
    assert!(text(&vfs, &format!("{top}/Right.md")).contains("|a secret row|"));
    let picture_shown = find(&vfs, &format!("{top}/assets/x.png")).unwrap();
    assert_eq!(picture_shown.size, picture.len() as u64);
    assert_eq!(&*vfs.read(picture_shown.ino, 0, 1 << 20).unwrap(), &picture[..]);
    assert_eq!(&*vfs.read(picture_shown.ino, 99_990, 100).unwrap(), &picture[99_990..]);
    let swapped = find(&vfs, &format!("{top}/{b}.md")).unwrap();
    assert!(matches!(vfs.read(swapped.ino, 0, 100), Err(VfsError::Damaged(_))));

    let locked =
        tree_with(repo, NotesOptions { vault: Vault::default(), ..NotesOptions::default() });
    assert!(!holds(&everything(&locked, "notes"), "secret row"));
}

/// SiYuan writes the page of an encrypted notebook plain.
#[test]
fn a_plain_note_among_encrypted_ones_is_marked_and_never_shown_elsewhere() {
    let locker = Locker::new("pass");
    let notes = Notes::new();
    let page = serde_json::json!({"ID": BOOK, "Spec": "2", "Type": "NodeDocument",
        "Properties": {"title": "Vault"}, "Children": [
        {"ID": "20260101000000-secret0", "Type": "NodeParagraph",
            "Children": [{"Type": "NodeText", "Data": "plain words"}]}]});
    let embed = serde_json::json!({"ID": "20260101000000-embed00", "Type": "NodeBlockQueryEmbed",
        "Children": [{"Type": "NodeBlockQueryEmbedScript",
            "Data": "select * from blocks where id='20260101000000-secret0'"}]});
    let a = "20260101000001-aaaaaa1";
    let make = |path: &str, bytes: &[u8]| notes.maker.file(path, 1_000, bytes, 1 << 20);
    let records = [
        make("/.siyuan/notebook-crypto-backup.json", locker.global().as_bytes()),
        make(&format!("/{BOOK}/.siyuan/conf.json"), locker.conf("Vault").as_bytes()),
        make(&format!("/{BOOK}/{BOOK}.sy"), page.to_string().as_bytes()),
        make(&format!("/{BOOK}/{a}.sy"), &locker.note(a, a, "Right")),
        notes.notebook(super::support::BOX, "Open"),
        notes.note_of(&format!("{}/{a}", super::support::BOX), "Shows", &[embed]),
    ];
    notes.snapshot(1_000, &records);
    let repo = notes.maker.open();
    let top = "notes/1970-01-01T00.00.01Z";
    let locked = tree(repo.clone());
    assert!(!holds(&everything(&locked, "notes"), "plain words"), "not even by an embed");

    let snapshots = repo.snapshots().unwrap();
    let vault = unlock(&repo, &snapshots, &["Vault".to_owned()], b"pass").unwrap();
    let vfs = tree_with(repo, NotesOptions { vault, ..NotesOptions::default() });
    let page = text(&vfs, &format!("{top}/Vault/Vault.md"));
    let (mark, rest) = page.split_once("\n\n").unwrap();
    assert!(mark.starts_with("> ") && mark.contains("is not encrypted"), "{page}");
    assert_eq!(rest, "# Vault\n\nplain words\n");
    assert!(text(&vfs, &format!("{top}/Vault/Right.md")).starts_with("# Right\n"));
    assert!(text(&vfs, &format!("{top}/Open/Shows.md")).contains("plain words"));
}
