//! The FUSE adapter: one request, one call into [`Vfs`], one reply.
//!
//! ENOSYS is a word of the protocol here, "never ask me that again", and not an error: the kernel
//! then answers by itself, which is what makes a warm mount fast.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use fuser::{
    AccessFlags, BsdFileFlags, CopyFileRangeFlags, Errno, FileHandle, Filesystem, FopenFlags,
    Generation, INodeNo, InitFlags, IoctlFlags, KernelConfig, LockOwner, OpenFlags, PollEvents,
    PollFlags, PollNotifier, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory,
    ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyIoctl, ReplyLseek, ReplyOpen, ReplyPoll,
    ReplyStatfs, ReplyWrite, ReplyXattr, Request, TimeOrNow, WriteFlags,
};

use super::look::{self, BLOCK, Look};
use crate::vfs::{Vfs, VfsError};

/// What the kernel is asked to do, as far as it can.
const WISHES: [InitFlags; 6] = [
    // Several reads of one file side by side.
    InitFlags::FUSE_ASYNC_READ,
    // Lookups and listings of one folder side by side.
    InitFlags::FUSE_PARALLEL_DIROPS,
    // Listings bring the attributes along: `ls -l` costs no lookups.
    InitFlags::FUSE_DO_READDIRPLUS,
    // A cached listing is looked at anew when the folder's time has changed.
    InitFlags::FUSE_AUTO_INVAL_DATA,
    // No requests for open and release: they are a third of the time of reading small files.
    InitFlags::FUSE_NO_OPEN_SUPPORT,
    InitFlags::FUSE_NO_OPENDIR_SUPPORT,
];
/// Requests that the kernel sends ahead of need (read-ahead) at the same time. Reading small objects
/// from a cold disk is six times as fast with 16 in flight as with one; more does no harm.
const MAX_BACKGROUND: u16 = 64;
/// From here on the kernel sends fewer ahead: three quarters, its own habit.
const CONGESTION: u16 = MAX_BACKGROUND / 4 * 3;

/// Inode numbers are never reused for something else.
const GENERATION: Generation = Generation(0);
/// There are no handles: everything hangs on the inode.
const NO_HANDLE: FileHandle = FileHandle(0);

/// The tree as the kernel's requests see it.
pub(super) struct Adapter {
    vfs: Arc<Vfs>,
    look: Look,
    no_open: bool,
    no_opendir: bool,
}

impl Adapter {
    pub fn new(vfs: Arc<Vfs>, look: Look) -> Self {
        Self { vfs, look, no_open: false, no_opendir: false }
    }
}

fn errno(error: &VfsError) -> Errno {
    Errno::from_i32(error.errno())
}

/// Runs a handler so that a bug in it costs one request (a reply that is dropped becomes EIO) and
/// not one loop thread after the other, until the mount hangs.
fn guard(what: &str, ino: INodeNo, handler: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(handler)).is_err() {
        log::error!("{what} of inode {:#x} failed: this is a bug in revu", ino.0);
    }
}

/// Answers in the protocol of extended attributes: size 0 asks for the length.
fn reply_xattr(data: &[u8], size: u32, reply: ReplyXattr) {
    match u32::try_from(data.len()) {
        Ok(length) if size == 0 => reply.size(length),
        Ok(length) if length <= size => reply.data(data),
        _ => reply.error(Errno::ERANGE),
    }
}

impl Filesystem for Adapter {
    fn init(&mut self, _req: &Request, config: &mut KernelConfig) -> io::Result<()> {
        for wish in WISHES {
            if let Err(missing) = config.add_capabilities(wish) {
                log::info!("the kernel cannot do {missing:?}");
            }
        }
        self.no_open = config.capabilities().contains(InitFlags::FUSE_NO_OPEN_SUPPORT);
        self.no_opendir = config.capabilities().contains(InitFlags::FUSE_NO_OPENDIR_SUPPORT);
        config.set_max_background(MAX_BACKGROUND).expect("more than 0");
        config.set_congestion_threshold(CONGESTION).expect("more than 0");
        Ok(())
    }

