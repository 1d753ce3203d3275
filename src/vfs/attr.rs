//! What the model says of a node.

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A folder.
    Dir,
    /// A regular file.
    File,
    /// A symbolic link.
    Symlink,
}

/// The attributes of a node. Owner and permissions are the mount's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attr {
    /// Inode number, see the module's documentation.
    pub ino: u64,
    /// What it is.
    pub kind: Kind,
    /// Bytes; 0 for folders, the target's length for links.
    pub size: u64,
    /// Modification time, nanoseconds since 1970, may be negative.
    pub mtime_ns: i128,
}

impl Attr {
    /// `st_blocks`: units of 512 bytes, rounded up.
    pub fn blocks(&self) -> u64 {
        self.size.div_ceil(512)
    }
}

/// For how long an answer stays true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// As long as the mount lives: snapshots never change.
    Forever,
    /// It may change at any moment: lists of snapshots and tags, `latest`.
    Short,
}

/// The answer to a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The node's attributes.
    pub attr: Attr,
    /// How long the *name* keeps leading to this node.
    pub name_lifetime: Lifetime,
    /// How long the attributes stay as they are.
    pub attr_lifetime: Lifetime,
}

/// One line of a folder listing.
#[derive(Debug)]
pub struct Item<'a> {
    /// The name; any bytes but `/` and NUL, 1 to 255 of them.
    pub name: &'a [u8],
    /// What it leads to. For `.` and `..` this is the folder itself and its parent.
    pub entry: Entry,
    /// Where to go on after this line: the `offset` of the next call.
    pub next: u64,
}

/// What `df` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Size of the repository, bytes.
    pub bytes: u64,
    /// Files known so far.
    pub files: u64,
}

/// Measures the size of a repository when it is first asked for, and keeps the answer.
#[derive(Debug, Default)]
pub(super) struct SizeMeter(std::sync::OnceLock<u64>);

impl SizeMeter {
    /// Bytes of all objects and indexes. `df` must not hang: after a quarter of a second the
    /// rest is taken to be like what was seen, which IDs, being digests, make a fair guess.
    pub(super) fn bytes(&self, store: &crate::store::Store) -> u64 {
        const PATIENCE: std::time::Duration = std::time::Duration::from_millis(250);
        *self.0.get_or_init(|| {
            let begin = std::time::Instant::now();
            let folder = |folder: &str| -> u64 {
                let names = store.list(folder).unwrap_or_else(|_| Vec::new());
                let files = names.iter().filter(|listed| !listed.is_folder);
                files.filter_map(|l| store.size(&format!("{folder}/{}", l.name)).ok()).sum()
            };
            let all: Vec<String> = (0..=255u8).map(|n| format!("objects/{n:02x}")).collect();
            let mut bytes = folder(crate::format::layout::INDEXES);
            let mut objects = 0;
            for (name, done) in all.iter().zip(1u64..) {
                objects += folder(name);
                if begin.elapsed() > PATIENCE {
                    objects = objects * all.len() as u64 / done;
                    break;
                }
            }
            bytes += objects;
            bytes
        })
    }
}
