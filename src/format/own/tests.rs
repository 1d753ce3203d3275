//! Key slots and settings: what opens, what does not, and that damage is never taken for a key.

use super::super::cut::FastCdc;
use super::*;
use proptest::prelude::*;

/// As cheap as Argon2 can be.
fn cheap() -> Stretch {
    Stretch::new(8, 1, 1).unwrap()
}

fn style() -> Style<'static> {
    Style { stretch: cheap(), created: 1_714_557_660_000, label: Some("mine") }
}

fn key() -> RepoKey {
    RepoKey::from_bytes([3; 32])
}

fn phrase(text: &str) -> Secret {
    Secret::parse(text).unwrap()
}

fn file(n: u8) -> Secret {
    Secret::Key(RepoKey::from_bytes([n; 32]))
}

/// One with a slot for the passphrase `open sesame` and one for the key file 9.
fn own() -> Own {
    let mut own = Own::new(&key(), Settings::default());
    for secret in [phrase("open sesame"), file(9)] {
        let slot = own.make_slot(&key(), &secret, style()).unwrap();
        own.add(slot).unwrap();
    }
    own
}

fn opens(own: &Own, secret: &Secret) -> Option<usize> {
    let Opened { key: found, slot } = own.open(secret).unwrap()?;
    assert_eq!(found, key(), "a wrong key");
    own.slots().iter().position(|other| other.id() == slot)
}

#[test]
fn what_is_written_is_read_and_opens() {
    let own = Own::decode(&own().encode()).unwrap();
    assert_eq!(opens(&own, &phrase(" open sesame\n")), Some(0));
    assert_eq!(opens(&own, &file(9)), Some(1));
    for wrong in [phrase("open sesam"), phrase("Open sesame"), file(8), Secret::Key(key())] {
        assert_eq!(opens(&own, &wrong), None, "{wrong:?}");
    }
    let [passphrase, key_file] = own.slots() else { panic!("two slots") };
    assert_eq!(passphrase.kind(), &Kind::Passphrase(cheap()));
    assert_eq!((passphrase.label(), passphrase.created()), (Some("mine"), 1_714_557_660_000));
    assert_eq!(key_file.kind(), &Kind::KeyFile);
    assert_eq!(own.settings(&key()), Some(Settings::default()));
    assert_eq!(own.settings(&RepoKey::from_bytes([4; 32])), None);
}

#[test]
fn the_same_secret_is_wrapped_differently_each_time() {
    let own = own();
    let [a, b] = [0, 1].map(|_| own.make_slot(&key(), &file(9), style()).unwrap());
    assert_ne!(a.document["salt"], b.document["salt"]);
    assert_ne!(a.document["wrapped"], b.document["wrapped"]);
    assert_ne!(a.id(), b.id());
}

/// Written by a program of its own, in another language and with other libraries. Pins the bytes: what
/// was written once must open for ever.
#[test]
fn a_file_of_version_1_opens() {
    let own = Own::decode(include_bytes!("v1.json")).unwrap();
    assert_eq!(opens(&own, &phrase("correct horse battery staple")), Some(0));
    assert_eq!(opens(&own, &file(9)), Some(1));
    let cutting = Cutting::FastCdc(FastCdc::new(65_536, 262_144, 1_048_576).unwrap());
    assert_eq!(own.settings(&key()), Some(Settings { profile: Profile::Plain, cutting }));
    assert_eq!(own.slots()[0].kind(), &Kind::Passphrase(Stretch::STANDARD));
    assert_eq!(own.slots()[0].label(), Some("书桌"));
}

