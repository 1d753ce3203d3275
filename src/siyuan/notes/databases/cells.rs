//! What stands in a cell.

use jiff::Timestamp;
use serde_json::Value;

use super::super::head::updated_ms;
use super::super::markdown::Library;
use super::model::{Column, Database, Key, flag, list, text};
use super::rollup;
use super::rows::Item;

/// What stands in a cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    /// A text as a person wrote it, and whether its lines stay lines.
    Text(String, bool),
    /// Something that needs no care, such as a number.
    Plain(String),
    /// Attachments and addresses.
    Links(Vec<Link>),
    /// What only SiYuan can compute.
    Code(String),
}

/// An attachment or address.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Link {
    pub is_picture: bool,
    pub name: String,
    pub place: String,
}

impl Cell {
    /// As plain text.
    pub fn plain(self) -> String {
        match self {
            Self::Text(text, _) | Self::Code(text) | Self::Plain(text) => text,
            Self::Links(links) => {
                let places: Vec<_> = links.into_iter().map(|link| link.place).collect();
                places.join(" ")
            }
        }
    }
}

/// A text in a table.
pub(super) fn escaped(text: &str, wrap: bool) -> String {
    let text = super::super::markdown::escaped(text);
    let text = text.replace("\\|", "|").replace('|', "\\|");
    match wrap {
        true => text.split('\n').map(|line| format!("{line}<br/>")).collect(),
        false => text.replace('\n', " "),
    }
}

/// What cells are made of.
#[derive(Clone, Copy)]
pub(super) struct Cells<'a> {
    pub database: &'a Database,
    pub library: &'a dyn Library,
}

impl<'a> Cells<'a> {
    /// The value of a key in a row.
    pub fn value(&self, key: &Key<'a>, item: &Item<'a>) -> Option<&'a Value> {
        key.values.iter().find(|value| text(value, "blockID") == item.id)
    }

    /// The cell of a column in a row, which is the `line`th that is shown.
    pub fn cell(&self, column: &Column<'a>, item: &Item<'a>, line: usize) -> Cell {
        let key = &column.key;
        match key.kind {
            "lineNumber" => plain(line.to_string()),
            "template" => Cell::Code(text(key.json, "template").to_owned()),
            "created" | "updated" => {
                let time = self.time_of(key, item);
                let with_time = key.json.get(key.kind).and_then(|of| of.get("includeTime"));
                let with_time = with_time.and_then(Value::as_bool).unwrap_or(true);
                plain(time.map(|ms| self.date(ms, with_time)).unwrap_or_default())
            }
            "rollup" => plain(rollup::rollup(self, key, item)),
            "block" => Cell::Text(self.block_text(item), column.wrap),
            _ => match self.value(key, item) {
                Some(value) => self.of_value(key, value, column.wrap),
                None => plain(String::new()),
            },
        }
    }

    /// The text of a value of a key; for a filter, a sort, a rollup.
    pub fn plain_text(&self, key: &Key<'a>, item: &Item<'a>) -> String {
        self.cell(&Column { key: *key, wrap: false }, item, 0).plain()
    }

    fn of_value(&self, key: &Key<'a>, value: &Value, wrap: bool) -> Cell {
        let content = |name: &str| value.get(name).map_or("", |v| text(v, "content"));
        match key.kind {
            "text" => Cell::Text(content("text").to_owned(), wrap),
            "number" => plain(number(key, value)),
            "date" => plain(self.date_range(value)),
            "select" | "mSelect" => {
                let names: Vec<_> =
                    list(value, "mSelect").iter().map(|v| text(v, "content")).collect();
                plain(names.join(" "))
            }
            "checkbox" => {
                let checked = value.get("checkbox").is_some_and(|v| flag(v, "checked"));
                plain(if checked { "√" } else { "" }.to_owned())
            }
            "url" => {
                let url = content("url").to_owned();
                match url.is_empty() {
                    true => plain(url),
                    false => {
                        Cell::Links(vec![Link { is_picture: false, name: url.clone(), place: url }])
                    }
                }
            }
            "mAsset" => assets(list(value, "mAsset")),
            "relation" => plain(rollup::relation(self, key, value).join(", ")),
            kind => plain(content(kind).to_owned()),
        }
    }

    /// The first column: what a bound block is called here, or the row's own text.
    fn block_text(&self, item: &Item<'a>) -> String {
        if let Some(id) = item.bound
            && let Some(note) = self.library.note_of(id)
            && let Some(no) = note.walk(super::ROOT).find(|no| *note[*no].id == *id)
        {
            let name = format!("custom-sy-av-s-text-{}", self.database.id());
            if let Some(own) = note[no].property(&name) {
                return super::super::text::property(own).into_owned();
            }
        }
        item.block.get("block").map_or("", |block| text(block, "content")).to_owned()
    }

    /// When a row was made or changed, milliseconds since 1970.
    fn time_of(&self, key: &Key<'a>, item: &Item<'a>) -> Option<i64> {
        let zone = self.library.zone();
        let of_id = |id: &str| updated_ms(id.get(..14)?, &zone);
        if key.kind == "created" {
            return of_id(item.bound.unwrap_or(item.id));
        }
        let own = || item.block.get("block")?.get("updated")?.as_i64();
        let of_bound = item.bound.and_then(|id| {
            let note = self.library.note_of(id)?;
            let no = note.walk(super::ROOT).find(|no| *note[*no].id == *id)?;
            updated_ms(note[no].property("updated")?, &zone)
        });
        of_bound.or_else(own)
    }

    fn date(&self, ms: i64, with_time: bool) -> String {
        let Ok(time) = Timestamp::from_millisecond(ms) else { return String::new() };
        let format = if with_time { "%Y-%m-%d %H:%M" } else { "%Y-%m-%d" };
        time.to_zoned(self.library.zone()).strftime(format).to_string()
    }

    fn date_range(&self, value: &Value) -> String {
        let Some(date) = value.get("date").filter(|date| flag(date, "isNotEmpty")) else {
            return String::new();
        };
        let with_time = !flag(date, "isNotTime");
        let at = |name: &str| date.get(name).and_then(Value::as_i64).unwrap_or(0);
        let begin = self.date(at("content"), with_time);
        match flag(date, "hasEndDate") && flag(date, "isNotEmpty2") {
            true => format!("{begin} → {}", self.date(at("content2"), with_time)),
            false => begin,
        }
    }
}

