//! Which rows a view shows, and in which order.

use std::collections::HashMap;

use serde_json::Value;

use super::super::markdown::Library;
use super::cells::Cells;
use super::filters;
use super::model::{self, Database, flag, text};

/// A row of a database.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item<'a> {
    /// The row's ID.
    pub id: &'a str,
    /// The value of its first column.
    pub block: &'a Value,
    /// The block that it stands for; `None` where it stands for itself.
    pub bound: Option<&'a str>,
}

/// All rows of a database, by their IDs.
pub(super) fn all(database: &Database) -> Vec<Item<'_>> {
    let mut items: Vec<Item<'_>> = Vec::new();
    for key in database.keys().filter(|key| key.kind == "block") {
        for value in key.values {
            let Some(block) = value.get("block").filter(|block| block.is_object()) else {
                continue;
            };
            let is_detached = flag(value, "isDetached");
            let (id, bound) = (text(value, "blockID"), text(block, "id"));
            if !id.is_empty() && (is_detached || !bound.is_empty()) {
                let bound = (!is_detached).then_some(bound);
                items.push(Item { id, block: value, bound });
            }
        }
    }
    items.sort_by(|a, b| a.id.cmp(b.id));
    items.dedup_by(|a, b| a.id == b.id);
    items
}

/// The rows of a view.
pub(super) fn of_view<'a>(
    database: &'a Database,
    view: &'a Value,
    library: &dyn Library,
) -> Vec<Item<'a>> {
    let mut items = all(database);
    let order = order(view);
    items.sort_by_key(|item| order.get(item.id).copied().unwrap_or(0));
    let cells = Cells { database, library };
    let wanted = model::of_view(view, "filters");
    items.retain(|item| filters::passes(&cells, wanted, item));
    let sorts = model::of_view(view, "sorts");
    let keys: Vec<_> = sorts
        .iter()
        .filter_map(|sort| {
            Some((database.key(text(sort, "column"))?, text(sort, "order") == "DESC"))
        })
        .collect();
    if !keys.is_empty() {
        let mut ranked: Vec<_> = items
            .into_iter()
            .map(|item| {
                let rank: Vec<_> =
                    keys.iter().map(|(key, _)| filters::rank(&cells, key, &item)).collect();
                (rank, item)
            })
            .collect();
        ranked.sort_by(|(a, _), (b, _)| {
            let each = a.iter().zip(b).zip(&keys);
            each.map(|((a, b), (_, down))| filters::compare(a, b, *down))
                .find(|order| order.is_ne())
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        items = ranked.into_iter().map(|(_, item)| item).collect();
    }
    items
}

fn order(view: &Value) -> HashMap<&str, usize> {
    let mut named = vec![model::list(view, "itemIds")];
    named.extend(model::layouts(view).flat_map(|layout| {
        ["rowIds", "cardIds"].into_iter().map(|name| model::list(layout, name))
    }));
    let ids = named.into_iter().find(|ids| !ids.is_empty()).unwrap_or(&[]);
    ids.iter().enumerate().filter_map(|(at, id)| Some((id.as_str()?, at))).collect()
}
