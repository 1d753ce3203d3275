//! How a failure gets to the user, also out of the background process.

use std::error::Error;

use serde::{Deserialize, Serialize};

/// Exit code: it did not work.
pub(super) const FAILED: u8 = 1;
/// Exit code: wrong usage.
pub(super) const USAGE: u8 = 2;
/// Exit code: something is in use.
pub(super) const IN_USE: u8 = 11;

/// A failure, ready to be shown and able to cross from the process that mounts to the one that the
/// user waits for: it is what `{"error":{…}}` of `--json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// A word for scripts: `mountpoint`, `options`, `wrong_key`…
    pub kind: String,
    /// One sentence: what, where, what to do.
    pub message: String,
    /// The exit code of the program.
    pub exit: u8,
    /// The chain of causes, outermost first, for `-v`.
    #[serde(default)]
    pub causes: Vec<String>,
}

impl Failure {
    /// The failure that `error` is, with its chain of causes.
    pub fn new(kind: &str, exit: u8, error: &dyn Error) -> Self {
        let causes = std::iter::successors(error.source(), |&cause| cause.source());
        Self {
            kind: kind.to_owned(),
            message: error.to_string(),
            exit,
            causes: causes.map(ToString::to_string).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] io::Error);

    #[test]
    fn keeps_the_chain_of_causes() {
        let failure = Failure::new("k", 12, &Outer(io::Error::other("inner")));
        assert_eq!(failure.message, "outer");
        assert_eq!(failure.causes, ["inner"]);
        assert_eq!(failure.exit, 12);
        let text = serde_json::to_string(&failure).unwrap();
        assert_eq!(serde_json::from_str::<Failure>(&text).unwrap(), failure);
    }
}
