//! Telling the kernel to mount.
//!
//! The library `fuser` could do this too, but it mounts under the type `fuse` when it is root, so that
//! `revu mounts` would not know its own; it passes a source with a comma unescaped to `fusermount3`;
//! and it unmounts by path whatever is there when its session ends, which by then may be another
//! mount.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use nix::unistd::{getgid, getuid};

use super::failure::{FAILED, Failure};
use super::options::{Access, Options};
use super::table::FSTYPE;
use super::umount::helper;

const DEVICE: &str = "/dev/fuse";

/// Why the kernel does not mount.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// There is no FUSE.
    #[error(
        "cannot mount: {DEVICE} is missing, load the kernel module \"fuse\" \
        or let this container use the device"
    )]
    NoDevice,
    /// There is FUSE, but not for this user.
    #[error("cannot mount: this user may not open {DEVICE}, which the administrator can change")]
    NotAllowed,
    /// The program that mounts for users is missing.
    #[error("cannot mount as this user: fusermount3 is missing, install the package fuse3")]
    NoHelper,
    /// The administrator has not allowed it.
    #[error(
        "cannot mount with allow_other or allow_root as this user: \
        the line user_allow_other in /etc/fuse.conf allows it"
    )]
    OthersNotAllowed,
    /// The kernel or `fusermount3` refuses.
    #[error("cannot mount: {0}")]
    Refused(String),
    /// The kernel and the program do not come to terms.
    #[error("cannot mount: {0}")]
    Handshake(#[source] io::Error),
}

impl From<AttachError> for Failure {
    fn from(error: AttachError) -> Self {
        Self::new("mount", FAILED, &error)
    }
}

/// Mounts at `point` (absolute, a folder) and gives back the channel to the kernel.
///
/// # Errors
/// [`AttachError`]; nothing is mounted then.
pub(super) fn attach(
    point: &Path,
    source: &OsStr,
    options: &Options,
) -> Result<OwnedFd, AttachError> {
    match OpenOptions::new().read(true).write(true).open(DEVICE) {
        Ok(device) => {
            if let Some(device) = directly(device, point, source, options)? {
                return Ok(device);
            }
        }
        Err(error) => match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOENT | Errno::ENODEV | Errno::ENXIO) => {
                return Err(AttachError::NoDevice);
            }
            // The helper may be allowed to.
            Some(Errno::EACCES | Errno::EPERM) => {}
            _ => return Err(AttachError::Refused(format!("{DEVICE}: {error}"))),
        },
    }
    by_helper(point, source, options)
}

/// Asks the kernel, which lets root alone: `None` for others.
fn directly(
    device: File,
    point: &Path,
    source: &OsStr,
    options: &Options,
) -> Result<Option<OwnedFd>, AttachError> {
    let mut flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    if options.noexec {
        flags |= MsFlags::MS_NOEXEC;
    }
    let mut data = format!(
        "fd={},rootmode=40000,user_id={},group_id={}",
        device.as_raw_fd(),
        getuid(),
        getgid()
    );
    for word in words(options) {
        data.push(',');
        data.push_str(word);
    }
    match mount(Some(source), point, Some(FSTYPE), flags, Some(data.as_str())) {
        Ok(()) => Ok(Some(device.into())),
        Err(Errno::EPERM) => Ok(None),
        Err(Errno::ENODEV) => Err(AttachError::NoDevice),
        Err(errno) => Err(AttachError::Refused(errno.desc().to_owned())),
    }
}

/// What the kernel is asked for beside flags.
fn words(options: &Options) -> impl Iterator<Item = &'static str> {
    let other = (options.access != Access::Owner).then_some("allow_other");
    let checks = options.kernel_checks().then_some("default_permissions");
    other.into_iter().chain(checks)
}