    fn lookup(&self, _req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        guard("lookup", parent, || match self.vfs.lookup(parent.0, name.as_bytes()) {
            Ok(entry) => reply.entry_with_ttls(
                &look::duration(entry.attr_lifetime),
                &look::duration(entry.name_lifetime),
                &self.look.attr(&entry.attr),
                GENERATION,
            ),
            Err(VfsError::NotFound(lifetime)) => {
                reply.entry(&look::duration(lifetime), &self.look.nothing(), GENERATION);
            }
            Err(error) => reply.error(errno(&error)),
        });
    }

    fn getattr(&self, _req: &Request, ino: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        guard("getattr", ino, || match self.vfs.getattr(ino.0) {
            Ok((attr, lifetime)) => reply.attr(&look::duration(lifetime), &self.look.attr(&attr)),
            Err(error) => reply.error(errno(&error)),
        });
    }

    fn readlink(&self, _req: &Request, ino: INodeNo, reply: ReplyData) {
        guard("readlink", ino, || match self.vfs.readlink(ino.0) {
            Ok(target) => reply.data(&target),
            Err(error) => reply.error(errno(&error)),
        });
    }

    fn open(&self, _req: &Request, _ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        if self.no_open {
            reply.error(Errno::ENOSYS);
        } else {
            reply.opened(NO_HANDLE, FopenFlags::FOPEN_KEEP_CACHE);
        }
    }

    fn opendir(&self, _req: &Request, _ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        if self.no_opendir {
            reply.error(Errno::ENOSYS);
        } else {
            reply.opened(NO_HANDLE, FopenFlags::FOPEN_KEEP_CACHE | FopenFlags::FOPEN_CACHE_DIR);
        }
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
        guard("read", ino, || match self.vfs.read(ino.0, offset, size as usize) {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(errno(&error)),
        });
    }

    fn readdir(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        guard("readdir", ino, || {
            let listed = self.vfs.readdir(ino.0, offset, &mut |item| {
                let attr = &item.entry.attr;
                let name = OsStr::from_bytes(item.name);
                !reply.add(INodeNo(attr.ino), item.next, look::kind(attr.kind), name)
            });
            match listed {
                Ok(()) => reply.ok(),
                Err(error) => reply.error(errno(&error)),
            }
        });
    }

    fn readdirplus(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        guard("readdirplus", ino, || {
            let listed = self.vfs.readdir(ino.0, offset, &mut |item| {
                let attr = self.look.attr(&item.entry.attr);
                let name = OsStr::from_bytes(item.name);
                let lifetime = look::shorter(&item.entry);
                !reply.add(attr.ino, item.next, name, &lifetime, &attr, GENERATION)
            });
            match listed {
                Ok(()) => reply.ok(),
                Err(error) => reply.error(errno(&error)),
            }
        });
    }

    fn statfs(&self, _req: &Request, ino: INodeNo, reply: ReplyStatfs) {
        guard("statfs", ino, || {
            let stats = self.vfs.stats();
            let blocks = stats.bytes.div_ceil(u64::from(BLOCK));
            // Equal sizes of block and fragment: programs disagree on which of them counts.
            reply.statfs(blocks, 0, 0, stats.files, 0, BLOCK, 255, BLOCK);
        });
    }

    fn getxattr(&self, _req: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        if !self.look.xattr {
            // Otherwise every `ls -l` would ask for each file's ACL and label.
            return reply.error(Errno::ENOSYS);
        }
        guard("getxattr", ino, || match self.vfs.getxattr(ino.0, name.as_bytes()) {
            Ok(value) => reply_xattr(&value, size, reply),
            Err(error) => reply.error(errno(&error)),
        });
    }