fn plain(text: String) -> Cell {
    Cell::Plain(text)
}

fn assets(assets: &[Value]) -> Cell {
    let link = |asset: &Value| {
        let (name, place) = (text(asset, "name"), text(asset, "content"));
        let name = if name.is_empty() { place } else { name };
        let is_picture = text(asset, "type") == "image";
        Link { is_picture, name: name.to_owned(), place: place.to_owned() }
    };
    Cell::Links(assets.iter().map(link).collect())
}

/// The number of a value; `None` where there is none.
pub(super) fn number_of(value: &Value) -> Option<f64> {
    let number = value.get("number").filter(|number| flag(number, "isNotEmpty"))?;
    number.get("content")?.as_f64()
}

fn number(key: &Key<'_>, value: &Value) -> String {
    number_of(value)
        .map(|number| formatted(number, text(key.json, "numberFormat")))
        .unwrap_or_default()
}

/// A number as a column shows it.
pub(super) fn formatted(number: f64, format: &str) -> String {
    let symbol = match format {
        "" => return number.to_string(),
        "commas" => return grouped(&number.to_string()),
        "percent" => {
            let percent = (number * 10_000.0).round() / 100.0;
            return format!("{percent}%");
        }
        "usDollar" => "$",
        "yuan" => "CN¥",
        "euro" => "€",
        "pound" => "£",
        "yen" => "¥",
        "ruble" => "₽",
        "rupee" => "₹",
        "won" => "₩",
        "canadianDollar" => "CA$",
        "franc" => "CHF",
        _ => return number.to_string(),
    };
    format!("{symbol}{}", grouped(&format!("{number:.2}")))
}

fn grouped(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |digits| ("-", digits));
    let (whole, rest) = match digits.find('.') {
        Some(dot) => digits.split_at(dot),
        None => (digits, ""),
    };
    let mut grouped = String::from(sign);
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (number, format, wanted) in [
            (200.0, "", "200"),
            (0.5, "", "0.5"),
            (1234567.5, "commas", "1,234,567.5"),
            (-1234.0, "commas", "-1,234"),
            (0.125, "percent", "12.5%"),
            (1.0, "percent", "100%"),
            (1234.5, "usDollar", "$1,234.50"),
            (0.0, "euro", "€0.00"),
        ] {
            assert_eq!(formatted(number, format), wanted);
        }
    }

    #[test]
    fn texts() {
        assert_eq!(escaped("a|b*c\nd", false), r"a\|b\*c d");
        assert_eq!(escaped("a\nb", true), "a<br/>b<br/>");
        assert_eq!(escaped(r"a\|b", false), r"a\\|b");
    }
}
