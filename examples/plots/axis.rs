//! An axis, even or logarithmic, with round numbers on it.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};

/// Where a number lies, and which ones are written.
#[derive(Clone)]
pub struct Axis {
    range: Range<f64>,
    ticks: Vec<f64>,
    logarithmic: bool,
}

impl Axis {
    /// From zero to a round number that is not below any of these.
    pub fn even(values: impl Iterator<Item = f64>) -> Self {
        let most = values.fold(f64::MIN_POSITIVE, f64::max) * 1.05;
        let step = round_up(most / 5.0);
        let count = (most / step).ceil() as usize;
        let ticks = (0..=count).map(|n| n as f64 * step).collect();
        Self { range: 0.0..count as f64 * step, ticks, logarithmic: false }
    }

    /// The same axis, cut where there is nothing more to show.
    pub fn ending_at(mut self, end: f64) -> Self {
        self.range.end = end;
        self.ticks.retain(|at| *at <= end);
        self
    }

    /// From zero to `end`, with a number at every `step`.
    pub fn with_step(end: f64, step: f64) -> Self {
        let ticks =
            (0..).map(|n| f64::from(n) * step).take_while(|at| *at <= end * 1.0001).collect();
        Self { range: 0.0..end, ticks, logarithmic: false }
    }

    /// Between round numbers around these, which are above zero.
    pub fn logarithmic(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) =
            values.fold((f64::MAX, f64::MIN_POSITIVE), |(low, high), v| (low.min(v), high.max(v)));
        let decades = low.log10().floor() as i32..=high.log10().ceil() as i32;
        let round: Vec<f64> =
            decades.flat_map(|d| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(d))).collect();
        let from = round.iter().rposition(|at| *at <= low * 1.001).unwrap_or(0);
        let to = round.iter().position(|at| *at >= high * 0.999).unwrap_or(round.len() - 1);
        // A little more to either side where all are the same.
        let to = if to == from { from + 1 } else { to };
        let range = round[from]..round[to];
        let mut ticks = round[from..=to].to_vec();
        let is_power = |at: &f64| (at.log10() - at.log10().round()).abs() < 1e-9;
        if ticks.iter().filter(|at| is_power(at)).count() > 2 {
            ticks.retain(is_power);
        }
        Self { range, ticks, logarithmic: true }
    }

    /// Where a number lies between the ends, from 0 to 1.
    pub fn share(&self, value: f64) -> f64 {
        let Range { start, end } = self.range;
        if self.logarithmic {
            (value / start).ln() / (end / start).ln()
        } else {
            (value - start) / (end - start)
        }
    }

    pub fn range_start(&self) -> f64 {
        self.range.start
    }

    pub fn range_end(&self) -> f64 {
        self.range.end
    }

    pub fn ticks(&self) -> &[f64] {
        &self.ticks
    }
}

/// 1, 2 or 5 of a power of ten.
fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let digit = [1.0, 2.0, 5.0].into_iter().find(|d| d * power >= value * 0.999).unwrap_or(10.0);
    digit * power
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        limit.0 + (self.share(*value) * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}
