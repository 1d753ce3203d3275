//! What a note asks of its snapshot while it is rendered, and what it was answered.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::repo::FileNo;
use crate::siyuan::notes::Tree;
use crate::siyuan::notes::markdown::Library;

use super::engine::Engine;
use super::links;
use super::shelf::Shelf;

/// The largest file beside a note that is read for it, bytes.
const LARGEST: u64 = 16 << 20;
/// Trees of other notes that are kept while one is rendered.
const KEPT: usize = 8;

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Question {
    /// Which note holds this block?
    Note(Box<str>),
    /// Which file is this database?
    Database(Box<str>),
    /// Which file does this link mean?
    Asset(Box<str>),
    /// Where does a link to this block lead?
    Link(Box<str>),
}

/// Its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    File(Option<FileNo>),
    Link(Option<Box<str>>),
}

/// What a note asked for, and what it was answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Asked(Vec<(Question, Answer)>);

impl Asked {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a note would be answered the same in another snapshot.
    pub fn holds(&self, engine: &Engine, note: FileNo, shelf: &Shelf) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let Ok(entry) = engine.entry(note) else { return false };
        let same = |(question, answer): &(Question, Answer)| {
            find(engine, shelf, note, &entry.path, question) == *answer
        };
        self.0.iter().all(same)
    }
}

/// A note that is being rendered.
pub(super) struct Reading<'a> {
    engine: &'a Engine,
    note: FileNo,
    path: &'a str,
    shelf: Option<&'a Shelf>,
    answers: Option<&'a Asked>,
    asked: RefCell<Asked>,
    known: RefCell<HashMap<Question, Answer>>,
    trees: RefCell<Vec<(FileNo, Arc<Tree>)>>,
}

impl<'a> Reading<'a> {
    pub fn new(
        engine: &'a Engine,
        note: FileNo,
        path: &'a str,
        shelf: Option<&'a Shelf>,
        answers: Option<&'a Asked>,
    ) -> Self {
        let known = answers.map(|asked| asked.0.iter().cloned().collect()).unwrap_or_default();
        Self {
            engine,
            note,
            path,
            shelf,
            answers,
            asked: RefCell::default(),
            known: RefCell::new(known),
            trees: RefCell::default(),
        }
    }

    pub fn into_asked(self) -> Asked {
        match self.answers {
            Some(answers) => answers.clone(),
            None => self.asked.into_inner(),
        }
    }

    fn ask(&self, question: Question) -> Answer {
        if let Some(known) = self.known.borrow().get(&question) {
            return known.clone();
        }
        let Some(shelf) = self.shelf else { return Answer::File(None) };
        let answer = find(self.engine, shelf, self.note, self.path, &question);
        self.asked.borrow_mut().0.push((question.clone(), answer.clone()));
        self.known.borrow_mut().insert(question, answer.clone());
        answer
    }

    fn file(&self, question: Question) -> Option<Arc<[u8]>> {
        let Answer::File(Some(no)) = self.ask(question) else { return None };
        self.engine.plain(no, LARGEST).ok().map(Into::into)
    }
}

impl Library for Reading<'_> {
    fn note_of(&self, block: &str) -> Option<Arc<Tree>> {
        let Answer::File(Some(no)) = self.ask(Question::Note(block.into())) else { return None };
        let mut trees = self.trees.borrow_mut();
        if let Some((_, tree)) = trees.iter().find(|(known, _)| *known == no) {
            return Some(Arc::clone(tree));
        }
        let tree = Arc::new(self.engine.tree(no).ok()?.ok()?);
        if trees.len() == KEPT {
            trees.remove(0);
        }
        trees.push((no, Arc::clone(&tree)));
        Some(tree)
    }

    fn database(&self, id: &str) -> Option<Arc<[u8]>> {
        self.file(Question::Database(id.into()))
    }

    fn asset(&self, path: &str) -> Option<Arc<[u8]>> {
        self.file(Question::Asset(path.into()))
    }

    fn link(&self, block: &str) -> Option<String> {
        if !self.engine.links() {
            return None;
        }
        match self.ask(Question::Link(block.into())) {
            Answer::Link(link) => link.map(String::from),
            Answer::File(_) => None,
        }
    }

    fn zone(&self) -> jiff::tz::TimeZone {
        self.engine.zone().clone()
    }
}

/// The answer to a question of the note at `path`.
fn find(engine: &Engine, shelf: &Shelf, note: FileNo, path: &str, question: &Question) -> Answer {
    let own = box_of(path);
    Answer::File(match question {
        Question::Note(block) => shelf.note_of(engine, block),
        Question::Database(id) => {
            let place = format!("storage/av/{id}.json");
            let own = own.map(|own| format!("{own}/{place}"));
            let mut found = own.and_then(|path| shelf.file(engine, &path));
            found = found.or_else(|| shelf.file(engine, &place));
            found.or_else(|| {
                let mut others = shelf.boxes(engine).into_iter();
                others.find_map(|other| shelf.file(engine, &format!("{other}/{place}")))
            })
        }
        Question::Asset(link) => {
            let link = link.split('?').next().unwrap_or(link);
            let own = own.map(|own| format!("{own}/{link}"));
            let mut found = shelf.file(engine, link);
            found = found.or_else(|| shelf.file(engine, &own?));
            found.or_else(|| {
                let mut others = shelf.boxes(engine).into_iter();
                others.find_map(|other| shelf.file(engine, &format!("{other}/{link}")))
            })
        }
        Question::Link(block) => {
            return Answer::Link(links::link(engine, shelf, note, block).map(Into::into));
        }
    })
}

/// The ID of the notebook that a path lies in.
pub(super) fn box_of(path: &str) -> Option<&str> {
    path.strip_prefix('/').unwrap_or(path).split_once('/').map(|(own, _)| own)
}
