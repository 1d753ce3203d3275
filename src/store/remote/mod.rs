//! A repository that a server holds, over S3 or WebDAV: read alone. What is said to it is the affair of
//! the crate `opendal`, which is asynchronous; here each call waits for its answer.
//!
//! Only what a server says is missing counts as missing. An answer that cannot be had, as when it
//! refuses or is not reached, is never taken for "there is nothing".

mod address;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use opendal::layers::{RetryEvent, RetryInterceptor, RetryLayer, TimeoutLayer};
use opendal::services::{S3, Webdav};
use opendal::{EntryMode, ErrorKind, Metadata, Operator};
use tokio::runtime::{Builder, Runtime};
use zeroize::Zeroizing;

pub use address::{Address, AddressError};

use super::StoreProblem;
use super::backend::{Backend, Listed, Meta, Staged, Stamp};
use address::Protocol;

/// A server that says nothing for this long is asked again, up to [`RETRIES`] times.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often what may pass, as a lost connection or an overloaded server, is tried again.
const RETRIES: usize = 3;

/// The names of S3's part of the world where nobody says one: many servers know but this one.
const REGION: &str = "us-east-1";

/// Who asks. Not shown by `Debug`.
#[derive(Clone, Default)]
pub struct Credentials {
    /// The user's name, or the ID of the access key.
    pub user: Option<String>,
    /// The password, or the secret of the access key.
    pub secret: Option<Zeroizing<String>>,
    /// S3's token of a session.
    pub token: Option<Zeroizing<String>>,
    /// S3's region.
    pub region: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

#[derive(Debug)]
pub(super) struct Remote {
    address: Address,
    operator: Operator,
    runtime: Arc<Runtime>,
}

impl Remote {
    pub(super) fn new(address: &Address, who: &Credentials) -> Result<Self, StoreProblem> {
        // The program as a whole has one of each; whoever was first has chosen it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        opendal_http_transport_reqwest::install_default();
        // One thread waits for all answers: the work is the server's.
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|e| StoreProblem::Unreadable(Arc::new(e)))?;
        let operator = connect(address, who).map_err(problem)?;
        let operator = operator
            .layer(TimeoutLayer::new().with_timeout(PATIENCE).with_io_timeout(PATIENCE))
            .layer(RetryLayer::new().with_max_times(RETRIES).with_jitter().with_notify(Quiet));
        Ok(Self { address: address.clone(), operator, runtime: Arc::new(runtime) })
    }

    fn stat(&self, key: &str) -> Result<Metadata, StoreProblem> {
        let found = self.runtime.block_on(self.operator.stat(key)).map_err(problem)?;
        match found.mode() {
            EntryMode::FILE => Ok(found),
            _ => Err(StoreProblem::NotAFile),
        }
    }

    fn read(&self, key: &str, len: u64) -> Result<Vec<u8>, StoreProblem> {
        // There is no range of nothing.
        if len == 0 {
            return Ok(Vec::new());
        }
        let read = self.operator.read_with(key).range(0..len);
        let bytes = self.runtime.block_on(async { read.await }).map_err(problem)?.to_vec();
        if bytes.len() as u64 != len {
            let cut = format!("the server gave {} of {len} bytes", bytes.len());
            return Err(StoreProblem::Unreadable(Arc::new(io::Error::other(cut))));
        }
        Ok(bytes)
    }
}

fn connect(address: &Address, who: &Credentials) -> opendal::Result<Operator> {
    let (endpoint, root) = (&address.endpoint, address.root());
    let user = address.user.as_ref().or(who.user.as_ref());
    match &address.protocol {
        Protocol::S3(bucket) => {
            let region = who.region.as_deref().unwrap_or(REGION);
            let mut s3 = S3::default().endpoint(endpoint).bucket(bucket).root(&root).region(region);
            // Nobody is asked but those that the user has named: no metadata server of a cloud.
            s3 = s3.disable_ec2_metadata();
            if let (Some(user), Some(secret)) = (user, &who.secret) {
                s3 = s3.access_key_id(user).secret_access_key(secret).disable_config_load();
            }
            if let Some(token) = &who.token {
                s3 = s3.session_token(token);
            }
            Operator::new(s3)
        }
        Protocol::WebDav => {
            let mut dav = Webdav::default().endpoint(endpoint).root(&root);
            if let Some(user) = user {
                dav = dav.username(user);
            }
            if let Some(secret) = &who.secret {
                dav = dav.password(secret);
            }
            Operator::new(dav)
        }
    }
}

