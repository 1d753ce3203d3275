//! Random questions, from several threads, to the model of the tree and to a real mount, and the same
//! questions to a plain tree made of what the fixture should hold: the answers must agree, errno for
//! errno.

mod common;
mod mount_support;

use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use common::{Case, golden, sha256};
use mount_support::{Place, Spec, wanted};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use revu::vfs::{Kind, ROOT, Vfs, VfsOptions};

#[test]
#[ignore = "other tests run it as a process of its own"]
fn child() {
    mount_support::child();
}

/// What the fixture should hold, below `ids/`.
enum Node {
    Dir(BTreeMap<Vec<u8>, Node>),
    File { content: Vec<u8>, updated: i64 },
}

/// A question. Paths are picked from those there are and spoilt in several ways, so that most of them
/// exist and some do not.
#[derive(Debug, Clone)]
enum Question {
    Stat(Vec<u8>),
    /// Lists from the entry of this number on.
    List(Vec<u8>, usize),
    Read(Vec<u8>, u64, usize),
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Dir,
    File { size: u64, updated: i64 },
    Names(Vec<Vec<u8>>),
    Bytes(Vec<u8>),
    Errno(i32),
}

fn reference(case: &Case) -> Node {
    let repo = case.open();
    let mut ids = BTreeMap::new();
    for (id, files) in &case.snapshots {
        let mut root = BTreeMap::new();
        let loaded = repo.load(*id).unwrap();
        let index: Vec<_> = loaded.index.files.clone();
        for file in index {
            let record = repo.objects().record(file).unwrap();
            let content: Vec<u8> =
                record.chunks.iter().flat_map(|c| repo.objects().chunk(*c).unwrap()).collect();
            let expected = &files[&record.path[1..]];
            assert_eq!(sha256(&content), expected.sha256, "the reference itself is right");
            let mut here = &mut root;
            let (folder, name) =
                record.path[1..].rsplit_once('/').unwrap_or(("", &record.path[1..]));
            for part in folder.split('/').filter(|part| !part.is_empty()) {
                let next = here.entry(part.into()).or_insert_with(|| Node::Dir(BTreeMap::new()));
                let Node::Dir(next) = next else { panic!("{part} is a file") };
                here = next;
            }
            here.insert(name.into(), Node::File { content, updated: expected.updated });
        }
        ids.insert(id.to_string().into_bytes(), Node::Dir(root));
    }
    Node::Dir(ids)
}

fn paths(node: &Node, prefix: &[u8], all: &mut Vec<Vec<u8>>) {
    all.push(prefix.to_vec());
    if let Node::Dir(children) = node {
        for (name, child) in children {
            let path = [prefix, b"/", name].concat();
            paths(child, &path, all);
        }
    }
}

trait Tree: Sync {
    fn ask(&self, question: &Question) -> Answer;
}

impl Tree for Node {
    fn ask(&self, question: &Question) -> Answer {
        let (Question::Stat(path) | Question::List(path, _) | Question::Read(path, ..)) = question;
        let mut here = self;
        for part in path.split(|b| *b == b'/').filter(|part| !part.is_empty()) {
            let Node::Dir(children) = here else { return Answer::Errno(libc::ENOTDIR) };
            if part.len() > 255 {
                return Answer::Errno(libc::ENAMETOOLONG);
            }
            match children.get(part) {
                Some(child) => here = child,
                None => return Answer::Errno(libc::ENOENT),
            }
        }
        match (question, here) {
            (Question::Stat(_), Node::Dir(_)) => Answer::Dir,
            (Question::Stat(_), Node::File { content, updated }) => {
                Answer::File { size: content.len() as u64, updated: *updated }
            }
            (Question::List(_, from), Node::Dir(children)) => {
                Answer::Names(children.keys().skip(*from).cloned().collect())
            }
            (Question::List(..), Node::File { .. }) => Answer::Errno(libc::ENOTDIR),
            (Question::Read(..), Node::Dir(_)) => Answer::Errno(libc::EISDIR),
            (Question::Read(_, offset, len), Node::File { content, .. }) => {
                let from = content.len().min(usize::try_from(*offset).unwrap_or(usize::MAX));
                let to = content.len().min(from.saturating_add(*len));
                Answer::Bytes(content[from..to].to_vec())
            }
        }
    }
}

