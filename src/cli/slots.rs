//! `revu key`: who can open a repository of our own.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use crate::format::own::{Kind, Own, Slot, SlotId, Style};
use crate::ops::keys::{self, KeysError};
use crate::store::Store;
use crate::ui::table::{Column, Table};
use crate::ui::{Style as Paint, text, time};

use super::context::Context;
use super::error::{End, Failure, usage};
use super::locate::Located;
use super::new_secret;

const EXAMPLES: &str = "\
Examples:
  revu key list --repo ~/backup
  revu key add --label desk --repo ~/backup
  revu key add --new-key-file ~/backup.key --repo ~/backup
  revu key change --repo ~/backup
  revu key remove desk --repo ~/backup
  revu key show --repo ~/backup > safe/backup.key";

/// Keys: who can open a repository
///
/// A repository that `revu init` made has a random key. Each of its key slots holds that key for one
/// passphrase or one key file. Whoever has once opened the repository may have kept its key: to
/// remove a slot keeps out those who have not. A repository that SiYuan made has the key alone.
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(disable_help_subcommand = true)]
#[command(after_help = EXAMPLES, after_long_help = super::args::after_help(EXAMPLES))]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Print the repository's own key, in base64
    ///
    /// It opens the repository like any other, and without `revu.json` too: keep it in a safe place.
    #[command(after_help = EXAMPLES, after_long_help = super::args::after_help(EXAMPLES))]
    Show,
    /// List the key slots
    ///
    /// Columns: ID, kind, time, label. The key is not needed.
    #[command(after_help = EXAMPLES, after_long_help = super::args::after_help(EXAMPLES))]
    List,
    /// Add a key slot for another passphrase or key file
    #[command(after_help = after_help(), after_long_help = super::args::after_help(&after_help()))]
    Add(new_secret::Options),
    /// Remove a key slot
    ///
    /// The one that opens the repository for this command stays, and so does the last one.
    #[command(after_help = EXAMPLES, after_long_help = super::args::after_help(EXAMPLES))]
    Remove {
        /// ID of the slot or its beginning, or its label
        slot: String,
    },
    /// Give a key slot another passphrase or key file
    ///
    /// It keeps its ID, and without --label also its label.
    #[command(after_help = after_help(), after_long_help = super::args::after_help(&after_help()))]
    Change {
        /// ID of the slot or its beginning, or its label; else the one that opens the repository
        slot: Option<String>,
        #[command(flatten)]
        new: new_secret::Options,
    },
}

fn after_help() -> String {
    let places = new_secret::PLACES.replace('\n', "\n  ");
    format!("{EXAMPLES}\n\nNew passphrases:\n  {places}")
}

/// Runs the command.
///
/// # Errors
/// Exit code 12 for a wrong key, 11 where the repository is in use.
pub fn run(args: &Args, context: &mut Context) -> Result<(), End> {
    let located = context.locate(None)?;
    let store = Store::local(&located.repo);
    match &args.what {
        What::Show => show(&located, context),
        What::List => list(&own(&store)?, context),
        What::Add(new) => add(&located, &store, new, context),
        What::Remove { slot } => remove(&located, &store, slot, context),
        What::Change { slot, new } => change(&located, &store, slot.as_deref(), new, context),
    }
}

fn own(store: &Store) -> Result<Own, KeysError> {
    keys::read(store)?.ok_or_else(|| KeysError::NotOurs(store.place()))
}

fn show(located: &Located, context: &mut Context) -> Result<(), End> {
    // Opened, so that what is printed is the key, and not what somebody took for it.
    let (_repo, key) = context.open_located(located)?;
    let key = key.to_base64();
    if context.global.json {
        context.out.json(&json!({"key": key.as_str()}))?;
    } else {
        context.out.line(&key)?;
    }
    Ok(())
}

#[derive(Debug, Serialize)]
struct Line<'a> {
    id: String,
    kind: Option<&'a str>,
    time: Option<String>,
    created: i64,
    label: Option<&'a str>,
    usable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

fn list(own: &Own, context: &mut Context) -> Result<(), End> {
    let mut table = Table::new([
        Column::text("id").styled(Paint::Id),
        Column::text("kind"),
        Column::text("time"),
        Column::text("label").cut(),
    ]);
    for slot in own.slots() {
        let (kind, created, label) = (slot.kind().word(), slot.created(), slot.label());
        let detail = match slot.kind() {
            Kind::Unusable(why) => Some(why.as_str()),
            Kind::Passphrase(_) | Kind::KeyFile => None,
        };
        if context.global.json {
            let (id, time) = (slot.id().to_string(), time::rfc3339(created));
            let usable = slot.is_usable();
            context.out.json(&Line { id, kind, time, created, label, usable, detail })?;
        } else {
            if let Some(why) = detail {
                ::log::warn!("key slot {} cannot be used: {why}", slot.id());
            }
            table.row([
                slot.id().to_string(),
                kind.unwrap_or("unusable").to_owned(),
                time::local(created, &context.zone),
                // No label: an empty cell.
                text::visible(label.unwrap_or_default()).into_owned(),
            ]);
        }
    }
    table.write(&mut context.out)?;
    Ok(())
}

fn add(
    located: &Located,
    store: &Store,
    new: &new_secret::Options,
    context: &mut Context,
) -> Result<(), End> {
    own(store)?;
    let access = context.access(located)?;
    let secret = new.secret(context, &located.repo, || Ok(None))?;
    let id = new.changed(keys::add(store, &access.key, &secret, style(new)))?;
    told(context, id, "added")
}

fn remove(located: &Located, store: &Store, slot: &str, context: &mut Context) -> Result<(), End> {
    let id = keys::find(store, &own(store)?, slot).map(Slot::id)?;
    let access = context.access(located)?;
    keys::remove(store, id, access.slot)?;
    told(context, id, "removed")
}

fn change(
    located: &Located,
    store: &Store,
    slot: Option<&str>,
    new: &new_secret::Options,
    context: &mut Context,
) -> Result<(), End> {
    let own = own(store)?;
    let named = slot.map(|slot| keys::find(store, &own, slot).map(Slot::id)).transpose()?;
    let access = context.access(located)?;
    let id = named.or(access.slot).ok_or_else(no_slot)?;
    let secret = new.secret(context, &located.repo, || Ok(None))?;
    new.changed(keys::change(store, &access.key, id, &secret, style(new)))?;
    told(context, id, "changed")
}

fn no_slot() -> Failure {
    usage(
        "the repository was opened with its own key, and not through a key slot: name the slot to change, as `revu key list` shows it",
    )
}

fn style(new: &new_secret::Options) -> Style<'_> {
    let created = Timestamp::now().as_millisecond();
    Style { created, label: new.label.as_deref(), ..Style::default() }
}

fn told(context: &mut Context, id: SlotId, state: &str) -> Result<(), End> {
    if context.global.json {
        context.out.json(&json!({"summary": {"slot": id.to_string(), "state": state}}))?;
    } else {
        context.out.line(&format!("key slot {id} is {state}"))?;
    }
    Ok(())
}
