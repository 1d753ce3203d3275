//! `revu check`: is everything there?

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use crate::format::IndexId;
use crate::ops::Monitor;
use crate::ops::check::{self, Capped, Finding, Options, ReadData, Repair, Report};
use crate::repo::{self, Repository};
use crate::siyuan::workspace::{REPOSITORY, is_repository};
use crate::store::Store;
use crate::store::lock::{Kind, Lock};
use crate::ui::{Style, size, text};

use super::context::Context;
use super::error::{End, Failure, usage};
use super::hold::keep_siyuan_out;
use super::locate::Located;
use super::remote;
use super::watch::Watch;

const EXAMPLES: &str = "\
Examples:
  revu check
  revu check --read-data=5%
  revu check --read-data --json | jq -r 'select(.damage).object'
  revu check --read-data --repair-from /mnt/backup/SiYuan/repo";

/// Look whether everything is there and sound
///
/// Reads every tag, snapshot and file record, and the beginning of every chunk. Each thing that is
/// damaged is named, with the snapshots and paths that it costs, and what to do next is said.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = super::args::after_help(EXAMPLES))]
pub struct Args {
    /// Read and verify every byte, or those of N percent of the chunks, others each time
    #[arg(long, value_name = "N%", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "100%")]
    read_data: Option<Percent>,
    /// Take what is missing or damaged from a copy of this repository, in a folder or behind an address
    /// as s3:https://HOST/BUCKET/PATH or webdav:https://HOST/PATH; nothing that is sound is written over
    ///
    /// Passwords come from the environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (also
    /// AWS_SESSION_TOKEN, AWS_REGION) for S3, REVU_WEBDAV_USER and REVU_WEBDAV_PASSWORD for WebDAV.
    #[arg(long, value_name = "DIR|ADDRESS", value_hint = clap::ValueHint::DirPath)]
    repair_from: Option<OsString>,
}

/// `5%`, `5` or `0.5%`.
#[derive(Debug, Clone, Copy)]
struct Percent(f64);

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix('%').unwrap_or(text).parse().ok();
        number
            .filter(|percent| *percent > 0.0 && *percent <= 100.0)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no percentage: write one such as 5%"))
    }
}

/// How many snapshots, or paths, are written for one thing where a person reads.
const SHOWN: usize = 5;

#[derive(Debug, Serialize)]
struct Line<'a> {
    kind: String,
    object: &'a str,
    problem: &'a str,
    detail: &'a str,
    damage: bool,
    snapshots: Vec<&'a IndexId>,
    /// Of either there may be more than are listed.
    more_snapshots: usize,
    paths: Vec<&'a String>,
    more_paths: usize,
}

/// Runs the command.
///
/// # Errors
/// Exit code 3 where something is damaged; 11 where something is to be repaired while SiYuan or a purge
/// uses the repository.
pub fn run(args: &Args, context: &mut Context) -> Result<(), End> {
    let located = context.locate(None)?;
    let read_data = match args.read_data {
        None => ReadData::Heads,
        Some(Percent(percent)) if percent < 100.0 => ReadData::Percent(percent),
        Some(_) => ReadData::All,
    };
    let options = Options { read_data, zone: context.zone.clone() };
    let _out = match args.repair_from {
        Some(_) => keep_siyuan_out(&located)?,
        None => None,
    };
    let (repo, copy) = open(args, &located, context)?;
    let watch = Watch::new(context)?;
    let report = match &copy {
        None => check::check(&repo, &options, None, &watch),
        Some(copy) => {
            let stopped = || watch.stopped();
            let lock = Lock::take(repo.store(), Kind::Shared, "check", Duration::ZERO, &stopped)?;
            let repair = Repair::new(copy, &lock);
            let report = check::check(&repo, &options, Some(&repair), &watch);
            drop(lock);
            report
        }
    };
    watch.clear();
    let report = report?;
    if context.global.json {
        print_json(&report, context)?;
    } else {
        print(&report, context)?;
    }
    if let Some(error) = report.repair_failed {
        context.out.flush()?;
        context.tell(&Failure::from(error));
    }
    context.done(report.summary.damage)
}

/// The repository and the copy, if one was named.
fn open(
    args: &Args,
    located: &Located,
    context: &Context,
) -> Result<(Repository, Option<Repository>), Failure> {
    let Some(place) = &args.repair_from else {
        return Ok((context.open_located(located)?.0, None));
    };
    let store = match remote::address(place)? {
        Some(address) => remote::open(&address, context)?,
        None => Store::local(beside(Path::new(place))),
    };
    let (repo, key) = context.open_located(located)?;
    let place = store.place();
    let copy = Repository::open(store, &key, repo::Options::default());
    let copy = copy.map_err(|e| match Failure::from(e) {
        wrong if wrong.exit == super::error::WRONG_KEY => {
            let sentence =
                format!("{place} is no copy of this repository: it was written with another key");
            usage(sentence)
        }
        other => other,
    })?;
    Ok((repo, Some(copy)))
}

