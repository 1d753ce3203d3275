//! Makes of the tree of a note the tree that is exported. The order of the steps is SiYuan's.

use super::super::kind::Kind;
use super::super::text::{self, ZWJ, ZWSP};
use super::super::tree::{Node, NodeNo, NoteError, ROOT, Tree};
use super::super::{databases, spec};
use super::{Library, embeds, refs};

/// All steps.
pub(super) fn prepare(tree: &mut Tree, library: &dyn Library) -> Result<(), NoteError> {
    tidy(tree)?;
    spec::flatten(tree)?;
    embeds::embed(tree, library)?;
    marks(tree, library)?;
    head(tree)?;
    texts(tree)?;
    databases::insert(tree, library)?;
    breaks(tree);
    Ok(())
}

/// Drops what is empty, and makes paragraphs of what is not known.
pub(super) fn tidy(tree: &mut Tree) -> Result<(), NoteError> {
    let mut left = vec![ROOT];
    while let Some(here) = left.pop() {
        let children = std::mem::take(&mut tree[here].children);
        let last = children.len().saturating_sub(1);
        let of_text = matches!(tree[here].kind, Kind::Paragraph | Kind::Heading | Kind::TableCell)
            || tree[here].kind.is_inline();
        let mut kept = Vec::with_capacity(children.len());
        for (i, no) in children.into_iter().enumerate() {
            let ends_block = i == last && !tree[here].kind.is_inline();
            if is_dropped(tree, no, ends_block) {
                continue;
            }
            if tree[no].kind == Kind::Unknown {
                known(tree, no, of_text)?;
            }
            if tree[no].kind == Kind::InlineHTML {
                tree[no].kind = Kind::HTMLBlock;
            }
            kept.push(no);
        }
        left.extend(&kept);
        tree[here].children = kept;
    }
    if tree.is_empty() {
        let paragraph = tree.add(Node::new(Kind::Paragraph))?;
        tree.append(ROOT, paragraph);
    }
    Ok(())
}

fn is_dropped(tree: &Tree, no: NodeNo, ends_block: bool) -> bool {
    let node = &tree[no];
    match node.kind {
        Kind::List | Kind::ListItem | Kind::MathBlock | Kind::BlockQueryEmbed => {
            node.children.is_empty()
        }
        Kind::Blockquote => node.children.len() < 2,
        Kind::SuperBlock => node.children.len() < 4,
        Kind::CodeBlock => !node.children.iter().any(|c| tree[*c].kind == Kind::CodeBlockCode),
        Kind::Br => ends_block && tree[node.parent].kind != Kind::TableCell,
        _ => false,
    }
}

/// Something of a later version, or damaged: its text stays.
fn known(tree: &mut Tree, no: NodeNo, of_text: bool) -> Result<(), NoteError> {
    let data = std::mem::take(&mut tree[no].data);
    if !tree[no].children.is_empty() {
        let has_blocks = tree[no].children.iter().any(|c| !tree[*c].kind.is_inline());
        tree[no].kind = if has_blocks { Kind::SuperBlock } else { Kind::Paragraph };
    } else if of_text {
        tree[no].kind = Kind::Text;
        tree[no].data = data;
    } else {
        tree[no].kind = Kind::Paragraph;
        if !data.is_empty() {
            let text = tree.add(Node::with_data(Kind::Text, data))?;
            tree.append(no, text);
        }
    }
    Ok(())
}

/// References become text, memos vanish, annotations links, tags text.
fn marks(tree: &mut Tree, library: &dyn Library) -> Result<(), NoteError> {
    let mut index = refs::Index::default();
    let all: Vec<NodeNo> = tree.walk(ROOT).collect();
    for no in all {
        match tree[no].kind {
            Kind::TextMark => mark(tree, no, library, &mut index),
            Kind::MathBlockContent => {
                tree[no].data = tree[no].data.trim().into();
            }
            Kind::SuperBlock => {
                let mut children = std::mem::take(&mut tree[no].children);
                children.retain(|child| {
                    !matches!(
                        tree[*child].kind,
                        Kind::SuperBlockOpenMarker
                            | Kind::SuperBlockLayoutMarker
                            | Kind::SuperBlockCloseMarker
                    )
                });
                tree[no].children = children;
            }
            _ => {}
        }
        // Marks whose annotation is gone go with it.
        if tree[no].children.iter().any(|c| is_lost(tree, *c, library)) {
            let mut children = std::mem::take(&mut tree[no].children);
            children.retain(|child| !is_lost(tree, *child, library));
            tree[no].children = children;
        }
    }
    Ok(())
}

