//! The file of a database. Versions of it differ in where things stand, and any of them may be missing, so
//! it is asked piece by piece.

use serde_json::Value;

/// A text of an object; empty where there is none.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or("")
}

/// A list of an object; empty where there is none.
pub(super) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A flag of an object.
pub(super) fn flag(value: &Value, name: &str) -> bool {
    value.get(name).and_then(Value::as_bool).unwrap_or(false)
}

/// A database.
#[derive(Debug)]
pub(super) struct Database {
    json: Value,
}

/// A key and its values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key<'a> {
    pub id: &'a str,
    pub name: &'a str,
    pub kind: &'a str,
    /// What else is said of it.
    pub json: &'a Value,
    pub values: &'a [Value],
}

/// A column of a view.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column<'a> {
    pub key: Key<'a>,
    /// Lines stay lines.
    pub wrap: bool,
}

impl Database {
    pub fn parse(json: &[u8]) -> Option<Self> {
        let json: Value = serde_json::from_slice(json).ok()?;
        json.is_object().then_some(Self { json })
    }

    pub fn id(&self) -> &str {
        text(&self.json, "id")
    }

    pub fn name(&self) -> &str {
        text(&self.json, "name")
    }

    pub fn keys(&self) -> impl Iterator<Item = Key<'_>> {
        list(&self.json, "keyValues").iter().filter_map(|both| {
            let key = both.get("key")?;
            Some(Key {
                id: text(key, "id"),
                name: text(key, "name"),
                kind: text(key, "type"),
                json: key,
                values: list(both, "values"),
            })
        })
    }

    pub fn key(&self, id: &str) -> Option<Key<'_>> {
        self.keys().find(|key| key.id == id)
    }

    /// The view of that ID, else its own, else the first.
    pub fn view(&self, wanted: Option<&str>) -> Option<&Value> {
        let views = list(&self.json, "views");
        let by_id = |id: &str| views.iter().find(|view| !id.is_empty() && text(view, "id") == id);
        wanted.and_then(by_id).or_else(|| by_id(text(&self.json, "viewID"))).or(views.first())
    }

    /// The columns of a view, hidden ones too.
    pub fn columns<'a>(&'a self, view: &'a Value) -> Vec<Column<'a>> {
        let fields = layouts(view).flat_map(|layout| {
            ["columns", "fields", "cardFields"].into_iter().flat_map(|name| list(layout, name))
        });
        let column = |field: &'a Value| {
            Some(Column { key: self.key(text(field, "id"))?, wrap: flag(field, "wrap") })
        };
        fields.filter_map(column).collect()
    }
}

/// What a view says of its form: for a table under `table`, and so on.
pub(super) fn layouts(view: &Value) -> impl Iterator<Item = &Value> {
    let kind = match text(view, "type") {
        "" => "table",
        kind => kind,
    };
    view.get(kind).into_iter()
}

/// Filters, sorts: since spec 2 of the view, before of its table.
pub(super) fn of_view<'a>(view: &'a Value, name: &str) -> &'a [Value] {
    let own = list(view, name);
    if !own.is_empty() {
        return own;
    }
    layouts(view).map(|layout| list(layout, name)).find(|list| !list.is_empty()).unwrap_or(&[])
}
