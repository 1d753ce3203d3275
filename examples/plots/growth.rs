//! The pictures of `scripts/growth`.

use std::path::Path;

use plotters::style::RGBColor;

use crate::Failure;
use crate::axis::Axis;
use crate::figures::Figures;
use crate::panel::{Level, Line, Panel, picture};
use crate::style::{BLUE, INK, OCHRE, TEAL, number};

const MIB: f64 = (1 << 20) as f64;

/// One value for each point of a part, against what it was measured over.
fn points(
    part: &Figures,
    across: &str,
    value: impl Fn(&Figures) -> Result<f64, Failure>,
) -> Result<Vec<(f64, f64)>, Failure> {
    part.get("points")
        .list()?
        .iter()
        .map(|point| Ok((point.get(across).number()?, value(point)?)))
        .collect()
}

fn line(name: &str, colour: RGBColor, points: Vec<(f64, f64)>) -> Line {
    Line { name: name.to_owned(), colour, points, marked: true }
}

fn xs(lines: &[Line]) -> impl Iterator<Item = f64> {
    lines.iter().flat_map(|line| line.points.iter().map(|point| point.0))
}

fn ys(lines: &[Line]) -> impl Iterator<Item = f64> {
    lines.iter().flat_map(|line| line.points.iter().map(|point| point.1))
}

/// Against the number of snapshots: the list of them, the list of one, memory, purge.
pub fn snapshots(part: &Figures, file: &Path) -> Result<(), Failure> {
    let visits = |key: &str, factor: f64| -> Result<Vec<Line>, Failure> {
        let of = |when: &str| {
            points(part, "snapshots", |point| Ok(point.get(when).median_of(key)? * factor))
        };
        Ok(vec![
            line("first time ever", BLUE, of("first")?),
            line("seen before", TEAL, of("again")?),
        ])
    };
    let purge = |key: &str| points(part, "snapshots", |point| point.get("purge").median_of(key));
    let mut memory = visits("resident_mib", 1.0)?;
    memory[0].name = "mount, first time".to_owned();
    memory.push(line("purge, at most", OCHRE, purge("peak_mib")?));
    let purges = vec![
        line("seconds", OCHRE, purge("seconds")?),
        line("of a processor", BLUE, purge("processor_seconds")?),
    ];
    let panels = [
        ("From the mount to the list of all", "milliseconds", visits("list_seconds", 1e3)?),
        ("List of one of them after that", "milliseconds", visits("enter_seconds", 1e3)?),
        ("Resident memory", "MiB", memory),
        ("Purge of half of them, in memory", "seconds", purges),
    ];
    let below = format!(
        "{} files in each, {} of them new from one to the next; nothing but the program in the kernel's caches; medians",
        number(part.get("files").number()?),
        number(part.get("changed").number()?),
    );
    let (root, rest) = picture(file, 690, "More snapshots", &below)?;
    for (area, (title, unit, lines)) in rest.split_evenly((2, 2)).iter().zip(panels) {
        let x = ("snapshots", Axis::logarithmic(xs(&lines)));
        // What hardly grows is to be seen from zero on.
        let y = (
            unit,
            if unit == "MiB" { Axis::even(ys(&lines)) } else { Axis::logarithmic(ys(&lines)) },
        );
        Panel { title, x, y, lines, levels: vec![] }.draw(area)?;
    }
    Ok(root.present()?)
}

/// Against the number of entries: a lookup, and the list.
pub fn folders(part: &Figures, file: &Path) -> Result<(), Failure> {
    let of = |key: &str| points(part, "entries", |point| point.get(key).median());
    let panels = [
        ("stat of a name at random, never asked for before", of("stat_us")?, BLUE),
        ("List, for each entry", of("list_us_per_entry")?, TEAL),
    ];
    let below = format!(
        "{} names looked up in folders of each size; nothing of them in the kernel's caches; medians",
        number(part.get("lookups").number()?)
    );
    let (root, rest) = picture(file, 370, "Larger folders", &below)?;
    for (area, (title, points, colour)) in rest.split_evenly((1, 2)).iter().zip(panels) {
        let lines = vec![line(title, colour, points)];
        let x = ("entries of the folder", Axis::logarithmic(xs(&lines)));
        let y = ("microseconds", Axis::even(ys(&lines)));
        Panel { title, x, y, lines, levels: vec![] }.draw(area)?;
    }
    Ok(root.present()?)
}

