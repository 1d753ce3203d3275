//! Old versions of the format: until September 2022 marks were nodes in nodes, since then each piece
//! of text is one mark with several types. Stray references stayed longer.

use std::rc::Rc;

use super::kind::Kind;
use super::text;
use super::tree::{Node, NodeNo, NoteError, ROOT, Tree};

/// Makes the nested marks of an old note flat.
///
/// # Errors
/// [`NoteError::TooLarge`].
pub(super) fn flatten(tree: &mut Tree) -> Result<(), NoteError> {
    let all: Vec<NodeNo> = tree.walk(ROOT).collect();
    if !all.iter().any(|no| mark_of(tree[*no].kind).is_some()) && tree.spec > 0 {
        return Ok(());
    }
    for no in all {
        if mark_of(tree[no].kind).is_some() || tree[no].kind == Kind::Image {
            continue;
        }
        if tree[no].children.iter().any(|child| mark_of(tree[*child].kind).is_some()) {
            let children = std::mem::take(&mut tree[no].children);
            let mut flat = Vec::with_capacity(children.len());
            flatten_line(tree, children, &mut flat)?;
            tree.set_children(no, flat);
        }
        if tree.spec == 0 && tree[no].kind != Kind::TableCell {
            join_backslashes(tree, no)?;
        }
    }
    Ok(())
}

/// The type of a mark that an old node is.
fn mark_of(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::CodeSpan => "code",
        Kind::Tag => "tag",
        Kind::InlineMath => "inline-math",
        Kind::Emphasis => "em",
        Kind::Strong => "strong",
        Kind::Strikethrough => "s",
        Kind::Mark => "mark",
        Kind::Underline => "u",
        Kind::Sub => "sub",
        Kind::Sup => "sup",
        Kind::Kbd => "kbd",
        Kind::Link => "a",
        Kind::BlockRef => "block-ref",
        Kind::FileAnnotationRef => "file-annotation-ref",
        _ => return None,
    })
}

