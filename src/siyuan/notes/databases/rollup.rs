//! Columns that show other databases: relations, and what is computed over them.

use serde_json::Value;

use super::cells::{self, Cells};
use super::model::{Column, Database, Key, list, text};
use super::rows::{self, Item};

/// What the rows are called that a value relates to.
pub(super) fn relation(cells: &Cells<'_>, key: &Key<'_>, value: &Value) -> Vec<String> {
    let ids = value.get("relation").map_or(&[][..], |relation| list(relation, "blockIDs"));
    if ids.is_empty() {
        return Vec::new();
    }
    other(cells, key, |other| {
        let there = Cells { database: other, library: cells.library };
        let Some(first) = other.keys().find(|key| key.kind == "block") else { return Vec::new() };
        related(other, ids).map(|item| there.plain_text(&first, &item)).collect()
    })
    .unwrap_or_default()
}

/// What a rollup shows in a row.
pub(super) fn rollup(cells: &Cells<'_>, key: &Key<'_>, item: &Item<'_>) -> String {
    let Some(rollup) = key.json.get("rollup") else { return String::new() };
    let Some(over) = cells.database.key(text(rollup, "relationKeyID")) else {
        return String::new();
    };
    let relation = over.values.iter().find(|value| text(value, "blockID") == item.id);
    let ids = relation.and_then(|value| value.get("relation"));
    let ids = ids.map_or(&[][..], |relation| list(relation, "blockIDs"));
    let operator = rollup.get("calc").map_or("", |calc| text(calc, "operator"));
    other(cells, &over, |other| {
        let there = Cells { database: other, library: cells.library };
        let Some(target) = other.key(text(rollup, "keyID")) else { return String::new() };
        // A rollup of rollups could go round for ever.
        if target.kind == "rollup" || (target.kind == "relation" && operator.is_empty()) {
            return String::new();
        }
        let column = Column { key: target, wrap: false };
        let values: Vec<String> =
            related(other, ids).map(|item| there.cell(&column, &item, 0).plain()).collect();
        let numbers: Vec<f64> = related(other, ids)
            .filter_map(|item| cells::number_of(there.value(&target, &item)?))
            .collect();
        calculated(operator, values, numbers, text(target.json, "numberFormat"))
    })
    .unwrap_or_default()
}

/// Lets `see` look at the database that a relation leads to.
fn other<T>(cells: &Cells<'_>, key: &Key<'_>, see: impl FnOnce(&Database) -> T) -> Option<T> {
    let id = key.json.get("relation").map_or("", |relation| text(relation, "avID"));
    if id == cells.database.id() {
        return Some(see(cells.database));
    }
    let json = cells.library.database(id).filter(|json| json.len() <= super::LARGEST)?;
    Some(see(&Database::parse(&json)?))
}

/// The rows of those IDs, in their order.
fn related<'a>(database: &'a Database, ids: &'a [Value]) -> impl Iterator<Item = Item<'a>> {
    let all = rows::all(database);
    ids.iter().filter_map(move |id| {
        let id = id.as_str()?;
        let at = all.binary_search_by(|item| item.id.cmp(id)).ok()?;
        Some(all[at])
    })
}

fn calculated(operator: &str, values: Vec<String>, mut numbers: Vec<f64>, format: &str) -> String {
    let count = values.len();
    let filled = values.iter().filter(|value| !value.is_empty()).count();
    let percent = |part: usize| match count {
        0 => String::new(),
        _ => cells::formatted(part as f64 / count as f64, "percent"),
    };
    let number = |number: Option<f64>| {
        number.map(|number| cells::formatted(number, format)).unwrap_or_default()
    };
    numbers.sort_by(f64::total_cmp);
    let (least, most) = (numbers.first().copied(), numbers.last().copied());
    let unique = |values: &[String]| {
        let mut seen: Vec<String> = Vec::new();
        for value in values.iter().filter(|value| !value.is_empty()) {
            if !seen.contains(value) {
                seen.push(value.clone());
            }
        }
        seen
    };
    match operator {
        "Count all" => count.to_string(),
        "Count values" | "Count not empty" => filled.to_string(),
        "Count unique values" => unique(&values).len().to_string(),
        "Unique values" => unique(&values).join(", "),
        "Count empty" => (count - filled).to_string(),
        "Percent empty" => percent(count - filled),
        "Percent not empty" => percent(filled),
        "Percent unique values" => percent(unique(&values).len()),
        "Sum" => number((!numbers.is_empty()).then(|| numbers.iter().sum())),
        "Average" if !numbers.is_empty() => {
            number(Some(numbers.iter().sum::<f64>() / numbers.len() as f64))
        }
        "Median" if !numbers.is_empty() => {
            let middle = numbers.len() / 2;
            number(Some(match numbers.len().is_multiple_of(2) {
                true => f64::midpoint(numbers[middle - 1], numbers[middle]),
                false => numbers[middle],
            }))
        }
        "Min" => number(least),
        "Max" => number(most),
        "Range" => number(least.zip(most).map(|(least, most)| most - least)),
        "Checked" => filled.to_string(),
        "Unchecked" => (count - filled).to_string(),
        "Percent checked" => percent(filled),
        "Percent unchecked" => percent(count - filled),
        "Earliest" => {
            values.into_iter().filter(|value| !value.is_empty()).min().unwrap_or_default()
        }
        "Latest" => values.into_iter().max().unwrap_or_default(),
        "Average" | "Median" => String::new(),
        _ => values.join(", "),
    }
}
