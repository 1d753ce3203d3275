//! The command line as it is written: one definition for parsing, help, man pages and completions.
//! Parsing looks at nothing but the arguments; what they mean is found out afterwards.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};

use crate::ui::Color;

use super::{
    cat, check, completions, diff, export, find, init, log, ls, man, mount, mounts, purge, restore,
    slots, snapshot, stats, tag, umount, versions,
};

/// Exit codes, as the help texts and man pages list them.
const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    failed
  2    wrong usage
  3    done, but some data is damaged or could not be read (each is named)
  10   no repository there
  11   in use
  12   wrong key
  130  interrupted";

/// The end of a help text: examples, then exit codes.
pub fn after_help(examples: &str) -> String {
    format!("{examples}\n\n{EXIT_CODES}")
}

const EXAMPLES: &str = "\
Examples:
  revu mount                       mount the repository of your SiYuan workspace
  revu log                         list its snapshots
  revu ls latest:/assets -l        look into one of them
  revu cat v1:/assets/plan.txt     print a file as it was

A SNAPSHOT is named by:
  an ID, or its first 4 digits or more
  a tag
  latest, or latest~2 (two before it)
  a name, as `revu log` and the mount show it
  a date or time, such as 2024-05-01 or 2024-05-01T18:00: the newest
  snapshot at or before its end

The key is taken from the first of these that is there:
  --key-file, --key-command, REVU_KEY_FILE, REVU_KEY_COMMAND, REVU_KEY (base64),
  REVU_PASSPHRASE, conf.json of the workspace, a question on the terminal
One that `revu init` made is opened by a passphrase or key file of one of its key slots,
or by its own key; conf.json has no part in that.";

/// Looks back in time at notes and files: snapshots of SiYuan as folders
///
/// revu ("seen again") reads the snapshots that SiYuan keeps in its data repository. It mounts them as
/// a read-only file system, lists them, and prints files as they were. None of that changes a
/// repository.
#[derive(Debug, Parser)]
#[command(name = "revu", version, after_help = EXAMPLES, after_long_help = after_help(EXAMPLES))]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(disable_help_subcommand = true, max_term_width = 100)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Folder of the repository [env: REVU_REPO]
    ///
    /// Without this and --workspace: the workspace or repository that the current folder lies in, else
    /// the workspaces that SiYuan knows, else ~/SiYuan.
    #[arg(long, global = true, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub repo: Option<OsString>,
    /// SiYuan workspace whose repository and key to use [env: REVU_WORKSPACE]
    ///
    /// Beside --repo it gives the key alone.
    #[arg(long, global = true, value_name = "DIR")]
    pub workspace: Option<PathBuf>,
    /// File that holds the key or passphrase [env: REVU_KEY_FILE]
    #[arg(long, global = true, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub key_file: Option<PathBuf>,
    /// Shell command that prints the key or passphrase [env: REVU_KEY_COMMAND]
    #[arg(long, global = true, value_name = "CMD", value_hint = clap::ValueHint::CommandString)]
    pub key_command: Option<OsString>,
    /// Print one JSON object a line
    #[arg(long, global = true)]
    pub json: bool,
    /// No warnings, no progress
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Say more: causes of errors; twice: details
    #[arg(long, short, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t)]
    pub color: Color,
    /// Keep nothing on disk that only saves time
    #[arg(long, global = true)]
    pub no_cache: bool,
    /// Folder for what only saves time [default: revu in XDG_CACHE_HOME or ~/.cache]
    #[arg(long, global = true, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub cache_dir: Option<PathBuf>,
}

/// The commands.
#[allow(missing_docs, reason = "the help text of each stands with its arguments")]
#[derive(Debug, Subcommand)]
pub enum Command {
    Mount(mount::Args),
    Umount(umount::Args),
    Mounts(mounts::Args),
    Snapshot(snapshot::Args),
    Log(log::Args),
    Ls(ls::Args),
    Cat(cat::Args),
    Restore(restore::Args),
    Export(export::Args),
    Diff(diff::Args),
    Find(find::Args),
    Versions(versions::Args),
    Tag(tag::Args),
    Check(check::Args),
    Purge(purge::Args),
    Stats(stats::Args),
    Init(init::Args),
    Key(slots::Args),
    Completions(completions::Args),
    Man(man::Args),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_stand_before_and_behind_a_command() {
        for line in [["revu", "--json", "log"], ["revu", "log", "--json"]] {
            assert!(Cli::try_parse_from(line).unwrap().global.json);
        }
        assert_eq!(Cli::try_parse_from(["revu", "-vv", "log"]).unwrap().global.verbose, 2);
    }
}
