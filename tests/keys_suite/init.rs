//! New repositories.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use revu::format::RepoKey;
use revu::format::own::{self, Settings};
use revu::ops::init::{self, InitError};
use revu::ops::keys;
use revu::repo::{OpenError, Options, Repository};
use revu::store::{Fault, Faults, Store};

use super::{FAULTS, common, forget_locks, secret, style, tree};

fn make(store: &Store, passphrase: &str) -> Result<init::Made, InitError> {
    init::own(store, &secret(passphrase), Settings::default(), style(None))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_is_made_opens_and_takes_snapshots() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("new/deep/repo");
    let store = Store::local(&folder);
    let made = make(&store, "open sesame").unwrap();
    assert_eq!(names(&folder), ["indexes", "objects", "refs", "revu.json"]);
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join("revu.json")), 0o600);

    let access = keys::open(&store, &secret("open sesame")).unwrap();
    assert_eq!((&access.key, access.slot), (&made.key, Some(made.slot)));
    assert_eq!(keys::settings(&store, &made.key).unwrap(), Some(Settings::default()));
    let text = fs::read_to_string(folder.join("revu.json")).unwrap();
    assert!(!text.contains(&*made.key.to_base64()) && !text.contains("sesame"));

    let repo = Repository::open(store.clone(), &access.key, Options::default()).unwrap();
    assert!(repo.snapshots().unwrap().list.is_empty());
    let mut maker = common::Maker::new(store.clone());
    maker.take(access.key.clone());
    let file = maker.file("/a", 1_714_557_660_000, b"old", 10);
    maker.snapshot(1_714_557_660_000, &[file]);
    let opened = Repository::open(store.clone(), &access.key, Options::default()).unwrap();
    assert_eq!(opened.snapshots().unwrap().list.len(), 1);
}

#[test]
fn two_repositories_share_nothing() {
    let (a, b) = (Store::memory(), Store::memory());
    let (a, b) = (make(&a, "same").unwrap(), make(&b, "same").unwrap());
    assert_ne!(a.key, b.key);
    assert_ne!(a.id, b.id);
}

#[test]
fn what_is_there_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |folder: &Path, word: &str| {
        let before = tree(folder);
        let store = Store::local(folder);
        for error in [
            init::check(&store).unwrap_err(),
            make(&store, "x").unwrap_err(),
            init::siyuan(&store).unwrap_err(),
        ] {
            let told = error.to_string();
            assert!(told.contains(word) && told.contains(folder.to_str().unwrap()), "{told}");
        }
        assert_eq!(tree(folder), before, "{word}");
    };
    let own = dir.path().join("own");
    make(&Store::local(&own), "first").unwrap();
    refused(&own, "there is a repository");
    keys::open(&Store::local(&own), &secret("first")).unwrap();
    let golden = dir.path().join("golden");
    common::copy_tree(&common::golden().repo, &golden);
    refused(&golden, "there is a repository");
    for name in ["a", ".hidden", "indexes"] {
        let full = dir.path().join(format!("with {name}"));
        fs::create_dir(&full).unwrap();
        fs::write(full.join(name), "").unwrap();
        refused(&full, &format!("`{name}` is in it"));
    }
    // No store lists these.
    let odd = dir.path().join("odd");
    fs::create_dir(&odd).unwrap();
    fs::write(odd.join(std::ffi::OsStr::from_bytes(b"\xff")), "").unwrap();
    assert!(matches!(make(&Store::local(&odd), "x"), Err(InitError::NotEmpty { .. })));
    let file = dir.path().join("file");
    fs::write(&file, "precious").unwrap();
    assert!(matches!(make(&Store::local(&file), "x"), Err(InitError::Io(..))));
    assert_eq!(fs::read(&file).unwrap(), b"precious");
}

#[test]
fn an_empty_folder_and_a_new_disk_will_do() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o750)).unwrap();
    fs::create_dir(dir.path().join("lost+found")).unwrap();
    fs::write(dir.path().join(".revu-abc.tmp"), "{").unwrap();
    make(&Store::local(dir.path()), "x").unwrap();
    assert_eq!(mode(dir.path()), 0o750, "it was there, and stays as it is");
}

#[test]
fn of_several_at_once_one_makes_it_and_his_passphrase_opens_it() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("repo");
    let made: Vec<usize> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6)
            .map(|n| {
                let folder = &folder;
                scope.spawn(move || {
                    make(&Store::local(folder), &format!("of {n}")).is_ok().then_some(n)
                })
            })
            .collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
    });
    let [winner] = made[..] else { panic!("{made:?}") };
    keys::open(&Store::local(&folder), &secret(&format!("of {winner}"))).unwrap();
}

#[test]
fn a_stop_at_any_moment_leaves_nothing_or_what_opens() {
    let mut whole = 0;
    for fault in FAULTS {
        for at in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::local(dir.path().join("repo"));
            let faults = Faults::among_writes(at, fault);
            let result = make(&store.faulty(&faults), "first");
            if faults.done() <= at {
                result.unwrap();
                break;
            }
            result.unwrap_err();
            match keys::read(&store).unwrap() {
                None => {
                    make(&store, "second").unwrap();
                    keys::open(&store, &secret("second")).unwrap();
                }
                Some(_) => {
                    whole += 1;
                    let key = keys::open(&store, &secret("first")).unwrap().key;
                    assert!(matches!(make(&store, "second"), Err(InitError::Taken(_))));
                    Repository::open(store, &key, Options::default()).unwrap();
                }
            }
        }
    }
    assert_eq!(whole, FAULTS.len(), "the sync at the end is a moment of its own");
}

/// As after a stop between the file and the folders.
#[test]
fn the_file_alone_is_a_repository() {
    let store = Store::memory();
    let made = make(&store, "x").unwrap();
    let names: Vec<_> = store.list("").unwrap().into_iter().map(|listed| listed.name).collect();
    assert_eq!(names, [own::NAME]);
    let repo = Repository::open(store.clone(), &made.key, Options::default()).unwrap();
    assert!(repo.snapshots().unwrap().list.is_empty());
    forget_locks(&store);
}

#[test]
fn for_siyuan_there_are_folders_alone() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("repo");
    let store = Store::local(&folder);
    init::siyuan(&store).unwrap();
    assert_eq!(names(&folder), ["indexes", "objects", "refs"]);
    assert_eq!(tree(&folder).len(), 0);
    assert_eq!(mode(&folder), 0o755);
    assert!(keys::read(&store).unwrap().is_none());
    let maker = common::Maker::new(store.clone());
    let file = maker.file("/a.sy", 1_714_557_660_000, b"note", 10);
    maker.snapshot(1_714_557_660_000, &[file]);
    assert_eq!(maker.open().snapshots().unwrap().list.len(), 1);
    let wrong = Repository::open(store, &RepoKey::from_bytes([1; 32]), Options::default());
    assert!(matches!(wrong, Err(OpenError::WrongKey(_))));
    let faults = Faults::among_writes(0, Fault::Errno(libc::EIO));
    let store = Store::local(dir.path().join("another")).faulty(&faults);
    assert!(matches!(init::siyuan(&store), Err(InitError::Store(_))));
}
