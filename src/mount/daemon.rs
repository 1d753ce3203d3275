//! Going into the background.
//!
//! The process that the user started forks while it has one thread, and waits for the child's report:
//! it returns when the mount can be used, or with the child's error.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, close, dup2_stderr, dup2_stdin, dup2_stdout, setsid};
use serde::{Deserialize, Serialize};

use super::failure::{FAILED, Failure};
use super::logger;

/// What the child tells the one that waits.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Report {
    Ready,
    Failed(Failure),
}

/// The waiting process, as the child sees it.
#[derive(Debug)]
pub(super) struct Waiting(UnixStream);

impl Waiting {
    /// Says that all is well; the one that waits returns.
    ///
    /// # Errors
    /// Where nobody waits any more: the user has interrupted.
    pub fn ready(self) -> io::Result<()> {
        self.tell(&Report::Ready)
    }

    fn tell(mut self, report: &Report) -> io::Result<()> {
        let mut line = serde_json::to_vec(report)?;
        line.push(b'\n');
        // To a socket that nobody reads this is an error and not SIGPIPE.
        self.0.write_all(&line)?;
        self.0.shutdown(Shutdown::Write)
    }
}

/// Forks.
///
/// Must be called while this process has a single thread: the child has this one alone, and what
/// another one held at this moment (a lock, a half-written buffer) would stay so for ever.
pub(super) fn fork() -> nix::Result<ForkResult> {
    // Otherwise the child would write it once more. That it cannot be written is no concern here.
    let _ = io::stdout().flush();
    // SAFETY: see above; in a process with one thread the child may do whatever its parent might.
    unsafe { nix::unistd::fork() }
}

/// Runs `work` in a background process that writes to `log` what it would write to standard output or
/// error, and gives back its number once it has said [`Waiting::ready`]. `work` says so itself, or
/// gives back why not; the child ends when `work` does. Must be called while this process has a single
/// thread.
///
/// # Errors
/// What `work` gives back, or how the child died.
pub(super) fn start(
    log: &File,
    work: impl FnOnce(Waiting) -> Result<(), (Failure, Option<Waiting>)>,
) -> Result<u32, Failure> {
    let broken = |error: io::Error| Failure::new("background", FAILED, &error);
    let (parent, child) = UnixStream::pair().map_err(broken)?;
    match fork().map_err(|errno| broken(errno.into()))? {
        ForkResult::Parent { child: pid } => {
            drop(child);
            wait(&parent, pid)
        }
        ForkResult::Child => {
            drop(parent);
            // Nothing may unwind into what the parent was doing when it forked.
            let done = catch_unwind(AssertUnwindSafe(|| match settle(log) {
                Ok(()) => work(Waiting(child)),
                Err(error) => Err((broken(error), Some(Waiting(child)))),
            }));
            process::exit(match done {
                Ok(Ok(())) => 0,
                Ok(Err((failure, waiting))) => {
                    log::error!("{failure}");
                    let exit = failure.exit;
                    if let Some(waiting) = waiting {
                        // If nobody waits any more, the log has it.
                        let _ = waiting.tell(&Report::Failed(failure));
                    }
                    exit.into()
                }
                Err(_panic) => 101,
            })
        }
    }
}

/// Cuts the child's ties to the terminal and to whatever its parent was given.
fn settle(log: &File) -> io::Result<()> {
    setsid()?;
    dup2_stdin(File::open("/dev/null")?)?;
    dup2_stdout(log)?;
    dup2_stderr(log)?;
    close_inherited()?;
    logger::stamp();
    Ok(())
}

/// Closes the descriptors that came from whoever started the program: a lock or a pipe of theirs must
/// not live as long as the mount. All that this program opens itself is closed on exec, theirs is not.
fn close_inherited() -> io::Result<()> {
    let numbers: Vec<i32> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|number| *number > 2)
        .collect();
    for number in numbers {
        // SAFETY: the descriptor is only asked for its flags; one that is closed is an error.
        let descriptor = unsafe { std::os::fd::BorrowedFd::borrow_raw(number) };
        let flags = fcntl(descriptor, FcntlArg::F_GETFD).map(FdFlag::from_bits_retain);
        if flags.is_ok_and(|flags| !flags.contains(FdFlag::FD_CLOEXEC)) {
            close(number)?;
        }
    }
    Ok(())
}

/// Waits for the child's report.
fn wait(child: &UnixStream, pid: Pid) -> Result<u32, Failure> {
    let mut line = String::new();
    let read = BufReader::new(child).read_line(&mut line);
    match read.ok().and_then(|_| serde_json::from_str(&line).ok()) {
        Some(Report::Ready) => Ok(pid.as_raw().unsigned_abs()),
        Some(Report::Failed(failure)) => {
            let _ = waitpid(pid, None);
            Err(failure)
        }
        None => Err(died(pid)),
    }
}

fn died(pid: Pid) -> Failure {
    let how = match waitpid(pid, None) {
        Ok(WaitStatus::Signaled(_, signal, _)) => format!("was ended by signal {}", signal as i32),
        Ok(WaitStatus::Exited(_, code)) => format!("ended with exit code {code}"),
        other => format!("is gone ({other:?})"),
    };
    Failure {
        kind: "background".to_owned(),
        message: format!("the background process {how} before the mount could be used"),
        exit: FAILED,
        causes: Vec::new(),
    }
}
