//! Finding the key: the first place that has one decides.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use crate::format::{RepoKey, own};
use crate::ops::keys::{self, Access};
use crate::store::Store;

use super::args::Global;
use super::env::{Environment, SECRETS, Secret};
use super::error::{FAILED, Failure, WRONG_KEY, failure};
use super::locate::Located;
use super::prompt::{self, PromptError};

/// More than any key text has, bytes.
const MOST: usize = 64 << 10;

/// The key for `located`: `--key-file`, `--key-command`, `REVU_KEY_FILE`, `REVU_KEY_COMMAND`,
/// `REVU_KEY`, `REVU_PASSPHRASE`, the workspace's `conf.json`, a question on the terminal. A repository of
/// our own is opened through its key slots, and has nothing to do with a workspace.
///
/// # Errors
/// Where the first place that is there has no key or one that opens no slot, or there is no place at
/// all. No error has any part of a key text in it.
pub fn find(
    global: &Global,
    environment: &Environment,
    located: &Located,
) -> Result<RepoKey, Failure> {
    Ok(access(global, environment, located)?.key)
}

/// As [`find`], with the slot that the key was in.
///
/// # Errors
/// As [`find`].
pub fn access(
    global: &Global,
    environment: &Environment,
    located: &Located,
) -> Result<Access, Failure> {
    let store = Store::local(&located.repo);
    let is_own = !store.meta(own::NAME).is_err_and(|e| e.is_missing());
    let given = given(global, environment)?;
    if is_own {
        let question = || ask("Passphrase", located, None);
        let secret = given.map_or_else(question, Ok)?;
        return Ok(keys::open(&store, &secret)?);
    }
    let secret = match given {
        Some(secret) => secret,
        None => match located.conf_key() {
            Ok(Some(key)) => own::Secret::Key(key),
            Ok(None) => ask("Key or passphrase", located, None)?,
            // A conf.json that cannot be read is the better reason if nobody can be asked.
            Err(unreadable) => ask("Key or passphrase", located, Some(unreadable))?,
        },
    };
    let key = match secret {
        own::Secret::Key(key) => key,
        own::Secret::Passphrase(text) => RepoKey::parse(&text).expect("no secret is empty"),
    };
    Ok(Access { key, slot: None })
}

/// What the first place has that is there, but for `conf.json` and the terminal.
///
/// # Errors
/// As [`find`].
pub fn given(global: &Global, environment: &Environment) -> Result<Option<own::Secret>, Failure> {
    if let Some(path) = &global.key_file {
        return from_file(path).map(Some);
    }
    if let Some(command) = &global.key_command {
        return from_command(command, "--key-command").map(Some);
    }
    if let Some(path) = &environment.key_file {
        return from_file(path).map(Some);
    }
    if let Some(command) = &environment.key_command {
        return from_command(command, "REVU_KEY_COMMAND").map(Some);
    }
    if let Some(Secret(text)) = &environment.key {
        let text = text.trim_ascii();
        let key = std::str::from_utf8(text).ok().and_then(RepoKey::from_base64);
        let sentence = "REVU_KEY does not hold a key in base64 (32 bytes); \
                        put a passphrase into REVU_PASSPHRASE";
        let key = key.ok_or_else(|| failure("key", WRONG_KEY, sentence))?;
        return Ok(Some(own::Secret::Key(key)));
    }
    if let Some(Secret(text)) = &environment.passphrase {
        return parse(text, "REVU_PASSPHRASE").map(Some);
    }
    Ok(None)
}

fn from_file(path: &Path) -> Result<own::Secret, Failure> {
    let unreadable = |error: io::Error| {
        let sentence = format!("cannot read the key file {}: {error}", path.display());
        failure("key", FAILED, sentence)
    };
    let mut file = File::open(path).map_err(unreadable)?;
    let meta = file.metadata().map_err(unreadable)?;
    if meta.is_file() && meta.mode() & 0o077 != 0 {
        ::log::warn!(
            "others can read the key file {}: `chmod 600` keeps it to yourself",
            path.display()
        );
    }
    let text = read(&mut file).map_err(unreadable)?;
    parse(&text, &format!("the key file {}", path.display()))
}