#[test]
fn no_changed_byte_gives_a_wrong_key() {
    let own = own();
    let bytes = own.encode();
    let secrets = [phrase("open sesame"), file(9)];
    let mut both_lost = 0;
    for at in 0..bytes.len() {
        for change in [1, 2, 0x10, 0x20, 0x80] {
            let mut bad = bytes.clone();
            bad[at] ^= change;
            let Ok(bad) = Own::decode(&bad) else {
                both_lost += 1;
                continue;
            };
            let opened = secrets.each_ref().map(|secret| opens(&bad, secret));
            if opened == [None, None] {
                // Both are bound to the repository's ID alone.
                assert_ne!(bad.id(), own.id(), "byte {at}: one bad slot took the other with it");
            }
            if let Some(settings) = bad.settings(&key()) {
                assert_eq!(settings, Settings::default(), "byte {at}");
            }
        }
        assert!(Own::decode(&bytes[..at]).is_err() || at >= bytes.len() - 1, "cut to {at}");
    }
    assert!(both_lost > 0);
}

/// Changes a document by hand, as somebody hostile would.
fn changed(change: impl FnOnce(&mut Value)) -> Result<Own, OwnError> {
    let mut document: Value = serde_json::from_slice(&own().encode()).unwrap();
    change(&mut document);
    Own::decode(&serde_json::to_vec(&document).unwrap())
}

#[test]
fn a_slot_does_not_open_with_another_cost_name_kind_or_repository() {
    let none = |what: &str, own: Result<Own, OwnError>| {
        let own = own.unwrap();
        assert_eq!(own.open(&phrase("open sesame")).unwrap().map(|o| o.slot), None, "{what}");
    };
    for (part, value) in [("memory_kib", 16), ("passes", 2)] {
        none(part, changed(|d| d["slots"][0]["argon2id"][part] = value.into()));
    }
    none(
        "lanes",
        changed(|d| d["slots"][0]["argon2id"] = json!({"memory_kib": 16, "passes": 1, "lanes": 2})),
    );
    none("id", changed(|d| d["slots"][0]["id"] = "00000000".into()));
    none("kind", changed(|d| d["slots"][0]["kind"] = "key-file".into()));
    none("salt", changed(|d| d["slots"][0]["salt"] = d["slots"][1]["salt"].clone()));
    none("repository", changed(|d| d["id"] = "00000000000000000000000000000000".into()));
    let another: Value = serde_json::from_slice(&own().encode()).unwrap();
    none("moved", changed(|d| d["slots"][0] = another["slots"][0].clone()));
}

#[test]
fn changed_settings_are_noticed() {
    for own in [
        changed(|d| d["cutting"]["min"] = 64.into()),
        changed(|d| d["cutting"] = json!({"algorithm": "rabin"})),
        changed(|d| d["id"] = "00000000000000000000000000000000".into()),
    ] {
        assert_eq!(own.unwrap().settings(&key()), None);
    }
    for (part, value) in [
        ("cutting", json!({"algorithm": "fast-cdc", "min": 0, "avg": 1, "max": 2})),
        ("cutting", json!({"algorithm": "other"})),
        ("profile", json!("other")),
        ("seal", json!("AAAA")),
    ] {
        let refused = changed(|d| d[part] = value.clone()).unwrap_err().to_string();
        assert!(refused.contains(part), "{refused}");
    }
}

#[test]
fn an_absurd_cost_is_a_sentence_and_no_allocation() {
    let own = changed(|d| d["slots"][0]["argon2id"]["memory_kib"] = (100 << 20).into()).unwrap();
    let Kind::Unusable(why) = own.slots()[0].kind() else { panic!("must be refused") };
    assert!(why.contains("104857600 KiB") && why.contains("absurd"), "{why}");
    assert_eq!(opens(&own, &phrase("open sesame")), None);
    assert_eq!(opens(&own, &file(9)), Some(1), "the other slot is as good as before");
}

#[test]
fn another_version_is_refused_with_a_sentence() {
    let refused = changed(|d| d["version"] = 2.into()).unwrap_err();
    assert_eq!(refused, OwnError::Version(2));
    assert!(refused.to_string().contains("use a later one"), "{refused}");
    assert!(matches!(changed(|d| d["version"] = "1".into()), Err(OwnError::Undecodable(_))));
}

