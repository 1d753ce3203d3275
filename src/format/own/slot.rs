//! One key slot: the repository's key, wrapped.

use std::fmt;
use std::str::FromStr;

use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aes::cipher::KeyInit;
use aes_gcm::{AeadInOut, Aes256Gcm, Nonce, Tag};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::super::RepoKey;
use super::super::seal::{NONCE_LEN, TAG_LEN};
use super::secret::{Secret, expand};
use super::stretch::{OutOfMemory, Stretch};
use super::{OwnError, OwnId, hex, random, unhex};

/// Bytes of a wrapped key: nonce, key, tag.
const WRAPPED_LEN: usize = NONCE_LEN + 32 + TAG_LEN;

/// The name of a slot: 4 random bytes, shown as 8 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId([u8; 4]);

impl SlotId {
    pub(super) fn random() -> Self {
        Self(random())
    }
}

impl fmt::Display for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for SlotId {
    type Err = OwnError;
    fn from_str(text: &str) -> Result<Self, OwnError> {
        let id = unhex(text).map(Self);
        id.ok_or_else(|| OwnError::Undecodable("the ID of a key slot is not 8 digits".into()))
    }
}

/// What opens a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A passphrase, at this cost.
    Passphrase(Stretch),
    /// A key file.
    KeyFile,
    /// Nothing that this version can do, and why. The text is a part of a sentence. Such a slot is kept.
    Unusable(String),
}

impl Kind {
    /// As `revu.json` has it; `None` where that is not known.
    pub fn word(&self) -> Option<&'static str> {
        match self {
            Self::Passphrase(_) => Some(PASSPHRASE),
            Self::KeyFile => Some(KEY_FILE),
            Self::Unusable(_) => None,
        }
    }
}

const PASSPHRASE: &str = "passphrase";
const KEY_FILE: &str = "key-file";

/// See the module's documentation.
#[derive(Debug, Clone)]
pub struct Slot {
    id: SlotId,
    kind: Kind,
    created: i64,
    label: Option<String>,
    salt: [u8; 16],
    wrapped: [u8; WRAPPED_LEN],
    /// All that was read, also what this version does not know: it is written again.
    pub(super) document: Map<String, Value>,
}

/// How a slot is to be made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style<'a> {
    /// What guessing a passphrase costs.
    pub stretch: Stretch,
    /// Now, Unix ms.
    pub created: i64,
    /// A name for people.
    pub label: Option<&'a str>,
}

impl Slot {
    /// The name of the slot.
    pub fn id(&self) -> SlotId {
        self.id
    }

    /// What opens it.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Whether this version can open it, given the right secret.
    pub fn is_usable(&self) -> bool {
        !matches!(self.kind, Kind::Unusable(_))
    }

    /// When it was made, Unix ms; 0 where it does not say.
    pub fn created(&self) -> i64 {
        self.created
    }

    /// Its name for people.
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    pub(super) fn make(
        repository: OwnId,
        id: SlotId,
        key: &RepoKey,
        secret: &Secret,
        style: Style<'_>,
    ) -> Result<Self, OutOfMemory> {
        let kind = match secret {
            Secret::Passphrase(_) => Kind::Passphrase(style.stretch),
            Secret::Key(_) => Kind::KeyFile,
        };
        let mut slot = Self {
            id,
            kind,
            created: style.created,
            label: style.label.map(str::to_owned),
            salt: random(),
            wrapped: [0; WRAPPED_LEN],
            document: Map::new(),
        };
        let wrapping = slot.wrapping(secret)?.expect("the kind was made from the secret");
        let (nonce, rest) = slot.wrapped.split_at_mut(NONCE_LEN);
        let (body, tag) = rest.split_at_mut(32);
        nonce.copy_from_slice(&random::<NONCE_LEN>());
        body.copy_from_slice(key.as_bytes());
        let aad = bound(repository, id, &slot.kind, &slot.salt);
        let sealed = Aes256Gcm::new((&*wrapping).into())
            .encrypt_inout_detached(&nonce_of(nonce), &aad, InOutBuf::from(body))
            .expect("32 bytes are far below GCM's limit");
        tag.copy_from_slice(&sealed);
        slot.document = slot.to_document();
        Ok(slot)
    }

    /// The repository's key, if this secret opens this slot.
    ///
    /// # Errors
    /// [`OutOfMemory`]
    pub(super) fn open(
        &self,
        repository: OwnId,
        secret: &Secret,
    ) -> Result<Option<RepoKey>, OutOfMemory> {
        let Some(wrapping) = self.wrapping(secret)? else { return Ok(None) };
        let mut wrapped = Zeroizing::new(self.wrapped);
        let (nonce, rest) = wrapped.split_at_mut(NONCE_LEN);
        let (body, tag) = rest.split_at_mut(32);
        let tag = Tag::try_from(&*tag).expect("split at the tag's length");
        let aad = bound(repository, self.id, &self.kind, &self.salt);
        let opened = Aes256Gcm::new((&*wrapping).into()).decrypt_inout_detached(
            &nonce_of(nonce),
            &aad,
            InOutBuf::from(&mut *body),
            &tag,
        );
        Ok(opened.is_ok().then(|| {
            let mut key = Zeroizing::new([0; 32]);
            key.copy_from_slice(body);
            RepoKey::from_bytes(*key)
        }))
    }