/// Asks `fusermount3`, which is set-user-ID root: it mounts and passes the channel back over a socket.
fn by_helper(point: &Path, source: &OsStr, options: &Options) -> Result<OwnedFd, AttachError> {
    let refused = |error: io::Error| AttachError::Refused(error.to_string());
    let (ours, theirs) = UnixStream::pair().map_err(refused)?;
    let started = helper()
        .arg("-o")
        .arg(helper_options(source, options))
        .arg("--")
        .arg(point)
        // Its standard input, so that nothing has to be inherited under another number.
        .env("_FUSE_COMMFD", "0")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let child = started.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => AttachError::NoHelper,
        _ => refused(error),
    })?;
    let received = receive(&ours);
    let output = child.wait_with_output().map_err(refused)?;
    let said = String::from_utf8_lossy(&output.stderr);
    match received {
        Ok(Some(device)) => Ok(device),
        _ if said.contains("user_allow_other") => Err(AttachError::OthersNotAllowed),
        _ if said.contains("failed to open /dev/fuse: Permission") => Err(AttachError::NotAllowed),
        _ if !said.trim().is_empty() => Err(AttachError::Refused(said.trim().to_owned())),
        Ok(None) => Err(AttachError::Refused("fusermount3 said nothing".to_owned())),
        Err(errno) => Err(AttachError::Refused(errno.desc().to_owned())),
    }
}

fn helper_options(source: &OsStr, options: &Options) -> OsString {
    let mut text = b"ro,nosuid,nodev,subtype=revu".to_vec();
    if options.noexec {
        text.extend_from_slice(b",noexec");
    }
    for word in words(options) {
        text.push(b',');
        text.extend_from_slice(word.as_bytes());
    }
    text.extend_from_slice(b",fsname=");
    for byte in source.as_bytes() {
        // It cuts at commas and reads a backslash as "the next as it is".
        if matches!(byte, b',' | b'\\') {
            text.push(b'\\');
        }
        text.push(*byte);
    }
    OsString::from_vec(text)
}

/// The descriptor that comes over the socket; `None` where it was closed without one.
fn receive(socket: &UnixStream) -> nix::Result<Option<OwnedFd>> {
    let mut byte = [0];
    let mut parts = [IoSliceMut::new(&mut byte)];
    let mut control = nix::cmsg_space!(RawFd);
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = loop {
        match recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags) {
            Err(Errno::EINTR) => {}
            other => break other?,
        }
    };
    for item in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(descriptors) = item
            && let Some(&descriptor) = descriptors.first()
        {
            // SAFETY: the kernel has just made this descriptor for us (SCM_RIGHTS), the control
            // buffer has room for one alone, and nobody else knows its number.
            return Ok(Some(unsafe { OwnedFd::from_raw_fd(descriptor) }));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use nix::sys::socket::{ControlMessage, sendmsg};

    use super::*;

    #[test]
    fn words_the_options_for_the_helper() {
        let text = |source: &str, options: &str| {
            let options = Options::parse([options]).unwrap();
            helper_options(OsStr::new(source), &options).into_string().unwrap()
        };
        assert_eq!(text("/r", ""), "ro,nosuid,nodev,subtype=revu,fsname=/r");
        assert_eq!(
            text(r"/a,b\c d", "noexec,allow_root"),
            r"ro,nosuid,nodev,subtype=revu,noexec,allow_other,default_permissions,fsname=/a\,b\\c d"
        );
    }

    #[test]
    fn receives_a_descriptor_or_its_absence() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let file = File::open("/dev/null").unwrap();
        let descriptors = [file.as_raw_fd()];
        let rights = [ControlMessage::ScmRights(&descriptors)];
        let byte = [IoSlice::new(b"x")];
        sendmsg::<()>(theirs.as_raw_fd(), &byte, &rights, MsgFlags::empty(), None).unwrap();
        let got = File::from(receive(&ours).unwrap().unwrap());
        assert_eq!(got.metadata().unwrap().file_type(), file.metadata().unwrap().file_type());
        drop(theirs);
        assert!(receive(&ours).unwrap().is_none());
    }
}
