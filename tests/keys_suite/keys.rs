//! Key slots: who opens a repository, and what happens to it when that changes.

use revu::format::RepoKey;
use revu::format::own::{self, Kind, Own, Secret, Settings, SlotId};
use revu::ops::keys::{self, KeysError};
use revu::store::{Fault, Faults, Store};

use super::{FAULTS, common, content, forget_locks, secret, style, tree};

/// A repository with snapshots, as `golden` has them, and with slots: `open sesame`, which is called
/// `mine`, and the key file 9.
struct Golden {
    store: Store,
    key: RepoKey,
    mine: SlotId,
    file: SlotId,
}

fn file(n: u8) -> Secret {
    Secret::Key(RepoKey::from_bytes([n; 32]))
}

fn golden() -> Golden {
    let case = common::golden();
    let store = Store::memory();
    for (key, bytes) in tree(&case.repo) {
        store.put(&key, &bytes).unwrap();
    }
    give_slots(store, case.key)
}

fn give_slots(store: Store, key: RepoKey) -> Golden {
    let own = Own::new(&key, Settings::default());
    store.put(own::NAME, &own.encode()).unwrap();
    let mine = keys::add(&store, &key, &secret("open sesame"), style(Some("mine"))).unwrap();
    let file = keys::add(&store, &key, &file(9), style(None)).unwrap();
    Golden { store, key, mine, file }
}

/// As [`golden`], with one small snapshot.
fn small() -> Golden {
    let maker = common::Maker::new(Store::memory());
    let file = maker.file("/a", 1_714_557_660_000, b"content", 10);
    maker.snapshot(1_714_557_660_000, &[file]);
    give_slots(maker.store, maker.key)
}