/// What lies around a piece of text.
#[derive(Default, Clone)]
struct Around {
    types: Rc<[&'static str]>,
    link: Option<(Box<str>, Box<str>)>,
}

impl Around {
    fn and(&self, name: &'static str) -> Self {
        Self { types: self.types.iter().copied().chain([name]).collect(), link: self.link.clone() }
    }
}

fn flatten_line(
    tree: &mut Tree,
    children: Vec<NodeNo>,
    flat: &mut Vec<NodeNo>,
) -> Result<(), NoteError> {
    let mut left: Vec<(NodeNo, Around)> =
        children.into_iter().rev().map(|no| (no, Around::default())).collect();
    while let Some((no, around)) = left.pop() {
        let kind = tree[no].kind;
        let Some(name) = mark_of(kind) else {
            leaf(tree, no, &around, flat);
            continue;
        };
        let mut around = around.and(name);
        let mut inside = std::mem::take(&mut tree[no].children);
        match kind {
            Kind::Link => {
                around.link = Some((
                    data_of(tree, &inside, Kind::LinkDest),
                    data_of(tree, &inside, Kind::LinkTitle),
                ));
                flat.extend(inside.iter().filter(|c| tree[**c].kind == Kind::Image));
                inside.retain(|c| tree[*c].kind != Kind::Image);
                join_link_texts(tree, &mut inside);
            }
            Kind::BlockRef | Kind::FileAnnotationRef => {
                reference(tree, no, &inside, &around, flat)?;
                continue;
            }
            _ => {}
        }
        left.extend(inside.into_iter().rev().map(|child| (child, around.clone())));
    }
    Ok(())
}

fn data_of(tree: &Tree, among: &[NodeNo], kind: Kind) -> Box<str> {
    let found = among.iter().find(|no| tree[**no].kind == kind);
    found.map_or_else(Box::default, |no| tree[*no].data.clone())
}

fn join_link_texts(tree: &mut Tree, inside: &mut Vec<NodeNo>) {
    let mut joined: Vec<NodeNo> = Vec::with_capacity(inside.len());
    for no in inside.drain(..) {
        match joined.last().copied() {
            Some(last) if tree[last].kind == Kind::LinkText && tree[no].kind == Kind::LinkText => {
                let more = std::mem::take(&mut tree[no].data);
                tree[last].data = format!("{}{more}", tree[last].data).into();
            }
            _ => joined.push(no),
        }
    }
    *inside = joined;
}

/// A piece of text becomes a mark; what only was typed around it vanishes.
fn leaf(tree: &mut Tree, no: NodeNo, around: &Around, flat: &mut Vec<NodeNo>) {
    if around.types.is_empty() {
        flat.push(no);
        return;
    }
    let node = &mut tree[no];
    let text = match node.kind {
        Kind::Text | Kind::CodeSpanContent | Kind::InlineMathContent | Kind::LinkText => {
            std::mem::take(&mut node.data)
        }
        Kind::HTMLEntity if node.extra().entity.is_empty() => std::mem::take(&mut node.data),
        Kind::HTMLEntity => node.extra().entity.clone(),
        Kind::Image | Kind::Br | Kind::Emoji | Kind::Backslash | Kind::TextMark => {
            flat.push(no);
            return;
        }
        _ => return,
    };
    node.kind = Kind::TextMark;
    let extra = node.extra_mut();
    extra.types = around.types.iter().map(|name| Box::from(*name)).collect();
    if around.types.contains(&"inline-math") {
        extra.math = text::encode(&text).into();
    } else {
        extra.text = text::encode(&text).into();
    }
    if let Some((href, title)) = &around.link {
        extra.href = text::encode(href).into();
        extra.title = text::encode(title).into();
    }
    flat.push(no);
}

fn reference(
    tree: &mut Tree,
    no: NodeNo,
    inside: &[NodeNo],
    around: &Around,
    flat: &mut Vec<NodeNo>,
) -> Result<(), NoteError> {
    let is_block = tree[no].kind == Kind::BlockRef;
    let (id, stated) = match is_block {
        true => (Kind::BlockRefID, Kind::BlockRefText),
        false => (Kind::FileAnnotationRefID, Kind::FileAnnotationRefText),
    };
    let id = data_of(tree, inside, id);
    let mut text = data_of(tree, inside, stated);
    let mut subtype = "s";
    if text.is_empty() {
        subtype = "d";
        text = data_of(tree, inside, Kind::BlockRefDynamicText);
    }
    let mut mark = Node::new(Kind::TextMark);
    let extra = mark.extra_mut();
    extra.types = around.types.iter().map(|name| Box::from(*name)).collect();
    extra.text = text::encode(&text).into();
    if is_block {
        extra.target = id;
        extra.subtype = subtype.into();
    } else {
        extra.annotation = id;
    }
    flat.push(tree.add(mark)?);
    Ok(())
}

/// An escaped letter is a letter of the text around it.
fn join_backslashes(tree: &mut Tree, parent: NodeNo) -> Result<(), NoteError> {
    if !tree[parent].children.iter().any(|c| tree[*c].kind == Kind::Backslash) {
        return Ok(());
    }
    let children = std::mem::take(&mut tree[parent].children);
    let mut joined: Vec<NodeNo> = Vec::with_capacity(children.len());
    let mut after_letter = false;
    for no in children {
        let is_letter = tree[no].kind == Kind::Backslash;
        let text = match tree[no].kind {
            Kind::Backslash => {
                let inner = tree[no].children.first().map(|c| tree[*c].data.clone());
                text::decode(inner.as_deref().unwrap_or(&tree[no].data)).into_owned()
            }
            Kind::Text => tree[no].data.to_string(),
            _ => {
                after_letter = false;
                joined.push(no);
                continue;
            }
        };
        let before = joined.last().copied().filter(|last| tree[*last].kind == Kind::Text);
        match before {
            Some(last) if is_letter || after_letter => {
                tree[last].data = format!("{}{text}", tree[last].data).into();
            }
            _ if is_letter => joined.push(tree.add(Node::with_data(Kind::Text, text))?),
            _ => joined.push(no),
        }
        after_letter = is_letter;
    }
    tree.set_children(parent, joined);
    Ok(())
}
