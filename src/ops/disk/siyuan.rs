//! What counts in the data folder of a SiYuan workspace.

use std::path::Path;

use crate::ops::paths;
use crate::siyuan::IgnoreRules;
use crate::siyuan::ignore::{IgnoreError, SYNCIGNORE, enter_folder, take_file};

use super::Rules;

/// Folders that SiYuan keeps when a restore has emptied them, with all folders below (format page,
/// Restore).
const STAY: [&str; 9] = [
    "assets",
    "emojis",
    "snippets",
    "storage",
    "templates",
    "widgets",
    "plugins",
    "public",
    ".git",
];

/// SiYuan's rules: those of its walk, its own ignore rules, and the user's `syncignore`.
#[derive(Debug)]
pub struct SiyuanRules(IgnoreRules);

impl SiyuanRules {
    /// The rules of a data folder as they are now.
    ///
    /// # Errors
    /// [`IgnoreError`] where the user's rules cannot be read.
    pub fn load(data: &Path) -> Result<Self, IgnoreError> {
        IgnoreRules::load(data).map(Self)
    }
}

impl Rules for SiyuanRules {
    fn enters(&self, folder: &str) -> bool {
        enter_folder(paths::split(folder).1)
    }

    fn takes(&self, file: &str) -> bool {
        let absolute = format!("/{file}");
        take_file(&absolute, paths::split(file).1) && !self.0.ignores(&absolute)
    }

    fn stays(&self, folder: &str) -> bool {
        folder.split('/').any(|part| STAY.contains(&part))
    }

    fn come_from(&self, file: &str) -> bool {
        file == SYNCIGNORE
    }
}
