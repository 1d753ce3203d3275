//! Figures out of JSON; where one is missing, the error says which.

use serde_json::Value;

use crate::Failure;

/// A part of the JSON, and how one gets there.
pub struct Figures<'a> {
    value: &'a Value,
    place: String,
}

impl<'a> Figures<'a> {
    pub fn new(value: &'a Value, place: &str) -> Self {
        Self { value, place: place.to_owned() }
    }

    pub fn get(&self, key: &str) -> Figures<'a> {
        Figures { value: &self.value[key], place: format!("{}.{key}", self.place) }
    }

    pub fn number(&self) -> Result<f64, Failure> {
        self.value.as_f64().ok_or_else(|| format!("{} is no number", self.place).into())
    }

    pub fn text(&self) -> Result<&'a str, Failure> {
        self.value.as_str().ok_or_else(|| format!("{} is no text", self.place).into())
    }

    pub fn list(&self) -> Result<Vec<Figures<'a>>, Failure> {
        let all = self.value.as_array().ok_or_else(|| format!("{} is no list", self.place))?;
        let nth = |(n, value)| Figures { value, place: format!("{}[{n}]", self.place) };
        Ok(all.iter().enumerate().map(nth).collect())
    }

    /// The members of an object, in the order of the file or of their names.
    pub fn members(&self) -> Result<Vec<Figures<'a>>, Failure> {
        let all = self.value.as_object().ok_or_else(|| format!("{} is no object", self.place))?;
        Ok(all.keys().map(|key| self.get(key)).collect())
    }

    pub fn is_there(&self) -> bool {
        !self.value.is_null()
    }

    /// The median of a list of numbers.
    pub fn median(&self) -> Result<f64, Failure> {
        median(self.list()?.iter().map(Figures::number).collect::<Result<_, _>>()?)
            .ok_or_else(|| format!("{} is empty", self.place).into())
    }

    /// The median of one member of a list of objects.
    pub fn median_of(&self, key: &str) -> Result<f64, Failure> {
        median(self.list()?.iter().map(|one| one.get(key).number()).collect::<Result<_, _>>()?)
            .ok_or_else(|| format!("{} is empty", self.place).into())
    }
}

fn median(mut all: Vec<f64>) -> Option<f64> {
    all.sort_by(f64::total_cmp);
    let (low, high) = (all.get(all.len().checked_sub(1)? / 2)?, all.get(all.len() / 2)?);
    Some(f64::midpoint(*low, *high))
}
