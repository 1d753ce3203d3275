//! Which rows pass the filters of a view, and how rows are compared.

use std::cmp::Ordering;

use serde_json::Value;

use super::cells::{Cells, number_of};
use super::model::{Key, flag, list, text};
use super::rows::Item;

/// Groups in groups at the most.
const DEEPEST: usize = 16;

/// Whether a row passes a list of filters: all of them.
pub(super) fn passes(cells: &Cells<'_>, filters: &[Value], item: &Item<'_>) -> bool {
    filters.iter().all(|filter| passes_one(cells, filter, item, 0))
}

fn passes_one(cells: &Cells<'_>, filter: &Value, item: &Item<'_>, depth: usize) -> bool {
    let members = list(filter, "filters");
    if !members.is_empty() {
        if depth == DEEPEST {
            return true;
        }
        let is_any = ["combination", "conjunction", "type", "operator", "logic"]
            .iter()
            .any(|name| text(filter, name).eq_ignore_ascii_case("or"));
        let mut passed = members.iter().map(|member| passes_one(cells, member, item, depth + 1));
        return if is_any { passed.any(|p| p) } else { passed.all(|p| p) };
    }
    let Some(key) = cells.database.key(text(filter, "column")) else { return true };
    // What is relative to today has no answer in a snapshot: the row stays.
    if filter.get("relativeDate").is_some_and(|relative| !relative.is_null()) {
        return true;
    }
    let operator = text(filter, "operator");
    let own = cells.plain_text(&key, item);
    match operator {
        "Is empty" => return own.is_empty(),
        "Is not empty" => return !own.is_empty(),
        "Is true" => return !own.is_empty(),
        "Is false" => return own.is_empty(),
        _ => {}
    }
    let Some(value) = filter.get("value").filter(|value| value.is_object()) else { return true };
    match key.kind {
        "template" => true,
        "number" => {
            let Some(wanted) = number_of(value) else { return true };
            let own = cells.value(&key, item).and_then(number_of);
            ordered(operator, own.map(|own| own.total_cmp(&wanted)))
        }
        "date" | "created" | "updated" => {
            let name = key.kind;
            let Some(wanted) = value.get(name).filter(|v| flag(v, "isNotEmpty")) else {
                return true;
            };
            let wanted = wanted.get("content").and_then(Value::as_i64).unwrap_or(0);
            let own = cells.value(&key, item).and_then(|v| v.get(name)?.get("content")?.as_i64());
            own.is_none_or(|own| ordered(operator, Some(own.cmp(&wanted))))
        }
        "mSelect" | "select" => {
            let wanted = list(value, "mSelect");
            if wanted.is_empty() {
                return true;
            }
            let own = cells.value(&key, item).map_or(&[][..], |value| list(value, "mSelect"));
            let has = |w: &Value| own.iter().any(|o| text(o, "content") == text(w, "content"));
            let any = wanted.iter().any(has);
            if matches!(operator, "!=" | "Does not contain") { !any } else { any }
        }
        "checkbox" => true,
        kind => {
            let wanted = value.get(kind).map_or("", |content| text(content, "content"));
            wanted.is_empty() || matches_text(operator, &own.to_lowercase(), &wanted.to_lowercase())
        }
    }
}

fn matches_text(operator: &str, own: &str, wanted: &str) -> bool {
    match operator {
        "=" => own == wanted,
        "!=" => own != wanted,
        "Contains" => own.contains(wanted),
        "Does not contain" => !own.contains(wanted),
        "Starts with" => own.starts_with(wanted),
        "Ends with" => own.ends_with(wanted),
        _ => true,
    }
}

fn ordered(operator: &str, order: Option<Ordering>) -> bool {
    let Some(order) = order else { return operator == "!=" };
    match operator {
        "=" => order.is_eq(),
        "!=" => order.is_ne(),
        ">" => order.is_gt(),
        ">=" => order.is_ge(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        _ => true,
    }
}

/// What a row is sorted by.
#[derive(Debug, Clone)]
pub(super) enum Rank {
    Empty,
    Number(f64),
    Text(String),
}

/// What a row is sorted by in a column.
pub(super) fn rank<'a>(cells: &Cells<'a>, key: &Key<'a>, item: &Item<'a>) -> Rank {
    let value = cells.value(key, item);
    let number = value.and_then(|value| match key.kind {
        "number" => number_of(value),
        "date" => {
            let date = value.get("date").filter(|date| flag(date, "isNotEmpty"))?;
            date.get("content")?.as_f64()
        }
        _ => None,
    });
    if let Some(number) = number {
        return Rank::Number(number);
    }
    let text = cells.plain_text(key, item);
    match text.parse() {
        _ if text.is_empty() => Rank::Empty,
        Ok(number) if key.kind == "rollup" => Rank::Number(number),
        _ => Rank::Text(text),
    }
}

/// The order of two rows; what is empty comes last either way.
pub(super) fn compare(a: &Rank, b: &Rank, down: bool) -> Ordering {
    let order = match (a, b) {
        (Rank::Empty, Rank::Empty) => return Ordering::Equal,
        (Rank::Empty, _) => return Ordering::Greater,
        (_, Rank::Empty) => return Ordering::Less,
        (Rank::Number(a), Rank::Number(b)) => a.total_cmp(b),
        (Rank::Number(_), Rank::Text(_)) => Ordering::Less,
        (Rank::Text(_), Rank::Number(_)) => Ordering::Greater,
        (Rank::Text(a), Rank::Text(b)) => a.cmp(b),
    };
    if down { order.reverse() } else { order }
}
