//! The `-o` options, as mount.fuse3 words them.

use std::fmt;

use super::failure::{Failure, USAGE};

/// Who may enter the mount, beside its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// Nobody, not even root.
    #[default]
    Owner,
    /// Root.
    Root,
    /// Everybody that the permissions let in.
    All,
}

/// What the `-o` options ask for. `ro`, `nosuid` and `nodev` always hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// Who may enter.
    pub access: Access,
    /// The kernel checks permissions. Always so where others than the owner may enter.
    pub default_permissions: bool,
    /// Owner of all that is shown; otherwise the mounting user.
    pub uid: Option<u32>,
    /// Group of all that is shown; otherwise that of the mounting user.
    pub gid: Option<u32>,
    /// Permission bits to take away.
    pub umask: u16,
    /// What the table of mounts and `df` show as the source, instead of the repository.
    pub fsname: Option<String>,
    /// Snapshots and files carry extended attributes.
    pub xattr: bool,
    /// A helper process unmounts when the program crashes.
    pub auto_unmount: bool,
    /// The kernel refuses to run programs from the mount.
    pub noexec: bool,
    /// Notes of SiYuan are not shown by their names.
    pub nonotes: bool,
    /// References between notes are links.
    pub notelinks: bool,
}

/// One option that is known.
#[derive(Debug)]
pub struct Known {
    /// As it is written, with a word for its value.
    pub name: &'static str,
    /// What it does, for the help text.
    pub help: &'static str,
}

/// Every option that is known, for the help text and for the error about one that is not.
pub const KNOWN: &[Known] = &[
    Known { name: "ro", help: "Read-only, as every mount of revu is" },
    Known { name: "allow_other", help: "Let other users in, as far as the permissions let them" },
    Known { name: "allow_root", help: "Let root in" },
    Known { name: "default_permissions", help: "Let the kernel check the permissions" },
    Known { name: "uid=N", help: "Show this user as the owner" },
    Known { name: "gid=N", help: "Show this group" },
    Known { name: "umask=MODE", help: "Take these permission bits away (octal)" },
    Known { name: "fsname=NAME", help: "Source shown by df and the table of mounts" },
    Known { name: "subtype=revu", help: "Type shown in the table of mounts, always revu" },
    Known { name: "xattr", help: "Show extended attributes (user.revu.id and others)" },
    Known { name: "auto_unmount", help: "Unmount if the program crashes" },
    Known { name: "exec", help: "Let programs run from the mount" },
    Known { name: "noexec", help: "Let no program run from the mount" },
    Known { name: "nonotes", help: "Leave out notes/: notes of SiYuan by their names" },
    Known { name: "notelinks", help: "In notes/, references to other notes are links" },
    Known { name: "noatime", help: "Accepted: times of access are never kept" },
    Known { name: "nosuid", help: "Accepted: it always holds" },
    Known { name: "nodev", help: "Accepted: it always holds" },
];

/// What is wrong with the options.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// Nobody knows it.
    #[error("mount option \"{0}\" is not known; known are {list}", list = Listing)]
    Unknown(String),
    /// It is known, but not for revu.
    #[error("mount option \"{option}\" is refused: {why}")]
    Refused {
        /// The option as it was given.
        option: String,
        /// Why, and what to do.
        why: &'static str,
    },
    /// Its value is missing, not wanted, or wrong.
    #[error("mount option \"{option}\" {problem}")]
    Value {
        /// The option as it was given.
        option: String,
        /// What is wrong.
        problem: &'static str,
    },
}

impl From<OptionsError> for Failure {
    fn from(error: OptionsError) -> Self {
        Self::new("options", USAGE, &error)
    }
}

struct Listing;

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, known) in KNOWN.iter().enumerate() {
            write!(f, "{}{}", if nth == 0 { "" } else { ", " }, known.name)?;
        }
        Ok(())
    }
}

impl Options {
    /// Reads the texts of all `-o` arguments, in order: the later wins.
    ///
    /// # Errors
    /// One [`OptionsError`], about the first option that is unknown, refused or wrong.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, OptionsError> {
        let mut options = Self::default();
        for text in texts {
            for option in split(text) {
                options.take(&option)?;
            }
        }
        Ok(options)
    }

    fn take(&mut self, option: &str) -> Result<(), OptionsError> {
        let refused = |why| Err(OptionsError::Refused { option: option.to_owned(), why });
        let wrong = |problem| OptionsError::Value { option: option.to_owned(), problem };
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (option, None),
        };
        let number = || -> Result<u32, OptionsError> {
            let text = value.ok_or_else(|| wrong("needs a number"))?;
            if !text.bytes().all(|b| b.is_ascii_digit()) {
                return Err(wrong("needs a decimal number"));
            }
            let number = text.parse().map_err(|_| wrong("needs a number below 4294967295"))?;
            // The kernel reads it as "no such user".
            if number == u32::MAX {
                Err(wrong("needs a number below 4294967295"))
            } else {
                Ok(number)
            }
        };
        match name {
            "uid" => self.uid = Some(number()?),
            "gid" => self.gid = Some(number()?),
            "umask" => self.umask = umask(value).ok_or_else(|| wrong("needs an octal mode"))?,
            "fsname" => match value {
                Some(name) if !name.is_empty() && !name.contains('\0') => {
                    self.fsname = Some(name.to_owned());
                }
                _ => return Err(wrong("needs a name")),
            },
            "subtype" if value == Some("revu") => {}
            "subtype" => return refused("\"revu umount\" finds its mounts by the subtype revu"),
            _ if value.is_some() && self.flag(name).is_some() => {
                return Err(wrong("takes no value"));
            }
            "rw" => return refused("snapshots never change, so every mount is read-only"),
            "suid" | "dev" => return refused("what snapshots hold never runs with other rights"),
            _ => match self.flag(name) {
                Some(after) => *self = after,
                None => return Err(OptionsError::Unknown(option.to_owned())),
            },
        }
        Ok(())
    }

    /// These options with that flag set, if it is a flag.
    fn flag(&self, name: &str) -> Option<Self> {
        let mut after = self.clone();
        match name {
            "ro" | "nosuid" | "nodev" | "noatime" => {}
            "allow_other" => after.access = Access::All,
            "allow_root" => after.access = Access::Root,
            "default_permissions" => after.default_permissions = true,
            "xattr" => after.xattr = true,
            "auto_unmount" => after.auto_unmount = true,
            "exec" => after.noexec = false,
            "noexec" => after.noexec = true,
            "nonotes" => after.nonotes = true,
            "notelinks" => after.notelinks = true,
            _ => return None,
        }
        Some(after)
    }

    /// Whether the kernel has to check permissions: the kernel's `allow_other` without it would let
    /// everybody read everything, whatever the permissions say.
    pub fn kernel_checks(&self) -> bool {
        self.default_permissions || self.access != Access::Owner
    }
}

