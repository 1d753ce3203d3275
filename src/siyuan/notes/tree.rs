//! The tree of a note, read from a `.sy` file within bounds.
//!
//! Nodes lie side by side and know each other by numbers: reading, changing and dropping a tree needs
//! no recursion however deep it is.

use super::json::{NotJson, Reader};
use super::kind::Kind;
use super::text;

/// The largest note that is read, bytes. The largest of SiYuan's own guide has 60 KB; the editor
/// itself becomes unusable at some 10 MB.
pub const LARGEST: usize = 32 << 20;
/// Nodes of one note at the most: each takes some 200 bytes of memory.
pub const MOST_NODES: usize = 1 << 20;
/// Nodes below each other at the most, in files and in what is written: deeper ones become children
/// of the last that is allowed. 100 nested lists are 200 levels.
pub const DEEPEST: usize = 256;

/// Why a note cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is no note.
    #[error("{0}")]
    NotJson(#[from] NotJson),
    /// It is JSON, but not an object with the keys of a note.
    #[error("it is JSON, but no note")]
    NotANote,
    /// It is larger than any note that a person wrote.
    #[error("it is larger than {} MiB or has more than {MOST_NODES} blocks", LARGEST >> 20)]
    TooLarge,
    /// Its Markdown would be larger than any that a person wants.
    #[error("its Markdown would be larger than {} MiB", super::markdown::LARGEST >> 20)]
    TooMuchMarkdown,
}

/// The number of a node in its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeNo(pub u32);

/// The number of the root.
pub const ROOT: NodeNo = NodeNo(0);

/// A node. Absent keys of the file are empty here.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its type.
    pub kind: Kind,
    /// Level of a heading, 1 to 6.
    pub level: u8,
    /// Alignment of a table's cell: 0 none, 1 left, 2 centre, 3 right.
    pub align: u8,
    /// Fences around code.
    pub fenced: bool,
    /// The node that it lies in; the root lies in itself.
    pub parent: NodeNo,
    /// What lies in it, in order.
    pub children: Vec<NodeNo>,
    /// ID of a block, else empty.
    pub id: Box<str>,
    /// Its raw text.
    pub data: Box<str>,
    /// Attributes in the order of the file, as they are stored.
    pub properties: Vec<(Box<str>, Box<str>)>,
    /// What only few kinds have.
    pub extra: Option<Box<Extra>>,
}

/// What only few kinds of nodes have.
#[derive(Debug, Clone, Default)]
pub struct Extra {
    /// Types of a mark.
    pub types: Vec<Box<str>>,
    /// Text of a mark, stored with HTML's references.
    pub text: Box<str>,
    /// Where a link leads.
    pub href: Box<str>,
    /// Title of a link.
    pub title: Box<str>,
    /// The block that a reference means.
    pub target: Box<str>,
    /// The subtype of a reference: `s` or `d`.
    pub subtype: Box<str>,
    /// Formula of a mark.
    pub math: Box<str>,
    /// `FILE/ANNOTATION`.
    pub annotation: Box<str>,
    /// Of a list and its items.
    pub list: List,
    /// Of the marker in an item of a task list: its letter, 0 for none.
    pub task: u8,
    /// Of the same: done.
    pub checked: bool,
    /// Language of code.
    pub info: Box<str>,
    /// Database.
    pub database: Box<str>,
    /// Type, title, icon of a callout, and whether the icon is a picture.
    pub callout: [Box<str>; 3],
    /// See [`Self::callout`].
    pub callout_picture: bool,
    /// First line of a block of a plugin.
    pub custom: Box<str>,
    /// A character reference as it was typed.
    pub entity: Box<str>,
}

/// Data of lists and their items.
#[derive(Debug, Clone, Default)]
pub struct List {
    /// 0 bullet, 1 ordered, 3 task.
    pub typ: u8,
    /// Without blank lines between the items.
    pub tight: bool,
    /// The bullet's byte.
    pub bullet: u8,
    /// What follows the number.
    pub delimiter: u8,
    /// Bytes of the marker as it was typed.
    pub marker: u8,
    /// The number.
    pub number: i64,
}

