//! What a workspace's `conf/conf.json` says that a repository needs: the key, how long snapshots
//! are retained, and which device this is (format page, Keys).

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::{RetentionPolicy, Workspace};
use crate::format::RepoKey;

/// The largest configuration that is read, bytes. SiYuan's have some 50 KiB.
const LARGEST: u64 = 64 << 20;

/// A configuration that cannot be had, or lacks what is asked of it. None of the texts holds
/// anything from the file: it is full of secrets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfError {
    /// There is no such file.
    #[error("there is no SiYuan configuration at {}: name the folder of a workspace", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read the SiYuan configuration {}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The file is not JSON, or what should be a number or a text is something else.
    #[error(
        "the SiYuan configuration {} is not as SiYuan writes it (line {line}, column {column}): \
         start SiYuan once to mend it, or give the key another way",
        path.display()
    )]
    NotConf {
        /// The file.
        path: PathBuf,
        /// Where it goes wrong.
        line: usize,
        /// Where in that line, in bytes.
        column: usize,
    },
    /// SiYuan has not been given a key.
    #[error(
        "the SiYuan configuration {} holds no repository key: make one in SiYuan (Settings, About), \
         or give the key another way",
        path.display()
    )]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// What stands for the key is none.
    #[error(
        "the repository key in the SiYuan configuration {} is not base64 of 32 bytes: \
         give the key another way",
        path.display()
    )]
    BadKey {
        /// The file.
        path: PathBuf,
    },
}

/// A workspace's configuration.
#[derive(Debug)]
pub struct Conf {
    /// Which snapshots SiYuan retains.
    pub retention: RetentionPolicy,
    /// This device.
    pub device: Device,
    path: PathBuf,
    key: KeyText,
}

/// A device as its snapshots name it. Each may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Device {
    /// What tells it from the user's other devices.
    #[serde(deserialize_with = "or_default")]
    pub id: String,
    /// What its user calls it.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Its operating system.
    #[serde(deserialize_with = "or_default")]
    pub os: String,
}

/// What stands at `repo.key`.
#[derive(Debug)]
enum KeyText {
    Missing,
    Bad,
    Good(RepoKey),
}

impl Conf {
    /// Reads a workspace's configuration.
    ///
    /// # Errors
    /// [`ConfError`], but for what [`Conf::key`] fails with: who has the key from elsewhere
    /// does without it.
    pub fn read(workspace: &Workspace) -> Result<Self, ConfError> {
        let path = workspace.conf();
        let json = match read(&path) {
            Ok(json) => json,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ConfError::Missing { path });
            }
            Err(cause) => return Err(ConfError::Unreadable { path, cause }),
        };
        let raw: Raw = match serde_json::from_slice(&json) {
            Ok(raw) => raw,
            // Its text may quote the file, and with it the key.
            Err(error) => {
                let (line, column) = (error.line(), error.column());
                return Err(ConfError::NotConf { path, line, column });
            }
        };
        let RawRepo { key, index_retention_days, retention_indexes_daily } = raw.repo;
        Ok(Self {
            retention: RetentionPolicy::new(index_retention_days, retention_indexes_daily),
            device: raw.system,
            path,
            key: key.0,
        })
    }

    /// The repository key.
    ///
    /// # Errors
    /// [`ConfError::NoKey`], [`ConfError::BadKey`].
    pub fn key(&self) -> Result<&RepoKey, ConfError> {
        match &self.key {
            KeyText::Good(key) => Ok(key),
            KeyText::Missing => Err(ConfError::NoKey { path: self.path.clone() }),
            KeyText::Bad => Err(ConfError::BadKey { path: self.path.clone() }),
        }
    }
}

/// A file's bytes, wiped from memory when dropped. The buffer is made large enough at once: one
/// that grows would leave copies behind.
fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    if len > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 64 MiB"));
    }
    let mut bytes = Zeroizing::new(vec![0; usize::try_from(len).expect("64 MiB fit")]);
    // SiYuan replaces the file by a rename, so it does not change its length while it is open.
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Raw {
    #[serde(deserialize_with = "or_default")]
    repo: RawRepo,
    #[serde(deserialize_with = "or_default")]
    system: Device,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RawRepo {
    key: RawKey,
    index_retention_days: Option<i64>,
    retention_indexes_daily: Option<i64>,
}

/// The key is made of the text while that is read, so that the text itself is kept nowhere.
struct RawKey(KeyText);

impl Default for RawKey {
    fn default() -> Self {
        Self(KeyText::Missing)
    }
}

impl<'de> Deserialize<'de> for RawKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?.map(Zeroizing::new);
        Ok(Self(match text.as_ref().map(|text| text.trim()) {
            None | Some("") => KeyText::Missing,
            Some(text) => RepoKey::from_base64(text).map_or(KeyText::Bad, KeyText::Good),
        }))
    }
}

