//! What a user has to open a key slot with.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::super::RepoKey;
use super::super::key::{EmptyKey, trim_invisible};

/// A passphrase, or the 32 random bytes of a key file. Wiped from memory when dropped and never
/// shown by `Debug`.
#[derive(Clone)]
pub enum Secret {
    /// What somebody can remember: stretched before it opens a slot.
    Passphrase(Zeroizing<String>),
    /// What nobody can guess: of a key file, or the repository's own key.
    Key(RepoKey),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Passphrase(_) => "Passphrase(…)",
            Self::Key(_) => "Key(…)",
        })
    }
}

impl Secret {
    /// What a text is, by the rule of [`RepoKey::parse`]: base64 of 32 bytes is a key, anything else
    /// a passphrase; white space and invisible characters at its ends do not count. So a text means
    /// the same wherever it comes from, and a key file may hold a passphrase.
    ///
    /// # Errors
    /// [`EmptyKey`] where nothing is left of the text.
    pub fn parse(text: &str) -> Result<Self, EmptyKey> {
        let text = trim_invisible(text);
        if text.is_empty() {
            return Err(EmptyKey);
        }
        Ok(match RepoKey::from_base64(text) {
            Some(key) => Self::Key(key),
            None => Self::Passphrase(Zeroizing::new(text.to_owned())),
        })
    }
}

/// The key that the bytes of a key file open a slot with: HKDF-SHA256 with the slot's salt, 32 bytes.
/// The bytes are random, so there is nothing to stretch; but one file may serve many slots.
pub(super) fn expand(key: &RepoKey, salt: &[u8; 16]) -> Zeroizing<[u8; 32]> {
    let mut expanded = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(salt), key.as_bytes())
        .expand(b"revu key slot", &mut *expanded)
        .expect("HKDF gives up to 255 times 32 bytes");
    expanded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_text_is_does_not_depend_on_where_it_comes_from() {
        let key = RepoKey::from_bytes([9; 32]);
        let text = format!("\u{feff}{}\r\n", *key.to_base64());
        assert!(matches!(Secret::parse(&text), Ok(Secret::Key(found)) if found == key));
        let Ok(Secret::Passphrase(found)) = Secret::parse("  correct horse\u{200b}\n") else {
            panic!("must be a passphrase");
        };
        assert_eq!(**found, *"correct horse");
        assert!(matches!(Secret::parse("c2hvcnQ="), Ok(Secret::Passphrase(_))));
        assert_eq!(Secret::parse(" \n").unwrap_err(), EmptyKey);
    }

    #[test]
    fn secrets_are_not_shown() {
        for text in ["s3cret".to_owned(), RepoKey::from_bytes([9; 32]).to_base64().to_string()] {
            assert!(!format!("{:?}", Secret::parse(&text)).contains(&text));
        }
    }

    #[test]
    fn hkdf_as_another_implementation_does_it() {
        // Python: prk = hmac(salt, ikm), hmac(prk, info + b"\1"), all with SHA-256.
        let expanded = expand(&RepoKey::from_bytes([7; 32]), b"0123456789abcdef");
        let hex: String = expanded.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "375037e19eb6a6fd371162d245d7bc591936b182cb7ebba5587cf19906581e19");
    }
}