/// Against the offset in a large file: the first bytes, and the rate.
pub fn offsets(part: &Figures, file: &Path) -> Result<(), Failure> {
    let size = part.get("size").number()? / MIB;
    let of = |key: &str| -> Result<Vec<(f64, f64)>, Failure> {
        let all = points(part, "offset", |point| point.get(key).median())?;
        Ok(all.into_iter().map(|(offset, value)| (offset / MIB, value)).collect())
    };
    let panels = [
        ("Rate", "MB/s", of("mb_per_s")?, BLUE),
        ("First 4 KiB", "milliseconds", of("first_ms")?, TEAL),
    ];
    let below = format!(
        "{} MiB read from each offset of a file of {} MiB, each in a mount of its own and cold; medians",
        number(part.get("window").number()? / MIB),
        number(size),
    );
    let (root, rest) = picture(file, 370, "Anywhere in a large file", &below)?;
    for (area, (title, unit, points, colour)) in rest.split_evenly((1, 2)).iter().zip(panels) {
        let lines = vec![line(title, colour, points)];
        let x = ("offset, MiB", Axis::with_step(size, size / 4.0));
        let y = (unit, Axis::even(ys(&lines)));
        Panel { title, x, y, lines, levels: vec![] }.draw(area)?;
    }
    Ok(root.present()?)
}

/// Against the time: resident memory while many read, for caches of several sizes.
pub fn readers(part: &Figures, file: &Path) -> Result<(), Failure> {
    let mut lines = Vec::new();
    let mut levels = Vec::new();
    for (cap, colour) in part.get("caps").list()?.iter().zip([TEAL, BLUE, OCHRE, INK]) {
        let size = cap.get("cap_mib").number()?;
        let points = worst(cap)?
            .get("samples")
            .list()?
            .iter()
            .map(|sample| match &sample.list()?[..] {
                [at, mib] => Ok((at.number()?, mib.number()?)),
                _ => Err("a sample is no pair".into()),
            })
            .collect::<Result<_, Failure>>()?;
        let name = format!("cache of {} MiB", number(size));
        lines.push(Line { name, colour, points, marked: false });
        levels.push(Level { at: size, colour });
    }
    let below = format!(
        "resident memory of the mount, every {} ms, in the run with the highest peak; dashed: the cache's size",
        number(part.get("interval_seconds").number()? * 1e3),
    );
    let title = format!("{} processes read large files at once", part.get("readers").number()?);
    let (root, rest) = picture(file, 430, &title, &below)?;
    let highest = ys(&lines).chain(levels.iter().map(|level| level.at)).fold(0.0, f64::max);
    let step = [16.0, 32.0, 64.0, 128.0, 256.0, 512.0]
        .into_iter()
        .find(|step| highest / step <= 6.0)
        .unwrap_or(1024.0);
    let longest = xs(&lines).fold(0.0, f64::max);
    let x = ("seconds", Axis::even([longest].into_iter()).ending_at(longest));
    let y = ("MiB", Axis::with_step((highest * 1.05 / step).ceil() * step, step));
    Panel { title: "", x, y, lines, levels }.draw(&rest)?;
    Ok(root.present()?)
}

/// The run with the highest peak.
fn worst<'a>(cap: &Figures<'a>) -> Result<Figures<'a>, Failure> {
    let mut worst: Option<(f64, Figures<'a>)> = None;
    for run in cap.get("runs").list()? {
        let peak = run.get("peak_mib").number()?;
        if worst.as_ref().is_none_or(|(most, _)| peak > *most) {
            worst = Some((peak, run));
        }
    }
    worst.map(|(_, run)| run).ok_or_else(|| "a cache without a run".into())
}