impl Node {
    /// A node of a kind, alone.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            level: 0,
            align: 0,
            fenced: false,
            parent: ROOT,
            children: Vec::new(),
            id: Box::default(),
            data: Box::default(),
            properties: Vec::new(),
            extra: None,
        }
    }

    /// A node of a kind with a raw text.
    pub fn with_data(kind: Kind, data: impl Into<Box<str>>) -> Self {
        Self { data: data.into(), ..Self::new(kind) }
    }

    /// The stored value of a property.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.iter().find(|(key, _)| &**key == name).map(|(_, value)| &**value)
    }

    /// The extra data, all empty where there is none.
    pub fn extra(&self) -> &Extra {
        static NONE: std::sync::LazyLock<Extra> = std::sync::LazyLock::new(Extra::default);
        self.extra.as_deref().unwrap_or(&NONE)
    }

    /// The extra data, to write.
    pub fn extra_mut(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// Whether a mark has that type.
    pub fn marked(&self, name: &str) -> bool {
        self.extra().types.iter().any(|known| &**known == name)
    }
}

/// The tree of a note.
#[derive(Debug, Clone)]
pub struct Tree {
    nodes: Vec<Node>,
    /// Version of the format: 0 for files before there were any.
    pub spec: u32,
}

impl std::ops::Index<NodeNo> for Tree {
    type Output = Node;
    fn index(&self, no: NodeNo) -> &Node {
        &self.nodes[no.0 as usize]
    }
}

impl std::ops::IndexMut<NodeNo> for Tree {
    fn index_mut(&mut self, no: NodeNo) -> &mut Node {
        &mut self.nodes[no.0 as usize]
    }
}