    /// What the secret becomes for this slot; `None` if it is of another kind.
    fn wrapping(&self, secret: &Secret) -> Result<Option<Zeroizing<[u8; 32]>>, OutOfMemory> {
        Ok(match (&self.kind, secret) {
            (Kind::Passphrase(stretch), Secret::Passphrase(text)) => {
                Some(stretch.derive(text.as_bytes(), &self.salt)?)
            }
            (Kind::KeyFile, Secret::Key(key)) => Some(expand(key, &self.salt)),
            _ => None,
        })
    }

    fn to_document(&self) -> Map<String, Value> {
        let mut document = Map::new();
        document.insert("id".into(), json!(self.id.to_string()));
        document.insert("kind".into(), json!(self.kind.word()));
        document.insert("created".into(), json!(self.created));
        if let Some(label) = &self.label {
            document.insert("label".into(), json!(label));
        }
        if let Kind::Passphrase(stretch) = &self.kind {
            let cost = json!({
                "memory_kib": stretch.memory_kib(),
                "passes": stretch.passes(),
                "lanes": stretch.lanes(),
            });
            document.insert("argon2id".into(), cost);
        }
        document.insert("salt".into(), json!(STANDARD.encode(self.salt)));
        document.insert("wrapped".into(), json!(STANDARD.encode(self.wrapped)));
        document
    }

    /// A slot that this version cannot use is one all the same: another version may.
    ///
    /// # Errors
    /// [`OwnError::Undecodable`] where it has not even a name.
    pub(super) fn from_document(document: Value) -> Result<Self, OwnError> {
        let Value::Object(document) = document else {
            return Err(OwnError::Undecodable("a key slot is not an object".into()));
        };
        // What is no name at all is as wrong as an empty one.
        let id = document.get("id").and_then(Value::as_str).unwrap_or_default().parse()?;
        let (mut salt, mut wrapped) = ([0; 16], [0; WRAPPED_LEN]);
        let usable = bytes(&document, "salt", &mut salt)
            .and_then(|()| bytes(&document, "wrapped", &mut wrapped))
            .and_then(|()| kind(&document));
        Ok(Self {
            id,
            kind: usable.unwrap_or_else(Kind::Unusable),
            created: document.get("created").and_then(Value::as_i64).unwrap_or(0),
            label: document.get("label").and_then(Value::as_str).map(str::to_owned),
            salt,
            wrapped,
            document,
        })
    }
}

fn kind(document: &Map<String, Value>) -> Result<Kind, String> {
    match document.get("kind").and_then(Value::as_str) {
        Some(PASSPHRASE) => {
            let cost = document.get("argon2id").unwrap_or(&Value::Null);
            let part = |name| {
                let number = cost.get(name).and_then(Value::as_u64);
                number.ok_or_else(|| format!("it has no number at argon2id.{name}"))
            };
            let stretch = Stretch::new(part("memory_kib")?, part("passes")?, part("lanes")?);
            stretch.map(Kind::Passphrase).map_err(|e| e.to_string())
        }
        Some(KEY_FILE) => Ok(Kind::KeyFile),
        Some(other) => {
            Err(format!("it is of the kind {other:?}, which this version does not know"))
        }
        None => Err("it does not say of which kind it is".into()),
    }
}

/// Decodes base64 of an exact length.
fn bytes(document: &Map<String, Value>, name: &str, to: &mut [u8]) -> Result<(), String> {
    let text = document.get(name).and_then(Value::as_str);
    let decoded = text.and_then(|text| STANDARD.decode(text).ok());
    match decoded.filter(|decoded| decoded.len() == to.len()) {
        Some(decoded) => to.copy_from_slice(&decoded),
        None => return Err(format!("it has no {} bytes in base64 at {name}", to.len())),
    }
    Ok(())
}

/// What a wrapped key is bound to: it does not open where any of this was changed, nor in another
/// repository.
fn bound(repository: OwnId, id: SlotId, kind: &Kind, salt: &[u8; 16]) -> Vec<u8> {
    let mut aad = b"revu key slot, version 1\0".to_vec();
    aad.extend(repository.0);
    aad.extend(id.0);
    aad.extend(kind.word().expect("an unusable slot opens with no secret").as_bytes());
    aad.push(0);
    aad.extend(salt);
    if let Kind::Passphrase(stretch) = kind {
        for number in [stretch.memory_kib(), stretch.passes(), stretch.lanes()] {
            aad.extend(number.to_le_bytes());
        }
    }
    aad
}

fn nonce_of(bytes: &[u8]) -> Nonce<aes_gcm::aead::consts::U12> {
    Nonce::try_from(bytes).expect("split at the nonce's length")
}
