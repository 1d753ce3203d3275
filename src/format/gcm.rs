//! AES-256-GCM, in the only room that knows which crate makes it. (`ring` in its place made the whole
//! read path at most 4 % faster: docs/performance.md.)

use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aes::cipher::KeyInit;
use aes_gcm::{AeadInOut, Aes256Gcm, Nonce, Tag};

use zeroize::Zeroizing;

use super::RepoKey;
use super::seal::{NONCE_LEN, TAG_LEN};

/// One key's schedule.
#[derive(Clone)]
pub(super) struct Gcm(Aes256Gcm);

impl Gcm {
    pub fn new(key: &RepoKey) -> Self {
        Self(Aes256Gcm::new(key.as_bytes().into()))
    }

    /// Authenticates `body ‖ tag` and decrypts the body in place; where it does not fit, nothing
    /// has been changed.
    #[must_use]
    pub fn open(&self, nonce: [u8; NONCE_LEN], sealed: &mut [u8]) -> bool {
        self.open_bound(nonce, &[], sealed)
    }

    /// The same for a body that was bound to what `aad` says.
    #[must_use]
    fn open_bound(&self, nonce: [u8; NONCE_LEN], aad: &[u8], sealed: &mut [u8]) -> bool {
        let Some(split) = sealed.len().checked_sub(TAG_LEN) else { return false };
        let (body, tag) = sealed.split_at_mut(split);
        let Ok(tag) = Tag::try_from(&*tag) else { return false };
        // The tag is checked before anything is decrypted.
        self.0.decrypt_inout_detached(&Nonce::from(nonce), aad, InOutBuf::from(body), &tag).is_ok()
    }

    /// Encrypts `body` in place and gives the tag that belongs behind it.
    pub fn seal(&self, nonce: [u8; NONCE_LEN], body: &mut [u8]) -> [u8; TAG_LEN] {
        self.0
            .encrypt_inout_detached(&Nonce::from(nonce), &[], InOutBuf::from(body))
            .expect("an object is far below GCM's limit of 64 GiB")
            .into()
    }
}

/// Opens `nonce ‖ body ‖ tag` that was bound to what `aad` says: how SiYuan encrypts notebooks. `None`
/// where it was changed, or the key or what it is bound to is another.
pub fn open_bound(key: &RepoKey, aad: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let mut body = Zeroizing::new(body.to_vec());
    if !Gcm::new(key).open_bound(*nonce, aad, &mut body) {
        return None;
    }
    let plain = body.len() - TAG_LEN;
    body.truncate(plain);
    Some(body)
}
