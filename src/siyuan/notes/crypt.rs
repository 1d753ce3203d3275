//! Encrypted notebooks of SiYuan 3.7: a password opens the key of each notebook, and that its files.
//!
//! Argon2id makes of the password a key (once per snapshot's salt), which opens the notebook's own key;
//! HKDF makes of that one key for notes, one for attachments, one for databases. Each file is bound to its
//! notebook and its name, so that none can stand for another. Nothing here writes anything.

use std::collections::HashMap;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hkdf::Hkdf;
use serde_json::Value;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::head::Head;
use crate::format::{RepoKey, open_bound};

/// Path of the file that says how passwords become keys, without the slash before it.
pub const GLOBAL: &str = ".siyuan/notebook-crypto-backup.json";
/// Path of a notebook's copy of its wrapped key, below its folder.
pub const BACKUP: &str = ".siyuan/notebook-crypt-backup.json";

/// How an encrypted file begins: name, version 1, AES-256-GCM, nonce of 12 bytes.
const HEADER: [u8; 7] = *b"SENC\x01\x01\x0c";
/// What stands around the plain bytes of a file with a header: header, nonce and tag.
const AROUND: u64 = 7 + 12 + 16;
/// What the verifier holds.
const VERIFIED: &[u8] = b"siyuan-enc-v1";

/// Why something of an encrypted notebook cannot be had. No text holds a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CryptError {
    /// The file that says how passwords become keys is damaged, or asks for what nobody should try.
    #[error("`{GLOBAL}` of the snapshot is not as SiYuan 3.7 writes it")]
    BadBackup,
    /// It is another password.
    #[error("wrong password for the encrypted notebooks")]
    WrongPassword,
    /// The notebook's key does not open.
    #[error("the notebook's key is damaged, or of another password")]
    BadKey,
    /// A file does not open.
    #[error("it is damaged, or does not belong where it is")]
    BadFile,
}

/// How passwords become keys, as a snapshot has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    salt: Vec<u8>,
    memory: u32,
    passes: u32,
    lanes: u32,
    verifier: Vec<u8>,
}

/// What a password becomes: it opens the keys of notebooks.
#[derive(Debug)]
pub struct PasswordKey(RepoKey);

fn bytes(value: &Value, name: &str) -> Option<Vec<u8>> {
    STANDARD.decode(value.get(name)?.as_str()?).ok()
}

impl Backup {
    /// Reads the file [`GLOBAL`].
    ///
    /// # Errors
    /// [`CryptError::BadBackup`], also for costs beyond those that SiYuan accepts: 64 to 256 MiB, 3 to 10
    /// passes, 1 to 16 lanes.
    pub fn parse(json: &[u8]) -> Result<Self, CryptError> {
        let read = || -> Option<Self> {
            let json: Value = serde_json::from_slice(json).ok()?;
            let number = |name: &str| {
                let value = json.get("kdfParams")?.get(name)?.as_u64()?;
                u32::try_from(value).ok()
            };
            let (memory, passes, lanes) = match number("keyLength").unwrap_or(0) {
                0 => (65_536, 3, 4),
                32 => (number("memory")?, number("iterations")?, number("parallelism")?),
                _ => return None,
            };
            let is_sane = (65_536..=262_144).contains(&memory)
                && (3..=10).contains(&passes)
                && (1..=16).contains(&lanes);
            let salt = bytes(&json, "masterSalt").filter(|salt| salt.len() >= 8)?;
            let verifier = bytes(&json, "kekVerifier")?;
            is_sane.then_some(Self { salt, memory, passes, lanes, verifier })
        };
        read().ok_or(CryptError::BadBackup)
    }

    /// Makes the key of a password: half a second, and the memory that the file asks for.
    ///
    /// # Errors
    /// [`CryptError::WrongPassword`], [`CryptError::BadBackup`].
    pub fn key(&self, password: &[u8]) -> Result<PasswordKey, CryptError> {
        let params = Params::new(self.memory, self.passes, self.lanes, Some(32));
        let params = params.map_err(|_| CryptError::BadBackup)?;
        // Memory of our own: the crate's would be left as it is after.
        let mut blocks = Zeroizing::new(vec![Block::new(); params.block_count()]);
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(password, &self.salt, &mut *key, &mut blocks[..])
            .map_err(|_| CryptError::BadBackup)?;
        let key = RepoKey::from_bytes(*key);
        let opened = open(&key, b"siyuan:v1:kek-verifier", &self.verifier);
        match opened.is_some_and(|plain| *plain == VERIFIED) {
            true => Ok(PasswordKey(key)),
            false => Err(CryptError::WrongPassword),
        }
    }
}

