//! `revu purge`: old snapshots go.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use jiff::{Timestamp, Zoned};
use serde::Serialize;
use serde_json::json;

use crate::format::IndexId;
use crate::ops::Monitor;
use crate::ops::purge::{Candidate, Plan};
use crate::ops::retention::{self, Count, Made, Policy, Within};
use crate::repo::names;
use crate::siyuan::{Conf, RetentionPolicy};
use crate::store::Store;
use crate::store::lock::{Kind, Lock};
use crate::ui::table::{Column, Table};
use crate::ui::{Style, size, text, time};

use super::context::Context;
use super::error::{End, FAILED, Failure, usage};
use super::hold::keep_siyuan_out;
use super::locate::Located;
use super::watch::Watch;

const EXAMPLES: &str = "\
Examples:
  revu purge --keep-daily 14 --keep-monthly 24 --dry-run
  revu purge --keep-within 2y --keep-last 10
  revu purge --siyuan-policy
  revu purge --keep-last unlimited      only what no snapshot needs";

/// Remove old snapshots, and what only they needed
///
/// A snapshot stays if any option says so, or if it is the latest, has a tag, or is the base of the next
/// sync; the others are removed for good. `--dry-run` says beforehand what would go, why the others
/// stay, and how many bytes it frees.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = super::args::after_help(EXAMPLES))]
pub struct Args {
    /// Keep the newest N snapshots; a number or `unlimited`, as with the options below
    #[arg(long, value_name = "N")]
    keep_last: Option<Count>,
    /// Keep the newest snapshot of each of the newest N hours that have any
    #[arg(long, value_name = "N")]
    keep_hourly: Option<Count>,
    /// The same with days
    #[arg(long, value_name = "N")]
    keep_daily: Option<Count>,
    /// The same with weeks, which begin on Mondays
    #[arg(long, value_name = "N")]
    keep_weekly: Option<Count>,
    /// The same with months
    #[arg(long, value_name = "N")]
    keep_monthly: Option<Count>,
    /// The same with years
    #[arg(long, value_name = "N")]
    keep_yearly: Option<Count>,
    /// Keep all that were made within this time before the newest one: 2y5m7d3h are 2 years, 5
    /// months, 7 days and 3 hours
    #[arg(long, value_name = "TIME")]
    keep_within: Option<Within>,
    /// Keep those with this tag, or with all of TAG,TAG; tags keep their snapshots anyway, so this
    /// alone removes all others
    #[arg(long, value_name = "TAG")]
    keep_tag: Vec<String>,
    /// Keep what SiYuan would: of each of the last so many days so many, as set in SiYuan under
    /// Settings - About
    #[arg(long)]
    siyuan_policy: bool,
    /// Remove nothing; say what would be removed and why the others stay
    #[arg(long, short = 'n')]
    dry_run: bool,
}

impl Args {
    fn policy(&self) -> Policy {
        let list = |tags: &String| tags.split(',').map(|tag| tag.trim().to_owned()).collect();
        Policy {
            // An option that is not given keeps none.
            last: self.keep_last.unwrap_or_default(),
            hourly: self.keep_hourly.unwrap_or_default(),
            daily: self.keep_daily.unwrap_or_default(),
            weekly: self.keep_weekly.unwrap_or_default(),
            monthly: self.keep_monthly.unwrap_or_default(),
            yearly: self.keep_yearly.unwrap_or_default(),
            within: self.keep_within,
            tags: self.keep_tag.iter().map(list).collect(),
        }
    }
}

/// What stays, and for what reasons.
struct Keep {
    policy: Policy,
    siyuan: Option<RetentionPolicy>,
    now: Zoned,
}

impl Keep {
    fn reasons(&self, candidates: &[Candidate]) -> Vec<Vec<String>> {
        let made: Vec<Made> = candidates
            .iter()
            .map(|c| Made { created: c.head.created, tags: c.tags.clone() })
            .collect();
        let now: Timestamp = self.now.timestamp();
        let told = retention::reasons(&self.policy, &made, self.now.time_zone(), now);
        let mut told: Vec<Vec<String>> =
            told.iter().map(|own| own.iter().map(ToString::to_string).collect()).collect();
        if let Some(siyuan) = &self.siyuan {
            let all: Vec<(IndexId, i64)> =
                candidates.iter().map(|c| (c.head.id, c.head.created)).collect();
            let retained = siyuan.retained(&all, &self.now);
            for ((id, _), own) in all.iter().zip(&mut told) {
                if retained.contains(id) {
                    own.push("SiYuan's policy".to_owned());
                }
            }
        }
        told
    }
}

#[derive(Debug, Serialize)]
struct Line<'a> {
    action: &'static str,
    id: IndexId,
    name: &'a str,
    time: Option<String>,
    created: i64,
    memo: &'a str,
    tags: &'a [String],
    reasons: &'a [String],
}