impl Tree {
    /// Reads the bytes of a `.sy` file.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > LARGEST {
            return Err(NoteError::TooLarge);
        }
        let text = String::from_utf8_lossy(bytes);
        let mut json = Reader::new(&text);
        let mut tree = Self { nodes: vec![Node::new(Kind::Document)], spec: 0 };
        if !json.object()? {
            return Err(NoteError::NotANote);
        }
        tree.read(&mut json)?;
        json.end()?;
        let root = &tree[ROOT];
        if root.kind != Kind::Document || root.id.is_empty() {
            return Err(NoteError::NotANote);
        }
        Ok(tree)
    }

    fn read(&mut self, json: &mut Reader<'_>) -> Result<(), NoteError> {
        // The root's type must be said by the file.
        self[ROOT].kind = Kind::Unknown;
        let mut open = vec![ROOT];
        while let Some(here) = open.last().copied() {
            match json.key()? {
                Some(key) if key == "Children" => {
                    if json.array()? && json.element()? {
                        self.open_child(json, &mut open)?;
                    }
                }
                Some(key) => self.field(here, &key, json)?,
                None => {
                    open.pop();
                    // Behind a child: the next one, or the rest of its parent.
                    if !open.is_empty() && json.element()? {
                        self.open_child(json, &mut open)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn open_child(
        &mut self,
        json: &mut Reader<'_>,
        open: &mut Vec<NodeNo>,
    ) -> Result<(), NoteError> {
        if !json.object()? {
            return Err(NoteError::NotANote);
        }
        let parent = open[open.len().min(DEEPEST) - 1];
        let no = self.add(Node::new(Kind::Unknown))?;
        self.append(parent, no);
        open.push(no);
        Ok(())
    }

    fn field(&mut self, no: NodeNo, key: &str, json: &mut Reader<'_>) -> Result<(), NotJson> {
        if key == "Spec" {
            let spec = json.maybe_text()?;
            if no == ROOT {
                self.spec = spec.and_then(|spec| spec.parse().ok()).unwrap_or(0);
            }
            return Ok(());
        }
        let node = &mut self[no];
        let text = |json: &mut Reader<'_>| -> Result<Box<str>, NotJson> {
            Ok(json.maybe_text()?.map(Box::from).unwrap_or_else(|| Box::from("")))
        };
        let byte = |json: &mut Reader<'_>| -> Result<u8, NotJson> {
            Ok(u8::try_from(json.number()?).unwrap_or(0))
        };
        match key {
            "ID" => node.id = text(json)?,
            "Type" => node.kind = Kind::of(&text(json)?),
            "Data" => node.data = text(json)?,
            "HeadingLevel" => node.level = json.number()?.clamp(1, 6) as u8,
            "TableCellAlign" => node.align = byte(json)?,
            "IsFencedCodeBlock" => node.fenced = json.flag()?,
            "Properties" => {
                if json.object()? {
                    while let Some(key) = json.key()? {
                        let value = text(json)?;
                        node.properties.push((key.into(), value));
                    }
                }
            }
            "TextMarkType" => {
                let types = text(json)?;
                node.extra_mut().types = types.split_ascii_whitespace().map(Box::from).collect();
            }
            "TextMarkTextContent" => node.extra_mut().text = text(json)?,
            "TextMarkAHref" => node.extra_mut().href = text(json)?,
            "TextMarkATitle" => node.extra_mut().title = text(json)?,
            "TextMarkBlockRefID" => node.extra_mut().target = text(json)?,
            "TextMarkBlockRefSubtype" => node.extra_mut().subtype = text(json)?,
            "TextMarkInlineMathContent" => node.extra_mut().math = text(json)?,
            "TextMarkFileAnnotationRefID" => node.extra_mut().annotation = text(json)?,
            "TaskListItemMarker" => node.extra_mut().task = byte(json)?,
            "TaskListItemChecked" => node.extra_mut().checked = json.flag()?,
            "CodeBlockInfo" => node.extra_mut().info = text::base64(&text(json)?).into(),
            "AttributeViewID" => node.extra_mut().database = text(json)?,
            "CalloutType" => node.extra_mut().callout[0] = text(json)?,
            "CalloutTitle" => node.extra_mut().callout[1] = text(json)?,
            "CalloutIcon" => node.extra_mut().callout[2] = text(json)?,
            "CalloutIconType" => node.extra_mut().callout_picture = json.number()? == 1,
            "CustomBlockInfo" => node.extra_mut().custom = text(json)?,
            "HtmlEntityTokens" => node.extra_mut().entity = text::base64(&text(json)?).into(),
            "ListData" => {
                if json.object()? {
                    let list = &mut node.extra_mut().list;
                    while let Some(key) = json.key()? {
                        match &*key {
                            "Typ" => list.typ = byte(json)?,
                            "Tight" => list.tight = json.flag()?,
                            "BulletChar" => list.bullet = byte(json)?,
                            "Delimiter" => list.delimiter = byte(json)?,
                            "Num" => list.number = json.number()?,
                            "Marker" => {
                                let marker = text::base64(&text(json)?);
                                // The longest number of an item has nine digits.
                                list.marker = marker.len().min(32) as u8;
                            }
                            _ => json.skip()?,
                        }
                    }
                }
            }
            _ => json.skip()?,
        }
        Ok(())
    }

    /// How many nodes it has, those that were taken out included.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether nothing is below the root.
    pub fn is_empty(&self) -> bool {
        self[ROOT].children.is_empty()
    }

    /// Adds a node that lies nowhere yet.
    ///
    /// # Errors
    /// [`NoteError::TooLarge`].
    pub fn add(&mut self, node: Node) -> Result<NodeNo, NoteError> {
        if self.nodes.len() >= MOST_NODES {
            return Err(NoteError::TooLarge);
        }
        self.nodes.push(node);
        Ok(NodeNo((self.nodes.len() - 1) as u32))
    }

    /// Makes a node the last child of another.
    pub fn append(&mut self, parent: NodeNo, child: NodeNo) {
        self[parent].children.push(child);
        self[child].parent = parent;
    }

    /// Replaces the children of a node.
    pub fn set_children(&mut self, parent: NodeNo, children: Vec<NodeNo>) {
        for child in &children {
            self[*child].parent = parent;
        }
        self[parent].children = children;
    }

    /// The nodes below and including `from`, each before those in it.
    pub fn walk(&self, from: NodeNo) -> Walk<'_> {
        Walk { tree: self, left: vec![from] }
    }

    /// Copies a node and what lies in it from another tree; it lies nowhere yet.
    ///
    /// # Errors
    /// [`NoteError::TooLarge`].
    pub fn graft(&mut self, other: &Self, from: NodeNo) -> Result<NodeNo, NoteError> {
        let top = self.add(Node { children: Vec::new(), ..other[from].clone() })?;
        let mut left = vec![(from, top)];
        while let Some((theirs, ours)) = left.pop() {
            for child in &other[theirs].children {
                let copy = self.add(Node { children: Vec::new(), ..other[*child].clone() })?;
                self.append(ours, copy);
                left.push((*child, copy));
            }
        }
        Ok(top)
    }
}

/// See [`Tree::walk`].
#[derive(Debug)]
pub struct Walk<'a> {
    tree: &'a Tree,
    left: Vec<NodeNo>,
}