/// A workspace may be named where its repository is meant, as with --repo.
fn beside(folder: &Path) -> PathBuf {
    let inside = folder.join(REPOSITORY);
    if !is_repository(folder) && is_repository(&inside) { inside } else { folder.to_owned() }
}

fn print_json(report: &Report, context: &mut Context) -> Result<(), End> {
    for Finding { kind, object, problem, detail, is_damage, snapshots, paths } in &report.findings {
        let line = Line {
            kind: kind.to_string(),
            object,
            problem,
            detail,
            damage: *is_damage,
            snapshots: snapshots.listed.iter().collect(),
            more_snapshots: snapshots.more,
            paths: paths.listed.iter().collect(),
            more_paths: paths.more,
        };
        context.out.json(&line)?;
    }
    for repaired in &report.repaired {
        let (kind, object) = (repaired.kind.to_string(), &repaired.object);
        let line = json!({"kind": kind, "object": object, "problem": repaired.problem});
        context.out.json(&json!({ "repaired": line }))?;
    }
    let s = &report.summary;
    let summary = json!({
        "snapshots": s.snapshots,
        "whole": s.whole,
        "refs": s.refs,
        "records": s.records,
        "chunks": s.chunks,
        "verified": s.verified,
        "verified_bytes": s.verified_bytes,
        "orphans": s.orphans,
        "orphan_bytes": s.orphan_bytes,
        "damage": s.damage,
        "notices": s.notices,
        "hidden": s.hidden,
        "repaired": s.repaired,
        "next": report.next,
    });
    Ok(context.out.json(&json!({ "summary": summary }))?)
}

fn print(report: &Report, context: &mut Context) -> Result<(), End> {
    let look = context.out.look();
    let bytes = |n: u64| if look.terminal { size::human(n) } else { format!("{n} bytes") };
    // What is only worth knowing comes first, so that damage stands where the eye is at the end.
    let (damage, notices): (Vec<_>, Vec<_>) = report.findings.iter().partition(|f| f.is_damage);
    for (findings, word, style) in [(notices, "note", Style::Plain), (damage, "damage", Style::Bad)]
    {
        for finding in findings {
            let what = format!("{} {}: {}", finding.kind, finding.object, finding.detail);
            let line = format!("{}  {}", look.paint(style, word), text::visible(&what));
            context.out.line(&line)?;
            costs("costs", &finding.paths, |path| text::visible(path).into_owned(), context)?;
            costs("in", &finding.snapshots, IndexId::short, context)?;
        }
    }
    for repaired in &report.repaired {
        let what = format!("{} {} was {}", repaired.kind, repaired.object, repaired.problem);
        context.out.line(&format!("repaired  {what}"))?;
    }
    let s = &report.summary;
    if s.hidden > 0 {
        context.out.line(&format!("and {} more of either sort", s.hidden))?;
    }
    let line = format!(
        "{}, {} of them whole; {}, {}, {} of them ({}) verified",
        text::count(s.snapshots, "snapshot"),
        s.whole,
        text::count(s.records, "file state"),
        text::count(s.chunks, "chunk"),
        s.verified,
        bytes(s.verified_bytes)
    );
    context.out.line(&line)?;
    if s.orphans > 0 {
        let bytes = bytes(s.orphan_bytes);
        let objects = text::count(s.orphans, "object");
        let then = if s.damage == 0 { ": the next purge removes them" } else { "" };
        let line = format!("{objects} ({bytes}) that no snapshot needs{then}");
        context.out.line(&line)?;
    }
    if s.repaired > 0 {
        context.out.line(&format!("{} taken from the copy", text::count(s.repaired, "object")))?;
    }
    if s.damage == 0 {
        context.out.line("no damage found")?;
    }
    for sentence in &report.next {
        context.out.line(&format!("→ {}", text::visible(sentence)))?;
    }
    Ok(())
}

fn costs<T: Ord>(
    word: &str,
    things: &Capped<T>,
    show: impl Fn(&T) -> String,
    context: &mut Context,
) -> Result<(), End> {
    if things.total() == 0 {
        return Ok(());
    }
    let shown: Vec<String> = things.listed.iter().take(SHOWN).map(show).collect();
    let more = match things.total() - shown.len() {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    Ok(context.out.line(&format!("        {word} {}{more}", shown.join(", ")))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages() {
        for (text, percent) in [("5%", 5.0), ("5", 5.0), ("0.5%", 0.5), ("100%", 100.0)] {
            assert_eq!(text.parse::<Percent>().unwrap().0, percent);
        }
        for bad in ["", "%", "0", "101%", "-1%", "NaN", "all", "5%%"] {
            assert!(bad.parse::<Percent>().is_err(), "{bad}");
        }
    }
}
