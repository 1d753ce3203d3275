//! Who holds a lock, and whether he is still alive.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::format::Id;

/// A process, told apart from every other one of this and of other computers as far as that can be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The user's name.
    pub user: String,
    /// The computer's name.
    pub host: String,
    /// Digest of the computer's own ID: two computers may have one name.
    #[serde(default)]
    pub machine: Option<String>,
    /// The kernel's ID since it was started.
    #[serde(default)]
    pub boot: Option<String>,
    /// The namespace that `pid` counts in: containers of one kernel have their own.
    #[serde(default)]
    pub pid_namespace: Option<String>,
    /// The process.
    pub pid: u32,
    /// When it was started, in the kernel's ticks since the computer was: numbers of processes are
    /// used again.
    #[serde(default)]
    pub started: Option<u64>,
}

/// Whether an owner still lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Its process runs.
    Alive,
    /// Its process cannot run any more.
    Dead,
    /// It lives where this process cannot look.
    Elsewhere,
}

impl Owner {
    /// This process.
    pub fn me() -> Self {
        let pid = std::process::id();
        Self {
            user: user(),
            host: line("/proc/sys/kernel/hostname").unwrap_or_else(|| "unknown".into()),
            machine: line("/etc/machine-id").map(|id| digest(&id)),
            boot: line("/proc/sys/kernel/random/boot_id"),
            pid_namespace: std::fs::read_link("/proc/self/ns/pid")
                .ok()
                .and_then(|link| link.into_os_string().into_string().ok()),
            pid,
            started: Process::look(pid).map(|process| process.started),
        }
    }

    /// Whether this owner lives, as `me` can tell. In doubt it does.
    pub fn life(&self, me: &Self) -> Life {
        let same = self.host == me.host && self.machine.is_some() && self.machine == me.machine;
        let (Some(boot), Some(now)) = (&self.boot, &me.boot) else { return Life::Elsewhere };
        // One kernel is one computer, whatever its containers are called.
        if boot != now {
            return if same { Life::Dead } else { Life::Elsewhere };
        }
        if self.pid_namespace.is_none() || self.pid_namespace != me.pid_namespace {
            return Life::Elsewhere;
        }
        if !exists(self.pid) {
            return Life::Dead;
        }
        // A process may be hidden from this user: then that it exists must do.
        match (Process::look(self.pid), self.started) {
            (Some(process), _) if process.ended => Life::Dead,
            (Some(process), Some(started)) if process.started != started => Life::Dead,
            _ => Life::Alive,
        }
    }
}

fn digest(id: &str) -> String {
    Id::digest(id.as_bytes()).to_string()
}

/// The first line of a small file of the system's, if there is something in it.
fn line(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// For messages alone; nothing depends on its being true.
fn user() -> String {
    let named = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    // SAFETY: the call takes nothing, changes nothing and cannot fail.
    named.filter(|name| !name.is_empty()).unwrap_or_else(|| unsafe { libc::getuid() }.to_string())
}

/// Whether there is a process with this number, whoever's it is.
fn exists(pid: u32) -> bool {
    let Ok(pid) = libc::pid_t::try_from(pid) else { return false };
    if pid == 0 {
        return false;
    }
    // SAFETY: signal 0 is sent to nobody; the call looks whether it could be.
    let found = unsafe { libc::kill(pid, 0) } == 0;
    found || std::io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH)
}

/// What the kernel tells of a process.
struct Process {
    started: u64,
    /// It was ended and waits for its parent to notice, which in a careless container may be never.
    ended: bool,
}

impl Process {
    /// `None` where there is none, or where it is hidden from this user.
    fn look(pid: u32) -> Option<Self> {
        let folder = Path::new("/proc").join(pid.to_string());
        let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
        // The name, in parentheses, may hold anything. The state is field 3, the start field 22
        // (proc_pid_stat(5)).
        let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
        let state = fields.next()?;
        let started = fields.nth(18)?.parse().ok()?;
        // The first thread may have ended before others: then there are more tasks than it.
        let tasks = || std::fs::read_dir(folder.join("task")).map_or(2, Iterator::count);
        Some(Self { started, ended: matches!(state, "Z" | "X") && tasks() <= 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i_live() {
        let me = Owner::me();
        assert!(me.started.is_some() && me.boot.is_some(), "{me:?}");
        assert_eq!(me.life(&Owner::me()), Life::Alive);
        let json = serde_json::to_string(&me).unwrap();
        assert_eq!(serde_json::from_str::<Owner>(&json).unwrap(), me);
    }

    #[test]
    fn the_dead_are_told_from_those_that_cannot_be_seen() {
        let machine = Some(digest("this computer"));
        let me = Owner { machine, ..Owner::me() };
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id();
        let started = Process::look(pid).map(|process| process.started);
        let running = Owner { pid, started, ..me.clone() };
        assert_eq!(running.life(&me), Life::Alive);
        assert_eq!(Owner { started: None, ..running.clone() }.life(&me), Life::Alive);
        let reused = Owner { started: started.map(|ticks| ticks - 1), ..running.clone() };
        assert_eq!(reused.life(&me), Life::Dead);
        child.kill().unwrap();
        // Killed, and nobody has waited for it yet.
        while !Process::look(pid).is_some_and(|process| process.ended) {
            std::thread::yield_now();
        }
        assert_eq!(running.life(&me), Life::Dead);
        child.wait().unwrap();
        assert_eq!(running.life(&me), Life::Dead);

        let other_boot = Owner { boot: Some("another".into()), ..me.clone() };
        assert_eq!(other_boot.life(&me), Life::Dead);
        for elsewhere in [
            Owner { machine: None, ..other_boot.clone() },
            Owner { machine: Some(digest("another computer")), ..other_boot.clone() },
            Owner { host: "another".into(), ..other_boot },
            Owner { boot: None, ..me.clone() },
            Owner { pid_namespace: Some("pid:[1]".into()), pid: u32::MAX, ..me.clone() },
            Owner { pid_namespace: None, ..me.clone() },
        ] {
            assert_eq!(elsewhere.life(&me), Life::Elsewhere, "{elsewhere:?}");
        }
        for pid in [0, u32::MAX] {
            assert_eq!(Owner { pid, ..me.clone() }.life(&me), Life::Dead);
        }
    }
}