    fn listxattr(&self, _req: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        if !self.look.xattr {
            return reply.error(Errno::ENOSYS);
        }
        guard("listxattr", ino, || match self.vfs.listxattr(ino.0) {
            Ok(names) => {
                let ended = names.iter().flat_map(|name| [name.as_bytes(), b"\0"]);
                reply_xattr(&ended.collect::<Vec<_>>().concat(), size, reply);
            }
            Err(error) => reply.error(errno(&error)),
        });
    }

    fn access(&self, _req: &Request, _ino: INodeNo, mask: AccessFlags, reply: ReplyEmpty) {
        // Who gets here may read; the kernel itself knows that a read-only mount is not writable.
        reply.error(if mask.contains(AccessFlags::W_OK) { Errno::EROFS } else { Errno::ENOSYS });
    }

    // What needs no answer of ours, ever: closing, waiting for what is written, holes (there are
    // none), polling (always ready).

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.error(Errno::ENOSYS);
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        reply.error(Errno::ENOSYS);
    }

    fn fsyncdir(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        reply.error(Errno::ENOSYS);
    }

    fn lseek(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _offset: i64,
        _whence: i32,
        reply: ReplyLseek,
    ) {
        reply.error(Errno::ENOSYS);
    }

    fn poll(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _: PollNotifier,
        _: PollEvents,
        _: PollFlags,
        reply: ReplyPoll,
    ) {
        reply.error(Errno::ENOSYS);
    }

    fn ioctl(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _: IoctlFlags,
        _cmd: u32,
        _in_data: &[u8],
        _out_size: u32,
        reply: ReplyIoctl,
    ) {
        // Not ENOSYS: a program that tries (lsattr) would be told that its kernel is too old.
        reply.error(Errno::ENOTTY);
    }

    // Whatever writes. The mount is read-only, so the kernel refuses before it asks; these answers
    // are for those who remount it.

    fn setattr(
        &self,
        _: &Request,
        _: INodeNo,
        _mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        _size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        reply.error(Errno::EROFS);
    }

    fn mknod(
        &self,
        _: &Request,
        _: INodeNo,
        _: &OsStr,
        _mode: u32,
        _umask: u32,
        _rdev: u32,
        reply: ReplyEntry,
    ) {
        reply.error(Errno::EROFS);
    }

    fn mkdir(&self, _: &Request, _: INodeNo, _: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        reply.error(Errno::EROFS);
    }

    fn unlink(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEmpty) {
        reply.error(Errno::EROFS);
    }

    fn rmdir(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEmpty) {
        reply.error(Errno::EROFS);
    }

    fn symlink(&self, _: &Request, _: INodeNo, _: &OsStr, _: &Path, reply: ReplyEntry) {
        reply.error(Errno::EROFS);
    }

    fn rename(
        &self,
        _: &Request,
        _: INodeNo,
        _: &OsStr,
        _: INodeNo,
        _: &OsStr,
        _: RenameFlags,
        reply: ReplyEmpty,
    ) {
        reply.error(Errno::EROFS);
    }

    fn link(&self, _: &Request, _: INodeNo, _: INodeNo, _: &OsStr, reply: ReplyEntry) {
        reply.error(Errno::EROFS);
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _offset: u64,
        _data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        reply.error(Errno::EROFS);
    }

    fn create(
        &self,
        _: &Request,
        _: INodeNo,
        _: &OsStr,
        _mode: u32,
        _umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        reply.error(Errno::EROFS);
    }

    fn setxattr(
        &self,
        _: &Request,
        _: INodeNo,
        _: &OsStr,
        _value: &[u8],
        _flags: i32,
        _position: u32,
        reply: ReplyEmpty,
    ) {
        reply.error(Errno::EROFS);
    }

    fn removexattr(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEmpty) {
        reply.error(Errno::EROFS);
    }

    fn fallocate(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _offset: u64,
        _length: u64,
        _mode: i32,
        reply: ReplyEmpty,
    ) {
        reply.error(Errno::EROFS);
    }

    fn copy_file_range(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _offset_in: u64,
        _: INodeNo,
        _: FileHandle,
        _offset_out: u64,
        _len: u64,
        _: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        reply.error(Errno::EROFS);
    }
}
