//! What happens to files.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::sample::{Row, Sample};

/// A column: a kind of damage, and how often it is done to a file, each time elsewhere.
pub struct Harm {
    pub name: &'static str,
    pub times: fn(len: usize, most: usize) -> usize,
    /// Does it; `false` where it cannot be done here.
    pub harm: fn(&Harmed<'_>) -> bool,
}

/// What is harmed.
pub struct Harmed<'a> {
    pub sample: &'a Sample,
    pub row: Row,
    pub path: &'a Path,
    /// What is in it.
    pub bytes: &'a [u8],
    /// Which time this is, of how many.
    pub nth: usize,
    pub times: usize,
}

impl Harmed<'_> {
    fn write(&self, bytes: &[u8]) -> bool {
        remove(self.path);
        std::fs::write(self.path, bytes).unwrap();
        true
    }

    /// The `nth` of `times` places among `all`, evenly.
    fn spread(&self, all: usize) -> usize {
        self.nth * all / self.times
    }
}

const fn once(_: usize, _: usize) -> usize {
    1
}

/// Bytes at each of which a small file is cut; a large one at fifty places.
const SMALL: usize = 128;

pub const HARMS: [Harm; 13] = [
    Harm {
        name: "missing",
        times: once,
        harm: |it| {
            remove(it.path);
            true
        },
    },
    Harm { name: "empty", times: once, harm: |it| it.write(b"") },
    Harm {
        name: "cut",
        times: |len, most| if len <= SMALL { len.min(most) } else { most.min(50) },
        harm: |it| it.write(&it.bytes[..it.spread(it.bytes.len())]),
    },
    Harm {
        name: "a bit flipped",
        times: |len, most| if len <= SMALL { (len * 8).min(most) } else { most.min(200) },
        harm: |it| {
            let mut bytes = it.bytes.to_vec();
            // Every bit of a small file; of a large one each eighth of a byte comes by.
            let at = it.spread(bytes.len() * 8);
            let bit = if it.bytes.len() <= SMALL { at % 8 } else { it.nth % 8 };
            bytes[at / 8] ^= 1 << bit;
            it.write(&bytes)
        },
    },
    Harm {
        name: "swapped",
        times: once,
        harm: |it| {
            let other = std::fs::read(it.sample.path().join(it.row.other(it.sample))).unwrap();
            it.write(&other)
        },
    },
    Harm {
        name: "a folder",
        times: once,
        harm: |it| {
            remove(it.path);
            std::fs::create_dir(it.path).unwrap();
            true
        },
    },
    Harm {
        name: "a pipe",
        times: once,
        harm: |it| {
            remove(it.path);
            nix::unistd::mkfifo(it.path, nix::sys::stat::Mode::S_IRWXU).unwrap();
            true
        },
    },
    Harm { name: "a link to nothing", times: once, harm: |it| it.link("/nowhere/at/all") },
    Harm {
        name: "a link to itself",
        times: once,
        harm: |it| it.link(it.path.file_name().unwrap().to_str().unwrap()),
    },
    Harm { name: "a link to /dev/zero", times: once, harm: |it| it.link("/dev/zero") },
    Harm {
        name: "unreadable",
        times: once,
        harm: |it| {
            it.write(it.bytes);
            std::fs::set_permissions(it.path, PermissionsExt::from_mode(0o000)).unwrap();
            std::fs::read(it.path).is_err()
        },
    },
    Harm {
        name: "huge",
        times: once,
        harm: |it| {
            remove(it.path);
            let file = std::fs::File::create(it.path).unwrap();
            file.set_len(1 << 40).unwrap();
            true
        },
    },
    Harm {
        name: "inflating without end",
        times: once,
        harm: |it| {
            let bomb = bomb();
            it.write(&match it.row {
                Row::Record(_) | Row::Chunk(..) | Row::Catalog | Row::State => {
                    seal(it.sample, bomb)
                }
                _ => bomb.to_vec(),
            })
        },
    },
];

impl Harmed<'_> {
    fn link(&self, to: &str) -> bool {
        remove(self.path);
        symlink(to, self.path).unwrap();
        true
    }
}

/// Removes whatever is there.
pub fn remove(path: &Path) {
    match path.symlink_metadata() {
        Ok(meta) if meta.is_dir() => std::fs::remove_dir_all(path).unwrap(),
        Ok(_) => std::fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
}

/// A zstd frame of two gibibytes of zeros that does not say so.
pub fn bomb() -> &'static [u8] {
    static BOMB: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
        let zeros = std::io::Read::take(std::io::repeat(0), 2 << 30);
        let mut frame = Vec::new();
        zstd::stream::copy_encode(zeros, &mut frame, 1).unwrap();
        frame
    });
    &BOMB
}

/// Seals any frame as an object.
pub fn seal(sample: &Sample, frame: &[u8]) -> Vec<u8> {
    use aes_gcm::aead::{Aead, KeyInit};
    let cipher = aes_gcm::Aes256Gcm::new(sample.key.as_bytes().into());
    let nonce = [3u8; 12];
    let sealed = cipher.encrypt(&nonce.into(), frame).unwrap();
    [&nonce[..], &sealed].concat()
}