fn is_lost(tree: &Tree, no: NodeNo, library: &dyn Library) -> bool {
    let node = &tree[no];
    node.kind == Kind::TextMark
        && node.marked("file-annotation-ref")
        && refs::annotation(&node.extra().annotation, library).is_none()
}

fn mark(tree: &mut Tree, no: NodeNo, library: &dyn Library, index: &mut refs::Index) {
    let node = &mut tree[no];
    let extra = node.extra_mut();
    if extra.types.iter().any(|t| &**t == "inline-math") {
        extra.math = extra.math.trim().into();
    }
    if extra.types.iter().any(|t| &**t == "a")
        && let Some(id) = extra.href.strip_prefix("siyuan://blocks/")
    {
        extra.target = id.into();
        if &*extra.types[0] == "a" {
            extra.types.remove(0);
        }
        extra.types.push("block-ref".into());
    }
    if node.marked("tag") {
        node.kind = Kind::Text;
        node.data = format!("#{}#", node.extra().text).into();
        return;
    }
    if node.marked("block-ref") {
        let anchor = refs::anchor(tree, no, library, index);
        let link = library.link(&tree[no].extra().target);
        let extra = tree[no].extra_mut();
        extra.types.retain(|t| &**t != "block-ref");
        extra.text = anchor.into();
        extra.href = Box::default();
        if let Some(link) = link {
            extra.types.retain(|t| &**t != "a");
            extra.types.insert(0, "a".into());
            extra.text = text::encode(&extra.text).into();
            extra.href = link.into();
        }
    } else if node.marked("file-annotation-ref") {
        let annotation = node.extra().annotation.clone();
        if let Some((name, page)) = refs::annotation(&annotation, library) {
            let file = annotation.rsplit_once('/').map_or("", |(file, _)| file);
            let extra = node.extra_mut();
            extra.text = format!("{} - p{page} - {}", text::encode(&name), extra.text).into();
            extra.href = format!("{file}#page={page}").into();
            for name in &mut extra.types {
                if &**name == "file-annotation-ref" {
                    *name = "a".into();
                }
            }
        }
    }
}

/// The title, and the picture above it.
fn head(tree: &mut Tree) -> Result<(), NoteError> {
    let root = &tree[ROOT];
    let title = root.property("title").map(text::title).unwrap_or_default();
    let picture = root.property("title-img").and_then(title_picture);
    let mut first = Vec::new();
    if let Some(picture) = picture {
        let paragraph = tree.add(Node::new(Kind::Paragraph))?;
        let text = tree.add(Node::with_data(Kind::Text, format!("![image]({picture})")))?;
        tree.append(paragraph, text);
        first.push(paragraph);
    }
    let heading = tree.add(Node { level: 1, ..Node::new(Kind::Heading) })?;
    let text = tree.add(Node::with_data(Kind::Text, title))?;
    tree.append(heading, text);
    first.push(heading);
    first.append(&mut tree[ROOT].children);
    tree.set_children(ROOT, first);
    Ok(())
}

fn title_picture(style: &str) -> Option<String> {
    let style = text::property(style);
    let (_, rest) = style.split_once("background-image:")?;
    let rest = rest.trim_start().strip_prefix("url(")?;
    let (place, _) = rest.split_once(')')?;
    Some(place.trim_matches(['"', '\'']).to_owned())
}

/// Line breaks in texts, and something to see in empty paragraphs.
fn texts(tree: &mut Tree) -> Result<(), NoteError> {
    let all: Vec<NodeNo> = tree.walk(ROOT).collect();
    for no in all {
        match tree[no].kind {
            Kind::Text if tree[no].data.contains('\n') => {
                tree[no].data = tree[no].data.replace('\n', "  \n").into();
            }
            Kind::Paragraph if tree[no].children.is_empty() => {
                let text = tree.add(Node::with_data(Kind::Text, ZWJ.to_string()))?;
                tree.append(no, text);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Line breaks outside tables are lines.
fn breaks(tree: &mut Tree) {
    let mut left = vec![(ROOT, false)];
    while let Some((no, in_cell)) = left.pop() {
        if tree[no].kind == Kind::Br && !in_cell {
            tree[no].kind = Kind::Text;
            tree[no].data = "\n".into();
        }
        let in_cell = in_cell || tree[no].kind == Kind::TableCell;
        left.extend(tree[no].children.iter().map(|child| (*child, in_cell)));
    }
}

/// Whether a text is exactly the one letter that nobody sees.
pub(super) fn is_zwsp(text: &str) -> bool {
    text.strip_prefix(ZWSP) == Some("")
}
