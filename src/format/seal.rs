//! Sealed objects: `nonce[12] ‖ AES-256-GCM(zstd(plain)) ‖ tag[16]`, no associated data (golden).

use aes_gcm::aes::Aes256;
use aes_gcm::aes::cipher::{BlockCipherEncrypt, KeyInit};

use super::gcm::Gcm;
use super::{FormatError, RepoKey, zst};

/// Bytes of the nonce before the ciphertext.
pub const NONCE_LEN: usize = 12;
/// Bytes of the authentication tag after it.
pub const TAG_LEN: usize = 16;
/// The smallest frame has 9 bytes (the empty chunk's), so nothing shorter than this is an object.
pub const MIN_SEALED: usize = NONCE_LEN + 9 + TAG_LEN;
/// How many bytes of an object's beginning [`Cipher::probe`] wants. One read of a disk or a bucket
/// costs the same for 1 byte and for 64.
pub const PROBE_LEN: usize = 64;

/// An AES-256 key schedule, made once and used for every object. Wiped from memory when dropped.
#[derive(Clone)]
pub struct Cipher {
    gcm: Gcm,
    /// The same schedule for the counter mode below GCM: the length probe reads a frame header
    /// without the rest of the object.
    aes: Aes256,
}

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cipher(…)")
    }
}

impl Cipher {
    /// Expands a key.
    pub fn new(key: &RepoKey) -> Self {
        Self { gcm: Gcm::new(key), aes: Aes256::new(key.as_bytes().into()) }
    }

    /// Authenticates, decrypts and expands one object. `sealed` serves as working space; `limit`
    /// bounds what it may expand to, in bytes.
    ///
    /// # Errors
    /// [`FormatError::Truncated`], [`FormatError::NotAuthentic`], [`FormatError::BadFrame`],
    /// [`FormatError::TooLarge`].
    pub fn open(&self, sealed: &mut [u8], limit: usize) -> Result<Vec<u8>, FormatError> {
        self.frame(sealed)?.expand(limit)
    }

