//! Cells, filters, sorts and rollups of databases.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::markdown::Library;
use super::super::tree::Tree;
use super::sheet;

/// Databases by their IDs, and a clock eight hours ahead.
struct Shelf(Vec<Value>);

impl Library for Shelf {
    fn note_of(&self, block: &str) -> Option<Arc<Tree>> {
        let json = json!({"ID": block, "Type": "NodeDocument", "Properties": {
            "title": "T", "updated": "20260203040506",
            "custom-sy-av-s-text-costs": "called &lt;so&gt; here"}});
        Tree::parse(json.to_string().as_bytes()).ok().map(Arc::new)
    }
    fn database(&self, id: &str) -> Option<Arc<[u8]>> {
        let found = self.0.iter().find(|database| database["id"] == id)?;
        Some(found.to_string().into_bytes().into())
    }
    fn asset(&self, _: &str) -> Option<Arc<[u8]>> {
        None
    }
    fn link(&self, _: &str) -> Option<String> {
        None
    }
    fn zone(&self) -> jiff::tz::TimeZone {
        jiff::tz::TimeZone::fixed(jiff::tz::offset(8))
    }
}

fn key(id: &str, kind: &str, more: Value, values: Value) -> Value {
    let mut key = json!({"id": id, "name": id, "type": kind});
    for (name, value) in more.as_object().into_iter().flatten() {
        key[name] = value.clone();
    }
    json!({"key": key, "values": values})
}

fn rows() -> Value {
    let row = |id: &str, content: &str| json!({"blockID": id, "isDetached": true, "block": {"content": content, "updated": 0}});
    key(
        "name",
        "block",
        json!({}),
        json!([row("1", "b"), row("2", "a"), row("3", "C"),
        {"blockID": "4", "block": {"id": "20260101000000-aaaaaaa", "content": "old"}}]),
    )
}

fn number(row: &str, number: f64) -> Value {
    json!({"blockID": row, "number": {"content": number, "isNotEmpty": true}})
}

fn costs(view: Value, more: Vec<Value>) -> Value {
    let mut keys = vec![
        rows(),
        key(
            "cost",
            "number",
            json!({"numberFormat": "usDollar"}),
            json!([number("1", 2.5), number("2", 1000.0)]),
        ),
    ];
    keys.extend(more);
    let columns: Vec<Value> = keys.iter().map(|key| json!({"id": key["key"]["id"]})).collect();
    let mut shown = json!({"id": "v", "type": "table", "itemIds": ["1", "2", "3", "4"],
        "table": {"columns": columns}});
    for (name, value) in view.as_object().into_iter().flatten() {
        shown[name] = value.clone();
    }
    json!({"id": "costs", "name": "Costs", "keyValues": keys, "views": [shown]})
}

fn csv(database: &Value) -> String {
    let shelf = Shelf(vec![database.clone()]);
    let csv = sheet(database.to_string().as_bytes(), &shelf).unwrap().csv();
    csv.lines().skip(1).collect::<Vec<_>>().join(" / ")
}

#[test]
fn cells_of_each_type() {
    let more = vec![
        key(
            "date",
            "date",
            json!({}),
            json!([
            {"blockID": "1", "date": {"content": 0, "isNotEmpty": true, "isNotTime": true}},
            {"blockID": "2", "date": {"content": 0, "isNotEmpty": true, "hasEndDate": true,
                "isNotEmpty2": true, "content2": 3_600_000}}]),
        ),
        key(
            "tags",
            "mSelect",
            json!({}),
            json!([
            {"blockID": "1", "mSelect": [{"content": "x"}, {"content": "y"}]}]),
        ),
        key(
            "done",
            "checkbox",
            json!({}),
            json!([{"blockID": "2", "checkbox": {"checked": true}}]),
        ),
        key("nr", "lineNumber", json!({}), json!([])),
        key("made", "created", json!({"created": {"includeTime": false}}), json!([])),
        key(
            "file",
            "mAsset",
            json!({}),
            json!([
            {"blockID": "3", "mAsset": [{"type": "file", "name": "f", "content": "assets/f"}]}]),
        ),
        key("computed", "template", json!({"template": ".action{now}"}), json!([])),
    ];
    assert_eq!(
        csv(&costs(json!({}), more)),
        "b,$2.50,1970-01-01,x y,,1,,,.action{now} / \
         a,\"$1,000.00\",1970-01-01 08:00 → 1970-01-01 09:00,,√,2,,,.action{now} / \
         C,,,,,3,,assets/f,.action{now} / \
         called <so> here,,,,,4,2026-01-01,,.action{now}"
    );
}

