//! Tables that Markdown cannot write: with a caption, or with cells over several columns or rows.

use super::super::kind::Kind;
use super::super::text;
use super::super::tree::NodeNo;
use super::blocks::Out;
use super::tables;

/// Properties of a table that are no attributes of it.
const NOT_ATTRIBUTES: [&str; 4] = ["id", "caption", "updated", "colgroup"];

impl Out<'_> {
    pub fn html_table(&mut self, no: NodeNo) {
        let tree = self.tree;
        let node = &tree[no];
        self.w.put("<table");
        for (name, value) in &node.properties {
            if !NOT_ATTRIBUTES.contains(&&**name) {
                self.w.put(&format!(" {name}=\"{value}\""));
            }
        }
        self.w.put(">\n");
        if let Some(caption) = node.property("caption") {
            let caption = text::property(caption).replace("contenteditable=\"false\" ", "");
            self.w.put(&caption);
            self.w.newline();
        }
        self.w.put("<colgroup>");
        if let Some(columns) = node.property("colgroup") {
            for style in columns.split('|') {
                if style.is_empty() {
                    self.w.put("<col />");
                } else {
                    self.w.put(&format!("<col style=\"{style}\" />"));
                }
            }
        }
        self.w.put("</colgroup><thead>");
        let (head, body) = tables::rows(tree, no);
        for row in head {
            self.html_row(row, "th");
        }
        self.w.put("</thead><tbody>\n");
        for row in body {
            self.html_row(row, "td");
        }
        self.w.put("</tbody>\n</table>\n");
    }

    fn html_row(&mut self, row: NodeNo, name: &str) {
        let tree = self.tree;
        self.w.put("<tr>\n");
        for cell in &tree[row].children {
            let node = &tree[*cell];
            let class = node.property("class").unwrap_or("");
            if node.kind != Kind::TableCell || class.split(' ').any(|c| c == "fn__none") {
                continue;
            }
            self.w.put(&format!("<{name}"));
            match node.align {
                1 => self.w.put(" align=\"left\""),
                2 => self.w.put(" align=\"center\""),
                3 => self.w.put(" align=\"right\""),
                _ => {}
            }
            for attribute in ["colspan", "rowspan", "style"] {
                if let Some(value) = node.property(attribute).filter(|value| !value.is_empty()) {
                    self.w.put(&format!(" {attribute}=\"{value}\""));
                }
            }
            self.w.put(">");
            let outer = std::mem::replace(&mut self.in_cell, true);
            for child in &node.children {
                // What holds more than its own text vanishes.
                if tree[*child].children.is_empty() {
                    self.node(*child);
                }
            }
            self.in_cell = outer;
            self.w.put(&format!("</{name}>\n"));
        }
        self.w.put("</tr>\n");
    }
}