#[test]
fn what_is_not_known_is_kept() {
    let mut own = changed(|d| {
        d["note"] = json!({"any": ["thing", 1.5, null]});
        d["cutting"]["seed"] = 7.into();
        d["slots"][0]["hint"] = "the old one".into();
        let unknown = json!({"id": "0000000a", "kind": "token", "salt": "x", "device": [1, 2]});
        d["slots"].as_array_mut().unwrap().push(unknown);
    })
    .unwrap();
    assert!(!own.slots()[2].is_usable());
    let slot = own.make_slot(&key(), &phrase("another"), style()).unwrap();
    own.add(slot).unwrap();
    own.remove(own.slots()[1].id()).unwrap();
    let written: Value = serde_json::from_slice(&own.encode()).unwrap();
    assert_eq!(written["note"], json!({"any": ["thing", 1.5, null]}));
    assert_eq!(written["cutting"]["seed"], 7);
    assert_eq!(written["slots"][0]["hint"], "the old one");
    assert_eq!(written["slots"][1]["device"], json!([1, 2]));
    let own = Own::decode(&own.encode()).unwrap();
    assert_eq!(opens(&own, &phrase("open sesame")), Some(0));
    assert_eq!(opens(&own, &phrase("another")), Some(2));
}

#[test]
fn the_last_slot_that_opens_stays() {
    let mut own = own();
    let [first, second] = [own.slots()[0].id(), own.slots()[1].id()];
    own.remove(first).unwrap();
    assert_eq!(own.remove(second), Err(LastSlot));
    assert_eq!(opens(&own, &file(9)), Some(0));
    // One that nobody can open does not count for another.
    let mut own = changed(|d| d["slots"][0]["kind"] = "token".into()).unwrap();
    let [unusable, usable] = [own.slots()[0].id(), own.slots()[1].id()];
    assert_eq!(own.remove(usable), Err(LastSlot));
    own.remove(unusable).unwrap();
    assert_eq!(own.slots().len(), 1);
}

#[test]
fn slots_are_bounded_and_their_names_unique() {
    let mut own = own();
    for n in 0..MOST_SLOTS - 2 {
        let slot = own.make_slot(&key(), &file(n as u8), style()).unwrap();
        own.add(slot).unwrap();
    }
    let slot = own.make_slot(&key(), &file(200), style()).unwrap();
    assert_eq!(own.add(slot), Err(Full));
    assert_eq!(Own::decode(&own.encode()).unwrap().slots().len(), MOST_SLOTS);
    for bad in [
        changed(|d| d["slots"][1]["id"] = d["slots"][0]["id"].clone()),
        changed(|d| d["slots"] = json!(vec![d["slots"][0].clone(); MOST_SLOTS + 1])),
        changed(|d| d["slots"][0] = 7.into()),
        changed(|d| d["slots"][0]["id"] = "xyz".into()),
        changed(|d| d["slots"] = Value::Null),
    ] {
        assert!(matches!(bad, Err(OwnError::Undecodable(_))), "{bad:?}");
    }
    assert!(Own::decode(&vec![b' '; MOST_BYTES + 1]).is_err());
}

proptest! {
    #[test]
    fn anything_decodes_or_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Own::decode(&bytes);
    }

    #[test]
    fn whatever_is_spliced_in_gives_no_wrong_key(
        at in any::<prop::sample::Index>(),
        gone in 0usize..40,
        new in "[0-9a-zA-Z\"{}\\[\\],:+/= ]{0,40}",
    ) {
        let mut bytes = own().encode();
        let at = at.index(bytes.len());
        let end = bytes.len().min(at + gone);
        bytes.splice(at..end, new.into_bytes());
        if let Ok(own) = Own::decode(&bytes) {
            // `opens` fails on a wrong key.
            opens(&own, &phrase("open sesame"));
            opens(&own, &file(9));
            Own::decode(&own.encode()).expect("what decodes is written so that it does again");
        }
    }
}
