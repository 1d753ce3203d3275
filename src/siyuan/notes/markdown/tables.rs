//! Tables.

use super::super::kind::Kind;
use super::super::tree::{NodeNo, Tree};
use super::blocks::Out;

/// Columns of a table at the most, for the line below the head.
const MOST_COLUMNS: usize = 4_096;

impl Out<'_> {
    pub fn table(&mut self, no: NodeNo) {
        self.w.newline();
        if self.tree[no].property("caption").is_some_and(|c| !c.is_empty()) || self.has_spans(no) {
            self.html_table(no);
            return;
        }
        let (head, body) = rows(self.tree, no);
        for row in &head {
            self.row(*row);
        }
        self.delimiters(&head, &body);
        for row in &body {
            self.row(*row);
        }
        self.w.newline();
        self.separate(no);
    }

    fn has_spans(&self, no: NodeNo) -> bool {
        let tree = self.tree;
        let (head, body) = rows(tree, no);
        let cells = head.iter().chain(&body).flat_map(|row| &tree[*row].children);
        let spans = |name: &'static str| {
            move |cell: &NodeNo| tree[*cell].property(name).is_some_and(|n| !matches!(n, "" | "1"))
        };
        cells.clone().any(spans("colspan")) || cells.clone().any(spans("rowspan"))
    }

    fn row(&mut self, row: NodeNo) {
        let tree = self.tree;
        self.w.put("|");
        for cell in &tree[row].children {
            if tree[*cell].kind == Kind::TableCell {
                self.cell(*cell);
                self.w.put("|");
            }
        }
        self.w.put("\n");
    }

    pub fn cell(&mut self, cell: NodeNo) {
        let outer = std::mem::replace(&mut self.in_cell, true);
        self.children(cell);
        self.in_cell = outer;
    }

    /// The line below the head: as wide as the widest cells.
    fn delimiters(&mut self, head: &[NodeNo], body: &[NodeNo]) {
        let tree = self.tree;
        let Some(first) = head.first().or(body.first()) else { return };
        let mut widths: Vec<usize> = Vec::new();
        for row in head.iter().take(1).chain(body) {
            for (i, cell) in tree[*row].children.iter().enumerate().take(MOST_COLUMNS) {
                let width = width(tree, *cell);
                match widths.get_mut(i) {
                    Some(known) => *known = width.max(*known),
                    None => widths.push(width),
                }
            }
        }
        for (i, cell) in tree[*first].children.iter().enumerate().take(MOST_COLUMNS) {
            if tree[*cell].kind != Kind::TableCell {
                continue;
            }
            let width = widths.get(i).copied().unwrap_or(0);
            let dashes = |less: usize| "-".repeat(width.saturating_sub(less).min(super::LARGEST));
            let line = match tree[*cell].align {
                1 => format!("| :-{}", dashes(2)),
                2 => format!("| :-{}: ", dashes(2)),
                3 => format!("| -{}: ", dashes(2)),
                _ => format!("| -{}", dashes(1)),
            };
            self.w.put(&line);
        }
        self.w.put("|\n");
    }
}

/// Rows of the head, and the others.
pub(super) fn rows(tree: &Tree, table: NodeNo) -> (Vec<NodeNo>, Vec<NodeNo>) {
    let mut head = Vec::new();
    let mut body = Vec::new();
    for child in &tree[table].children {
        match tree[*child].kind {
            Kind::TableHead => head.extend(&tree[*child].children),
            Kind::TableRow => body.push(*child),
            _ => {}
        }
    }
    (head, body)
}

/// Letters of all that is in a cell; those beyond ASCII count twice.
fn width(tree: &Tree, cell: NodeNo) -> usize {
    let letters = tree.walk(cell).flat_map(|no| tree[no].data.chars());
    letters.map(|letter| if letter.is_ascii() { 1 } else { 2 }).sum()
}
