//! A picture, and the diagrams in it: lines over two axes, with a legend above.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use crate::Failure;
use crate::axis::Axis;
use crate::style::{self, FAINT, GRID, INK, MEDIUM, SMALL, TITLE, WIDTH};

pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// One line of a diagram.
pub struct Line {
    pub name: String,
    pub colour: RGBColor,
    pub points: Vec<(f64, f64)>,
    /// Whether each point was measured by itself, and is shown as one.
    pub marked: bool,
}

/// A level that is not to be passed, or may be compared with: a dashed line across.
pub struct Level {
    pub at: f64,
    pub colour: RGBColor,
}

pub struct Panel<'a> {
    pub title: &'a str,
    pub x: (&'a str, Axis),
    pub y: (&'a str, Axis),
    pub lines: Vec<Line>,
    pub levels: Vec<Level>,
}

/// Opens a white picture with a title and a line below it; gives back what is left of it.
pub fn picture<'a>(
    file: &'a Path,
    height: u32,
    title: &str,
    below: &str,
) -> Result<(Area<'a>, Area<'a>), Failure> {
    let root = SVGBackend::new(file, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;
    root.draw_text(title, &style::text(TITLE, INK, HPos::Left, VPos::Top), (16, 14))?;
    root.draw_text(below, &style::text(SMALL, FAINT, HPos::Left, VPos::Top), (16, 40))?;
    let rest = root.margin(62, 8, 8, 8);
    Ok((root, rest))
}

impl Panel<'_> {
    pub fn draw(&self, area: &Area<'_>) -> Result<(), Failure> {
        area.draw_text(self.title, &style::text(MEDIUM, INK, HPos::Left, VPos::Top), (8, 8))?;
        self.legend(area)?;
        let (across, up) = (&self.x.1, &self.y.1);
        let mut chart = ChartBuilder::on(area)
            .margin_top(self.legend_at() + 18)
            .margin_right(22)
            .margin_bottom(4)
            .x_label_area_size(44)
            .y_label_area_size(62)
            .build_cartesian_2d(across.clone(), up.clone())?;
        chart
            .configure_mesh()
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(FAINT)
            .label_style(style::font(SMALL).color(&FAINT))
            .axis_desc_style(style::font(SMALL).color(&INK))
            .x_desc(self.x.0)
            .y_desc(self.y.0)
            .x_label_formatter(&|value| style::number(*value))
            .y_label_formatter(&|value| style::number(*value))
            .draw()?;
        for level in &self.levels {
            let ends = [across.range_start(), across.range_end()].map(|x| (x, level.at));
            chart.draw_series(DashedLineSeries::new(ends, 5, 4, level.colour.stroke_width(1)))?;
        }
        for line in &self.lines {
            chart.draw_series(LineSeries::new(line.points.clone(), line.colour.stroke_width(2)))?;
            if line.marked {
                let mark = |at: &(f64, f64)| Circle::new(*at, 4, line.colour.filled());
                chart.draw_series(line.points.iter().map(mark))?;
            }
        }
        Ok(())
    }

    /// Below the title, if there is one.
    fn legend_at(&self) -> i32 {
        if self.title.is_empty() { 12 } else { 36 }
    }

    /// A dash in its colour and the name of each line, if there is more than one.
    fn legend(&self, area: &Area<'_>) -> Result<(), Failure> {
        if self.lines.len() < 2 {
            return Ok(());
        }
        let (mut x, y) = (8, self.legend_at());
        for line in &self.lines {
            let dash = vec![(x, y), (x + 16, y)];
            area.draw(&PathElement::new(dash, line.colour.stroke_width(3)))?;
            let name = style::text(SMALL, INK, HPos::Left, VPos::Center);
            area.draw_text(&line.name, &name, (x + 21, y))?;
            x += 21 + style::width_of(&line.name, SMALL) + 16;
        }
        Ok(())
    }
}
