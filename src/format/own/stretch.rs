//! What makes guessing a passphrase expensive: Argon2id, and how much of it.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::Zeroizing;

/// The most memory that a slot may ask for, KiB. Whoever wrote it decides what opening it costs, and
/// that may be somebody hostile.
const MOST_MEMORY: u32 = 1 << 20;
/// The most memory times passes, KiB: seconds, not hours.
const MOST_WORK: u64 = 4 << 20;
/// The most lanes. They bound nothing here, since they run one after another.
const MOST_LANES: u32 = 64;

/// The cost of Argon2id. Every value of this type is one that is worth trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// A cost that is absurd. The text is a part of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it asks for Argon2id with {memory_kib} KiB of memory, {passes} passes and {lanes} lanes: that is \
     absurd (8 KiB for each of 1 to {MOST_LANES} lanes are the least, 1 GiB, and 4 GiB in all passes, \
     the most)"
)]
pub struct BadStretch {
    memory_kib: u64,
    passes: u64,
    lanes: u64,
}

/// The system does not give the memory that a passphrase takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the passphrase takes {} MiB of memory, which the system does not give", memory_kib >> 10)]
pub struct OutOfMemory {
    memory_kib: u32,
}

impl Stretch {
    /// 64 MiB, 3 passes, 4 lanes: RFC 9106's second recommendation, for machines that have not got
    /// 2 GiB to spare. Some 0.2 s.
    pub const STANDARD: Self = Self { memory_kib: 64 << 10, passes: 3, lanes: 4 };

    /// A cost of `memory_kib` KiB, so many passes over them, and so many lanes.
    ///
    /// # Errors
    /// [`BadStretch`] for what Argon2 does not have, and for what takes gigabytes or minutes.
    pub fn new(memory_kib: u64, passes: u64, lanes: u64) -> Result<Self, BadStretch> {
        let bad = BadStretch { memory_kib, passes, lanes };
        let small = |n: u64| u32::try_from(n).map_err(|_| bad);
        let stretch =
            Self { memory_kib: small(memory_kib)?, passes: small(passes)?, lanes: small(lanes)? };
        let good = (1..=MOST_LANES).contains(&stretch.lanes)
            && (8 * stretch.lanes..=MOST_MEMORY).contains(&stretch.memory_kib)
            && stretch.passes >= 1
            && memory_kib * passes <= MOST_WORK;
        if good { Ok(stretch) } else { Err(bad) }
    }

    /// Memory, KiB.
    pub const fn memory_kib(&self) -> u32 {
        self.memory_kib
    }

    /// Passes over it.
    pub const fn passes(&self) -> u32 {
        self.passes
    }

    /// Lanes.
    pub const fn lanes(&self) -> u32 {
        self.lanes
    }

    /// Argon2id, version 1.3, 32 bytes.
    pub(super) fn derive(
        &self,
        passphrase: &[u8],
        salt: &[u8; 16],
    ) -> Result<Zeroizing<[u8; 32]>, OutOfMemory> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32))
            .expect("these are the bounds of Argon2 and narrower");
        // Memory of our own: the crate's would abort where there is none, and be left as it is after.
        let count = params.block_count();
        let mut blocks = Zeroizing::new(Vec::new());
        blocks.try_reserve_exact(count).map_err(|_| OutOfMemory { memory_kib: self.memory_kib })?;
        blocks.resize(count, Block::new());
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(passphrase, salt, &mut *key, &mut blocks[..])
            .expect("a text of memory, 16 bytes of salt and 32 of output are within its limits");
        Ok(key)
    }
}

impl Default for Stretch {
    fn default() -> Self {
        Self::STANDARD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn argon2id_as_the_reference_implementation_does_it() {
        // Its own program said so: `printf %s password | argon2 somesalt12345678 -id -t 2 -k 1024
        // -p 2 -l 32 -r -v 13`, and likewise.
        let hex = |stretch: Stretch, passphrase: &str, salt| -> String {
            let key = stretch.derive(passphrase.as_bytes(), salt).unwrap();
            key.iter().map(|b| format!("{b:02x}")).collect()
        };
        assert_eq!(
            hex(Stretch::new(1024, 2, 2).unwrap(), "password", b"somesalt12345678"),
            "8d1390d7801dc612ca9579d9fd349fa7f3edcceb25955b45177d4ea72f2ba86e"
        );
        assert_eq!(
            hex(Stretch::STANDARD, "correct horse battery staple", b"0123456789abcdef"),
            "efb51f9a76584f6dd6a4f7942a1a2f6ae5a6e4ec5142ff674dfd5d27eb45e446"
        );
    }

    #[test]
    fn the_standard_is_within_the_bounds() {
        let Stretch { memory_kib, passes, lanes } = Stretch::STANDARD;
        let again = Stretch::new(memory_kib.into(), passes.into(), lanes.into());
        assert_eq!(again, Ok(Stretch::STANDARD));
    }

    #[test]
    fn absurd_costs_are_refused_before_anything_is_allocated() {
        for (memory, passes, lanes) in [
            (100 << 20, 1, 1),
            (MOST_MEMORY.into(), 5, 1),
            (64, u64::MAX, 1),
            (u64::MAX, u64::MAX, u64::MAX),
            (64, 0, 1),
            (64, 1, 0),
            (31, 1, 4),
            (1024, 1, 65),
            (0, 1, 1),
        ] {
            let refused = Stretch::new(memory, passes, lanes).unwrap_err().to_string();
            assert!(refused.contains(&memory.to_string()), "{refused}");
        }
        assert!(Stretch::new(MOST_MEMORY.into(), 4, 1).is_ok());
        assert!(Stretch::new(8, 1, 1).is_ok());
    }
}
