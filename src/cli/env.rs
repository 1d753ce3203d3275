//! What the environment says. It is read once and given on as values, so that nothing below
//! depends on it, and the secrets in it are taken out of it: no child process inherits them.

use std::ffi::OsString;
use std::path::PathBuf;

use zeroize::Zeroizing;

/// The part of the environment that matters. An empty variable counts as none.
#[derive(Debug, Default)]
pub struct Environment {
    /// `REVU_REPO`.
    pub repo: Option<OsString>,
    /// `REVU_WORKSPACE`.
    pub workspace: Option<PathBuf>,
    /// `REVU_KEY_FILE`.
    pub key_file: Option<PathBuf>,
    /// `REVU_KEY_COMMAND`.
    pub key_command: Option<OsString>,
    /// `REVU_KEY`: a key in base64.
    pub key: Option<Secret>,
    /// `REVU_PASSPHRASE`.
    pub passphrase: Option<Secret>,
    /// The user's home folder.
    pub home: Option<PathBuf>,
    /// The folder that the program was started in, if it is still there.
    pub current_dir: Option<PathBuf>,
}

/// A text that nobody may see: wiped when dropped, and not shown by `Debug`.
pub struct Secret(pub Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Variables that hold secrets.
pub const SECRETS: [&str; 2] = ["REVU_KEY", "REVU_PASSPHRASE"];

impl Environment {
    /// Reads the environment and takes the secrets out of it. Must be called while this process has
    /// a single thread.
    pub fn take() -> Self {
        let get = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let [key, passphrase] = SECRETS.map(|name| {
            let secret = get(name).map(|value| Secret(Zeroizing::new(value.into_encoded_bytes())));
            // SAFETY: this process has one thread, as the caller sees to, so nobody else reads the
            // environment now.
            unsafe { std::env::remove_var(name) };
            secret
        });
        Self {
            repo: get("REVU_REPO"),
            workspace: get("REVU_WORKSPACE").map(PathBuf::from),
            key_file: get("REVU_KEY_FILE").map(PathBuf::from),
            key_command: get("REVU_KEY_COMMAND"),
            key,
            passphrase,
            home: std::env::home_dir().filter(|home| home.is_absolute()),
            current_dir: std::env::current_dir().ok(),
        }
    }
}
