//! The command line: one file a command, each with its arguments and their help.
//!
//! - [`args`]: what can be written; [`mod@env`]: what the environment says; [`context`]: both, resolved
//! - [`locate`](mod@locate), [`key`], [`prompt`]: finding the repository and its key
//! - [`new_secret`]: what a key slot is made for
//! - `notebooks`, `note_shelf`, `note_diff`: notes of SiYuan
//! - [`target`], [`dates`]: what `SNAPSHOT:PATH` and times mean
//! - [`watch`]: bars, problems and Ctrl-C for what takes a while;
//!   [`hold`]: keeping SiYuan out meanwhile
//! - [`error`]: failures and exit codes
//!
//! A command prints results through [`Out`] alone, so that a closed pipe is an
//! end like any other, and never a panic.

pub mod args;
pub mod cat;
pub mod check;
pub mod completions;
pub mod context;
pub mod dates;
pub mod diff;
pub mod env;
pub mod error;
pub mod export;
pub mod find;
mod harden;
pub mod hold;
pub mod init;
pub mod key;
pub mod locate;
pub mod log;
pub mod ls;
pub mod man;
pub mod mount;
pub mod mounts;
pub mod new_secret;
mod note_diff;
mod note_shelf;
mod notebooks;
pub mod prompt;
pub mod purge;
pub mod remote;
mod restore;
pub mod slots;
pub mod snapshot;
pub mod snapshot_tree;
pub mod stats;
pub mod tag;
pub mod target;
pub mod umount;
pub mod versions;
pub mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

use ::log::LevelFilter;
use clap::Parser;
use clap::error::ErrorKind;
use jiff::tz::TimeZone;

use crate::ui::{self, Color, Look, Out};

use args::{Cli, Command, Global};
use context::Context;
use env::Environment;
use error::{End, USAGE, failure, shown};

/// The whole program. Must be called first thing, while this process has a single thread.
pub fn main() -> ExitCode {
    // Before any secret is in memory but for those in the environment.
    harden::harden();
    let environment = Environment::take();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return not_parsed(&error, &arguments),
    };
    run(cli, environment)
}

/// Help, version, or wrong usage.
fn not_parsed(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    let wrong = error.use_stderr();
    // They were not parsed, so look for it by hand.
    let json = arguments.iter().any(|argument| argument == "--json");
    let asked_for_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if wrong && json && !asked_for_help {
        let text = error.render().to_string();
        // One sentence: what is wrong, without the usage that follows.
        let first = text.trim_start_matches("error: ").split("\n\n").next().unwrap_or(&text);
        let sentence = first.split_whitespace().collect::<Vec<_>>().join(" ");
        let failure = failure("usage", USAGE, sentence);
        ui::log::tell(&shown(&failure, true, false, Look::default()));
    } else {
        // A closed pipe is fine here too.
        let _ = error.print();
    }
    ExitCode::from(if wrong { USAGE } else { 0 })
}

fn run(cli: Cli, environment: Environment) -> ExitCode {
    let Cli { global, command } = cli;
    let plain = ui::asks_for_plain();
    let stderr = Look::of_stderr(global.color, plain);
    let json = global.json;
    let verbose = global.verbose > 0;
    let level = level(&global);
    match &command {
        // It logs to a file when it goes into the background.
        Command::Mount(_) => crate::mount::logger::install(level),
        _ => ui::log::install(level, json, stderr),
    }
    let color = if json { Color::Never } else { global.color };
    let out = Out::new(Look::of_stdout(color, plain));
    let zone = TimeZone::system();
    let mut context = Context { global, environment, out, stderr, zone };
    let ended = dispatch(command, &mut context);
    // What was printed before a failure is part of the result.
    let flushed = context.out.flush().map_err(End::from);
    match ended.and(flushed) {
        Ok(()) | Err(End::PipeClosed) => ExitCode::SUCCESS,
        Err(End::Told(exit)) => ExitCode::from(exit),
        Err(End::Failed(failure)) => {
            ui::log::tell(&shown(&failure, json, verbose, stderr));
            ExitCode::from(failure.exit)
        }
    }
}

fn dispatch(command: Command, context: &mut Context) -> Result<(), End> {
    match command {
        Command::Mount(args) => mount::run(args, context),
        Command::Umount(args) => umount::run(&args, context),
        Command::Mounts(args) => mounts::run(&args, context),
        Command::Init(args) => init::run(&args, context),
        Command::Key(args) => slots::run(&args, context),
        Command::Snapshot(args) => snapshot::run(&args, context),
        Command::Log(args) => log::run(&args, context),
        Command::Ls(args) => ls::run(&args, context),
        Command::Cat(args) => cat::run(&args, context),
        Command::Restore(args) => restore::run(&args, context),
        Command::Export(args) => export::run(&args, context),
        Command::Diff(args) => diff::run(&args, context),
        Command::Find(args) => find::run(&args, context),
        Command::Versions(args) => versions::run(&args, context),
        Command::Tag(args) => tag::run(&args, context),
        Command::Check(args) => check::run(&args, context),
        Command::Purge(args) => purge::run(&args, context),
        Command::Stats(args) => stats::run(&args, context),
        Command::Completions(args) => completions::run(&args, context),
        Command::Man(args) => man::run(&args, context),
    }
}

/// Damage is always told: without it a result that lacks something would look whole.
fn level(global: &Global) -> LevelFilter {
    match global.verbose {
        0 if global.quiet => LevelFilter::Error,
        0 => LevelFilter::Warn,
        1 => LevelFilter::Info,
        _ => LevelFilter::Debug,
    }
}