impl Tree for Vfs {
    fn ask(&self, question: &Question) -> Answer {
        let (Question::Stat(path) | Question::List(path, _) | Question::Read(path, ..)) = question;
        let ask = || -> Result<Answer, revu::vfs::VfsError> {
            let mut attr = self.lookup(ROOT, b"ids")?.attr;
            for part in path.split(|b| *b == b'/').filter(|part| !part.is_empty()) {
                attr = self.lookup(attr.ino, part)?.attr;
                assert_eq!(self.getattr(attr.ino)?.0, attr);
            }
            Ok(match question {
                Question::Stat(_) if attr.kind == Kind::Dir => Answer::Dir,
                Question::Stat(_) => {
                    let updated = (attr.mtime_ns / 1_000_000) as i64;
                    Answer::File { size: attr.size, updated }
                }
                Question::List(_, from) => {
                    // Up to the entry, a few at a time, then on from its offset.
                    let (mut names, mut offset) = (Vec::new(), 0);
                    loop {
                        let before = offset;
                        let mut room = 1 + from % 7;
                        self.readdir(attr.ino, offset, &mut |item| {
                            if room == 0 {
                                return false;
                            }
                            room -= 1;
                            offset = item.next;
                            if !matches!(item.name, b"." | b"..") {
                                names.push(item.name.to_vec());
                            }
                            true
                        })?;
                        if offset == before {
                            break;
                        }
                    }
                    Answer::Names(names.into_iter().skip(*from).collect())
                }
                Question::Read(_, offset, len) => {
                    Answer::Bytes(self.read(attr.ino, *offset, *len)?.to_vec())
                }
            })
        };
        ask().unwrap_or_else(|e| Answer::Errno(e.errno()))
    }
}

/// A mount, asked by system calls.
struct Mounted(PathBuf);

impl Mounted {
    fn path(&self, path: &[u8]) -> CString {
        CString::new([self.0.as_os_str().as_bytes(), path].concat()).unwrap()
    }
}

fn errno() -> Answer {
    Answer::Errno(std::io::Error::last_os_error().raw_os_error().unwrap())
}

impl Tree for Mounted {
    fn ask(&self, question: &Question) -> Answer {
        match question {
            Question::Stat(path) => {
                let path = self.path(path);
                // SAFETY: `path` is a C string and `stat` has room for the answer.
                let mut stat: libc::stat = unsafe { std::mem::zeroed() };
                // SAFETY: as above.
                if unsafe { libc::lstat(path.as_ptr(), &raw mut stat) } != 0 {
                    return errno();
                }
                if stat.st_mode & libc::S_IFMT == libc::S_IFDIR {
                    return Answer::Dir;
                }
                assert_eq!(stat.st_blocks as u64, (stat.st_size as u64).div_ceil(512));
                let updated = stat.st_mtime * 1000 + stat.st_mtime_nsec / 1_000_000;
                Answer::File { size: stat.st_size as u64, updated }
            }
            Question::List(path, from) => list(&self.path(path), *from),
            Question::Read(path, offset, len) => {
                let path = self.path(path);
                // SAFETY: `path` is a C string.
                let fd = unsafe { libc::open(path.as_ptr(), libc::O_RDONLY) };
                if fd < 0 {
                    return errno();
                }
                let mut bytes = vec![0u8; *len];
                // SAFETY: the buffer has `len` bytes of room and the descriptor is open.
                let got =
                    unsafe { libc::pread(fd, bytes.as_mut_ptr().cast(), *len, *offset as i64) };
                let answer =
                    if got < 0 { errno() } else { Answer::Bytes(bytes[..got as usize].to_vec()) };
                // SAFETY: nobody else has this descriptor.
                unsafe { libc::close(fd) };
                answer
            }
        }
    }
}

