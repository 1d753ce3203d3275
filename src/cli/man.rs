//! `revu man`: a man page for each command, from the same definition as the help texts.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_mangen::Man;
use serde_json::json;

use super::args::Cli;
use super::context::Context;
use super::error::{End, FAILED, failure};

const EXAMPLES: &str = "\
Examples:
  revu man ~/.local/share/man/man1
  man -l /tmp/man/revu-mount.1";

/// Write a man page for each command into a folder
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = super::args::after_help(EXAMPLES))]
pub struct Args {
    /// The folder; it is made if it is not there
    #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    folder: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// Where a page cannot be written.
pub fn run(args: &Args, context: &mut Context) -> Result<(), End> {
    let unwritable = |path: &Path, error: &io::Error| {
        failure("man", FAILED, format!("cannot write {}: {error}", path.display()))
    };
    fs::create_dir_all(&args.folder).map_err(|error| unwritable(&args.folder, &error))?;
    let mut command = Cli::command();
    command.build();
    let pages = pages(&command);
    for (name, page) in &pages {
        let path = args.folder.join(name);
        fs::write(&path, page).map_err(|error| unwritable(&path, &error))?;
    }
    if context.global.json {
        let summary = json!({"folder": args.folder.display().to_string(), "pages": pages.len()});
        context.out.json(&json!({"summary": summary}))?;
    }
    Ok(())
}

/// The page of a command and those of its subcommands.
fn pages(command: &clap::Command) -> Vec<(String, Vec<u8>)> {
    let mut pages = vec![page(command)];
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        pages.extend(self::pages(inner));
    }
    pages
}

fn page(command: &clap::Command) -> (String, Vec<u8>) {
    let man = Man::new(command.clone()).manual("revu manual");
    let mut page = Vec::new();
    render(&man, command, &mut page).expect("memory takes every page");
    (man.get_filename(), page)
}

/// As [`Man::render`], but with examples and exit codes as sections of their own, their lines kept.
fn render(man: &Man, command: &clap::Command, page: &mut Vec<u8>) -> io::Result<()> {
    man.render_title(page)?;
    man.render_name_section(page)?;
    // Options of every command stand in a section of their own.
    let own =
        command.clone().mut_args(|arg| if arg.is_global_set() { arg.hide(true) } else { arg });
    Man::new(own).render_synopsis_section(page)?;
    man.render_description_section(page)?;
    man.render_options_section(page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(page)?;
    }
    if let Some(text) = command.get_after_long_help() {
        sections(&text.to_string(), page)?;
    }
    Ok(())
}

/// Text of the form `Title:`, indented lines, as sections of a man page.
fn sections(text: &str, page: &mut Vec<u8>) -> io::Result<()> {
    let mut literal = false;
    for line in text.lines() {
        match line.strip_suffix(':').filter(|title| !title.starts_with(' ')) {
            Some(title) => {
                if literal {
                    writeln!(page, ".fi")?;
                }
                writeln!(page, ".SH \"{}\"\n.nf", title.to_uppercase())?;
                literal = true;
            }
            None => writeln!(page, "{}", escape(line.strip_prefix("  ").unwrap_or(line)))?,
        }
    }
    if literal {
        writeln!(page, ".fi")?;
    }
    Ok(())
}

/// A line that roff takes as it is.
fn escape(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-");
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_keep_their_lines() {
        let mut page = Vec::new();
        sections("Examples:\n  a -b\n  .c \\d\n\nExit codes:\n  0  done", &mut page).unwrap();
        assert_eq!(
            String::from_utf8(page).unwrap(),
            ".SH \"EXAMPLES\"\n.nf\na \\-b\n\\&.c \\ed\n\n.fi\n.SH \"EXIT CODES\"\n.nf\n0  done\n.fi\n"
        );
    }
}
