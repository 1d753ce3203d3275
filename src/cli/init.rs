//! `revu init`: an empty repository.

use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::json;

use crate::format::own::{Settings, Style};
use crate::ops::init;
use crate::store::Store;
use crate::ui::text;

use super::context::Context;
use super::error::{End, usage};
use super::{key, new_secret};

const EXAMPLES: &str = "\
Examples:
  revu init ~/backup
  revu init --new-key-file ~/backup.key --label desk ~/backup
  revu init --profile siyuan --new-key-file key.txt repo

Keys:
  A repository of profile plain has a random key. What opens it is a passphrase or a key file,
  taken from the first of these that is there:
  --new-key-file (makes one), REVU_NEW_PASSPHRASE, --key-file, --key-command, REVU_KEY_FILE,
  REVU_KEY_COMMAND, REVU_KEY, REVU_PASSPHRASE, a question on the terminal, asked twice.
  One of profile siyuan has the key that its first snapshot is made with.";

/// Make an empty repository
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = super::args::after_help(EXAMPLES))]
pub struct Args {
    /// What it is for
    #[arg(long, value_enum, value_name = "PROFILE", default_value_t)]
    profile: Profile,
    #[command(flatten)]
    new: new_secret::Options,
    /// Its folder: a new one, or one that is empty
    #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    folder: PathBuf,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Profile {
    /// Snapshots of any folder; opened with passphrases and key files
    #[default]
    Plain,
    /// As SiYuan would make it, with the key alone
    Siyuan,
}

/// Runs the command.
///
/// # Errors
/// Where there is something already, or it cannot be made.
pub fn run(args: &Args, context: &mut Context) -> Result<(), End> {
    let folder = std::path::absolute(&args.folder).unwrap_or_else(|_| args.folder.clone());
    let store = Store::local(&folder);
    // Before anybody thinks of a passphrase.
    init::check(&store)?;
    match args.profile {
        Profile::Plain => plain(args, &store, context),
        Profile::Siyuan => siyuan(args, &store, context),
    }
}

fn plain(args: &Args, store: &Store, context: &mut Context) -> Result<(), End> {
    let folder = store.folder().expect("it was made of one");
    let given = || key::given(&context.global, &context.environment);
    let secret = args.new.secret(context, folder, given)?;
    let created = Timestamp::now().as_millisecond();
    let style = Style { created, label: args.new.label.as_deref(), ..Style::default() };
    let made = init::own(store, &secret, Settings::default(), style)?;
    let place = folder.to_string_lossy();
    if context.global.json {
        let summary = json!({
            "repository": place, "profile": "plain", "id": made.id.to_string(),
            "slot": made.slot.to_string(),
        });
        context.out.json(&json!({"summary": summary}))?;
        return Ok(());
    }
    let lines = [
        format!("{} is a repository now; key slot {} opens it", text::visible(&place), made.slot),
        "whoever loses what opens it loses all that is in it: `revu key show` prints the key itself, \
         to be kept in a safe place"
            .to_owned(),
    ];
    for line in lines {
        context.out.line(&line)?;
    }
    Ok(())
}

fn siyuan(args: &Args, store: &Store, context: &mut Context) -> Result<(), End> {
    let folder = store.folder().expect("it was made of one");
    if args.new.label.is_some() {
        return Err(usage(
            "a repository of profile siyuan has no key slots that --label could name",
        )
        .into());
    }
    // Without a new key file there is nothing to do with a key yet.
    if args.new.new_key_file.is_some() {
        args.new.secret(context, folder, || Ok(None))?;
    }
    init::siyuan(store)?;
    let place = folder.to_string_lossy();
    if context.global.json {
        context.out.json(&json!({"summary": {"repository": place, "profile": "siyuan"}}))?;
    } else {
        let line = format!(
            "{} is an empty repository now; its key is the one that its first snapshot is made with",
            text::visible(&place)
        );
        context.out.line(&line)?;
    }
    Ok(())
}