    /// Authenticates and decrypts one object. `sealed` serves as working space.
    ///
    /// # Errors
    /// [`FormatError::Truncated`], [`FormatError::NotAuthentic`].
    pub fn frame<'a>(&self, sealed: &'a mut [u8]) -> Result<Frame<'a>, FormatError> {
        self.decrypt(sealed).map(Frame)
    }

    /// Authenticates and decrypts in place.
    fn decrypt<'a>(&self, sealed: &'a mut [u8]) -> Result<&'a [u8], FormatError> {
        if sealed.len() < MIN_SEALED {
            return Err(FormatError::Truncated {
                have: sealed.len() as u64,
                need: MIN_SEALED as u64,
            });
        }
        let (nonce, rest) = sealed.split_at_mut(NONCE_LEN);
        let nonce: [u8; NONCE_LEN] = (&*nonce).try_into().expect("split at the nonce's length");
        if !self.gcm.open(nonce, rest) {
            return Err(self.diagnose(sealed));
        }
        Ok(&sealed[NONCE_LEN..sealed.len() - TAG_LEN])
    }

    /// Tells a cut object from a changed one, for the error's text alone: the block headers of the
    /// unauthenticated frame say where it should end.
    fn diagnose(&self, sealed: &[u8]) -> FormatError {
        let mut frame = sealed[NONCE_LEN..].to_vec();
        self.keystream(&sealed[..NONCE_LEN], &mut frame);
        let have = sealed.len() as u64;
        let is_frame = zst::content_size(&frame).is_ok();
        match zst::frame_length(&frame) {
            Some(len) if len + TAG_LEN > frame.len() => {
                FormatError::Truncated { have, need: (NONCE_LEN + len + TAG_LEN) as u64 }
            }
            None if is_frame && frame.len() > 64 => {
                // Cut inside the frame. A flipped bit in a block header looks the same, so this is
                // only said where the headers before the end are sound, which frame_length checked.
                FormatError::Truncated { have, need: have + 1 }
            }
            _ => FormatError::NotAuthentic,
        }
    }

    /// Applies the counter mode that GCM uses for its data: the counter starts at 2.
    fn keystream(&self, nonce: &[u8], data: &mut [u8]) {
        for (block, counter) in data.chunks_mut(16).zip(2u32..) {
            let mut pad = [0u8; 16];
            pad[..NONCE_LEN].copy_from_slice(nonce);
            pad[NONCE_LEN..].copy_from_slice(&counter.to_be_bytes());
            self.aes.encrypt_block((&mut pad).into());
            for (byte, pad) in block.iter_mut().zip(pad) {
                *byte ^= pad;
            }
        }
    }

    /// The plain length of an object, read from its first [`PROBE_LEN`] bytes (or the whole object
    /// if it is shorter): `None` where the frame does not say, as in objects of less than 256 plain
    /// bytes. **A hint**: nothing is authenticated until the object is opened.
    ///
    /// # Errors
    /// [`FormatError::Truncated`], [`FormatError::BadFrame`].
    pub fn probe(&self, head: &[u8]) -> Result<Option<u64>, FormatError> {
        if head.len() < MIN_SEALED {
            return Err(FormatError::Truncated {
                have: head.len() as u64,
                need: MIN_SEALED as u64,
            });
        }
        let mut frame = [0u8; zst::MAX_FRAME_HEADER];
        frame.copy_from_slice(&head[NONCE_LEN..NONCE_LEN + zst::MAX_FRAME_HEADER]);
        self.keystream(&head[..NONCE_LEN], &mut frame);
        zst::content_size(&frame)
    }

    /// The beginning of what an object holds, as far as the first bytes of it give it: nothing before
    /// the first block of its frame is whole, which it is with [`super::index::HEAD_LEN`] bytes.
    /// **A hint**: nothing is authenticated until the object is opened.
    ///
    /// # Errors
    /// [`FormatError::Truncated`], [`FormatError::BadFrame`].
    pub fn peek(&self, head: &[u8], limit: usize) -> Result<Vec<u8>, FormatError> {
        let Some((nonce, frame)) = head.split_at_checked(NONCE_LEN) else {
            let have = head.len() as u64;
            return Err(FormatError::Truncated { have, need: MIN_SEALED as u64 });
        };
        let mut frame = frame.to_vec();
        self.keystream(nonce, &mut frame);
        zst::decompress_head(&frame, limit)
    }

    /// Compresses and seals one object under a random nonce.
    ///
    /// # Panics
    /// If the operating system has no randomness to give.
    pub fn seal(&self, plain: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::new();
        self.seal_into(plain, &mut sealed);
        sealed
    }

    /// The same into memory that is used again; what it holds goes.
    ///
    /// # Panics
    /// As [`Self::seal`].
    pub fn seal_into(&self, plain: &[u8], sealed: &mut Vec<u8>) {
        self.encrypt(sealed, |frame| zst::compress_onto(plain, frame));
    }

    /// `append` adds what is to be encrypted.
    fn encrypt(&self, sealed: &mut Vec<u8>, append: impl FnOnce(&mut Vec<u8>)) {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).expect("the operating system gives randomness");
        sealed.clear();
        sealed.extend_from_slice(&nonce);
        append(sealed);
        let tag = self.gcm.seal(nonce, &mut sealed[NONCE_LEN..]);
        sealed.extend_from_slice(&tag);
    }

    /// Whether an index's `aesKeyVerifyVal` was made with this key: base64 of the sealed but
    /// uncompressed word `siyuan` (golden). `None` if the text is not of that form.
    pub fn verifies(&self, verify_val: &str) -> Option<bool> {
        use base64::Engine;
        let mut sealed = base64::engine::general_purpose::STANDARD.decode(verify_val).ok()?;
        if sealed.len() != NONCE_LEN + KEY_CHECK.len() + TAG_LEN {
            return None;
        }
        let (nonce, rest) = sealed.split_at_mut(NONCE_LEN);
        let nonce: [u8; NONCE_LEN] = (&*nonce).try_into().ok()?;
        Some(self.gcm.open(nonce, rest) && rest.starts_with(KEY_CHECK))
    }

    /// An `aesKeyVerifyVal` for this key.
    pub fn verify_val(&self) -> String {
        use base64::Engine;
        let mut sealed = Vec::new();
        self.encrypt(&mut sealed, |plain| plain.extend_from_slice(KEY_CHECK));
        base64::engine::general_purpose::STANDARD.encode(sealed)
    }
}

/// What a sealed object holds, authenticated and still compressed.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a>(&'a [u8]);