impl Iterator for Walk<'_> {
    type Item = NodeNo;
    fn next(&mut self) -> Option<NodeNo> {
        let here = self.left.pop()?;
        self.left.extend(self.tree[here].children.iter().rev());
        Some(here)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_siyuan_writes() {
        let tree = Tree::parse(
            br#"{"ID":"20261122011313-ydks3rf","Spec":"2","Type":"NodeDocument",
            "Properties":{"title":"A &lt;1&gt;"},"Children":[
            {"ID":"x","Type":"NodeHeading","HeadingLevel":9,"Children":[{"Type":"NodeText","Data":"t"}]},
            {"Type":"NodeFuture","Data":"d","Extra":{"a":[1]}},
            {"Type":"NodeListItem","ListData":{"Typ":1,"Delimiter":46,"Marker":"MS4=","Num":1}}],
            "Later":null}"#,
        )
        .unwrap();
        assert_eq!(tree.spec, 2);
        let kinds: Vec<_> = tree.walk(ROOT).map(|no| tree[no].kind).collect();
        assert_eq!(
            kinds,
            [Kind::Document, Kind::Heading, Kind::Text, Kind::Unknown, Kind::ListItem]
        );
        assert_eq!(tree[NodeNo(1)].level, 6);
        assert_eq!(tree[ROOT].property("title"), Some("A &lt;1&gt;"));
        let list = &tree[NodeNo(4)].extra().list;
        assert_eq!((list.typ, list.delimiter, list.marker, list.number), (1, b'.', 2, 1));
        assert_eq!(tree[NodeNo(2)].parent, NodeNo(1));
    }

    #[test]
    fn what_is_no_note() {
        for (json, wanted) in [
            ("", NoteError::NotJson(NotJson(0))),
            ("[]", NoteError::NotANote),
            ("{}", NoteError::NotANote),
            (r#"{"Type":"NodeDocument"}"#, NoteError::NotANote),
            (r#"{"ID":"a","Type":"NodeParagraph"}"#, NoteError::NotANote),
            (r#"{"ID":"a","Type":"NodeDocument"} x"#, NoteError::NotJson(NotJson(33))),
        ] {
            assert_eq!(Tree::parse(json.as_bytes()).unwrap_err(), wanted, "{json}");
        }
        let large = vec![b' '; LARGEST + 1];
        assert_eq!(Tree::parse(&large).unwrap_err(), NoteError::TooLarge);
    }

    #[test]
    fn deep_trees_become_flat_and_keep_their_text() {
        let deep = 10_000;
        let mut json = String::from(r#"{"ID":"a","Type":"NodeDocument","Children":["#);
        for n in 0..deep {
            json += &format!(r#"{{"ID":"{n}","Type":"NodeBlockquote","Children":["#);
        }
        json += r#"{"Type":"NodeText","Data":"end"}"#;
        json += &"]}".repeat(deep + 1);
        let tree = Tree::parse(json.as_bytes()).unwrap();
        let depth = |mut no: NodeNo| {
            let mut depth = 0;
            while no != ROOT {
                no = tree[no].parent;
                depth += 1;
            }
            depth
        };
        assert_eq!(tree.walk(ROOT).map(depth).max(), Some(DEEPEST));
        assert_eq!(tree.walk(ROOT).count(), deep + 2);
        let last = tree.walk(ROOT).last().unwrap();
        assert_eq!(&*tree[last].data, "end");
    }

    #[test]
    fn too_many_nodes_are_refused() {
        let json = format!(
            r#"{{"ID":"a","Type":"NodeDocument","Children":[{}{{}}]}}"#,
            "{},".repeat(MOST_NODES)
        );
        assert_eq!(Tree::parse(json.as_bytes()).unwrap_err(), NoteError::TooLarge);
    }
}