/// `source`: where the command was given. The command itself is not shown: it may say more than its
/// author thinks.
fn from_command(command: &OsStr, source: &str) -> Result<own::Secret, Failure> {
    parse(&output(command, source)?, &format!("the output of the command of {source}"))
}

/// What a command prints, which is not shown itself: it may say more than its author thinks.
///
/// # Errors
/// Where it fails or prints too much. No error has any part of what it printed in it.
pub fn output(command: &OsStr, source: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed = |what: String| failure("key", FAILED, format!("the command of {source} {what}"));
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command).stdout(Stdio::piped());
    for secret in SECRETS {
        shell.env_remove(secret);
    }
    let mut child = shell.spawn().map_err(|error| failed(format!("cannot be run: {error}")))?;
    let mut output = child.stdout.take().expect("its standard output was asked for");
    let text = read(&mut output);
    // It gets SIGPIPE instead of waiting for a reader, should it have more to say.
    drop(output);
    let status = child.wait().map_err(|error| failed(format!("is lost: {error}")))?;
    let text = text.map_err(|error| failed(format!("gave no key: {error}")))?;
    if !status.success() {
        return Err(failed(format!("failed ({status}): run it by hand to see why")));
    }
    Ok(text)
}

fn ask(what: &str, located: &Located, absent: Option<Failure>) -> Result<own::Secret, Failure> {
    let question = format!("{what} of {}", located.repo.display());
    match prompt::ask(&question) {
        Ok(text) => parse(&text, "what was typed"),
        Err(PromptError::NoTerminal) => Err(absent.unwrap_or_else(|| {
            let sentence = format!(
                "no key for {}: name its SiYuan workspace with --workspace, or give the key with \
                 --key-file, --key-command or REVU_KEY, a passphrase with REVU_PASSPHRASE",
                located.repo.display()
            );
            failure("no_key", WRONG_KEY, sentence)
        })),
        Err(error) => Err(error.into()),
    }
}

/// Reads a key text into memory that is wiped, without ever moving it.
fn read(from: &mut impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(vec![0; MOST + 1]);
    let mut have = 0;
    while have < text.len() {
        match from.read(&mut text[have..]) {
            Ok(0) => break,
            Ok(n) => have += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    if have > MOST {
        return Err(io::Error::other("it is too long for a key"));
    }
    text.truncate(have);
    Ok(text)
}

/// What a key text means. `source`: where it is, as a sentence begins.
///
/// # Errors
/// Where it holds none.
pub fn parse(text: &[u8], source: &str) -> Result<own::Secret, Failure> {
    let wrong = |why: &str| failure("key", WRONG_KEY, format!("{source} holds no key: {why}"));
    let text = std::str::from_utf8(text).map_err(|_| wrong("it is not text"))?;
    own::Secret::parse(text).map_err(|_| wrong("it is empty"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_texts_are_bounded_and_end_where_they_end() {
        assert_eq!(**read(&mut &b"abc\n"[..]).unwrap(), *b"abc\n");
        assert_eq!(read(&mut &vec![b'x'; MOST][..]).unwrap().len(), MOST);
        assert!(read(&mut &vec![b'x'; MOST + 1][..]).is_err());
        assert!(read(&mut io::repeat(0)).is_err(), "/dev/zero ends too");
    }

    #[test]
    fn commands_give_keys_and_never_show_them() {
        let key = RepoKey::from_bytes([9; 32]);
        let command = format!("printf %s {}", *key.to_base64());
        let given = from_command(OsStr::new(&command), "x").unwrap();
        assert!(matches!(given, own::Secret::Key(found) if found == key));
        for (command, exit) in [
            ("echo s3cret; exit 3", 1),
            ("yes s3cret", 1),
            ("printf ''", 12),
            ("printf '\\377'", 12),
        ] {
            let failure = from_command(OsStr::new(command), "--key-command").unwrap_err();
            assert_eq!(failure.exit, exit, "{command}: {failure:?}");
            assert!(!format!("{failure:?}").contains("s3cret"), "{failure:?}");
        }
    }
}
