//! Draws what `scripts/growth --json` and `scripts/bench --json` wrote, as SVG. Which of them a file is, is
//! seen from what it holds.
//!
//! `cargo run --release --example plots -- FOLDER JSON…`

mod axis;
mod figures;
mod growth;
mod panel;
mod rows;
mod style;

use std::error::Error;
use std::path::{Path, PathBuf};

use serde_json::Value;

use figures::Figures;

/// What went wrong, for a person.
type Failure = Box<dyn Error>;
/// Draws a part of the figures into a file.
type Draw = fn(&Figures, &Path) -> Result<(), Failure>;

/// The part of the JSON, the file, and who draws it.
const PLOTS: [(&str, &str, Draw); 5] = [
    ("snapshots", "growth-snapshots.svg", growth::snapshots),
    ("folders", "growth-folders.svg", growth::folders),
    ("offsets", "offsets.svg", growth::offsets),
    ("readers", "memory-readers.svg", growth::readers),
    ("rows", "rows.svg", rows::rows),
];

fn main() -> Result<(), Failure> {
    let usage = "usage: plots FOLDER JSON…";
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let folder = args.next().ok_or(usage)?;
    std::fs::create_dir_all(&folder)?;
    for file in args {
        let text =
            std::fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        let json: Value = serde_json::from_str(&text)?;
        for (part, name, draw) in PLOTS {
            if !json[part].is_null() {
                let target = folder.join(name);
                draw(&Figures::new(&json[part], part), &target)?;
                println!("{}", target.display());
            }
        }
    }
    Ok(())
}
