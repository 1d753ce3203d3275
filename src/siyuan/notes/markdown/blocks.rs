//! Blocks: paragraphs, headings, code, quotations.

use super::super::kind::Kind;
use super::super::text;
use super::super::tree::{NodeNo, ROOT, Tree};
use super::writer::Writer;

/// Languages whose code SiYuan draws; it is stored with HTML's references.
const DRAWN: [&str; 8] =
    ["mermaid", "echarts", "abc", "graphviz", "mindmap", "flowchart", "plantuml", "infographic"];

/// No node.
const NONE: u32 = u32::MAX;

/// A tree that is being written.
pub(super) struct Out<'a> {
    pub tree: &'a Tree,
    pub w: Writer,
    /// Per node: the one before and the one behind it in its parent.
    siblings: Vec<[u32; 2]>,
    /// The last block of the note is being written.
    in_last: bool,
    /// The cell of a table is being written.
    pub in_cell: bool,
}

/// Writes a prepared tree; `None` where it is too much.
pub(super) fn write(tree: &Tree) -> Option<String> {
    let mut siblings = vec![[NONE; 2]; tree.len()];
    for no in tree.walk(ROOT) {
        for pair in tree[no].children.windows(2) {
            siblings[pair[0].0 as usize][1] = pair[1].0;
            siblings[pair[1].0 as usize][0] = pair[0].0;
        }
    }
    let mut out = Out { tree, w: Writer::new(), siblings, in_last: false, in_cell: false };
    let last = tree[ROOT].children.last();
    for child in &tree[ROOT].children {
        out.in_last = Some(child) == last;
        out.node(*child);
    }
    out.w.finish()
}

impl<'a> Out<'a> {
    pub fn before(&self, no: NodeNo) -> Option<NodeNo> {
        Some(self.siblings[no.0 as usize][0]).filter(|n| *n != NONE).map(NodeNo)
    }

    pub fn behind(&self, no: NodeNo) -> Option<NodeNo> {
        Some(self.siblings[no.0 as usize][1]).filter(|n| *n != NONE).map(NodeNo)
    }

    /// The blank line behind a block, but for the very end of the note.
    pub fn separate(&mut self, no: NodeNo) {
        if self.behind(no).is_some() || !self.in_last {
            self.w.put("\n");
        }
    }

    pub fn children(&mut self, no: NodeNo) {
        let tree = self.tree;
        for child in &tree[no].children {
            if self.w.is_full() {
                return;
            }
            self.node(*child);
        }
    }

    pub fn node(&mut self, no: NodeNo) {
        let node = &self.tree[no];
        match node.kind {
            Kind::Paragraph => self.paragraph(no),
            Kind::Heading => {
                self.w.put(&"#".repeat(usize::from(node.level.max(1))));
                self.w.put(" ");
                self.children(no);
                self.w.newline();
                self.w.put("\n");
            }
            Kind::ThematicBreak => self.w.put("---\n\n"),
            Kind::CodeBlock => self.code(no),
            Kind::MathBlock => self.math(no),
            Kind::HTMLBlock | Kind::IFrame | Kind::Video | Kind::Audio | Kind::Widget => {
                self.html(no);
            }
            Kind::SuperBlock | Kind::FootnotesDefBlock | Kind::LinkRefDefBlock => {
                self.w.newline();
                self.children(no);
            }
            Kind::List => self.list(no),
            Kind::ListItem => self.item(no),
            Kind::TaskListItemMarker => self.task(no),
            Kind::Blockquote => self.quotation(no, None),
            Kind::Callout => {
                let head = self.callout_head(no);
                self.quotation(no, Some(&head));
            }
            Kind::Table => self.table(no),
            Kind::CustomBlock => {
                self.w.newline();
                self.w.put(";;;");
                self.w.put(&node.extra().custom);
                self.w.newline();
                self.w.put(&node.data);
                self.w.newline();
                self.w.put(";;;");
                self.separate(no);
            }
            Kind::YamlFrontMatter => {
                let content = self.child_data(no, Kind::YamlFrontMatterContent);
                self.w.newline();
                self.w.put("---\n");
                self.w.put(content.unwrap_or(&node.data));
                self.w.put("\n---\n");
            }
            Kind::ToC => self.w.put("[toc]\n\n"),
            Kind::GitConflict => {
                for child in &node.children {
                    self.w.newline();
                    self.w.put(&self.tree[*child].data);
                    self.w.newline();
                }
            }
            Kind::FootnotesDef => self.footnote(no),
            Kind::LinkRefDef => self.link_definition(no),
            // Cells, rows and what else may stand alone in a damaged note.
            Kind::TableHead | Kind::TableRow | Kind::TableCell => {
                self.children(no);
                self.w.newline();
            }
            Kind::BlockQueryEmbed | Kind::AttributeView | Kind::Document => self.children(no),
            kind if kind.is_marker() => {}
            _ => self.inline(no),
        }
    }