impl Frame<'_> {
    /// The plain length, bytes; `None` where the frame does not say, as in objects of less than 256.
    ///
    /// # Errors
    /// [`FormatError::BadFrame`]; [`FormatError::TooLarge`] where that is more than `limit`.
    pub fn plain_len(&self, limit: usize) -> Result<Option<usize>, FormatError> {
        zst::plain_len(self.0, limit)
    }

    /// The plain bytes, at most `limit`.
    ///
    /// # Errors
    /// [`FormatError::BadFrame`], [`FormatError::TooLarge`].
    pub fn expand(&self, limit: usize) -> Result<Vec<u8>, FormatError> {
        zst::decompress(self.0, limit)
    }

    /// The same in memory that is there, as far as it suffices; what it holds goes.
    ///
    /// # Errors
    /// As [`Self::expand`].
    pub fn expand_in(&self, limit: usize, memory: Vec<u8>) -> Result<Vec<u8>, FormatError> {
        zst::decompress_in(self.0, limit, memory)
    }

    /// The plain bytes into `plain`, which has [`Self::plain_len`] of them.
    ///
    /// # Errors
    /// [`FormatError::BadFrame`].
    pub fn expand_into(&self, plain: &mut [u8]) -> Result<(), FormatError> {
        zst::decompress_into(self.0, plain)
    }
}

/// What `aesKeyVerifyVal` holds.
const KEY_CHECK: &[u8] = b"siyuan";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cipher() -> Cipher {
        Cipher::new(&RepoKey::from_bytes([7; 32]))
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(plain in proptest::collection::vec(any::<u8>(), 0..5000)) {
            let cipher = cipher();
            let mut sealed = cipher.seal(&plain);
            let stated = cipher.probe(&sealed).unwrap();
            prop_assert_eq!(stated, (plain.len() >= 256 || plain.is_empty()).then_some(plain.len() as u64));
            prop_assert_eq!(cipher.open(&mut sealed, 5000).unwrap(), plain);
        }
    }

    #[test]
    fn a_peek_shows_the_beginning() {
        let cipher = cipher();
        let plain: Vec<u8> = (0..600_000u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect();
        let sealed = cipher.seal(&plain);
        let head = &sealed[..sealed.len().min(super::super::index::HEAD_LEN)];
        let seen = cipher.peek(head, 100).unwrap();
        assert!(seen.len() >= 100 && plain.starts_with(&seen));
        assert!(cipher.peek(&sealed[..10], 100).is_err());
        assert_eq!(cipher.peek(&cipher.seal(b"short")[..], 100).unwrap(), b"short");
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let cipher = cipher();
        let sealed = cipher.seal(b"a note of last week, worth keeping");
        for bit in 0..sealed.len() * 8 {
            let mut bad = sealed.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(cipher.open(&mut bad, 100).is_err(), "bit {bit}");
        }
        for len in 0..sealed.len() {
            assert!(cipher.open(&mut sealed[..len].to_vec(), 100).is_err(), "cut to {len}");
        }
    }

    #[test]
    fn a_cut_object_is_told_from_a_changed_one() {
        let cipher = cipher();
        let plain: Vec<u8> = (0..200_000u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect();
        let sealed = cipher.seal(&plain);
        for len in [sealed.len() - 1, sealed.len() - 40, sealed.len() / 2, 20] {
            let cut = cipher.open(&mut sealed[..len].to_vec(), plain.len());
            assert!(matches!(cut, Err(FormatError::Truncated { .. })), "{len}: {cut:?}");
        }
        let mut changed = sealed.clone();
        let last = changed.len() - 1;
        changed[last] ^= 1;
        assert_eq!(cipher.open(&mut changed, plain.len()), Err(FormatError::NotAuthentic));
    }

    #[test]
    fn the_key_check() {
        let (right, wrong) = (cipher(), Cipher::new(&RepoKey::from_bytes([8; 32])));
        let val = right.verify_val();
        assert_eq!(right.verifies(&val), Some(true));
        assert_eq!(wrong.verifies(&val), Some(false));
        assert_eq!(right.verifies("c2hvcnQ="), None);
        // From golden/repo/indexes/1666729b…, whose key is in golden/key.txt.
        let golden = RepoKey::parse("0YdOtp17LWINQXbP9bCqx3xjCC5z9wbGpc0awbRYepI=").unwrap();
        let val = "LsdWiBVUitMtnJA51f9oUHDCDpBPYDt0tX3JVilWxb3yYA==";
        assert_eq!(Cipher::new(&golden).verifies(val), Some(true));
        assert_eq!(wrong.verifies(val), Some(false));
    }
}
