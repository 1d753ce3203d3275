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
        plain.and_then(|plain| decode(&plain, &self.owner)).unwrap_or_default()
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
            let known =
                self.known.entry(key).or_insert_with(|| Known { fact: fact.clone(), used: -place });
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::RepoKey;
    use crate::repo::Options;
    use crate::store::Store;

    fn repository(key: u8) -> Arc<Repository> {
        let store = Store::memory();
        store.put("indexes/none", b"").unwrap();
        let key = RepoKey::from_bytes([key; 32]);
        Arc::new(Repository::open(store, &key, Options::default()).unwrap())
    }

    fn key(n: u32) -> FactKey {
        FactKey(Id::digest(&n.to_le_bytes()))
    }

    fn fact(title: &str, size: Option<u64>) -> Fact {
        Fact { title: title.to_owned(), updated: "20260102030405".to_owned(), size }
    }

    #[test]
    fn what_was_kept_comes_back_to_who_has_the_key_and_to_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("new");
        let repo = repository(7);
        let facts = KeptFacts::new(&place, Arc::clone(&repo));
        assert_eq!(facts.get(key(1)), None);
        facts.put(key(1), &fact("a very secret title", None));
        facts.put(key(1), &fact("a very secret title", Some(7)));
        facts.put(key(2), &fact("", None));
        facts.put(key(3), &fact(&"x".repeat(LONGEST + 1), None));
        assert_eq!(facts.get(key(3)), None, "longer than any title");
        drop(facts);
        let file = std::fs::read_dir(&place).unwrap().next().unwrap().unwrap().path();
        let good = std::fs::read(&file).unwrap();
        assert!(!good.windows(6).any(|part| part == b"secret"));
        let again = KeptFacts::new(&place, Arc::clone(&repo));
        assert_eq!(again.get(key(1)), Some(fact("a very secret title", Some(7))));
        assert_eq!(again.get(key(2)), Some(fact("", None)));
        assert_eq!(KeptFacts::new(&place, repository(8)).get(key(1)), None, "another key");

        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&file, &bad).unwrap();
            let facts = KeptFacts::new(&place, Arc::clone(&repo));
            assert_eq!(facts.get(key(1)), None, "byte {at}");
        }
        let known = [(key(1), fact("a", Some(1))), (key(2), fact("", None))];
        let known: Vec<(FactKey, &Fact)> = known.iter().map(|(key, fact)| (*key, fact)).collect();
        let plain = encode("place", &known);
        assert_eq!(decode(&plain, "place").unwrap().len(), 2);
        assert_eq!(decode(&plain, "another place"), None);
        for at in 0..plain.len() {
            assert_eq!(decode(&plain[..at], "place"), None, "cut at {at}");
        }
    }

    #[test]
    fn processes_add_to_what_others_have_kept() {
        let folder = tempfile::tempdir().unwrap();
        let repo = repository(7);
        let [one, two] = [(); 2].map(|()| KeptFacts::new(folder.path(), Arc::clone(&repo)));
        assert_eq!((one.get(key(1)), two.get(key(1))), (None, None));
        one.put(key(1), &fact("one", None));
        two.put(key(2), &fact("two", None));
        two.put(key(1), &fact("one", Some(4)));
        drop(two);
        drop(one);
        let both = KeptFacts::new(folder.path(), repo);
        assert_eq!(both.get(key(1)), Some(fact("one", Some(4))), "what is more is kept");
        assert!(both.get(key(2)).is_some());
    }

    #[test]
    fn what_is_put_is_written_when_nothing_more_comes() {
        let folder = tempfile::tempdir().unwrap();
        let repo = repository(7);
        let facts = KeptFacts::new(folder.path(), Arc::clone(&repo));
        for n in 0..2 {
            facts.put(key(n), &fact("title", None));
            let there = || KeptFacts::new(folder.path(), Arc::clone(&repo)).get(key(n)).is_some();
            let begin = std::time::Instant::now();
            while !there() {
                assert!(begin.elapsed().as_secs() < 30, "it is not written");
                std::thread::sleep(CALM / 10);
            }
        }
    }

    #[test]
    fn the_last_ones_used_stay() {
        let mut state = State::default();
        state.add((0..MOST as u32 + 10).map(|n| (key(n), fact("t", None))).collect());
        // The last of the file is used again.
        let last = key(MOST as u32 + 9);
        state.known.get_mut(&last).unwrap().used = 1;
        let newest = state.newest();
        assert_eq!(newest.len(), MOST);
        assert_eq!((newest[0].0, newest[1].0, newest[2].0), (last, key(0), key(1)));
        assert_eq!(state.known.len(), MOST);
    }
}
