//! References: the text that stands for a block elsewhere.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::kind::Kind;
use super::super::text;
use super::super::tree::{NodeNo, ROOT, Tree};
use super::Library;

/// Characters of a reference's text at the most, the default of SiYuan's setting.
const LONGEST: usize = 96;

/// The blocks of a tree by their IDs, made when it is first needed.
#[derive(Debug, Default)]
pub(super) struct Index(Option<HashMap<Box<str>, NodeNo>>);

impl Index {
    fn find(&mut self, tree: &Tree, id: &str) -> Option<NodeNo> {
        let blocks = self.0.get_or_insert_with(|| {
            let with_id = tree.walk(ROOT).filter(|no| !tree[*no].id.is_empty());
            with_id.map(|no| (tree[no].id.clone(), no)).collect()
        });
        blocks.get(id).copied()
    }
}

/// What stands for the reference in the node `no`.
pub(super) fn anchor(tree: &Tree, no: NodeNo, library: &dyn Library, index: &mut Index) -> String {
    let extra = tree[no].extra();
    let text = text::decode(&extra.text);
    if !text.is_empty() {
        return cut(&text);
    }
    if let Some(target) = index.find(tree, &extra.target) {
        return cut(&content(tree, target));
    }
    let other: Option<Arc<Tree>> = library.note_of(&extra.target);
    let found = other.and_then(|other| {
        let target = other.walk(ROOT).find(|no| *other[*no].id == *extra.target)?;
        Some(cut(&content(&other, target)))
    });
    found.unwrap_or_else(|| "block not found".to_owned())
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// What a block says in a line.
fn content(tree: &Tree, no: NodeNo) -> String {
    let node = &tree[no];
    if let Some(name) = node.property("name").filter(|name| !name.is_empty()) {
        return text::property(name).into_owned();
    }
    match node.kind {
        Kind::Document => node.property("title").map(text::title).unwrap_or_default(),
        Kind::ThematicBreak => "Thematic Break".to_owned(),
        Kind::IFrame => format!("IFrame {}", node.data),
        Kind::Video => format!("Video {}", node.data),
        Kind::Audio => format!("Audio {}", node.data),
        Kind::List | Kind::ListItem | Kind::Blockquote | Kind::SuperBlock | Kind::Callout => {
            let is_leaf = |no: &NodeNo| {
                matches!(
                    tree[*no].kind,
                    Kind::Paragraph
                        | Kind::Heading
                        | Kind::CodeBlock
                        | Kind::MathBlock
                        | Kind::Table
                        | Kind::HTMLBlock
                )
            };
            tree.walk(no).skip(1).find(is_leaf).map(|leaf| all_text(tree, leaf)).unwrap_or_default()
        }
        _ => all_text(tree, no),
    }
}

/// All text in a node.
pub(super) fn all_text(tree: &Tree, from: NodeNo) -> String {
    let mut all = String::new();
    for no in tree.walk(from) {
        let node = &tree[no];
        match node.kind {
            Kind::TextMark if node.marked("tag") => {
                all.push_str(&format!("#{}#", text::decode(&node.extra().text)));
            }
            Kind::TextMark => {
                let extra = node.extra();
                all.push_str(&text::decode(&extra.text));
                if node.marked("inline-math") {
                    all.push_str(&extra.math);
                }
                for more in [&extra.title, &extra.href] {
                    if node.marked("a") && !more.is_empty() {
                        all.push(' ');
                        all.push_str(&text::decode(more));
                    }
                }
            }
            Kind::TableCell => {
                if !all.is_empty() {
                    all.push(' ');
                }
            }
            Kind::LinkDest | Kind::LinkTitle => {
                all.push(' ');
                all.push_str(&node.data);
            }
            Kind::Br | Kind::HardBreak | Kind::SoftBreak => all.push(' '),
            kind if kind.is_marker() => {}
            _ => all.push_str(&node.data),
        }
    }
    all.trim().to_owned()
}

/// Name of the file of an annotation (`FILE/ID`), and the page, counted from 1. `None` where the
/// annotation is not in the snapshot.
pub(super) fn annotation(annotation: &str, library: &dyn Library) -> Option<(String, u64)> {
    let (file, id) = annotation.rsplit_once('/')?;
    let json = library.asset(&format!("{file}.sya"))?;
    let notes: serde_json::Value = serde_json::from_slice(&json).ok()?;
    let page = notes.get(id)?.get("pages")?.get(0)?.get("index")?.as_u64()?;
    let name = file.rsplit_once('/').map_or(file, |(_, name)| name);
    Some((without_id(name), page.checked_add(1)?))
}

/// The name of an attachment without the ID that SiYuan adds: `x-20240101120000-abcdefg.pdf` → `x.pdf`.
fn without_id(name: &str) -> String {
    let (stem, extension) = match name.rfind('.') {
        Some(dot) => name.split_at(dot),
        None => (name, ""),
    };
    let cut = stem.len().checked_sub(23).filter(|cut| stem.is_char_boundary(*cut));
    match cut.map(|cut| stem.split_at(cut)) {
        Some((front, id)) if id.strip_prefix('-').is_some_and(text::is_id) => {
            format!("{front}{extension}")
        }
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_attachments() {
        assert_eq!(without_id("x-20240101120000-abcdefg.pdf"), "x.pdf");
        assert_eq!(without_id("标x.pdf"), "标x.pdf");
        assert_eq!(without_id("标".repeat(9).as_str()), "标".repeat(9));
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(cut(&"标".repeat(96)), "标".repeat(96));
        assert_eq!(cut(&"标".repeat(97)), format!("{}...", "标".repeat(96)));
    }
}
