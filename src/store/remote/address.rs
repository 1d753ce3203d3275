//! Addresses of repositories that other computers hold.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::Url;

/// Where a repository lies that a server gives access to. Holds no secrets: it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub(super) protocol: Protocol,
    /// Scheme, host and port.
    pub(super) endpoint: String,
    /// The user that stands before the host.
    pub(super) user: Option<String>,
    /// The parts of the path below the server, or below the bucket; none empty.
    pub(super) path: Vec<String>,
}

/// How to speak to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Protocol {
    /// S3, with the bucket.
    S3(String),
    WebDav,
}

/// What an address must look like.
const FORM: &str = "write s3:https://HOST/BUCKET/PATH or webdav:https://HOST/PATH";

/// Why a text is no address. The text itself is not shown: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Not one of the protocols, or no address at all.
    #[error("this is no address of a repository: {FORM}")]
    Form,
    /// A password would be seen by everybody who lists the processes.
    #[error("an address must not hold a password: take it out and put it into {0}")]
    Password(&'static str),
    /// S3 needs a bucket.
    #[error("the address names no bucket: write s3:https://HOST/BUCKET/PATH")]
    NoBucket,
}

/// The protocols by their names, and the variable that holds their secret.
const PROTOCOLS: [(&str, &str); 2] =
    [("s3:", "AWS_SECRET_ACCESS_KEY"), ("webdav:", "REVU_WEBDAV_PASSWORD")];

impl Address {
    /// Reads an address; `None` where the text is a path of this computer.
    ///
    /// # Errors
    /// [`AddressError`] where an address is meant, but is none that can be used.
    pub fn parse(text: &str) -> Option<Result<Self, AddressError>> {
        let is_web = |text: &str| text.starts_with("http://") || text.starts_with("https://");
        for (name, secret) in PROTOCOLS {
            if let Some(rest) = text.strip_prefix(name)
                && is_web(rest)
            {
                return Some(Self::of(name, secret, rest));
            }
        }
        text.contains("://").then_some(Err(AddressError::Form))
    }

    fn of(protocol: &str, secret: &'static str, text: &str) -> Result<Self, AddressError> {
        let url = Url::parse(text).map_err(|_| AddressError::Form)?;
        if url.password().is_some() {
            return Err(AddressError::Password(secret));
        }
        let decode =
            |text: &str| percent_decode_str(text).decode_utf8().ok().map(|text| text.into_owned());
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(AddressError::Form)?;
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let parts = url.path().split('/').filter(|part| !part.is_empty());
        let mut path: Vec<String> =
            parts.map(decode).collect::<Option<_>>().ok_or(AddressError::Form)?;
        // Encoded, they would lead elsewhere than they seem to.
        let leads_away = |part: &String| part.contains('/') || part == "." || part == "..";
        if path.iter().any(leads_away) || url.query().is_some() || url.fragment().is_some() {
            return Err(AddressError::Form);
        }
        let user = match url.username() {
            "" => None,
            user => Some(decode(user).ok_or(AddressError::Form)?),
        };
        let protocol = match protocol {
            "s3:" if path.is_empty() => return Err(AddressError::NoBucket),
            // The key's ID has a variable of its own, beside its secret.
            "s3:" if user.is_some() => return Err(AddressError::Form),
            "s3:" => Protocol::S3(path.remove(0)),
            _ => Protocol::WebDav,
        };
        Ok(Self { protocol, endpoint: format!("{}://{host}{port}", url.scheme()), user, path })
    }

    /// Whether it is WebDAV that is spoken there, not S3.
    pub fn is_webdav(&self) -> bool {
        self.protocol == Protocol::WebDav
    }

    /// Whether what is sent can be read on the way, passwords included.
    pub fn is_plain(&self) -> bool {
        self.endpoint.starts_with("http:")
    }

    /// The address of what has this name there.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        let mut joined = self.clone();
        joined.path.push(name.to_owned());
        joined
    }

    /// The path, from the root of the server or of the bucket.
    pub(super) fn root(&self) -> String {
        format!("/{}", self.path.join("/"))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, bucket) = match &self.protocol {
            Protocol::S3(bucket) => ("s3", Some(bucket)),
            Protocol::WebDav => ("webdav", None),
        };
        write!(f, "{name}:{}", self.endpoint)?;
        bucket.into_iter().chain(&self.path).try_for_each(|part| write!(f, "/{part}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Address {
        Address::parse(text).unwrap().unwrap()
    }

    #[test]
    fn what_is_an_address() {
        let s3 = parse("s3:https://s3.example.org:9000/bucket/a%20b//repo/");
        assert_eq!(s3.protocol, Protocol::S3("bucket".into()));
        assert_eq!(
            (s3.endpoint.as_str(), s3.root().as_str()),
            ("https://s3.example.org:9000", "/a b/repo")
        );
        assert_eq!(s3.to_string(), "s3:https://s3.example.org:9000/bucket/a b/repo");
        assert!(!s3.is_plain());
        let dav = parse("webdav:http://me%40home@[::1]:80/dav/main");
        assert_eq!(
            (dav.protocol.clone(), dav.user.as_deref()),
            (Protocol::WebDav, Some("me@home"))
        );
        assert_eq!(dav.join("repo").to_string(), "webdav:http://[::1]/dav/main/repo");
        assert!(dav.is_plain());
        assert_eq!(parse("webdav:https://host").root(), "/");
    }

    #[test]
    fn what_is_a_path() {
        for path in ["", "repo", "/a/b", "s3:", "s3:bucket", "webdav:x", "./s3:https", "a:b"] {
            assert!(Address::parse(path).is_none(), "{path}");
        }
    }

    #[test]
    fn what_is_refused_and_shows_no_password() {
        for (text, error) in [
            ("https://host/x", AddressError::Form),
            ("s3://bucket/x", AddressError::Form),
            ("ftp://host", AddressError::Form),
            ("s3:https://", AddressError::Form),
            ("s3:https://host", AddressError::NoBucket),
            ("s3:https://host/", AddressError::NoBucket),
            ("s3:https://key@host/bucket", AddressError::Form),
            ("webdav:https://host/?a=b", AddressError::Form),
            ("webdav:https://host/a%2Fb", AddressError::Form),
            ("webdav:https://host/%ff", AddressError::Form),
            ("webdav:https://me:hidden@host/", AddressError::Password("REVU_WEBDAV_PASSWORD")),
            ("s3:https://me:hidden@host/b", AddressError::Password("AWS_SECRET_ACCESS_KEY")),
        ] {
            let refused = Address::parse(text).unwrap().unwrap_err();
            assert_eq!(refused, error, "{text}");
            assert!(!refused.to_string().contains("hidden"));
        }
    }
}
