//! Identifiers: SHA-1 digests, shown as 40 lower-case hexadecimal digits. One type for each kind,
//! so that a chunk can never be asked for under a file's name.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha1::{Digest, Sha1};

use super::FormatError;

/// The 20 bytes behind every identifier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id([u8; 20]);

/// What hashes an ID already is: any eight bytes of a digest are as good as a hash of it, so a hash
/// map of IDs need not hash again. An attacker who can choose IDs freely would have to find SHA-1
/// digests with equal ends; the standard hasher on top keeps that from mattering.
impl Hash for Id {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut eight = [0; 8];
        eight.copy_from_slice(&self.0[12..]);
        state.write_u64(u64::from_le_bytes(eight));
    }
}

impl Id {
    /// An ID from its raw bytes.
    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// SHA-1 of `bytes`.
    pub fn digest(bytes: &[u8]) -> Self {
        Self(Sha1::digest(bytes).into())
    }

    /// The 40 digits without an allocation.
    pub fn hex(&self) -> Hex {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut out = [0u8; 40];
        for (pair, byte) in out.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        Hex(out)
    }

    /// Reads exactly 40 lower-case hexadecimal digits.
    ///
    /// # Errors
    /// [`FormatError::BadId`] for anything else. Upper case is refused too: DejaVu never writes it,
    /// and two spellings of one name would be two objects on disk.
    pub fn from_hex(text: &[u8]) -> Result<Self, FormatError> {
        if text.len() != 40 {
            return Err(FormatError::BadId);
        }
        let mut bytes = [0; 20];
        let mut all = 0;
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            let (high, low) = (DIGITS[usize::from(pair[0])], DIGITS[usize::from(pair[1])]);
            all |= high | low;
            *byte = high << 4 | low;
        }
        // An index has many thousand: no branch for each digit, which no processor can foresee.
        if all > 0xf { Err(FormatError::BadId) } else { Ok(Self(bytes)) }
    }
}

/// What each byte means as a hexadecimal digit of an ID, 255 where it is none.
const DIGITS: [u8; 256] = {
    let mut digits = [u8::MAX; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value as usize] as usize] = value;
        value += 1;
    }
    digits
};

/// 40 hexadecimal digits on the stack.
#[derive(Clone, Copy)]
pub struct Hex([u8; 40]);

impl Hex {
    /// The digits as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hexadecimal digits are ASCII")
    }
}

impl std::ops::Deref for Hex {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.hex())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

struct HexVisitor;

impl Visitor<'_> for HexVisitor {
    type Value = Id;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an ID of 40 hexadecimal digits")
    }
    fn visit_str<E: serde::de::Error>(self, v: &str) -> Result<Id, E> {
        Id::from_hex(v.as_bytes())
            .map_err(|_| E::invalid_value(serde::de::Unexpected::Str(v), &self))
    }
}

macro_rules! id_kind {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Id);

        impl $name {
            /// The 40 digits without an allocation.
            pub fn hex(&self) -> Hex {
                self.0.hex()
            }
            /// The first eight digits, as shown to people.
            pub fn short(&self) -> String {
                self.hex()[..8].to_owned()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
        impl FromStr for $name {
            type Err = FormatError;
            fn from_str(s: &str) -> Result<Self, FormatError> {
                Id::from_hex(s.as_bytes()).map(Self)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.hex())
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                d.deserialize_str(HexVisitor).map(Self).map_err(D::Error::custom)
            }
        }
    };
}

id_kind!(
    /// Names a snapshot ("index"). SHA-1 of 32 random bytes, so it verifies nothing (golden).
    IndexId
);
id_kind!(
    /// Names a File record: SHA-1 of its path and its time in whole seconds, see
    /// [`FileRecord::identity`](super::FileRecord::identity). It does not depend on the content.
    FileId
);
id_kind!(
    /// Names a chunk: SHA-1 of its plain bytes, so every read can be verified.
    ChunkId
);

impl ChunkId {
    /// The chunk of an empty file, SHA-1 of nothing.
    pub const EMPTY: Self = Self(Id::from_bytes([
        0xda, 0x39, 0xa3, 0xee, 0x5e, 0x6b, 0x4b, 0x0d, 0x32, 0x55, 0xbf, 0xef, 0x95, 0x60, 0x18,
        0x90, 0xaf, 0xd8, 0x07, 0x09,
    ]));

    /// The ID of a chunk with these plain bytes.
    pub fn of(plain: &[u8]) -> Self {
        Self(Id::digest(plain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_round_trip_and_refusals() {
        let text = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(text.parse::<ChunkId>().unwrap().to_string(), text);
        for bad in [
            "",
            "0123",
            &text.to_uppercase(),
            &format!("{text}0"),
            &text.replace('7', "g"),
            &text.replace('0', "/"),
        ] {
            assert_eq!(bad.parse::<ChunkId>(), Err(FormatError::BadId), "{bad}");
        }
    }

    #[test]
    fn the_empty_chunk() {
        assert_eq!(ChunkId::of(b""), ChunkId::EMPTY);
    }
}
