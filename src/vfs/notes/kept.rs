//! Titles, times and sizes of notes, kept on disk from one run to the next: one small file for each
//! repository, so that a notebook is listed at once without a look into any of its notes.
//!
//! It is sealed with the repository's key, since titles are secrets, and disposable: damage, another key
//! or another version of this program make it worth nothing, and nothing else. Several processes may use
//! it: each replaces it as a whole, with what the others have put there meanwhile.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::format::Id;
use crate::format::compact::{Reader, Writer};
use crate::repo::{Repository, disposable};

use super::facts::{Fact, FactKey, Facts};

/// Changes with every change of the layout below, and of what Markdown is made of a note: sizes are
/// kept. A test tells when it was forgotten.
const MAGIC: &[u8; 16] = b"revu notes    1\n";
/// Facts of one repository at the most; those that were of no use for longest go first. Four years of a
/// large notebook have half as many versions.
const MOST: usize = 100_000;
/// The longest title that is kept, bytes.
const LONGEST: usize = 1 << 10;
/// The largest file that is read, bytes unpacked.
const LARGEST: usize = 64 << 20;
/// The most that the files of all repositories may take, bytes.
const MOST_BYTES: u64 = 64 << 20;
/// How long nothing new has to come before what is new is written.
const CALM: Duration = Duration::from_millis(300);
/// Such times at the most: who walks for hours keeps something too.
const PATIENCE: u32 = 20;

/// See the module's documentation. What is new is written when nothing has come for a moment, and when
/// this is dropped.
pub struct KeptFacts(Arc<Inner>);

struct Inner {
    repo: Arc<Repository>,
    file: PathBuf,
    /// What the file must say of itself.
    owner: String,
    state: Mutex<State>,
    /// Held while the file is written.
    writing: Mutex<()>,
}

#[derive(Default)]
struct State {
    is_read: bool,
    known: HashMap<FactKey, Known>,
    /// Counts what was of use.
    clock: i64,
    /// Counts what was put here.
    puts: u64,
    /// The count when the file was written last.
    written: u64,
    /// Whether a thread is waiting to write.
    waiting: bool,
}

struct Known {
    fact: Fact,
    /// When it was of use; negative for what came with the file and was not since.
    used: i64,
}

impl KeptFacts {
    /// The facts of a repository, in this folder, which need not be there yet.
    pub fn new(folder: &Path, repo: Arc<Repository>) -> Self {
        let owner = repo.store().place();
        let file = folder.join(Id::digest(owner.as_bytes()).hex().as_str());
        let (state, writing) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { repo, file, owner, state, writing }))
    }
}

impl Facts for KeptFacts {
    fn get(&self, key: FactKey) -> Option<Fact> {
        let mut state = self.0.state();
        state.clock += 1;
        let now = state.clock;
        let known = state.known.get_mut(&key)?;
        known.used = now;
        Some(known.fact.clone())
    }

    fn put(&self, key: FactKey, fact: &Fact) {
        if fact.title.len() > LONGEST || fact.updated.len() > LONGEST {
            return;
        }
        let mut state = self.0.state();
        state.clock += 1;
        state.puts += 1;
        let used = state.clock;
        state.known.insert(key, Known { fact: fact.clone(), used });
        if !std::mem::replace(&mut state.waiting, true) {
            let inner = Arc::clone(&self.0);
            let wait = move || inner.write_when_calm();
            if std::thread::Builder::new().name("notes".to_owned()).spawn(wait).is_err() {
                // Then who drops this writes it.
                state.waiting = false;
            }
        }
    }
}

impl Drop for KeptFacts {
    fn drop(&mut self) {
        self.0.write();
    }
}

impl Inner {
    fn read(&self) -> Vec<(FactKey, Fact)> {
        let plain = disposable::read(&self.file, self.repo.objects().cipher(), LARGEST);
        plain.and_then(|plain| decode(&plain, &self.owner)).unwrap_or_else(Vec::new)
    }

