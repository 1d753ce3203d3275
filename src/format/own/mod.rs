//! `revu.json`: what makes a repository one of our own. DejaVu leaves files that it does not know alone,
//! so such a repository has its format otherwise; one without this file is SiYuan's.
//!
//! ```json
//! {
//!   "version": 1,
//!   "id": "0123456789abcdef0123456789abcdef",
//!   "profile": "plain",
//!   "cutting": {"algorithm": "fast-cdc", "min": 524288, "avg": 1048576, "max": 8388608},
//!   "seal": "…",
//!   "slots": [
//!     {"id": "89abcdef", "kind": "passphrase", "created": 1714557660000, "label": "mine",
//!      "argon2id": {"memory_kib": 65536, "passes": 3, "lanes": 4}, "salt": "…", "wrapped": "…"},
//!     {"id": "76543210", "kind": "key-file", "created": 1714557660000, "salt": "…", "wrapped": "…"}
//!   ]
//! }
//! ```
//!
//! - The repository's key is 32 random bytes. `wrapped` is base64 of `nonce[12] ‖ AES-256-GCM(key) ‖
//!   tag[16]`. What it is sealed with: Argon2id (version 1.3, 32 bytes) of the passphrase in UTF-8, at
//!   the slot's cost; or HKDF-SHA256 of a key file's 32 bytes, with the info `revu key slot`. Either
//!   takes the 16 bytes of `salt`.
//!   Associated data: `revu key slot, version 1\0`, the 16 bytes of the repository's ID, the 4 of the
//!   slot's, its kind and `\0`, the salt; of a passphrase also memory, passes and lanes, 32 bits each,
//!   little-endian. So a slot that was changed, or brought from another repository, does not open.
//! - `seal` is base64 of `nonce[12] ‖ tag[16]`: AES-256-GCM of nothing under the repository's key, with
//!   associated data of `revu settings, version 1\0`, the ID, and the JSON of `[profile, cutting]` without
//!   spaces, keys in the order above. It tells the right key where there is no snapshot yet, and
//!   settings that somebody changed from ours.
//! - What is not known here is written again as it was read. Another version is refused.
//!
//! All of it is hostile until it authenticates; the cost that a slot may ask for is bounded.

mod secret;
mod slot;
mod stretch;
#[cfg(test)]
mod tests;

use std::fmt;

use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aes::cipher::KeyInit;
use aes_gcm::{AeadInOut, Aes256Gcm, Nonce, Tag};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::RepoKey;
use super::cut::Cutting;
use super::seal::{NONCE_LEN, TAG_LEN};

pub use secret::Secret;
pub use slot::{Kind, Slot, SlotId, Style};
pub use stretch::{BadStretch, OutOfMemory, Stretch};

/// The key of the file.
pub const NAME: &str = "revu.json";

/// Its most bytes.
pub const MOST_BYTES: usize = 1 << 20;

/// The most slots: trying them all must end in reasonable time.
pub const MOST_SLOTS: usize = 32;

const VERSION: u64 = 1;

/// How a writer makes snapshots of a repository of our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Of any folder, with nothing left out that was not asked to be.
    Plain,
}

/// What a writer must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How it makes snapshots.
    pub profile: Profile,
    /// Where it cuts.
    pub cutting: Cutting,
}

impl Default for Settings {
    fn default() -> Self {
        Self { profile: Profile::Plain, cutting: Cutting::FastCdc(Default::default()) }
    }
}

/// Which repository this is: 16 random bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OwnId([u8; 16]);

impl fmt::Display for OwnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for OwnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A `revu.json` that is none. The texts are parts of a sentence: the caller says where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OwnError {
    /// A later revu wrote it.
    #[error("it is of version {0}, and this revu knows version {VERSION} alone: use a later one")]
    Version(u64),
    /// It is not what it should be.
    #[error("it is damaged: {0}")]
    Undecodable(String),
}

/// A slot that cannot be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is the last key slot that opens: without it nothing could be read any more")]
pub struct LastSlot;

/// No more slots fit in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it has {MOST_SLOTS} key slots, and cannot have more: remove one first")]
pub struct Full;