    fn child_data(&self, no: NodeNo, kind: Kind) -> Option<&'a str> {
        let tree = self.tree;
        let found = tree[no].children.iter().find(|child| tree[**child].kind == kind)?;
        Some(&tree[*found].data)
    }

    fn paragraph(&mut self, no: NodeNo) {
        self.children(no);
        self.w.newline();
        let item = self.tree[no].parent;
        let list = self.tree[item].parent;
        let is_tight = self.tree[item].kind == Kind::ListItem
            && self.tree[list].kind == Kind::List
            && self.tree[list].extra().list.tight;
        if !is_tight || (self.behind(no).is_none() && self.behind(item).is_none()) {
            self.w.put("\n");
        }
    }

    fn code(&mut self, no: NodeNo) {
        let tree = self.tree;
        let code = self.child_data(no, Kind::CodeBlockCode).unwrap_or("");
        self.w.newline();
        if !tree[no].fenced {
            self.w.put("```\n");
            self.w.put(code);
            self.w.put("```");
            self.w.newline();
            self.separate(no);
            return;
        }
        let fence = |kind| {
            let typed = self.child_data(no, kind).filter(|fence| !fence.is_empty());
            typed.unwrap_or("```")
        };
        let open = fence(Kind::CodeBlockFenceOpenMarker);
        let close = fence(Kind::CodeBlockFenceCloseMarker);
        let of_kind = |kind| tree[no].children.iter().find(move |c| tree[**c].kind == kind);
        let info = of_kind(Kind::CodeBlockFenceInfoMarker).map(|c| &*tree[*c].extra().info);
        let language = info.unwrap_or("");
        self.w.put(open);
        self.w.put(language);
        self.w.put("\n");
        let name = language.split_ascii_whitespace().next().unwrap_or("");
        if DRAWN.contains(&name) {
            self.w.put(&text::decode(code));
        } else {
            self.w.put(code);
        }
        self.w.newline();
        self.w.put(close);
        self.w.newline();
        match of_kind(Kind::CodeBlockFenceCloseMarker) {
            Some(marker) => self.separate(*marker),
            None => self.separate(no),
        }
    }

    fn math(&mut self, no: NodeNo) {
        let content = self.child_data(no, Kind::MathBlockContent).unwrap_or("");
        let content = text::decode(content);
        self.w.newline();
        self.w.put("$$\n");
        self.w.put(&content);
        self.w.put("\n$$\n");
        self.separate(no);
    }

    fn html(&mut self, no: NodeNo) {
        let node = &self.tree[no];
        self.w.newline();
        match exported_markdown(&node.data).filter(|_| node.kind == Kind::Widget) {
            Some(markdown) => self.w.put(&markdown),
            None => self.w.put(&node.data.replacen("src=\"//", "src=\"https://", 1)),
        }
        self.w.newline();
        self.separate(no);
    }

    fn quotation(&mut self, no: NodeNo, head: Option<&str>) {
        self.w.begin();
        if let Some(head) = head {
            self.w.put(head);
            self.w.newline();
        }
        self.children(no);
        let content = self.w.end();
        let mut lines: Vec<&str> = content.split('\n').collect();
        if let [.., a, b] = lines[..]
            && lines.len() > 2
            && a.trim().is_empty()
            && b.trim().is_empty()
        {
            lines.pop();
        }
        if self.w.at_bottom() && lines.last().is_some_and(|line| line.trim().is_empty()) {
            lines.pop();
        }
        self.w.begin();
        for line in lines {
            self.w.put(match line.as_bytes().first() {
                None | Some(b'>') => ">",
                _ => "> ",
            });
            self.w.put(line);
            self.w.put("\n");
        }
        self.w.trim();
        let quoted = self.w.end();
        self.w.put(&quoted);
        self.w.trim();
        self.w.put("\n\n");
    }

    fn callout_head(&self, no: NodeNo) -> String {
        let extra = self.tree[no].extra();
        let [kind, title, icon] = &extra.callout;
        let usual = match &*kind.to_uppercase() {
            "NOTE" => ("Note", "✏️"),
            "TIP" => ("Tip", "💡"),
            "IMPORTANT" => ("Important", "❗"),
            "WARNING" => ("Warning", "⚠️"),
            "CAUTION" => ("Caution", "🚨"),
            _ => ("", ""),
        };
        let mut head = format!("[!{kind}]");
        let icon = match extra.callout_picture {
            true => {
                let name = icon.rsplit_once('/').map_or(&**icon, |(_, name)| name);
                let name = name.rsplit_once('.').map_or(name, |(name, _)| name);
                format!(":{name}:")
            }
            false => icon.to_string(),
        };
        if (&**title, &*icon) != usual {
            for part in [&*icon, title] {
                if !part.trim().is_empty() {
                    head.push(' ');
                    head.push_str(part);
                }
            }
        }
        head
    }

    fn footnote(&mut self, no: NodeNo) {
        self.w.begin();
        self.children(no);
        let content = self.w.end();
        self.w.newline();
        self.w.put(&format!("[{}]: ", self.tree[no].data));
        for (i, line) in content.trim().split('\n').enumerate() {
            if i > 0 && !line.is_empty() {
                self.w.put("    ");
            }
            self.w.put(line);
            self.w.put("\n");
        }
        self.separate(no);
    }

    fn link_definition(&mut self, no: NodeNo) {
        let tree = self.tree;
        let place = tree.walk(no).find(|n| tree[*n].kind == Kind::LinkDest);
        let mark = tree.walk(no).find(|n| tree[*n].kind == Kind::TextMark);
        let place = match (place, mark) {
            (Some(place), _) => &*tree[place].data,
            (None, Some(mark)) => &*tree[mark].extra().href,
            (None, None) => "",
        };
        self.w.newline();
        self.w.put(&format!("[{}]: {place}\n", tree[no].data));
    }
}

/// The Markdown that a widget wants to be exported as.
fn exported_markdown(html: &str) -> Option<String> {
    let (_, rest) = html.split_once("data-export-md=\"")?;
    let (value, _) = rest.split_once('"')?;
    Some(text::property(value).into_owned())
}