/// `null` is as good as nothing, as in Go.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    d: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(d).map(|value| value.unwrap_or_else(T::default))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0YdOtp17LWINQXbP9bCqx3xjCC5z9wbGpc0awbRYepI=";

    /// A workspace with this configuration.
    fn workspace(conf: &str) -> (tempfile::TempDir, Workspace) {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["data", "conf"] {
            std::fs::create_dir(dir.path().join(folder)).unwrap();
        }
        std::fs::write(dir.path().join("conf/conf.json"), conf).unwrap();
        let workspace = Workspace::at(dir.path()).unwrap();
        (dir, workspace)
    }

    fn conf(json: &str) -> Result<Conf, ConfError> {
        Conf::read(&workspace(json).1)
    }

    fn fixture(name: &str) -> Conf {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
        Conf::read(&Workspace::at(&root).unwrap()).unwrap()
    }

    #[test]
    fn what_siyuan_writes() {
        let conf = fixture("golden");
        assert_eq!(*conf.key().unwrap().to_base64(), KEY);
        assert_eq!(conf.retention, RetentionPolicy { days: 180, daily: 2 });
        assert_eq!(conf.device, Device::default());

        let conf = fixture("siyuan-workspace/workspace");
        let key = RepoKey::parse("correct horse battery staple").unwrap();
        assert_eq!(conf.key().unwrap(), &key);
        let device = Device { id: "x60oixwq87gv".into(), name: "vm".into(), os: "linux".into() };
        assert_eq!(conf.device, device);
    }

    #[test]
    fn settings_and_their_defaults() {
        let policy = |json: &str| conf(json).unwrap().retention;
        let set = r#"{"repo": {"indexRetentionDays": 30, "retentionIndexesDaily": 5}}"#;
        assert_eq!(policy(set), RetentionPolicy { days: 30, daily: 5 });
        for none in [
            "{}",
            r#"{"repo": null, "system": {"id": null}}"#,
            r#"{"repo": {"indexRetentionDays": 0, "retentionIndexesDaily": -1}}"#,
        ] {
            assert_eq!(policy(none), RetentionPolicy::default(), "{none}");
        }
    }

    #[test]
    fn no_key_or_a_bad_one_fails_only_who_asks() {
        for none in ["{}", r#"{"repo":{}}"#, r#"{"repo":{"key":""}}"#, r#"{"repo":{"key":null}}"#] {
            let error = conf(none).unwrap().key().unwrap_err();
            assert!(matches!(error, ConfError::NoKey { .. }), "{none}: {error}");
            assert!(error.to_string().contains("holds no repository key"), "{error}");
        }
        let short = conf(r#"{"repo":{"key":"c2VjcmV0"}}"#).unwrap();
        let error = short.key().unwrap_err();
        assert!(matches!(error, ConfError::BadKey { .. }), "{error}");
        for text in [format!("{error} {error:?}"), format!("{short:?}")] {
            assert!(!text.contains("c2VjcmV0"), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_configuration() {
        let good = format!(r#"{{"repo": {{"key": "{KEY}", "indexRetentionDays": 3}}}}"#);
        for bad in [
            "",
            "no",
            &good[..good.len() - 1],
            &format!(r#"{{"repo": "{KEY}"}}"#),
            &format!(r#"{{"repo": {{"indexRetentionDays": "{KEY}"}}}}"#),
            &format!(r#"{{"system": {{"id": ["{KEY}"]}}}}"#),
            r#"{"repo": {"key": 7}}"#,
            &format!(r#"{{"{KEY}": }}"#),
        ] {
            let error = conf(bad).unwrap_err();
            assert!(matches!(error, ConfError::NotConf { .. }), "{bad}: {error}");
            assert!(error.to_string().contains("is not as SiYuan writes it (line "), "{error}");
            assert!(!format!("{error} {error:?}").contains(KEY), "{error}");
        }
        assert!(conf(&good).unwrap().key().is_ok());
        assert!(!format!("{:?}", conf(&good).unwrap()).contains(&KEY[..8]));
    }

    #[test]
    fn a_missing_and_an_unreadable_file() {
        let (dir, workspace) = workspace("{}");
        std::fs::remove_file(workspace.conf()).unwrap();
        let error = Conf::read(&workspace).unwrap_err();
        assert!(matches!(error, ConfError::Missing { .. }), "{error}");
        assert!(error.to_string().contains(dir.path().to_str().unwrap()), "{error}");
        std::fs::create_dir(workspace.conf()).unwrap();
        let error = Conf::read(&workspace).unwrap_err();
        assert!(matches!(error, ConfError::Unreadable { .. }), "{error}");
        std::fs::remove_dir(workspace.conf()).unwrap();
        File::create(workspace.conf()).unwrap().set_len(LARGEST + 1).unwrap();
        let error = Conf::read(&workspace).unwrap_err();
        assert!(error.to_string().ends_with("it is larger than 64 MiB"), "{error}");
    }
}