/// The repository's key, and the slot that gave it.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The key.
    pub key: RepoKey,
    /// The slot.
    pub slot: SlotId,
}

/// See the [module](self).
#[derive(Debug, Clone)]
pub struct Own {
    id: OwnId,
    settings: Settings,
    seal: [u8; NONCE_LEN + TAG_LEN],
    slots: Vec<Slot>,
    /// All that was read but the slots.
    document: Map<String, Value>,
}

impl Own {
    /// A new one, without slots.
    ///
    /// # Panics
    /// If the operating system has no randomness to give.
    pub fn new(key: &RepoKey, settings: Settings) -> Self {
        let id = OwnId(random());
        let seal = sealed(key, id, settings);
        let mut document = Map::new();
        document.insert("version".into(), json!(VERSION));
        document.insert("id".into(), json!(id.to_string()));
        document.insert("profile".into(), json!(settings.profile));
        document.insert("cutting".into(), json!(settings.cutting));
        document.insert("seal".into(), json!(STANDARD.encode(seal)));
        Self { id, settings, seal, slots: Vec::new(), document }
    }

    /// Reads what [`Self::encode`] or a later revu of the same version wrote.
    ///
    /// # Errors
    /// [`OwnError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, OwnError> {
        let bad = |what: String| OwnError::Undecodable(what);
        if bytes.len() > MOST_BYTES {
            return Err(bad(format!("it has {} bytes, which is absurd", bytes.len())));
        }
        let mut document: Map<String, Value> =
            serde_json::from_slice(bytes).map_err(|e| bad(e.to_string()))?;
        match document.get("version").and_then(Value::as_u64) {
            Some(VERSION) => {}
            Some(other) => return Err(OwnError::Version(other)),
            None => return Err(bad("it has no version".into())),
        }
        let text = |name: &str| {
            let text = document.get(name).and_then(Value::as_str);
            text.ok_or_else(|| bad(format!("it has no text at {name}")))
        };
        let id = unhex(text("id")?).map(OwnId);
        let id = id.ok_or_else(|| bad("its id is not 32 hexadecimal digits".into()))?;
        let seal = STANDARD.decode(text("seal")?).ok().and_then(|seal| seal.try_into().ok());
        let seal = seal.ok_or_else(|| bad("its seal is not 28 bytes in base64".into()))?;
        let settings =
            Settings { profile: part(&document, "profile")?, cutting: part(&document, "cutting")? };
        let Some(Value::Array(slots)) = document.remove("slots") else {
            return Err(bad("it has no list of key slots".into()));
        };
        if slots.len() > MOST_SLOTS {
            return Err(bad(format!("it has {} key slots, which is absurd", slots.len())));
        }
        let slots: Vec<Slot> =
            slots.into_iter().map(Slot::from_document).collect::<Result<_, _>>()?;
        let mut names: Vec<SlotId> = slots.iter().map(Slot::id).collect();
        names.sort();
        if names.windows(2).any(|two| two[0] == two[1]) {
            return Err(bad("two of its key slots have the same ID".into()));
        }
        Ok(Self { id, settings, seal, slots, document })
    }

    /// The bytes to write: JSON that people can read.
    pub fn encode(&self) -> Vec<u8> {
        let mut document = self.document.clone();
        let slots = self.slots.iter().map(|slot| Value::Object(slot.document.clone()));
        document.insert("slots".into(), slots.collect());
        let mut bytes = serde_json::to_vec_pretty(&document).expect("JSON always encodes");
        bytes.push(b'\n');
        bytes
    }

    /// Which repository this is.
    pub fn id(&self) -> OwnId {
        self.id
    }

    /// The key slots, oldest first.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// What the repository's writers go by, if `key` is its key and nobody has changed them since;
    /// else `None`.
    pub fn settings(&self, key: &RepoKey) -> Option<Settings> {
        let (nonce, tag) = self.seal.split_at(NONCE_LEN);
        let nonce = Nonce::try_from(nonce).expect("split at the nonce's length");
        let tag = Tag::try_from(tag).expect("what is left is the tag");
        let opened = Aes256Gcm::new(key.as_bytes().into()).decrypt_inout_detached(
            &nonce,
            &bound(self.id, self.settings),
            InOutBuf::from(&mut [][..]),
            &tag,
        );
        opened.is_ok().then_some(self.settings)
    }

    /// The repository's key, if this secret opens one of the slots. Takes as long as the slots of its
    /// kind say.
    ///
    /// # Errors
    /// [`OutOfMemory`] where a slot could not be tried, and no other opens.
    pub fn open(&self, secret: &Secret) -> Result<Option<Opened>, OutOfMemory> {
        let mut untried = None;
        for slot in &self.slots {
            match slot.open(self.id, secret) {
                Ok(Some(key)) => return Ok(Some(Opened { key, slot: slot.id() })),
                Ok(None) => {}
                Err(e) => untried = Some(e),
            }
        }
        untried.map_or(Ok(None), Err)
    }

    /// A slot with a new name. It is not among the others before [`Self::add`].
    ///
    /// # Errors
    /// [`OutOfMemory`].
    ///
    /// # Panics
    /// If the operating system has no randomness to give.
    pub fn make_slot(
        &self,
        key: &RepoKey,
        secret: &Secret,
        style: Style<'_>,
    ) -> Result<Slot, OutOfMemory> {
        Slot::make(self.id, SlotId::random(), key, secret, style)
    }

    /// A slot for another secret with the name, and the label, of an old one.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    ///
    /// # Panics
    /// As [`Self::make_slot`].
    pub fn remake_slot(
        &self,
        old: &Slot,
        key: &RepoKey,
        secret: &Secret,
        style: Style<'_>,
    ) -> Result<Slot, OutOfMemory> {
        let style = Style { label: style.label.or(old.label()), ..style };
        Slot::make(self.id, old.id(), key, secret, style)
    }

    /// Adds a slot; one of the same name gives way to it.
    ///
    /// # Errors
    /// [`Full`].
    pub fn add(&mut self, slot: Slot) -> Result<(), Full> {
        let same = self.slots.iter().position(|old| old.id() == slot.id());
        match same {
            Some(at) => self.slots[at] = slot,
            None if self.slots.len() == MOST_SLOTS => return Err(Full),
            None => self.slots.push(slot),
        }
        Ok(())
    }

    /// Removes a slot. One that is not there is no error.
    ///
    /// # Errors
    /// [`LastSlot`] where no other could be opened by this version; then nothing has changed.
    pub fn remove(&mut self, id: SlotId) -> Result<(), LastSlot> {
        if self.slots.iter().any(|slot| slot.id() != id && slot.is_usable()) {
            self.slots.retain(|slot| slot.id() != id);
            return Ok(());
        }
        Err(LastSlot)
    }
}

