//! `revu completions`: what the Tab key knows.

use clap::CommandFactory;
use clap_complete::Shell;

use super::args::Cli;
use super::context::Context;
use super::error::End;

const EXAMPLES: &str = "\
Examples:
  revu completions bash > ~/.local/share/bash-completion/completions/revu
  revu completions zsh > ~/.zfunc/_revu
  revu completions fish > ~/.config/fish/completions/revu.fish";

/// Print completions for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = super::args::after_help(EXAMPLES))]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs the command.
///
/// # Errors
/// Where standard output takes no more.
pub fn run(args: &Args, context: &mut Context) -> Result<(), End> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "revu", &mut script);
    Ok(context.out.bytes(&script)?)
}