/// Runs the command.
///
/// # Errors
/// Exit code 1 where something that must stay cannot be read, 2 where nothing says what is to stay, 11
/// while SiYuan or another revu uses the repository.
pub fn run(args: &Args, context: &mut Context) -> Result<(), End> {
    let policy = args.policy();
    if policy.is_empty() && !args.siyuan_policy {
        let sentence = "say which snapshots are to stay: --keep-last, --keep-daily and the like, or \
                        --siyuan-policy";
        return Err(usage(sentence).into());
    }
    let located = context.locate(None)?;
    let siyuan = if args.siyuan_policy { Some(siyuan_policy(&located)?) } else { None };
    // Before anybody is asked for a passphrase. Who removes nothing needs no lock.
    let (_out, lock) = match args.dry_run {
        true => (None, None),
        false => (keep_siyuan_out(&located)?, Some(())),
    };
    let (repo, _) = context.open_located(&located)?;
    let watch = Watch::new(context)?;
    let lock = lock
        .map(|()| {
            let store = Store::local(&located.repo);
            Lock::take(&store, Kind::Exclusive, "purge", Duration::ZERO, &|| watch.stopped())
        })
        .transpose()?;
    let snapshots = repo.snapshots()?;
    let list = snapshots.list.iter().map(|snapshot| snapshot.head.id);
    let names: HashMap<IndexId, String> =
        list.zip(names::names(&snapshots, &context.zone)).collect();

    let now = Timestamp::now().to_zoned(context.zone.clone());
    let keep = Keep { policy, siyuan, now };
    let start = lock.as_ref().map_or_else(SystemTime::now, Lock::taken);
    let plan = Plan::make(&repo, &|candidates| keep.reasons(candidates), start, &watch);
    let plan = plan.inspect_err(|_| watch.clear())?;
    watch.clear();
    print(&plan, &names, args.dry_run, context)?;
    if let Some(lock) = &lock {
        // What is going to be removed is on the screen before it is.
        context.out.flush()?;
        let done = plan.execute(lock, &watch);
        watch.clear();
        done?;
    }
    end(&plan, args.dry_run, context)
}

fn siyuan_policy(located: &Located) -> Result<RetentionPolicy, Failure> {
    let Some(workspace) = &located.workspace else {
        let sentence = "--siyuan-policy reads SiYuan's settings from a workspace, and this repository \
                        is not part of one: name it with --workspace";
        return Err(usage(sentence));
    };
    let conf = Conf::read(workspace).map_err(|e| Failure::new("workspaces", FAILED, &e))?;
    Ok(conf.retention)
}

/// The snapshots, oldest first: those that go, and where nothing is removed those that stay.
fn print(
    plan: &Plan<'_>,
    names: &HashMap<IndexId, String>,
    dry_run: bool,
    context: &mut Context,
) -> Result<(), End> {
    let unknown = String::from("?");
    let stays = plan.stays.iter().map(|stays| {
        let Candidate { head, tags } = &stays.snapshot;
        (head, &tags[..], &stays.reasons[..])
    });
    let goes = plan.goes.iter().map(|goes| (&goes.head, &[][..], &[][..]));
    let mut all: Vec<_> = stays.chain(goes).collect();
    all.sort_by_key(|(head, ..)| (head.created, head.id));
    let mut table = Table::new([
        Column::text("action"),
        Column::text("name"),
        Column::text("id").styled(Style::Id),
        Column::text("why").cut(),
    ]);
    for (head, tags, reasons) in all {
        let action = if reasons.is_empty() { "remove" } else { "keep" };
        let name = names.get(&head.id).unwrap_or(&unknown);
        if context.global.json {
            let line = Line {
                action,
                id: head.id,
                name,
                time: time::rfc3339(head.created),
                created: head.created,
                memo: &head.memo,
                tags,
                reasons,
            };
            context.out.json(&line)?;
        } else if dry_run || reasons.is_empty() {
            let why = text::visible(&reasons.join(", ")).into_owned();
            table.row([action.to_owned(), name.clone(), head.id.short(), why]);
        }
    }
    Ok(table.write(&mut context.out)?)
}

fn end(plan: &Plan<'_>, dry_run: bool, context: &mut Context) -> Result<(), End> {
    let figures = plan.figures;
    if context.global.json {
        let summary = json!({
            "dry_run": dry_run,
            "kept": plan.stays.len(),
            "removed": figures.snapshots,
            "objects": figures.objects,
            "bytes": figures.bytes(),
            "leftovers": figures.leftovers,
            "young": plan.young,
        });
        context.out.json(&json!({ "summary": summary }))?;
        return Ok(());
    }
    let human = context.out.look().terminal;
    let bytes = match human {
        true => size::human(figures.bytes()),
        false => format!("{} bytes", figures.bytes()),
    };
    let verb = if dry_run { "would remove" } else { "removed" };
    let frees = if dry_run { "would free" } else { "freed" };
    let snapshots = text::count(figures.snapshots, "snapshot");
    let objects = text::count(figures.objects, "object");
    let line =
        format!("{verb} {snapshots} and {objects}, {frees} {bytes}; {} stay", plan.stays.len());
    context.out.line(&line)?;
    if figures.leftovers > 0 {
        let leftovers = text::count(figures.leftovers, "leftover");
        context.out.line(&format!("among that: {leftovers} of processes that were stopped"))?;
    }
    if plan.young > 0 {
        let young = text::count(plan.young, "object");
        let line = format!("{young} that nobody needs stay this time: too young to be sure of");
        context.out.line(&line)?;
    }
    Ok(())
}