/// Opens an envelope, with or without a header.
fn open(key: &RepoKey, bound_to: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    match sealed.strip_prefix(&HEADER) {
        Some(rest) => open_bound(key, &[&HEADER, bound_to].concat(), rest),
        None => open_bound(key, bound_to, sealed),
    }
}

/// Keys of one notebook.
struct Keys {
    notes: RepoKey,
    assets: RepoKey,
    databases: RepoKey,
}

/// The keys of the notebooks that were unlocked.
#[derive(Default)]
pub struct Vault(HashMap<String, Keys>);

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vault({} notebooks)", self.0.len())
    }
}

/// What kind of file a path of a notebook is.
enum Sealed<'a> {
    Note(&'a str),
    Asset(&'a str),
    Database(&'a str),
}

/// The notebook of a path, and what its file is if those are encrypted.
fn sealed(path: &str) -> Option<(&str, Sealed<'_>)> {
    let (notebook, rest) = path.strip_prefix('/').unwrap_or(path).split_once('/')?;
    if rest.starts_with(".siyuan/") {
        return None;
    }
    if rest.starts_with("assets/") {
        return Some((notebook, Sealed::Asset(rest)));
    }
    if let Some(database) = rest.strip_prefix("storage/av/") {
        return Some((notebook, Sealed::Database(database)));
    }
    let name = rest.rsplit_once('/').map_or(rest, |(_, name)| name);
    name.ends_with(".sy").then_some((notebook, Sealed::Note(name)))
}

impl Vault {
    /// Takes the key of a notebook: `wrapped` is what its configuration has, base64.
    ///
    /// # Errors
    /// [`CryptError::BadKey`].
    pub fn unlock(
        &mut self,
        key: &PasswordKey,
        notebook: &str,
        wrapped: &str,
    ) -> Result<(), CryptError> {
        let wrapped = STANDARD.decode(wrapped).map_err(|_| CryptError::BadKey)?;
        let bound_to = format!("siyuan:v1:wrapped-dek:{notebook}");
        let own = open(&key.0, bound_to.as_bytes(), &wrapped).filter(|own| own.len() == 32);
        let own = own.ok_or(CryptError::BadKey)?;
        let derive = |info: &str| {
            let mut bytes = Zeroizing::new([0; 32]);
            let expanded = Hkdf::<Sha256>::new(None, &own).expand(info.as_bytes(), &mut *bytes);
            expanded.expect("32 bytes are far below the limit of HKDF");
            RepoKey::from_bytes(*bytes)
        };
        let keys = Keys {
            notes: derive("siyuan/file"),
            assets: derive("siyuan/asset"),
            databases: derive("siyuan/av"),
        };
        self.0.insert(notebook.to_owned(), keys);
        Ok(())
    }

    /// Whether a notebook was unlocked.
    pub fn has(&self, notebook: &str) -> bool {
        self.0.contains_key(notebook)
    }

    /// Whether the file at this path was encrypted, and what is known of it must not be kept.
    pub fn is_sealed(&self, path: &str) -> bool {
        sealed(path).is_some_and(|(notebook, _)| self.has(notebook))
    }

    /// The plain bytes of the file at a path: as it is, unless its notebook was unlocked.
    ///
    /// # Errors
    /// [`CryptError::BadFile`].
    pub fn open(&self, path: &str, bytes: &[u8]) -> Result<Vec<u8>, CryptError> {
        let Some((notebook, what)) = sealed(path) else { return Ok(bytes.to_vec()) };
        let Some(keys) = self.0.get(notebook) else { return Ok(bytes.to_vec()) };
        let (key, bound_to) = match what {
            // The notebook's own page is written plain (SiYuan 3.7.3).
            Sealed::Note(_) if bytes.first() == Some(&b'{') => return Ok(bytes.to_vec()),
            Sealed::Note(name) => (&keys.notes, format!("siyuan:v1:file:{notebook}:{name}")),
            Sealed::Asset(path) => (&keys.assets, format!("siyuan:v1:asset:{notebook}:{path}")),
            Sealed::Database(name) => {
                let id = name.strip_suffix(".json").unwrap_or(name);
                (&keys.databases, format!("siyuan:v1:av:{notebook}:{id}"))
            }
        };
        let plain = open(key, bound_to.as_bytes(), bytes).ok_or(CryptError::BadFile)?;
        if let Sealed::Note(name) = what {
            let head = Head::parse(&plain).map_err(|_| CryptError::BadFile)?;
            if name.strip_suffix(".sy") != Some(&head.id) {
                return Err(CryptError::BadFile);
            }
        }
        Ok(plain.to_vec())
    }
}

/// Bytes of an encrypted attachment once it is opened, where it begins as SiYuan 3.7 writes it.
pub fn plain_size(head: &[u8], size: u64) -> u64 {
    let around = if head.starts_with(&HEADER) { AROUND } else { AROUND - 7 };
    size.saturating_sub(around)
}
