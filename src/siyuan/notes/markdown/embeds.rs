//! Embedded blocks. SiYuan embeds by SQL; the queries that the editor itself writes name one block, and
//! those can be answered from a snapshot. All others are shown as they are.

use super::super::kind::Kind;
use super::super::tree::{DEEPEST, MOST_NODES, Node, NodeNo, NoteError, ROOT, Tree};
use super::super::{spec, text};
use super::{Library, prepare};

/// Embedded blocks that embed others, at the most.
const NESTED: u8 = 7;

/// Puts what they embed in place of all embeds.
pub(super) fn embed(tree: &mut Tree, library: &dyn Library) -> Result<(), NoteError> {
    embed_within(tree, library, 0, &mut 0)
}

/// `cost` counts the nodes that were looked at for embeds: a note that embeds a large one very often is
/// refused.
fn embed_within(
    tree: &mut Tree,
    library: &dyn Library,
    nested: u8,
    cost: &mut usize,
) -> Result<(), NoteError> {
    let all: Vec<NodeNo> = tree.walk(ROOT).collect();
    for no in all {
        if tree[no].kind != Kind::BlockQueryEmbed {
            continue;
        }
        let script =
            tree[no].children.iter().find(|c| tree[**c].kind == Kind::BlockQueryEmbedScript);
        let script = script.map_or("", |c| &tree[*c].data);
        let query = text::property(script).trim().to_owned();
        let mode = tree[no].property("custom-heading-mode").and_then(|mode| mode.parse().ok());
        let Some(id) = block_of(&query) else {
            tree[no].kind = Kind::Paragraph;
            let text = tree.add(Node::with_data(Kind::Text, format!("{{{{{query}}}}}")))?;
            tree.set_children(no, vec![text]);
            continue;
        };
        let found = match nested < NESTED {
            true => found(tree, no, &id, mode.unwrap_or(0), library, (nested, cost))?,
            false => None,
        };
        match found {
            Some(blocks) => {
                tree[no].kind = Kind::Blockquote;
                tree.set_children(no, blocks);
            }
            None => {
                let parent = tree[no].parent;
                let mut children = std::mem::take(&mut tree[parent].children);
                children.retain(|child| *child != no);
                tree[parent].children = children;
            }
        }
    }
    Ok(())
}

/// The block that a query names: `select * from blocks where id='ID'`, however it is spaced.
fn block_of(query: &str) -> Option<String> {
    let lower = query.to_ascii_lowercase();
    let mut rest = lower.as_str();
    for word in ["select", "*", "from", "blocks", "where", "id", "="] {
        rest = rest.trim_start().strip_prefix(word)?;
    }
    let rest = rest.trim().trim_end_matches(';').trim_end();
    let id = ['\'', '"'].iter().find_map(|q| rest.strip_prefix(*q)?.strip_suffix(*q))?;
    text::is_id(id).then(|| id.to_owned())
}

/// Copies of what an embed shows, ready to lie in it.
fn found(
    tree: &mut Tree,
    embed: NodeNo,
    id: &str,
    mode: u8,
    library: &dyn Library,
    (nested, cost): (u8, &mut usize),
) -> Result<Option<Vec<NodeNo>>, NoteError> {
    let Some(other) = library.note_of(id) else { return Ok(None) };
    *cost += other.len();
    if *cost > MOST_NODES * 4 {
        return Err(NoteError::TooLarge);
    }
    let mut other = Tree::clone(&other);
    prepare::tidy(&mut other)?;
    spec::flatten(&mut other)?;
    let Some(target) = other.walk(ROOT).find(|no| *other[*no].id == *id) else { return Ok(None) };
    // Only what is shown is worth the search for what it embeds.
    let mut shown = blocks_shown(&other, target, mode);
    let wants = |no: &NodeNo| other.walk(*no).any(|no| other[no].kind == Kind::BlockQueryEmbed);
    if shown.iter().any(wants) {
        embed_within(&mut other, library, nested + 1, cost)?;
        shown = blocks_shown(&other, target, mode);
    }
    let room = DEEPEST.saturating_sub(depth(tree, embed) + 2);
    if shown.iter().any(|no| height(&other, *no) > room) {
        return Ok(None);
    }
    let mut copies = Vec::with_capacity(shown.len());
    for no in shown {
        let copy = tree.graft(&other, no)?;
        parsed_anew(tree, copy);
        if other[no].kind == Kind::ListItem {
            let list = Node { children: Vec::new(), ..other[other[no].parent].clone() };
            let list = tree.add(list)?;
            tree.append(list, copy);
            copies.push(list);
        } else {
            copies.push(copy);
        }
    }
    Ok((!copies.is_empty()).then_some(copies))
}

fn blocks_shown(tree: &Tree, target: NodeNo, mode: u8) -> Vec<NodeNo> {
    match tree[target].kind {
        Kind::Document => tree[target].children.clone(),
        Kind::Heading => {
            let siblings = &tree[tree[target].parent].children;
            let after = siblings.iter().skip_while(|no| **no != target).skip(1);
            let level = tree[target].level;
            let section =
                after.take_while(|no| tree[**no].kind != Kind::Heading || tree[**no].level > level);
            match mode {
                1 => vec![target],
                2 => section.copied().collect(),
                _ => std::iter::once(target).chain(section.copied()).collect(),
            }
        }
        _ => vec![target],
    }
}

fn depth(tree: &Tree, mut no: NodeNo) -> usize {
    let mut depth = 0;
    while no != ROOT && depth < DEEPEST {
        no = tree[no].parent;
        depth += 1;
    }
    depth
}

fn height(tree: &Tree, from: NodeNo) -> usize {
    let mut left = vec![(from, 1)];
    let mut highest = 0;
    while let Some((no, level)) = left.pop() {
        highest = highest.max(level);
        left.extend(tree[no].children.iter().map(|child| (*child, level + 1)));
    }
    highest
}

/// SiYuan writes and reads what it embeds once more, which leaves these traces.
fn parsed_anew(tree: &mut Tree, top: NodeNo) {
    let all: Vec<NodeNo> = tree.walk(top).collect();
    for no in all {
        let node = &mut tree[no];
        match node.kind {
            Kind::TextMark if !node.marked("code") && !node.marked("tag") => {
                let extra = node.extra_mut();
                extra.text = text::decode(&extra.text).into();
            }
            Kind::TableCell => node.data = Box::default(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_that_name_a_block() {
        let id = "20261122011313-ydks3rf";
        for query in [
            "select * from blocks where id='20261122011313-ydks3rf'",
            "SELECT *  FROM blocks WHERE id = '20261122011313-ydks3rf' ;",
        ] {
            assert_eq!(block_of(query).as_deref(), Some(id), "{query}");
        }
        for query in [
            "",
            "select * from blocks where id='x'",
            "select * from blocks where id='20261122011313-ydks3rf' or 1=1",
            "select * from blocks where content like '%a%'",
        ] {
            assert_eq!(block_of(query), None, "{query}");
        }
    }
}
