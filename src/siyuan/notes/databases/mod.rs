//! Databases ("attribute views"): a file of JSON with keys (the columns), their values, and views (which
//! columns and rows, filtered and sorted how). In a note, and as CSV, the view that the note shows is
//! written.

mod cells;
mod filters;
mod model;
mod rollup;
mod rows;
#[cfg(test)]
mod tests;

use super::kind::Kind;
use super::markdown::Library;
use super::text;
use super::tree::{Node, NodeNo, NoteError, ROOT, Tree};

use cells::{Cell, Cells};
use model::Database;

/// The largest file of a database that is read, bytes.
const LARGEST: usize = 16 << 20;
/// Cells of one table at the most.
const MOST_CELLS: usize = 1 << 19;

/// A view of a database: names of its columns, and its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// The database's name.
    pub name: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Texts of the cells.
    pub rows: Vec<Vec<String>>,
}

/// The name of the database in `json`; empty where it has none, or is no database.
pub fn name(json: &[u8]) -> String {
    let database = (json.len() <= LARGEST).then(|| Database::parse(json)).flatten();
    database.map(|database| text::title(database.name())).unwrap_or_default()
}

/// The database in `json`, as its own view shows it; `None` for a file that is none.
pub fn sheet(json: &[u8], library: &dyn Library) -> Option<Sheet> {
    if json.len() > LARGEST {
        return None;
    }
    let database = Database::parse(json)?;
    let view = database.view(None)?;
    let table = table(&database, view, library)?;
    let plain = |cell: Cell| cell.plain();
    Some(Sheet {
        name: database.name().to_owned(),
        columns: table.columns,
        rows: table.rows.into_iter().map(|row| row.into_iter().map(plain).collect()).collect(),
    })
}

impl Sheet {
    /// As CSV (RFC 4180, lines end in a newline).
    pub fn csv(&self) -> String {
        let mut csv = String::new();
        for row in std::iter::once(&self.columns).chain(&self.rows) {
            for (i, cell) in row.iter().enumerate() {
                if i > 0 {
                    csv.push(',');
                }
                if cell.contains(['"', ',', '\n', '\r']) {
                    csv.push('"');
                    csv.push_str(&cell.replace('"', "\"\""));
                    csv.push('"');
                } else {
                    csv.push_str(cell);
                }
            }
            csv.push('\n');
        }
        csv
    }
}

struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

fn table(database: &Database, view: &serde_json::Value, library: &dyn Library) -> Option<Table> {
    let columns = database.columns(view);
    let items = rows::of_view(database, view, library);
    if columns.is_empty() || columns.len().saturating_mul(items.len()) > MOST_CELLS {
        return None;
    }
    let cells = Cells { database, library };
    let rows = items
        .iter()
        .zip(1..)
        .map(|(item, line)| columns.iter().map(|column| cells.cell(column, item, line)).collect())
        .collect();
    Some(Table { columns: columns.iter().map(|c| c.key.name.to_owned()).collect(), rows })
}

/// Puts a table in place of each database of a note.
///
/// # Errors
/// [`NoteError::TooLarge`].
pub(super) fn insert(tree: &mut Tree, library: &dyn Library) -> Result<(), NoteError> {
    let all: Vec<NodeNo> = tree.walk(ROOT).collect();
    for no in all {
        if tree[no].kind != Kind::AttributeView {
            continue;
        }
        let id = tree[no].extra().database.clone();
        let wanted = tree[no].property("custom-sy-av-view").map(str::to_owned);
        let json = library.database(&id).filter(|json| json.len() <= LARGEST);
        let database = json.and_then(|json| Database::parse(&json));
        let table = database.as_ref().and_then(|database| {
            let view = database.view(wanted.as_deref())?;
            table(database, view, library)
        });
        match table {
            Some(table) => build(tree, no, table)?,
            // Neither is there anything to show, nor may the note lose a line without a word.
            None => {
                tree[no].kind = Kind::Paragraph;
                let note = format!("{{{{database {id}}}}}");
                let text = tree.add(Node::with_data(Kind::Text, note))?;
                tree.set_children(no, vec![text]);
            }
        }
    }
    Ok(())
}

fn build(tree: &mut Tree, no: NodeNo, table: Table) -> Result<(), NoteError> {
    tree[no].kind = Kind::Table;
    tree[no].properties.clear();
    tree[no].children.clear();
    let head = tree.add(Node::new(Kind::TableHead))?;
    tree.append(no, head);
    let row = tree.add(Node::new(Kind::TableRow))?;
    tree.append(head, row);
    for name in table.columns {
        let text = cells::escaped(&name, false);
        add_cell(tree, row, Node::with_data(Kind::Text, text))?;
    }
    for cells in table.rows {
        let row = tree.add(Node::new(Kind::TableRow))?;
        tree.append(no, row);
        for cell in cells {
            add_content(tree, row, cell)?;
        }
    }
    Ok(())
}

fn add_content(tree: &mut Tree, row: NodeNo, content: Cell) -> Result<(), NoteError> {
    match content {
        Cell::Text(text, wrap) => {
            add_cell(tree, row, Node::with_data(Kind::Text, cells::escaped(&text, wrap)))?;
        }
        Cell::Plain(text) => {
            add_cell(tree, row, Node::with_data(Kind::Text, text))?;
        }
        Cell::Code(code) => {
            let mut mark = Node::new(Kind::TextMark);
            let extra = mark.extra_mut();
            extra.types = vec!["code".into()];
            extra.text = text::encode(&code.replace('\n', " ")).into();
            add_cell(tree, row, mark)?;
        }
        Cell::Links(links) => {
            let cell = add_cell(tree, row, Node::new(Kind::Text))?;
            for (i, link) in links.into_iter().enumerate() {
                if i > 0 {
                    let space = tree.add(Node::with_data(Kind::Text, " "))?;
                    tree.append(cell, space);
                }
                let kind = if link.is_picture { Kind::Image } else { Kind::Link };
                let node = tree.add(Node::new(kind))?;
                tree.append(cell, node);
                for (kind, data) in [(Kind::LinkText, link.name), (Kind::LinkDest, link.place)] {
                    let part = tree.add(Node::with_data(kind, data))?;
                    tree.append(node, part);
                }
            }
        }
    }
    Ok(())
}

fn add_cell(tree: &mut Tree, row: NodeNo, content: Node) -> Result<NodeNo, NoteError> {
    let cell = tree.add(Node::new(Kind::TableCell))?;
    tree.append(row, cell);
    let content = tree.add(content)?;
    tree.append(cell, content);
    Ok(cell)
}