impl Golden {
    fn slot(&self, secret: &Secret) -> Option<SlotId> {
        match keys::open(&self.store, secret) {
            Ok(access) => {
                assert_eq!(access.key, self.key, "a wrong key");
                Some(access.slot.expect("no test gives the key itself here"))
            }
            Err(KeysError::Wrong { .. }) => None,
            Err(e) => panic!("{e}"),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        self.store.get(own::NAME, 1 << 20).unwrap()
    }
}

#[test]
fn slots_come_change_and_go_and_snapshots_stay_readable() {
    let golden = golden();
    let Golden { store, key, mine, file: by_file } = &golden;
    let before = content(store, key);
    assert_eq!(before.len(), 6);
    assert_eq!(golden.slot(&secret("open sesame")), Some(*mine));
    assert_eq!(golden.slot(&file(9)), Some(*by_file));

    keys::change(store, key, *mine, &secret("new words"), style(None)).unwrap();
    assert_eq!(golden.slot(&secret("open sesame")), None);
    assert_eq!(golden.slot(&secret("new words")), Some(*mine));
    let own = keys::read(store).unwrap().unwrap();
    assert_eq!(own.slots()[0].label(), Some("mine"));

    let other = keys::add(store, key, &secret("another"), style(Some("other"))).unwrap();
    assert_eq!(golden.slot(&secret("another")), Some(other));
    keys::remove(store, *by_file, Some(other)).unwrap();
    assert_eq!(golden.slot(&file(9)), None);
    // From one kind to the other.
    keys::change(store, key, other, &file(8), style(Some("stick"))).unwrap();
    assert_eq!(golden.slot(&file(8)), Some(other));
    let own = keys::read(store).unwrap().unwrap();
    assert_eq!(own.slots()[1].kind(), &Kind::KeyFile);
    assert_eq!(own.slots()[1].label(), Some("stick"));

    let opened = keys::open(store, &file(8)).unwrap().key;
    assert_eq!(content(store, &opened), before);
    assert!(store.list("revu-locks").unwrap().is_empty());
}

#[test]
fn the_last_slot_and_the_one_in_use_stay() {
    let Golden { store, key, mine, file } = golden();
    let used = keys::remove(&store, mine, Some(mine)).unwrap_err();
    assert!(matches!(used, KeysError::Used(id) if id == mine));
    keys::remove(&store, file, Some(mine)).unwrap();
    for by in [Some(mine), None] {
        let last = keys::remove(&store, mine, by).unwrap_err();
        assert!(last.to_string().contains("last one that opens"), "{last}");
    }
    assert_eq!(keys::open(&store, &secret("open sesame")).unwrap().key, key);
    let gone = keys::remove(&store, file, None).unwrap_err();
    assert!(matches!(gone, KeysError::NoSuchSlot { .. }), "{gone}");
    let gone = keys::change(&store, &key, file, &secret("x"), style(None)).unwrap_err();
    assert!(matches!(gone, KeysError::NoSuchSlot { .. }), "{gone}");
}

#[test]
fn slots_are_named_by_their_ids_and_labels() {
    let Golden { store, key, mine, file } = golden();
    let second = keys::add(&store, &key, &secret("x"), style(Some("mine"))).unwrap();
    let own = keys::read(&store).unwrap().unwrap();
    let find = |name: &str| keys::find(&store, &own, name).map(|slot| slot.id());
    assert_eq!(find(&mine.to_string()).unwrap(), mine);
    let prefix = &file.to_string()[..7];
    let like = |id: &SlotId| id.to_string().starts_with(prefix);
    if ![mine, second].iter().any(like) {
        assert_eq!(find(prefix).unwrap(), file);
    }
    let told = find("mine").unwrap_err().to_string();
    assert!(told.contains(&mine.to_string()) && told.contains(&second.to_string()), "{told}");
    for none in ["", "yours", "g"] {
        assert!(matches!(find(none), Err(KeysError::NoSuchSlot { .. })), "{none}");
    }
}

#[test]
fn the_key_itself_opens_too_but_only_if_it_is_the_key() {
    let Golden { store, key, .. } = golden();
    let access = keys::open(&store, &Secret::Key(key)).unwrap();
    assert_eq!(access.slot, None);
    // Without a snapshot that could speak against a wrong one.
    let empty = give_slots(Store::memory(), RepoKey::from_bytes([3; 32]));
    let access = keys::open(&empty.store, &Secret::Key(empty.key.clone())).unwrap();
    assert_eq!((access.key, access.slot), (empty.key, None));
    for store in [store, empty.store] {
        for wrong in [file(1), secret("open sesam"), secret("swordfish")] {
            let told = keys::open(&store, &wrong).unwrap_err();
            assert!(matches!(told, KeysError::Wrong { .. }), "{told}");
            let told = format!("{told} {told:?}");
            assert!(!told.contains("swordfish") && !told.contains("AQEB"), "{told}");
        }
    }
}

#[test]
fn no_damage_gives_a_wrong_key_or_a_panic() {
    let golden = golden();
    let good = golden.bytes();
    let raw = Secret::Key(golden.key.clone());
    let mut lost = 0;
    for at in 0..good.len() {
        for change in [0x01, 0x80] {
            let mut bad = good.clone();
            bad[at] ^= change;
            golden.store.put(own::NAME, &bad).unwrap();
            for secret in [secret("open sesame"), file(9)] {
                match keys::open(&golden.store, &secret) {
                    Ok(access) => assert_eq!(access.key, golden.key, "byte {at}"),
                    Err(_) => lost += 1,
                }
            }
            // The snapshots prove it, so it opens whatever has become of the file, but for one that
            // claims to be of another version.
            match keys::open(&golden.store, &raw) {
                Ok(access) => assert_eq!(access.key, golden.key, "byte {at}"),
                Err(e) => assert!(e.to_string().contains("version"), "byte {at}: {e}"),
            }
        }
    }
    assert!(lost > 0);
    // Without snapshots nothing proves anything.
    let empty = give_slots(Store::memory(), RepoKey::from_bytes([3; 32]));
    empty.store.put(own::NAME, &good[..good.len() / 2]).unwrap();
    for secret in [secret("open sesame"), file(9), Secret::Key(empty.key.clone())] {
        let told = keys::open(&empty.store, &secret).unwrap_err().to_string();
        assert!(told.contains("revu.json: it is damaged") && told.contains("copy"), "{told}");
    }
}

#[test]
fn what_is_hostile_is_told_and_the_other_slots_open() {
    let golden = golden();
    let text = String::from_utf8(golden.bytes()).unwrap();
    let hostile = text.replacen("\"memory_kib\": 8", "\"memory_kib\": 104857600", 1);
    assert_ne!(text, hostile);
    golden.store.put(own::NAME, hostile.as_bytes()).unwrap();
    let told = keys::open(&golden.store, &secret("open sesame")).unwrap_err().to_string();
    assert!(told.contains("wrong key") && told.contains("104857600 KiB"), "{told}");
    assert_eq!(golden.slot(&file(9)), Some(golden.file));
    let version = text.replacen("\"version\": 1", "\"version\": 9", 1);
    golden.store.put(own::NAME, version.as_bytes()).unwrap();
    let told = keys::open(&golden.store, &Secret::Key(golden.key)).unwrap_err().to_string();
    assert!(told.contains("version 9") && told.contains("use a later one"), "{told}");
}

#[test]
fn nothing_is_wrapped_that_is_not_the_repositorys_key() {
    let golden = golden();
    let before = golden.bytes();
    let wrong = RepoKey::from_bytes([1; 32]);
    assert!(keys::add(&golden.store, &wrong, &file(7), style(None)).is_err());
    assert!(keys::change(&golden.store, &wrong, golden.mine, &file(7), style(None)).is_err());
    assert_eq!(golden.bytes(), before);
    // Settings that somebody else made: what there is opens, but nothing goes by them.
    let text = String::from_utf8(before).unwrap().replacen("524288", "262144", 1);
    golden.store.put(own::NAME, text.as_bytes()).unwrap();
    assert_eq!(golden.slot(&file(9)), Some(golden.file));
    let foreign = keys::settings(&golden.store, &golden.key).unwrap_err();
    assert!(matches!(foreign, KeysError::Foreign(_)), "{foreign}");
    assert!(keys::add(&golden.store, &golden.key, &file(7), style(None)).is_err());
}

#[test]
fn siyuans_repositories_have_no_slots_and_get_none() {
    let dir = tempfile::tempdir().unwrap();
    let case = common::golden();
    common::copy_tree(&case.repo, dir.path());
    let store = Store::local(dir.path());
    let before = tree(dir.path());
    let told = keys::add(&store, &case.key, &file(1), style(None)).unwrap_err().to_string();
    assert!(told.contains("SiYuan") && told.contains("no revu.json"), "{told}");
    assert!(matches!(keys::open(&store, &file(1)), Err(KeysError::NotOurs(_))));
    assert_eq!(keys::settings(&store, &case.key).unwrap(), None);
    assert_eq!(tree(dir.path()), before);
    assert!(!dir.path().join("revu-locks").exists());
}

#[test]
fn of_changes_at_once_none_is_lost() {
    let golden = golden();
    std::thread::scope(|scope| {
        for n in 20..24 {
            let Golden { store, key, .. } = &golden;
            scope.spawn(move || keys::add(store, key, &file(n), style(None)).unwrap());
        }
    });
    for n in 20..24 {
        golden.slot(&file(n)).unwrap();
    }
    assert_eq!(keys::read(&golden.store).unwrap().unwrap().slots().len(), 6);
}

#[test]
fn a_change_that_fails_at_any_moment_is_made_or_not() {
    type Change = fn(&Store, &Golden) -> Result<(), KeysError>;
    let changes: [(Change, [bool; 3], [bool; 3]); 3] = [
        (
            |store, g| keys::add(store, &g.key, &secret("new"), style(None)).map(drop),
            [true, true, false],
            [true, true, true],
        ),
        (
            |store, g| keys::change(store, &g.key, g.mine, &secret("new"), style(None)),
            [true, true, false],
            [false, true, true],
        ),
        (
            |store, g| keys::remove(store, g.mine, Some(g.file)),
            [true, true, false],
            [false, true, false],
        ),
    ];
    let mut failed = 0;
    for (change, before, after) in changes {
        for fault in FAULTS {
            for at in 0.. {
                let golden = small();
                let opens = || {
                    [secret("open sesame"), file(9), secret("new")]
                        .map(|secret| golden.slot(&secret).is_some())
                };
                let faults = Faults::among_writes(at, fault);
                let result = change(&golden.store.faulty(&faults), &golden);
                let now = opens();
                match &result {
                    Ok(()) => assert_eq!(now, after, "{fault:?} at {at}"),
                    Err(_) => {
                        failed += 1;
                        assert_eq!(now, before, "{fault:?} at {at}");
                    }
                }
                if faults.done() <= at {
                    result.unwrap();
                    break;
                }
                // The next attempt succeeds, or finds that it is done.
                if fault == Fault::Stop {
                    forget_locks(&golden.store);
                }
                if result.is_err() {
                    change(&golden.store, &golden).unwrap();
                }
                assert_eq!(opens(), after, "{fault:?} at {at}");
                assert_eq!(content(&golden.store, &golden.key).len(), 1);
            }
        }
    }
    assert!(failed >= 3 * FAULTS.len(), "only {failed} failed");
}
