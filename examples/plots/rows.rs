//! The picture of `scripts/bench`: for each row revu as a ratio of the others.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use crate::Failure;
use crate::axis::Axis;
use crate::figures::Figures;
use crate::panel::picture;
use crate::style::{self, BLUE, FAINT, GRID, INK, OCHRE, SMALL, TEAL, WIDTH, number};

const OTHERS: [(&str, &str, RGBColor); 3] =
    [("native", "ext4", BLUE), ("squashfs", "kernel squashfs", TEAL), ("restic", "restic", OCHRE)];

/// Where the bars begin and end, pixels from the left; their labels stand before them.
const LEFT: i32 = 300;
const RIGHT: i32 = WIDTH as i32 - 24;
const TOP: i32 = 112;
const BAR: i32 = 13;
const GAP: i32 = 14;
/// The longest line of a label, in characters.
const LINE: usize = 40;

/// A row that somebody else took part in.
struct Row {
    label: Vec<String>,
    ratios: Vec<(f64, RGBColor)>,
}

impl Row {
    fn height(&self) -> i32 {
        BAR * (self.ratios.len().max(self.label.len()) as i32) + GAP
    }
}

pub fn rows(part: &Figures, file: &Path) -> Result<(), Failure> {
    let rows = all(part)?;
    // A little beyond the longest bars, for the figures at their ends.
    let ends = rows.iter().flat_map(|row| &row.ratios).flat_map(|(r, _)| [r / 4.0, r * 2.0]);
    let axis = Axis::logarithmic(ends.chain([0.5, 2.0]));
    let bottom = TOP + rows.iter().map(Row::height).sum::<i32>();
    let below = "what revu needs as a ratio of what the others need: left of 1 it is less; medians of one run";
    let (root, _) = picture(file, bottom as u32 + 44, "Side by side", below)?;
    let at = |ratio: f64| LEFT + (axis.share(ratio) * f64::from(RIGHT - LEFT)).round() as i32;

    let mut x = 16;
    for (_, name, colour) in OTHERS {
        root.draw(&Rectangle::new([(x, 78), (x + 12, 90)], colour.filled()))?;
        let text = format!("compared with {name}");
        root.draw_text(&text, &style::text(SMALL, INK, HPos::Left, VPos::Center), (x + 17, 84))?;
        x += 17 + style::width_of(&text, SMALL) + 14;
    }
    for tick in axis.ticks() {
        let x = at(*tick);
        root.draw(&PathElement::new(vec![(x, TOP - 8), (x, bottom)], GRID.stroke_width(1)))?;
        let style = style::text(SMALL, FAINT, HPos::Center, VPos::Top);
        root.draw_text(&number(*tick), &style, (x, bottom + 6))?;
    }

    let mut y = TOP;
    for row in &rows {
        let middle = y + (row.height() - GAP) / 2;
        let first = middle - (row.label.len() as i32 - 1) * 15 / 2;
        for (nth, line) in row.label.iter().enumerate() {
            let style = style::text(SMALL, INK, HPos::Right, VPos::Center);
            root.draw_text(line, &style, (LEFT - 20, first + nth as i32 * 15))?;
        }
        let mut top = middle - BAR * row.ratios.len() as i32 / 2;
        for (ratio, colour) in &row.ratios {
            let (one, end) = (at(1.0), at(*ratio));
            let corners = [(one.min(end), top + 1), (one.max(end), top + BAR - 1)];
            root.draw(&Rectangle::new(corners, colour.filled()))?;
            let (side, x) =
                if *ratio < 1.0 { (HPos::Right, end - 4) } else { (HPos::Left, end + 4) };
            let style = style::text(SMALL - 1, FAINT, side, VPos::Center);
            root.draw_text(&format!("{}×", brief(*ratio)), &style, (x, top + BAR / 2))?;
            top += BAR;
        }
        y += row.height();
    }
    let one = vec![(at(1.0), TOP - 8), (at(1.0), bottom)];
    root.draw(&PathElement::new(one, INK.stroke_width(1)))?;
    Ok(root.present()?)
}

fn all(part: &Figures) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    let mut before = String::new();
    for row in part.members()? {
        let what = row.get("what").text()?;
        // Said in full: another row may stand above it here.
        let what = match what {
            "the same again" => format!("{}, again", before.split(',').next().unwrap_or(what)),
            other => other.to_owned(),
        };
        before.clone_from(&what);
        let figures = row.get("figures");
        if !figures.get("revu").is_there() || what.contains("as a share") {
            continue;
        }
        let own = figures.get("revu").median()?;
        let mut ratios = Vec::new();
        for (name, _, colour) in OTHERS {
            if figures.get(name).is_there() {
                let ratio = own / figures.get(name).median()?;
                if ratio.is_finite() && ratio > 0.0 {
                    ratios.push((ratio, colour));
                }
            }
        }
        if !ratios.is_empty() {
            rows.push(Row { label: lines_of(&what), ratios });
        }
    }
    if rows.is_empty() { Err("no row compares revu with anyone".into()) } else { Ok(rows) }
}

/// Two digits that count.
fn brief(ratio: f64) -> String {
    if ratio >= 10.0 {
        number(ratio)
    } else if ratio >= 1.0 {
        format!("{ratio:.1}")
    } else if ratio >= 0.1 {
        format!("{ratio:.2}")
    } else {
        format!("{ratio:.3}")
    }
}

/// A text without the marks of Markdown, broken between words.
fn lines_of(what: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in what.replace('`', "").split(' ') {
        let last = lines.last_mut().expect("there is a first line");
        if last.is_empty() {
            last.push_str(word);
        } else if last.chars().count() + 1 + word.chars().count() <= LINE {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}