/// Retries are for the log of who wants to know, not warnings for everybody.
struct Quiet;

impl RetryInterceptor for Quiet {
    fn intercept(&self, event: RetryEvent<'_>) {
        log::debug!("trying again in {} ms: {}", event.retry_after.as_millis(), event.err);
    }
}

/// What the server's answer means.
fn problem(error: opendal::Error) -> StoreProblem {
    let said = |kind: io::ErrorKind, text: &str| {
        StoreProblem::Unreadable(Arc::new(io::Error::new(kind, text.to_owned())))
    };
    match error.kind() {
        ErrorKind::NotFound => StoreProblem::Missing,
        ErrorKind::IsADirectory | ErrorKind::NotADirectory => StoreProblem::NotAFile,
        ErrorKind::PermissionDenied => said(
            io::ErrorKind::PermissionDenied,
            "the server refuses: look at the user's name and password",
        ),
        ErrorKind::RateLimited => said(
            io::ErrorKind::ResourceBusy,
            "the server has had too many requests: try again later",
        ),
        _ => StoreProblem::Unreadable(Arc::new(io::Error::other(told(&error)))),
    }
}

/// The innermost cause, which is what went wrong; what is around it repeats the request.
fn told(error: &opendal::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if std::ptr::addr_eq(std::ptr::from_ref(cause), std::ptr::from_ref(error)) {
        return error.message().to_owned();
    }
    cause.to_string()
}

fn read_only() -> StoreProblem {
    StoreProblem::Unwritable(Arc::new(io::ErrorKind::Unsupported.into()))
}

impl Backend for Remote {
    fn folder(&self) -> Option<&Path> {
        None
    }

    fn place(&self) -> String {
        self.address.to_string()
    }

    fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>, StoreProblem> {
        let size = self.stat(key)?.content_length();
        if size > limit {
            return Err(StoreProblem::TooLarge(size));
        }
        self.read(key, size)
    }

    fn get_head(&self, key: &str, len: usize) -> Result<Vec<u8>, StoreProblem> {
        let size = self.stat(key)?.content_length();
        self.read(key, size.min(len as u64))
    }

    fn meta(&self, key: &str) -> Result<Meta, StoreProblem> {
        let found = self.stat(key)?;
        let modified = found.last_modified().map(std::time::SystemTime::from);
        Ok(Meta { size: found.content_length(), modified })
    }

    fn list(&self, folder: &str) -> Result<Vec<Listed>, StoreProblem> {
        let path = format!("{folder}/");
        let path = if folder.is_empty() { "/" } else { path.as_str() };
        let entries = match self.runtime.block_on(self.operator.list(path)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            listed => listed.map_err(problem)?,
        };
        // The folder itself may be among them.
        let inside = entries.iter().filter(|entry| entry.path() != path);
        Ok(inside
            .map(|entry| Listed {
                name: entry.name().trim_end_matches('/').to_owned(),
                is_folder: entry.metadata().is_dir(),
            })
            .collect())
    }

    fn stamp(&self, _: &str) -> Option<Stamp> {
        None
    }

    fn put(&self, _: &str, _: &[u8]) -> Result<(), StoreProblem> {
        Err(read_only())
    }

    fn put_new(&self, _: &str, _: &[u8]) -> Result<(), StoreProblem> {
        Err(read_only())
    }

    fn stage(&self, _: &[u8]) -> Result<Staged, StoreProblem> {
        Err(read_only())
    }

    fn sync(&self) -> Result<(), StoreProblem> {
        Err(read_only())
    }

    fn publish(&self, _: &Staged, _: &str) -> Result<(), StoreProblem> {
        Err(read_only())
    }

    fn discard(&self, _: Staged) {}

    fn delete(&self, _: &str) -> Result<(), StoreProblem> {
        Err(read_only())
    }
}
