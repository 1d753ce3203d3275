//! A repository made of nothing but numbers, for the examples that build what is measured.

use std::path::Path;

use revu::format::{ChunkId, Cipher, FileId, FileRecord, Id, Index, IndexId, RepoKey, layout};
use revu::store::{Batch, Store};

/// Writes objects straight into a new repository. Its key is 32 bytes 42.
pub struct Builder<'a> {
    store: &'a Store,
    batch: Batch<'a>,
    cipher: Cipher,
    key: RepoKey,
    latest: Option<IndexId>,
}

/// The store of a folder, which is made.
pub fn store_in(folder: &Path) -> Store {
    std::fs::create_dir_all(folder).expect("the repository can be made");
    Store::local(folder)
}

impl<'a> Builder<'a> {
    pub fn new(store: &'a Store) -> Self {
        let key = RepoKey::from_bytes([42; 32]);
        Self { store, batch: store.batch(), cipher: Cipher::new(&key), key, latest: None }
    }

    fn put(&self, key: String, bytes: &[u8]) {
        self.batch.put(key, bytes).expect("the disk takes it");
    }

    pub fn chunk(&self, content: &[u8]) -> ChunkId {
        let id = ChunkId::of(content);
        self.put(layout::chunk(id), &self.cipher.seal(content));
        id
    }

    pub fn file(&self, path: String, size: usize, updated: i64, chunks: Vec<ChunkId>) -> FileId {
        let record = FileRecord::new(path, size as i64, updated, chunks);
        self.put(layout::file(record.id), &self.cipher.seal(&record.encode()));
        record.id
    }

    /// The newest snapshot so far. `name` has to be its own among all.
    pub fn snapshot(&mut self, name: &str, created: i64, files: Vec<FileId>, size: usize) {
        let id = IndexId(Id::digest(name.as_bytes()));
        let index = Index {
            id,
            memo: name.to_owned(),
            created,
            count: files.len() as i64,
            files,
            size: size as i64,
            system_id: String::new(),
            system_name: "benchmark".to_owned(),
            system_os: std::env::consts::OS.to_owned(),
            check_index_id: String::new(),
            aes_key_verify_val: self.cipher.verify_val(),
        };
        self.put(layout::index(id), &index.encode());
        self.latest = Some(id);
    }

    /// Gives everything its name, and prints the key.
    pub fn finish(self) {
        self.batch.commit().expect("the disk takes it");
        let latest = self.latest.expect("a repository has a snapshot");
        self.store.put(layout::LATEST, latest.to_string().as_bytes()).expect("the disk takes it");
        println!("{}", self.key.to_base64().as_str());
    }
}
