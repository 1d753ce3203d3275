//! Makes Markdown of notes: each version once for all snapshots that show it alike.
//!
//! The Markdown of most notes depends on their own file alone. What embeds blocks or shows databases
//! depends on other files too: then which ones is remembered with it, and another snapshot in which they
//! are the same shares it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use jiff::tz::TimeZone;
use parking_lot::{Mutex, RwLock};

use crate::repo::{File, FileEntry, FileNo, ReadError, Repository, parallel};
use crate::siyuan::notes::crypt::Vault;
use crate::siyuan::notes::tree::{LARGEST, ROOT, Tree};
use crate::siyuan::notes::{Head, NoteError, databases, head, markdown};

use super::super::VfsError;
use super::assets::Attached;
use super::dirs::Dirs;
use super::facts::{Fact, FactKey, Facts};
use super::gate::Gate;
use super::library::{Asked, Reading};
use super::links::{self, Shown};
use super::shelf::{self, Shelf};
use super::text_cache::TextCache;

/// Bytes of rendered texts that are kept: some 10,000 notes of a usual size.
const CACHE_BYTES: usize = 64 << 20;
/// Bytes of a note from which on only one is rendered at a time: its tree takes many times as much
/// memory.
const LARGE: u64 = 1 << 20;
/// Bytes at the beginning of a file in which its head is looked for first.
const HEAD: usize = 64 << 10;

/// What stands before a note of an encrypted notebook that is not encrypted. SiYuan 3.7.3 writes the
/// notebook's own page so; and all notes are that are older than the encryption.
pub const NOT_SEALED: &str = "> This note is not encrypted, though its notebook is, or was later: whoever \
    has the repository's key could have put it there.\n\n";

/// The number of a rendered text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TextNo(pub u32);

/// A rendered text, as it is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// Its number.
    pub no: TextNo,
    /// Bytes.
    pub size: u64,
    /// Milliseconds since 1970.
    pub mtime: i64,
}

/// What is known of a note without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Its title; its ID where the file cannot be read.
    pub title: String,
    /// Milliseconds since 1970.
    pub mtime: i64,
    updated: String,
}

#[derive(Debug)]
struct Rendering {
    file: FileNo,
    size: u64,
    mtime: i64,
    asked: Arc<Asked>,
}

#[derive(Debug, Default)]
struct Table {
    texts: Vec<Rendering>,
    by_file: HashMap<FileNo, Vec<TextNo>>,
}

/// See the module's documentation.
pub struct Engine {
    repo: Arc<Repository>,
    zone: TimeZone,
    links: bool,
    vault: Vault,
    facts: Arc<dyn Facts>,
    about: RwLock<HashMap<FileNo, Arc<About>>>,
    table: RwLock<Table>,
    blocks: Mutex<HashMap<FileNo, Arc<[u64]>>>,
    cache: TextCache,
    large: Mutex<()>,
    /// Of who renders.
    rendering: Gate,
    /// Of who looks for blocks, which who renders may have to wait for.
    indexing: Gate,
    dirs: Dirs,
    made: AtomicU64,
    on_resize: OnceLock<Box<dyn Fn(TextNo) + Send + Sync>>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("repo", &self.repo).finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine for a repository. `links`: references are links to the notes' files.
    pub fn new(
        repo: Arc<Repository>,
        zone: TimeZone,
        links: bool,
        vault: Vault,
        facts: Arc<dyn Facts>,
    ) -> Self {
        Self {
            repo,
            zone,
            links,
            vault,
            facts,
            about: RwLock::default(),
            table: RwLock::default(),
            blocks: Mutex::default(),
            cache: TextCache::new(CACHE_BYTES),
            large: Mutex::new(()),
            rendering: Gate::new(),
            indexing: Gate::new(),
            dirs: Dirs::default(),
            made: AtomicU64::new(0),
            on_resize: OnceLock::new(),
        }
    }

    /// Calls `tell` when a text turns out to have another size than was remembered of another run. Only
    /// the first caller is told.
    pub(in super::super) fn on_resize(&self, tell: Box<dyn Fn(TextNo) + Send + Sync>) {
        let _ = self.on_resize.set(tell);
    }

    /// The repository.
    pub fn repo(&self) -> &Repository {
        &self.repo
    }