#[test]
fn filters_and_sorts() {
    let names = |view: Value| {
        let rows = csv(&costs(view, Vec::new()));
        rows.split(" / ").map(|row| row.split(',').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let text = |operator: &str, wanted: &str| {
        json!({"filters": [{"column": "name", "operator": operator,
            "value": {"block": {"content": wanted}}}]})
    };
    assert_eq!(names(text("Contains", "c")), ["C", "called <so> here"], "case does not count");
    assert_eq!(names(text("!=", "A")), ["b", "C", "called <so> here"]);
    assert_eq!(names(text("=", "")).len(), 4, "a filter without a value passes all");
    let cost = |operator: &str, wanted: f64| json!({"column": "cost", "operator": operator, "value": number("", wanted)});
    assert_eq!(names(json!({"filters": [cost(">", 3.0)]})), ["a"]);
    let any =
        json!({"filters": [{"combination": "or", "filters": [cost("=", 2.5), cost("=", 1000.0)]}]});
    assert_eq!(names(any), ["b", "a"]);
    let all = json!({"filters": [{"combination": "and", "filters": [cost("=", 2.5), cost("=", 1000.0)]}]});
    assert_eq!(csv(&costs(all, Vec::new())), "");
    let empty = json!({"filters": [{"column": "cost", "operator": "Is empty"}]});
    assert_eq!(names(empty), ["C", "called <so> here"]);
    let relative =
        json!({"filters": [{"column": "cost", "operator": "=", "relativeDate": {"count": 1}}]});
    assert_eq!(names(relative).len(), 4);
    let up = json!({"sorts": [{"column": "cost", "order": "ASC"}]});
    assert_eq!(names(up), ["b", "a", "C", "called <so> here"], "empties come last");
    let down = json!({"sorts": [{"column": "cost", "order": "DESC"}]});
    assert_eq!(names(down), ["a", "b", "C", "called <so> here"]);
}

#[test]
fn rollups() {
    let with = |operator: &str| {
        let relation = key(
            "of",
            "relation",
            json!({"relation": {"avID": "costs"}}),
            json!([
            {"blockID": "1", "relation": {"blockIDs": ["1", "2", "gone"]}}]),
        );
        let rollup = key(
            "sum",
            "rollup",
            json!({"rollup": {"relationKeyID": "of", "keyID": "cost",
            "calc": {"operator": operator}}}),
            json!([]),
        );
        let all = csv(&costs(json!({}), vec![relation, rollup]));
        let first = all.split(" / ").next().unwrap().to_owned();
        first.strip_prefix("b,$2.50,\"b, a\",").unwrap().to_owned()
    };
    for (operator, wanted) in [
        ("", "\"$2.50, $1,000.00\""),
        ("Count all", "2"),
        ("Sum", "\"$1,002.50\""),
        ("Average", "$501.25"),
        ("Max", "\"$1,000.00\""),
        ("Range", "$997.50"),
        ("Percent not empty", "100%"),
    ] {
        assert_eq!(with(operator), wanted, "{operator}");
    }
}

#[test]
fn what_is_no_database_is_no_sheet() {
    for json in
        ["", "[]", "{}", r#"{"views":[{}]}"#, r#"{"views":[{"type":"table"}],"keyValues":[]}"#]
    {
        assert!(sheet(json.as_bytes(), &Shelf(Vec::new())).is_none(), "{json}");
    }
}