/// What the seal is bound to.
fn bound(id: OwnId, settings: Settings) -> Vec<u8> {
    let mut aad = b"revu settings, version 1\0".to_vec();
    aad.extend(id.0);
    let settings = serde_json::to_vec(&(settings.profile, settings.cutting));
    aad.extend(settings.expect("settings always encode"));
    aad
}

fn sealed(key: &RepoKey, id: OwnId, settings: Settings) -> [u8; NONCE_LEN + TAG_LEN] {
    let nonce: [u8; NONCE_LEN] = random();
    let tag = Aes256Gcm::new(key.as_bytes().into())
        .encrypt_inout_detached(&nonce.into(), &bound(id, settings), InOutBuf::from(&mut [][..]))
        .expect("nothing is far below GCM's limit");
    let mut seal = [0; NONCE_LEN + TAG_LEN];
    seal[..NONCE_LEN].copy_from_slice(&nonce);
    seal[NONCE_LEN..].copy_from_slice(&tag);
    seal
}

fn part<T: serde::de::DeserializeOwned>(
    document: &Map<String, Value>,
    name: &str,
) -> Result<T, OwnError> {
    T::deserialize(document.get(name).unwrap_or(&Value::Null))
        .map_err(|e| OwnError::Undecodable(format!("its {name}: {e}")))
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives randomness");
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Lower-case hexadecimal digits of exactly `N` bytes.
fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}