    /// The keys of the notebooks that were unlocked.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    pub(super) fn dirs(&self) -> &Dirs {
        &self.dirs
    }

    pub(super) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    pub(super) fn links(&self) -> bool {
        self.links
    }

    /// How often a text was rendered; for tests.
    pub fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    pub(super) fn entry(&self, no: FileNo) -> Result<Arc<FileEntry>, VfsError> {
        match self.repo.catalog().file(no) {
            Some(File::Known(entry)) => Ok(entry),
            Some(File::Bad(e)) => Err(VfsError::Damaged(e.to_string())),
            None => Err(VfsError::Stale),
        }
    }

    fn read(&self, no: FileNo, len: usize) -> Result<crate::repo::Bytes, VfsError> {
        let read = match self.repo.read(no, 0, len) {
            Err(ReadError::Corrected { .. }) => self.repo.read(no, 0, len),
            read => read,
        };
        read.map_err(|e| VfsError::Damaged(e.to_string()))
    }

    /// All bytes of a file, opened if its notebook is encrypted and was unlocked.
    ///
    /// # Errors
    /// [`VfsError::Damaged`] for what cannot be read, is locked, or is larger than `limit`.
    pub fn plain(&self, no: FileNo, limit: u64) -> Result<Vec<u8>, VfsError> {
        let entry = self.entry(no)?;
        if entry.size > limit {
            return Err(VfsError::Damaged(format!("{} is larger than {limit} bytes", entry.path)));
        }
        let bytes = self.read(no, entry.size as usize + 1)?;
        let opened = self.vault.open(&entry.path, &bytes);
        opened.map_err(|e| VfsError::Damaged(format!("{}: {e}", entry.path)))
    }

    /// What is known of notes, read side by side where it is not.
    pub fn about(&self, notes: &[FileNo]) -> Vec<Arc<About>> {
        let missing: Vec<FileNo> = {
            let known = self.about.read();
            notes.iter().filter(|no| !known.contains_key(no)).copied().collect()
        };
        if !missing.is_empty() {
            let read = parallel::map(&missing, |no| Arc::new(self.read_about(*no)));
            self.about.write().extend(missing.into_iter().zip(read));
        }
        let known = self.about.read();
        notes.iter().map(|no| Arc::clone(&known[no])).collect()
    }

    fn read_about(&self, no: FileNo) -> About {
        let Ok(entry) = self.entry(no) else {
            return About { title: String::new(), mtime: 0, updated: String::new() };
        };
        if is_database(&entry.path) {
            let json = self.plain(no, LARGEST as u64).unwrap_or_default();
            let title = databases::name(&json);
            return About { title, mtime: entry.updated, updated: String::new() };
        }
        let (title, updated) = match self.remembered(&entry) {
            Some(fact) => (fact.title, fact.updated),
            None => match self.read_head(no, &entry) {
                Some(head) => {
                    let fact = Fact { title: head.title, updated: head.updated, size: None };
                    self.remember(no, &fact);
                    (fact.title, fact.updated)
                }
                None => {
                    let name = entry.path.rsplit_once('/').map_or(&*entry.path, |(_, name)| name);
                    (shelf::note_id(name).unwrap_or(name).to_owned(), String::new())
                }
            },
        };
        let mtime = head::updated_ms(&updated, &self.zone).unwrap_or(entry.updated);
        About { title, mtime, updated }
    }

    /// Whether anything may be remembered of a file: it is neither of an encrypted notebook, of which
    /// nothing is ever written, nor a database, whose text depends on the time zone.
    fn is_memorable(&self, entry: &FileEntry) -> bool {
        !self.vault.is_sealed(&entry.path) && !is_database(&entry.path)
    }

    fn remembered(&self, entry: &FileEntry) -> Option<Fact> {
        self.is_memorable(entry).then(|| self.facts.get(FactKey::new(entry, self.links)))?
    }

    fn remember(&self, no: FileNo, fact: &Fact) {
        // What is known of the file may have been corrected while it was read.
        if let Ok(entry) = self.entry(no)
            && self.is_memorable(&entry)
        {
            self.facts.put(FactKey::new(&entry, self.links), fact);
        }
    }

    fn read_head(&self, no: FileNo, entry: &FileEntry) -> Option<Head> {
        if !self.vault.is_sealed(&entry.path) {
            let bytes = self.read(no, HEAD).ok()?;
            match Head::parse(&bytes) {
                Ok(head) => return Some(head),
                Err(_) if entry.size <= HEAD as u64 => return None,
                Err(_) => {}
            }
        }
        Head::parse(&self.plain(no, LARGEST as u64).ok()?).ok()
    }

    /// The text of a note in a snapshot, as it is listed. It is rendered if nothing is known of it.
    ///
    /// # Errors
    /// [`VfsError::Damaged`] where its file cannot be read.
    pub fn text(&self, no: FileNo, shelf: &Shelf) -> Result<Text, VfsError> {
        let known: Vec<TextNo> = self.table.read().by_file.get(&no).cloned().unwrap_or_default();
        for text in known {
            let (asked, size, mtime) = self.known(text).ok_or(VfsError::Stale)?;
            if asked.holds(self, no, shelf) {
                return Ok(Text { no: text, size, mtime });
            }
        }
        let entry = self.entry(no)?;
        let about = self.about(&[no]);
        let mtime = about[0].mtime;
        if let Some(Fact { size: Some(size), .. }) = self.remembered(&entry) {
            return Ok(self.add(no, size, mtime, Arc::default()));
        }
        let (text, asked) = self.render(no, Some(shelf), None)?;
        let size = text.len() as u64;
        if asked.is_empty() {
            self.remember(no, &fact(&about[0], size));
        }
        let listed = self.add(no, size, mtime, Arc::new(asked));
        self.cache.put(u64::from(listed.no.0), text);
        Ok(listed)
    }

    /// The texts of many notes, side by side.
    pub fn texts(&self, notes: &[FileNo], shelf: &Shelf) -> Vec<Result<Text, VfsError>> {
        self.about(notes);
        parallel::map(notes, |no| self.text(*no, shelf))
    }

    /// The Markdown of a note in a snapshot.
    ///
    /// # Errors
    /// [`VfsError::Damaged`] where its file cannot be read.
    pub fn markdown(&self, no: FileNo, shelf: &Shelf) -> Result<Arc<[u8]>, VfsError> {
        self.bytes(self.text(no, shelf)?.no)
    }

    /// All notes of a snapshot by their names, and the names of its locked notebooks.
    pub fn all(&self, shelf: &Shelf) -> (Vec<Shown>, Vec<String>) {
        links::all(self, shelf)
    }

    /// All databases of a snapshot by their names, but for those of locked notebooks.
    pub fn sheets(&self, shelf: &Shelf) -> Vec<Shown> {
        links::sheets(self, shelf)
    }

    /// What `assets` beside the notes of a notebook is that is not encrypted.
    pub fn attached(&self, shelf: &Shelf, notebook: &str) -> Attached {
        shelf.attachments(self).of(self, notebook)
    }

    /// The paths of the folders of attachments of a snapshot, but for those of encrypted notebooks.
    pub fn asset_folders(&self, shelf: &Shelf) -> Vec<String> {
        shelf.attachments(self).folders()
    }

    fn known(&self, text: TextNo) -> Option<(Arc<Asked>, u64, i64)> {
        let table = self.table.read();
        let known = table.texts.get(text.0 as usize)?;
        Some((Arc::clone(&known.asked), known.size, known.mtime))
    }

    /// What a text is listed with.
    pub fn listed(&self, text: TextNo) -> Option<Text> {
        self.known(text).map(|(_, size, mtime)| Text { no: text, size, mtime })
    }

    /// The file that a text was made of.
    pub fn file_of(&self, text: TextNo) -> Option<FileNo> {
        self.table.read().texts.get(text.0 as usize).map(|known| known.file)
    }

    fn add(&self, file: FileNo, size: u64, mtime: i64, asked: Arc<Asked>) -> Text {
        let mut table = self.table.write();
        // Another thread may have been as quick.
        let twin = table.by_file.get(&file).and_then(|texts| {
            texts.iter().copied().find(|no| *table.texts[no.0 as usize].asked == *asked)
        });
        let no = twin.unwrap_or_else(|| {
            let no = TextNo(u32::try_from(table.texts.len()).expect("fewer than 2^32 texts"));
            table.texts.push(Rendering { file, size, mtime, asked });
            table.by_file.entry(file).or_default().push(no);
            no
        });
        Text { no, size, mtime }
    }

    /// The bytes of a text.
    ///
    /// # Errors
    /// [`VfsError::Damaged`] where its files cannot be read any more, [`VfsError::Stale`].
    pub fn bytes(&self, text: TextNo) -> Result<Arc<[u8]>, VfsError> {
        if let Some(bytes) = self.cache.get(u64::from(text.0)) {
            return Ok(bytes);
        }
        let file = self.file_of(text).ok_or(VfsError::Stale)?;
        let (asked, size, _) = self.known(text).ok_or(VfsError::Stale)?;
        let (bytes, _) = self.render(file, None, Some(&asked))?;
        if bytes.len() as u64 != size {
            log::warn!("file number {}: its Markdown has another size than was remembered", file.0);
            let size = bytes.len() as u64;
            self.table.write().texts[text.0 as usize].size = size;
            self.remember(file, &fact(&self.about(&[file])[0], size));
            if let Some(tell) = self.on_resize.get() {
                tell(text);
            }
        }
        self.cache.put(u64::from(text.0), Arc::clone(&bytes));
        Ok(bytes)
    }

    /// The bytes of an attachment, decrypted; kept for who reads on.
    ///
    /// # Errors
    /// As [`Self::plain`].
    pub(super) fn opened(&self, no: FileNo, limit: u64) -> Result<Arc<[u8]>, VfsError> {
        let key = u64::from(no.0) | 1 << 32;
        if let Some(bytes) = self.cache.get(key) {
            return Ok(bytes);
        }
        let bytes: Arc<[u8]> = self.plain(no, limit)?.into();
        self.cache.put(key, Arc::clone(&bytes));
        Ok(bytes)
    }

    /// Renders a note as it was in a snapshot, or with the answers that it got then.
    fn render(
        &self,
        no: FileNo,
        shelf: Option<&Shelf>,
        answers: Option<&Asked>,
    ) -> Result<(Arc<[u8]>, Asked), VfsError> {
        let entry = self.entry(no)?;
        let _alone = (entry.size > LARGE).then(|| self.large.lock());
        self.made.fetch_add(1, Ordering::Relaxed);
        let reading = Reading::new(self, no, &entry.path, shelf, answers);
        if is_database(&entry.path) {
            let json = self.plain(no, LARGEST as u64)?;
            let _inside = self.rendering.enter();
            let csv = databases::sheet(&json, &reading).map(|sheet| sheet.csv());
            return Ok((csv.unwrap_or_default().into_bytes().into(), reading.into_asked()));
        }
        let json = self.json(no)?;
        let text = {
            let _inside = self.rendering.enter();
            let tree = json.and_then(|json| Tree::parse(&json));
            tree.and_then(|tree| markdown::render(tree, &reading))
        };
        let mut text = text.unwrap_or_else(|why| excuse(&entry.path, &why));
        if self.is_plain_among_sealed(no, &entry) {
            text.insert_str(0, NOT_SEALED);
        }
        Ok((text.into_bytes().into(), reading.into_asked()))
    }

    /// Whether a note of an encrypted notebook is not encrypted: nothing says that it belongs there.
    fn is_plain_among_sealed(&self, no: FileNo, entry: &FileEntry) -> bool {
        self.vault.is_sealed(&entry.path)
            && self.read(no, 1).is_ok_and(|head| head.first() == Some(&b'{'))
    }

    /// The tree of a note.
    ///
    /// # Errors
    /// Outside: [`VfsError::Damaged`] where the file cannot be read. Inside: where it is no note.
    pub fn tree(&self, no: FileNo) -> Result<Result<Tree, NoteError>, VfsError> {
        Ok(self.json(no)?.and_then(|json| Tree::parse(&json)))
    }

    fn json(&self, no: FileNo) -> Result<Result<Vec<u8>, NoteError>, VfsError> {
        match self.entry(no)?.size > LARGEST as u64 {
            true => Ok(Err(NoteError::TooLarge)),
            false => self.plain(no, LARGEST as u64).map(Ok),
        }
    }

    /// Which blocks are in which of these notes, by the digests of their IDs.
    pub(super) fn index_blocks(&self, notes: &[FileNo]) -> HashMap<u64, FileNo> {
        let missing: Vec<FileNo> = {
            let known = self.blocks.lock();
            notes.iter().filter(|no| !known.contains_key(no)).copied().collect()
        };
        let read = parallel::map(&missing, |no| -> Arc<[u64]> {
            let json = self.json(*no);
            let _inside = self.indexing.enter();
            match json.map(|json| json.and_then(|json| Tree::parse(&json))) {
                Ok(Ok(tree)) => tree
                    .walk(ROOT)
                    .filter(|no| !tree[*no].id.is_empty())
                    .map(|no| shelf::hash(&tree[no].id))
                    .collect(),
                // It is named where it is shown; nobody can embed a part of it.
                _ => Arc::default(),
            }
        });
        let mut known = self.blocks.lock();
        known.extend(missing.into_iter().zip(read));
        let mut index = HashMap::new();
        for no in notes {
            index.extend(known[no].iter().map(|block| (*block, *no)));
        }
        index
    }
}

fn fact(about: &About, size: u64) -> Fact {
    Fact { title: about.title.clone(), updated: about.updated.clone(), size: Some(size) }
}

/// Whether a path is that of a database.
fn is_database(path: &str) -> bool {
    path.ends_with(".json") && path.contains("/storage/av/")
}

/// What is shown in place of a note that cannot be rendered.
fn excuse(path: &str, why: &NoteError) -> String {
    let id = path.rsplit_once('/').map_or(path, |(_, name)| name).trim_end_matches(".sy");
    format!(
        "# {id}\n\nThis note cannot be shown as Markdown: {why}. Its file in the snapshot is `{path}`.\n"
    )
}
