//! What the environment says. It is read once and given on as values, so that nothing below
//! depends on it, and the secrets in it are taken out of it: no child process inherits them.

use std::ffi::{CString, OsString};
use std::path::PathBuf;

use zeroize::{Zeroize, Zeroizing};

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
    /// `REVU_NEW_PASSPHRASE`: for a key slot that is made.
    pub new_passphrase: Option<Secret>,
    /// `REVU_NOTEBOOK_PASSWORD`: opens encrypted notebooks of SiYuan.
    pub notebook_password: Option<Secret>,
    /// `REVU_WEBDAV_USER`.
    pub webdav_user: Option<String>,
    /// `REVU_WEBDAV_PASSWORD`.
    pub webdav_password: Option<Secret>,
    /// What other programs for S3 read too.
    pub aws: Aws,
    /// The user's home folder.
    pub home: Option<PathBuf>,
    /// The folder for caches: `XDG_CACHE_HOME`, else `.cache` in the home folder.
    pub cache: Option<PathBuf>,
    /// The folder that the program was started in, if it is still there.
    pub current_dir: Option<PathBuf>,
}

/// The variables of S3. Its secrets stay in the environment: a command that gives the repository's key
/// may need them.
#[derive(Debug, Default)]
pub struct Aws {
    /// `AWS_ACCESS_KEY_ID`.
    pub key_id: Option<String>,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret: Option<Secret>,
    /// `AWS_SESSION_TOKEN`.
    pub token: Option<Secret>,
    /// `AWS_REGION`, else `AWS_DEFAULT_REGION`.
    pub region: Option<String>,
}

/// A text that nobody may see: wiped when dropped, and not shown by `Debug`.
pub struct Secret(pub Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Variables that hold secrets.
pub const SECRETS: [&str; 5] = [
    "REVU_KEY",
    "REVU_PASSPHRASE",
    "REVU_NEW_PASSPHRASE",
    "REVU_NOTEBOOK_PASSWORD",
    "REVU_WEBDAV_PASSWORD",
];

/// Takes a variable out of the environment, and its text out of the memory that the kernel shows as
/// `/proc/PID/environ` for as long as a mount lives.
fn wipe(name: &str) {
    let c_name = CString::new(name).expect("no name has a NUL");
    // SAFETY: this process has one thread, as the caller of `take` sees to, so nobody else reads or
    // changes the environment now. What `getenv` points to is writable, ends in a NUL, and no
    // reference to it lives on.
    unsafe {
        let text = libc::getenv(c_name.as_ptr());
        if !text.is_null() {
            let len = libc::strlen(text);
            std::slice::from_raw_parts_mut(text.cast::<u8>(), len).zeroize();
        }
        std::env::remove_var(name);
    }
}

impl Environment {
    /// Reads the environment and takes the secrets out of it. Must be called while this process has
    /// a single thread.
    pub fn take() -> Self {
        let get = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let secret =
            |name: &str| get(name).map(|value| Secret(Zeroizing::new(value.into_encoded_bytes())));
        let [key, passphrase, new_passphrase, notebook_password, webdav_password] =
            SECRETS.map(|name| {
                let value = secret(name);
                wipe(name);
                value
            });
        let text = |name: &str| get(name)?.into_string().ok();
        let aws = Aws {
            key_id: text("AWS_ACCESS_KEY_ID"),
            secret: secret("AWS_SECRET_ACCESS_KEY"),
            token: secret("AWS_SESSION_TOKEN"),
            region: text("AWS_REGION").or_else(|| text("AWS_DEFAULT_REGION")),
        };
        let absolute = |path: &PathBuf| path.is_absolute();
        let home = std::env::home_dir().filter(absolute);
        let cache = get("XDG_CACHE_HOME").map(PathBuf::from).filter(absolute);
        Self {
            cache: cache.or_else(|| Some(home.as_ref()?.join(".cache"))),
            repo: get("REVU_REPO"),
            workspace: get("REVU_WORKSPACE").map(PathBuf::from),
            key_file: get("REVU_KEY_FILE").map(PathBuf::from),
            key_command: get("REVU_KEY_COMMAND"),
            key,
            passphrase,
            new_passphrase,
            notebook_password,
            webdav_user: text("REVU_WEBDAV_USER"),
            webdav_password,
            aws,
            home,
            current_dir: std::env::current_dir().ok(),
        }
    }
}