    /// The state, with what the file has.
    fn state(&self) -> parking_lot::MutexGuard<'_, State> {
        let mut state = self.state.lock();
        if !state.is_read {
            state.is_read = true;
            state.add(self.read());
        }
        state
    }

    fn write_when_calm(&self) {
        let mut seen = self.state.lock().puts;
        loop {
            for _ in 0..PATIENCE {
                std::thread::sleep(CALM);
                let now = self.state.lock().puts;
                if std::mem::replace(&mut seen, now) == now {
                    break;
                }
            }
            self.write();
            let mut state = self.state.lock();
            if state.puts == state.written {
                state.waiting = false;
                return;
            }
        }
    }

    /// Writes what is new, if anything is.
    fn write(&self) {
        let _alone = self.writing.lock();
        {
            let state = self.state.lock();
            if state.puts == state.written {
                return;
            }
        }
        let of_others = self.read();
        let plain = {
            let mut state = self.state.lock();
            state.add(of_others);
            state.written = state.puts;
            encode(&self.owner, &state.newest())
        };
        match disposable::write(&self.file, self.repo.objects().cipher(), &plain) {
            Ok(()) => {
                if let Some(folder) = self.file.parent() {
                    disposable::thin_out(folder, MOST_BYTES);
                }
            }
            Err(e) => log::info!("{}: no cache can be written: {e}", self.file.display()),
        }
    }
}

impl State {
    /// Takes over what a file has, which is in the order of use, and is less than what is known here.
    fn add(&mut self, facts: Vec<(FactKey, Fact)>) {
        for ((key, fact), place) in facts.into_iter().zip(1..) {
            let known = self.known.entry(key).or_insert_with(|| Known { fact: fact.clone(), used: -place });
            if known.fact.size.is_none() {
                known.fact.size = fact.size;
            }
        }
    }

    /// Those to keep, last used first; the others are forgotten.
    fn newest(&mut self) -> Vec<(FactKey, &Fact)> {
        let mut order: Vec<(i64, FactKey)> =
            self.known.iter().map(|(key, known)| (known.used, *key)).collect();
        order.sort_unstable_by(|a, b| b.cmp(a));
        for (_, key) in order.iter().skip(MOST) {
            self.known.remove(key);
        }
        order.iter().take(MOST).map(|(_, key)| (*key, &self.known[key].fact)).collect()
    }
}

fn encode(owner: &str, facts: &[(FactKey, &Fact)]) -> Vec<u8> {
    let mut out = Writer::with_capacity(128 + facts.len() * 80);
    out.raw(MAGIC);
    out.text(env!("CARGO_PKG_VERSION").as_bytes());
    out.text(owner.as_bytes());
    out.u32(u32::try_from(facts.len()).expect("at most MOST"));
    for (FactKey(id), fact) in facts {
        out.id(id);
        out.text(fact.title.as_bytes());
        out.text(fact.updated.as_bytes());
        // No text has this size.
        out.u64(fact.size.unwrap_or(u64::MAX));
    }
    out.finish()
}

fn decode(plain: &[u8], owner: &str) -> Option<Vec<(FactKey, Fact)>> {
    let mut from = Reader::new(plain);
    let is_ours = from.raw::<16>()? == *MAGIC
        && from.text()? == env!("CARGO_PKG_VERSION").as_bytes()
        && from.text()? == owner.as_bytes();
    // An ID, two texts and a number.
    let count = is_ours.then(|| from.count(20 + 4 + 4 + 8))??;
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
    let mut facts = Vec::with_capacity(count);
    for _ in 0..count {
        let key = FactKey(from.id()?);
        let (title, updated) = (text(from.text()?)?, text(from.text()?)?);
        let size = Some(from.u64()?).filter(|size| *size != u64::MAX);
        facts.push((key, Fact { title, updated, size }));
    }
    from.is_at_end().then_some(facts)
}
