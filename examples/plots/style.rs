//! Colours, sizes of text, and how numbers are written.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

pub const INK: RGBColor = RGBColor(0x24, 0x2f, 0x3a);
pub const FAINT: RGBColor = RGBColor(0x66, 0x73, 0x80);
pub const GRID: RGBColor = RGBColor(0xe3, 0xe8, 0xec);
pub const BLUE: RGBColor = RGBColor(0x2f, 0x6d, 0xa3);
pub const TEAL: RGBColor = RGBColor(0x3f, 0x9c, 0x8f);
pub const OCHRE: RGBColor = RGBColor(0xc9, 0x85, 0x2c);

/// Width of every picture, pixels: what README shows without scaling.
pub const WIDTH: u32 = 800;

pub const SMALL: u32 = 12;
pub const MEDIUM: u32 = 14;
pub const TITLE: u32 = 18;

/// Text of so many pixels. The SVG backend divides what it is given by 1.24.
pub fn font(pixels: u32) -> FontDesc<'static> {
    ("Helvetica, Arial, sans-serif", f64::from(pixels) * 1.24).into_font()
}

pub fn text(pixels: u32, colour: RGBColor, h: HPos, v: VPos) -> TextStyle<'static> {
    font(pixels).color(&colour).pos(Pos::new(h, v))
}

/// About how wide a text is, pixels.
pub fn width_of(text: &str, pixels: u32) -> i32 {
    (text.chars().count() as f64 * f64::from(pixels) * 0.54).ceil() as i32
}

/// `10,000`, `0.25`: no more digits than it needs.
pub fn number(value: f64) -> String {
    let plain = if value.abs() >= 10.0 { format!("{value:.0}") } else { short(value) };
    let whole = plain.len() - plain.find('.').map_or(0, |dot| plain.len() - dot);
    let mut out = String::new();
    for (at, digit) in plain.chars().enumerate() {
        if at > 0 && at < whole && (whole - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn short(value: f64) -> String {
    let digits = if value.abs() >= 1.0 { 1 } else { 3 };
    let text = format!("{value:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
