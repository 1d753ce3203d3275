//! The repository key: 32 bytes, given as base64 or derived from a passphrase as SiYuan does.

use base64::Engine;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// An AES-256 key, wiped from memory when dropped and never shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct RepoKey([u8; 32]);

impl std::fmt::Debug for RepoKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RepoKey(…)")
    }
}

/// A key text that is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the key is empty: it must be base64 of 32 bytes, or a passphrase")]
pub struct EmptyKey;

impl RepoKey {
    /// A key from its raw bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A new random key.
    ///
    /// # Panics
    /// If the operating system has no randomness to give.
    pub fn random() -> Self {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).expect("the operating system gives randomness");
        Self(bytes)
    }

    /// A key from the text that a user or SiYuan has: base64 of 32 bytes is the key itself,
    /// anything else is a passphrase. White space and invisible characters at its ends do not count.
    ///
    /// # Errors
    /// [`EmptyKey`] where nothing is left of the text.
    pub fn parse(text: &str) -> Result<Self, EmptyKey> {
        let text = trim_invisible(text);
        if text.is_empty() {
            return Err(EmptyKey);
        }
        if let Some(key) = Self::from_base64(text) {
            return Ok(key);
        }
        Ok(Self::derive(text))
    }

    /// A key from base64 alone, as conf.json holds it.
    pub fn from_base64(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(base64::engine::general_purpose::STANDARD.decode(text).ok()?);
        Some(Self(bytes.as_slice().try_into().ok()?))
    }

    /// The key as base64, as SiYuan shows it to its user.
    pub fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(self.0))
    }

    /// scrypt with N = 32768, r = 8, p = 1; the salt is the first 16 hexadecimal digits of the
    /// passphrase's SHA-256, as ASCII (format page, Keys). Takes about a tenth of a second and 32 MiB.
    fn derive(passphrase: &str) -> Self {
        let digest = Sha256::digest(passphrase.as_bytes());
        let salt: String = digest[..8].iter().map(|b| format!("{b:02x}")).collect();
        Self(scrypt_32(passphrase.as_bytes(), salt.as_bytes()))
    }
}

fn scrypt_32(password: &[u8], salt: &[u8]) -> [u8; 32] {
    let params = scrypt::Params::new(15, 8, 1).expect("these parameters are valid");
    let mut key = [0; 32];
    scrypt::scrypt(password, salt, &params, &mut key).expect("32 bytes are a valid output length");
    key
}

/// Removes white space and characters that nobody sees (zero-width ones, byte order marks,
/// control and format characters) from both ends: what comes along when a key is copied.
pub(super) fn trim_invisible(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c))
}

/// Whether nobody sees a character, and it takes no place either.
pub fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scrypt_as_the_format_page_says() {
        let key = scrypt_32(b"password123", b"salt123");
        let hex: String = key.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "714047d3f647c8a0f27aa435052d6971981cc8cc7687df28af329df55c98da80");
    }

    #[test]
    fn the_workspace_that_siyuan_made_has_this_passphrase() {
        // tests/fixtures/siyuan-workspace: SiYuan derived its key from this passphrase itself.
        let conf = include_str!("../../tests/fixtures/siyuan-workspace/workspace/conf/conf.json");
        let conf: serde_json::Value = serde_json::from_str(conf).unwrap();
        let key = RepoKey::parse("\u{feff} correct horse battery staple\u{200b}\n").unwrap();
        assert_eq!(conf["repo"]["key"], *key.to_base64());
    }

    #[test]
    fn base64_is_a_key_only_if_it_is_32_bytes() {
        let key = RepoKey::from_bytes([9; 32]);
        assert_eq!(RepoKey::parse(&format!("  {}\n", *key.to_base64())).unwrap(), key);
        assert_ne!(RepoKey::parse("c2hvcnQ=").unwrap(), key);
        assert_eq!(RepoKey::parse(" \u{200b}\n"), Err(EmptyKey));
        assert_eq!(format!("{key:?}"), "RepoKey(…)");
    }
}