/// Lists through the C library: up to an entry, back to where it was, and on from there.
fn list(path: &CString, from: usize) -> Answer {
    // SAFETY: `path` is a C string; the stream is used by this thread alone and closed at the end,
    // and an entry is read before the next one is asked for.
    unsafe {
        let dir = libc::opendir(path.as_ptr());
        if dir.is_null() {
            return errno();
        }
        let next = |names: &mut Vec<Vec<u8>>| loop {
            let entry = libc::readdir(dir);
            if entry.is_null() {
                return false;
            }
            let name = std::ffi::CStr::from_ptr((*entry).d_name.as_ptr()).to_bytes();
            if !matches!(name, b"." | b"..") {
                names.push(name.to_vec());
                return true;
            }
        };
        let mut skipped = Vec::new();
        while skipped.len() < from && next(&mut skipped) {}
        let here = libc::telldir(dir);
        let mut once = Vec::new();
        while next(&mut once) {}
        libc::seekdir(dir, here);
        let mut again = Vec::new();
        while next(&mut again) {}
        libc::closedir(dir);
        assert_eq!(once, again, "from the same place the same names");
        Answer::Names(again)
    }
}

fn questions(paths: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<Question>> {
    let spoil = |path: Vec<u8>, how: u8| match how {
        0 => [&path[..], b"/nothing"].concat(),
        1 => [&path[..], b"/", &[b'n'; 300]].concat(),
        2 => path[..path.len().saturating_sub(1)].to_vec(),
        3 => [&path[..], b"/\xff\xfe"].concat(),
        _ => path,
    };
    let path =
        (proptest::sample::select(paths), 0..30u8).prop_map(move |(path, how)| spoil(path, how));
    let place = prop_oneof![0..100u64, 0..6_000_000u64, 524_200..524_400u64];
    let length = prop_oneof![1..5_000usize, 1..3_000_000usize];
    let question = prop_oneof![
        3 => path.clone().prop_map(Question::Stat),
        2 => (path.clone(), 0..40usize).prop_map(|(path, from)| Question::List(path, from)),
        5 => (path, place, length).prop_map(|(path, at, len)| Question::Read(path, at, len)),
    ];
    proptest::collection::vec(question, 1..200)
}

/// Asks each question of both, on four threads at once.
fn agree(reference: &Node, tree: &dyn Tree, cases: u32) {
    let mut all = Vec::new();
    paths(reference, b"", &mut all);
    let mut runner =
        TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let result = runner.run(&questions(all), |asked| {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|n| {
                    let asked = &asked;
                    scope.spawn(move || {
                        for question in
                            asked.iter().cycle().skip(n * 37 % asked.len()).take(asked.len())
                        {
                            let (right, found) = (reference.ask(question), tree.ask(question));
                            if right != found {
                                return Err((question.clone(), brief(&right), brief(&found)));
                            }
                        }
                        Ok(())
                    })
                })
                .collect();
            for thread in threads {
                if let Err(e) = thread.join().expect("no panic") {
                    return Err(TestCaseError::fail(format!("{e:?}")));
                }
            }
            Ok(())
        })
    });
    if let Err(e) = result {
        panic!("{e}");
    }
}

fn brief(answer: &Answer) -> String {
    match answer {
        Answer::Bytes(bytes) => format!("{} bytes, SHA-256 {}", bytes.len(), sha256(bytes)),
        other => format!("{other:?}"),
    }
}

#[test]
fn the_model_agrees_with_a_plain_tree() {
    let case = golden();
    let reference = reference(&case);
    // A small cache, so that chunks come and go.
    let options = revu::repo::Options { cache_bytes: 3 << 20 };
    let store = revu::store::Store::local(&case.repo);
    let repo = revu::repo::Repository::open(store, &case.key, options).unwrap();
    let vfs = Vfs::new(repo.into(), VfsOptions::default()).unwrap();
    agree(&reference, &vfs, 40);
}

#[test]
fn a_real_mount_agrees_with_a_plain_tree() {
    if !wanted("a_real_mount_agrees_with_a_plain_tree") {
        return;
    }
    let case = golden();
    let reference = reference(&case);
    let place = Place::new();
    let spec = Spec::new(&case.repo, &case.key.to_base64(), &place.path("mount"));
    let mount = place.mount(&spec);
    agree(&reference, &Mounted(mount.point.join("ids")), 40);
}
