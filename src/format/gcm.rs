//! AES-256-GCM, the one function with more than one maker: the crate `aes-gcm`, or with the feature
//! `ring` the crate of that name, which is faster in itself (docs/performance.md says what that brings
//! in the whole read path).

use zeroize::Zeroizing;

use super::RepoKey;
use super::seal::{NONCE_LEN, TAG_LEN};

/// One key's schedule.
#[derive(Clone)]
pub(super) struct Gcm(maker::Schedule);

impl Gcm {
    pub fn new(key: &RepoKey) -> Self {
        Self(maker::schedule(&Zeroizing::new(*key.as_bytes())))
    }

    /// Authenticates `body ‖ tag` and decrypts the body in place; where it does not fit, nothing
    /// has been changed.
    #[must_use]
    pub fn open(&self, nonce: [u8; NONCE_LEN], sealed: &mut [u8]) -> bool {
        maker::open(&self.0, nonce, sealed)
    }

    /// Encrypts `body` in place and gives the tag that belongs behind it.
    pub fn seal(&self, nonce: [u8; NONCE_LEN], body: &mut [u8]) -> [u8; TAG_LEN] {
        maker::seal(&self.0, nonce, body)
    }
}

#[cfg(not(feature = "ring"))]
mod maker {
    use aes_gcm::aead::inout::InOutBuf;
    use aes_gcm::aes::cipher::KeyInit;
    use aes_gcm::{AeadInOut, Aes256Gcm, Nonce, Tag};

    use super::{NONCE_LEN, TAG_LEN};

    pub type Schedule = Aes256Gcm;

    pub fn schedule(key: &[u8; 32]) -> Schedule {
        Aes256Gcm::new(key.into())
    }

    pub fn open(gcm: &Schedule, nonce: [u8; NONCE_LEN], sealed: &mut [u8]) -> bool {
        let Some(split) = sealed.len().checked_sub(TAG_LEN) else { return false };
        let (body, tag) = sealed.split_at_mut(split);
        let Ok(tag) = Tag::try_from(&*tag) else { return false };
        // The tag is checked before anything is decrypted.
        gcm.decrypt_inout_detached(&Nonce::from(nonce), &[], InOutBuf::from(body), &tag).is_ok()
    }

    pub fn seal(gcm: &Schedule, nonce: [u8; NONCE_LEN], body: &mut [u8]) -> [u8; TAG_LEN] {
        gcm.encrypt_inout_detached(&Nonce::from(nonce), &[], InOutBuf::from(body))
            .expect("an object is far below GCM's limit of 64 GiB")
            .into()
    }
}

#[cfg(feature = "ring")]
mod maker {
    use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey};

    use super::{NONCE_LEN, TAG_LEN};

    pub type Schedule = LessSafeKey;

    pub fn schedule(key: &[u8; 32]) -> Schedule {
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("the key has 32 bytes"))
    }

    pub fn open(gcm: &Schedule, nonce: [u8; NONCE_LEN], sealed: &mut [u8]) -> bool {
        let Some(split) = sealed.len().checked_sub(TAG_LEN) else { return false };
        // This maker decrypts while it authenticates, and wipes what did not fit: keep a copy of
        // small objects, whose damage is looked into; of large ones only the end is needed for that.
        let Ok(tag) = Tag::try_from(&sealed[split..]) else { return false };
        let nonce = Nonce::assume_unique_for_key(nonce);
        gcm.open_in_place_separate_tag(nonce, Aad::empty(), tag, &mut sealed[..split], 0..).is_ok()
    }

    pub fn seal(gcm: &Schedule, nonce: [u8; NONCE_LEN], body: &mut [u8]) -> [u8; TAG_LEN] {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = gcm
            .seal_in_place_separate_tag(nonce, Aad::empty(), body)
            .expect("an object is far below GCM's limit of 64 GiB");
        tag.as_ref().try_into().expect("a tag has 16 bytes")
    }
}