fn umask(value: Option<&str>) -> Option<u16> {
    let text = value.filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
    u16::from_str_radix(text, 8).ok().filter(|bits| *bits <= 0o777)
}

/// Cuts at commas; a backslash takes the next character as it is. Empty options are nothing, as for
/// mount.fuse3.
fn split(text: &str) -> Vec<String> {
    let mut options = vec![String::new()];
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let last = options.last_mut().expect("there is always one option begun");
        match letter {
            ',' => options.push(String::new()),
            '\\' => last.push(letters.next().unwrap_or('\\')),
            _ => last.push(letter),
        }
    }
    options.retain(|option| !option.is_empty());
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Options, OptionsError> {
        Options::parse([text])
    }

    #[test]
    fn reads_each_option() {
        let none = Options::default();
        let table: &[(&str, Options)] = &[
            ("", none.clone()),
            (",,", none.clone()),
            ("ro,nosuid,nodev,noatime,subtype=revu,exec", none.clone()),
            ("allow_other", Options { access: Access::All, ..none.clone() }),
            ("allow_root", Options { access: Access::Root, ..none.clone() }),
            ("default_permissions", Options { default_permissions: true, ..none.clone() }),
            ("uid=1000", Options { uid: Some(1000), ..none.clone() }),
            ("uid=1,uid=0", Options { uid: Some(0), ..none.clone() }),
            ("gid=4294967294", Options { gid: Some(4_294_967_294), ..none.clone() }),
            ("umask=027", Options { umask: 0o027, ..none.clone() }),
            ("umask=777", Options { umask: 0o777, ..none.clone() }),
            ("fsname=笔记 a=b", Options { fsname: Some("笔记 a=b".into()), ..none.clone() }),
            (r"fsname=a\,b\\c", Options { fsname: Some(r"a,b\c".into()), ..none.clone() }),
            ("xattr", Options { xattr: true, ..none.clone() }),
            ("auto_unmount", Options { auto_unmount: true, ..none.clone() }),
            ("noexec", Options { noexec: true, ..none.clone() }),
            ("noexec,exec", none.clone()),
            ("nonotes", Options { nonotes: true, ..none.clone() }),
            ("notelinks", Options { notelinks: true, ..none.clone() }),
        ];
        for (text, wanted) in table {
            assert_eq!(parse(text).as_ref(), Ok(wanted), "{text}");
        }
        let both = Options::parse(["uid=5", "gid=6,uid=7"]).unwrap();
        assert_eq!((both.uid, both.gid), (Some(7), Some(6)));
    }

    #[test]
    fn refuses_with_the_name_of_the_option() {
        let table = [
            ("rw", "read-only"),
            ("suid", "other rights"),
            ("dev", "other rights"),
            ("subtype=x", "subtype revu"),
            ("subtype", "subtype revu"),
            ("nonsense", "known are ro, allow_other"),
            ("nonsense=1", "known are ro, allow_other"),
            ("RO", "known are ro, allow_other"),
            ("uid", "needs a number"),
            ("uid=", "needs a number"),
            ("uid=root", "needs a decimal number"),
            ("uid=-1", "needs a decimal number"),
            ("uid=+1", "needs a decimal number"),
            ("uid=4294967295", "below 4294967295"),
            ("gid=99999999999", "below 4294967295"),
            ("umask", "octal"),
            ("umask=", "octal"),
            ("umask=8", "octal"),
            ("umask=1000", "octal"),
            ("umask=+7", "octal"),
            ("fsname", "needs a name"),
            ("fsname=", "needs a name"),
            ("xattr=1", "takes no value"),
            ("ro=yes", "takes no value"),
        ];
        for (text, wanted) in table {
            let error = parse(&format!("ro,{text}")).unwrap_err().to_string();
            assert!(error.contains(wanted), "{text}: {error}");
            assert!(error.contains(&format!("\"{text}\"")), "{text}: {error}");
        }
    }

    #[test]
    fn every_known_option_is_accepted() {
        for known in KNOWN {
            let text = known.name.replace("=N", "=7").replace("=MODE", "=7").replace("=NAME", "=x");
            assert!(parse(&text).is_ok(), "{text}");
        }
    }

    #[test]
    fn others_never_come_in_without_the_kernels_check() {
        assert!(!parse("").unwrap().kernel_checks());
        assert!(parse("default_permissions").unwrap().kernel_checks());
        assert!(parse("allow_other").unwrap().kernel_checks());
        assert!(parse("allow_root").unwrap().kernel_checks());
    }
}
