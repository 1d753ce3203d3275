//! What FUSE itself costs: serves a folder from memory with the wishes that revu has, and does no other
//! work. What `cat`, `grep -r` and `ls -lR` take here is the floor for every file system in user space on
//! this machine. Ends when it is unmounted.
//!
//! `cargo run --release --example fuse_floor -- FOLDER MOUNTPOINT [passthrough] [one-channel] [threads=N]
//! [background=N]`
//!
//! `passthrough` lets the kernel read files of a megabyte and more by itself, from memory that has no name:
//! as far as it could help if plain bytes might lie where nothing bounds them.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    BackingId, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, InitFlags, KernelConfig, LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyData,
    ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyOpen, Request,
};

const FOREVER: Duration = Duration::from_secs(1 << 30);
/// From so many bytes on, files are passed through.
const LARGE: usize = 1 << 20;

enum Content {
    Folder(Vec<(Vec<u8>, u64)>),
    File(Vec<u8>),
    /// A file of memory that the kernel reads by itself.
    Passed(File, u64, Mutex<Weak<BackingId>>),
}

#[derive(Default)]
struct Choice {
    passthrough: bool,
    background: Option<u16>,
}

struct Memory {
    /// By inode number less one.
    nodes: Vec<Content>,
    choice: Choice,
    opened: Mutex<Vec<Arc<BackingId>>>,
}

impl Memory {
    fn of(folder: &Path, choice: Choice) -> io::Result<Self> {
        let mut memory = Self { nodes: Vec::new(), choice, opened: Mutex::default() };
        memory.add(folder)?;
        Ok(memory)
    }

    fn add(&mut self, path: &Path) -> io::Result<u64> {
        let at = self.nodes.len();
        self.nodes.push(Content::File(Vec::new()));
        let kind = std::fs::symlink_metadata(path)?.file_type();
        self.nodes[at] = if kind.is_dir() {
            let mut paths: Vec<PathBuf> = std::fs::read_dir(path)?
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<Result<_, _>>()?;
            paths.sort();
            let mut lines = Vec::new();
            for path in paths {
                let name = path.file_name().expect("it was listed").as_bytes().to_vec();
                lines.push((name, self.add(&path)?));
            }
            Content::Folder(lines)
        } else if kind.is_file() {
            let bytes = std::fs::read(path)?;
            if self.choice.passthrough && bytes.len() >= LARGE {
                let file = tempfile::tempfile_in("/dev/shm")?;
                file.write_all_at(&bytes, 0)?;
                Content::Passed(file, bytes.len() as u64, Mutex::default())
            } else {
                Content::File(bytes)
            }
        } else {
            Content::File(Vec::new())
        };
        Ok(at as u64 + 1)
    }

    fn node(&self, ino: INodeNo) -> &Content {
        &self.nodes[ino.0 as usize - 1]
    }

    fn attr(&self, ino: u64) -> FileAttr {
        let (kind, size) = match self.node(INodeNo(ino)) {
            Content::Folder(_) => (FileType::Directory, 0),
            Content::File(bytes) => (FileType::RegularFile, bytes.len() as u64),
            Content::Passed(_, size, _) => (FileType::RegularFile, *size),
        };
        FileAttr {
            ino: INodeNo(ino),
            size,
            blocks: size.div_ceil(512),
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm: 0o755,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

impl Filesystem for Memory {
    fn init(&mut self, _req: &Request, config: &mut KernelConfig) -> io::Result<()> {
        let mut wishes = InitFlags::FUSE_ASYNC_READ
            | InitFlags::FUSE_PARALLEL_DIROPS
            | InitFlags::FUSE_DO_READDIRPLUS
            | InitFlags::FUSE_NO_OPENDIR_SUPPORT;
        if self.choice.passthrough {
            wishes |= InitFlags::FUSE_PASSTHROUGH;
            config.set_max_stack_depth(1).expect("1 is allowed");
        } else {
            wishes |= InitFlags::FUSE_NO_OPEN_SUPPORT;
        }
        config
            .add_capabilities(wishes)
            .map_err(|missing| io::Error::other(format!("{missing:?}")))?;
        config.set_max_background(self.choice.background.unwrap_or(64)).expect("more than 0");
        Ok(())
    }

    fn lookup(&self, _req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let Content::Folder(lines) = self.node(parent) else { return reply.error(Errno::ENOTDIR) };
        match lines.binary_search_by(|line| line.0.as_slice().cmp(name.as_bytes())) {
            Ok(at) => reply.entry(&FOREVER, &self.attr(lines[at].1), Generation(0)),
            Err(_) => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _req: &Request, ino: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&FOREVER, &self.attr(ino.0));
    }

    fn opendir(&self, _req: &Request, _ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        reply.error(Errno::ENOSYS);
    }

    fn open(&self, _req: &Request, ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        if !self.choice.passthrough {
            return reply.error(Errno::ENOSYS);
        }
        let Content::Passed(file, _, backing) = self.node(ino) else {
            return reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE);
        };
        let mut backing = backing.lock().expect("nobody panics");
        let id = match backing.upgrade() {
            Some(id) => id,
            None => match reply.open_backing(file) {
                Ok(id) => Arc::new(id),
                Err(_) => return reply.error(Errno::EPERM),
            },
        };
        *backing = Arc::downgrade(&id);
        reply.opened_passthrough(FileHandle(0), FopenFlags::empty(), &id);
        self.opened.lock().expect("nobody panics").push(id);
    }

    fn release(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        reply.ok();
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.error(Errno::ENOSYS);
    }

    fn read(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let Content::File(bytes) = self.node(ino) else { return reply.error(Errno::EIO) };
        let from = bytes.len().min(offset as usize);
        let to = bytes.len().min(from + size as usize);
        reply.data(&bytes[from..to]);
    }

    fn readdirplus(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        let Content::Folder(lines) = self.node(ino) else { return reply.error(Errno::ENOTDIR) };
        for (at, (name, ino)) in lines.iter().enumerate().skip(offset as usize) {
            let (name, attr) = (OsStr::from_bytes(name), self.attr(*ino));
            if reply.add(INodeNo(*ino), at as u64 + 1, name, &FOREVER, &attr, Generation(0)) {
                break;
            }
        }
        reply.ok();
    }

    fn getxattr(&self, _: &Request, _: INodeNo, _: &OsStr, _: u32, reply: fuser::ReplyXattr) {
        reply.error(Errno::ENOSYS);
    }
}

fn main() -> io::Result<()> {
    let usage = "usage: fuse_floor FOLDER MOUNTPOINT [passthrough] [one-channel] [threads=N] [background=N]";
    let mut args = std::env::args_os().skip(1);
    let folder = PathBuf::from(args.next().expect(usage));
    let point = PathBuf::from(args.next().expect(usage));
    let mut config = Config::default();
    config.clone_fd = true;
    config.n_threads = Some(4);
    config.mount_options = vec![MountOption::RO, MountOption::FSName("fuse_floor".to_owned())];
    let mut choice = Choice::default();
    for arg in args {
        let arg = arg.into_string().expect(usage);
        match arg.split_once('=') {
            None if arg == "passthrough" => choice.passthrough = true,
            None if arg == "one-channel" => config.clone_fd = false,
            Some(("threads", n)) => config.n_threads = Some(n.parse().expect(usage)),
            Some(("background", n)) => choice.background = Some(n.parse().expect(usage)),
            _ => panic!("{usage}"),
        }
    }
    let memory = Memory::of(&folder, choice)?;
    fuser::mount(memory, &point, &config)
}
