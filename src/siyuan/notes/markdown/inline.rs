//! What stands in a line, but for marks.

use super::super::kind::Kind;
use super::super::text::{self, ZWSP};
use super::super::tree::NodeNo;
use super::blocks::Out;
use super::prepare::is_zwsp;

impl<'a> Out<'a> {
    pub fn inline(&mut self, no: NodeNo) {
        let tree = self.tree;
        let node = &tree[no];
        match node.kind {
            Kind::Text => self.text(no),
            Kind::TextMark => self.mark(no),
            Kind::Image | Kind::Link => self.image(no),
            Kind::Br => self.w.put("<br />"),
            Kind::HardBreak => self.w.put(if self.in_cell { "<br/>" } else { "\n" }),
            Kind::SoftBreak => self.w.newline(),
            Kind::Backslash => {
                self.w.put("\\");
                if node.children.is_empty() {
                    self.w.put(&node.data);
                }
                self.children(no);
            }
            Kind::HTMLEntity if !node.extra().entity.is_empty() => {
                self.w.put(&node.extra().entity);
            }
            Kind::Emoji => {
                let alias = tree.walk(no).find(|n| tree[*n].kind == Kind::EmojiAlias);
                self.w.put(alias.map_or(&node.data, |alias| &tree[alias].data));
            }
            Kind::FootnotesRef => self.w.put(&format!("[{}]", node.data)),
            kind if kind.is_marker() => {}
            // What is not known, or stands where nobody puts it: its text.
            _ => {
                self.w.put(&node.data);
                self.children(no);
            }
        }
    }

    fn text(&mut self, no: NodeNo) {
        let tree = self.tree;
        let mut text = &*tree[no].data;
        let (before, behind) = (self.before(no), self.behind(no));
        let is_image = |no: Option<NodeNo>| no.is_some_and(|no| tree[no].kind == Kind::Image);
        if is_zwsp(text) && (is_image(before) || is_image(behind)) {
            return;
        }
        if !behind.is_some_and(|next| self.has_text(next)) {
            text = text.trim_start_matches(ZWSP);
        }
        if before.is_none() {
            text = text.strip_prefix(ZWSP).unwrap_or(text);
        }
        if self.w.last() == b' ' && before.is_none() && self.is_first_of_task(no) {
            text = text.strip_prefix(' ').unwrap_or(text);
        }
        self.w.put(text);
    }

    fn is_first_of_task(&self, no: NodeNo) -> bool {
        let paragraph = self.tree[no].parent;
        let before = self.before(paragraph);
        before.is_some_and(|marker| self.tree[marker].kind == Kind::TaskListItemMarker)
    }

    /// Whether there is text in a node. Formulas and line breaks have none.
    fn has_text(&self, no: NodeNo) -> bool {
        let tree = self.tree;
        tree.walk(no).any(|no| match tree[no].kind {
            Kind::TextMark => !tree[no].extra().text.is_empty(),
            Kind::Br => false,
            kind if kind.is_marker() => false,
            _ => !tree[no].data.is_empty(),
        })
    }

    /// A picture, or a link in a database.
    fn image(&mut self, no: NodeNo) {
        let tree = self.tree;
        let part = |kind: Kind| -> String {
            let parts = tree[no].children.iter().filter(|child| tree[**child].kind == kind);
            parts.map(|child| &*tree[*child].data).collect()
        };
        let alt = bracketed(&part(Kind::LinkText));
        let place = part(Kind::LinkDest).replace(' ', "%20");
        let title = part(Kind::LinkTitle);
        self.w.put(if tree[no].kind == Kind::Image { "![" } else { "[" });
        self.w.put(&format!("{alt}]({place}"));
        if !title.is_empty() {
            self.w.put(&format!(" \"{}\"", title.replace('"', "&quot;")));
        }
        self.w.put(")");
    }
}

/// Brackets that must not end a link's text.
pub(super) fn bracketed(text: &str) -> String {
    text.replace('[', "\\[").replace(']', "\\]")
}

/// A backslash before each letter that Markdown could take for a mark.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '*' | '_' | '\\' | '~' | '$' | '=' | '^' | '<' | '>' | '`') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

/// Where a link leads, as it stands in brackets.
pub(super) fn place(href: &str) -> String {
    let href = match href.contains("&amp;") {
        true => text::decode(href),
        false => href.into(),
    };
    href.replace(' ', "%20")
}
