//! Marks: text with one or several types.

use super::super::kind::Kind;
use super::super::text::{self, ZWSP};
use super::super::tree::{Extra, NodeNo};
use super::blocks::Out;
use super::inline::{bracketed, escaped, place};

/// Types that have their own form, with the text in the midst of it.
const LEADING: [&str; 4] = ["a", "inline-memo", "inline-math", "file-annotation-ref"];

/// What stands before and behind the text of a type.
fn around(name: &str) -> (&'static str, &'static str) {
    match name {
        "strong" => ("**", "**"),
        "em" => ("*", "*"),
        "s" => ("~~", "~~"),
        "mark" => ("==", "=="),
        "u" => ("<u>", "</u>"),
        "sup" => ("<sup>", "</sup>"),
        "sub" => ("<sub>", "</sub>"),
        "kbd" => ("<kbd>", "</kbd>"),
        _ => ("", ""),
    }
}

/// The three parts of a mark as it is written.
#[derive(Default)]
struct Parts {
    open: String,
    content: String,
    close: String,
}

impl Out<'_> {
    pub fn mark(&mut self, no: NodeNo) {
        let node = &self.tree[no];
        let extra = node.extra();
        let types: Vec<&str> = extra.types.iter().map(|name| &**name).collect();
        let mut parts = match types[..] {
            [one] => self.single(no, one),
            _ => self.several(extra, &types),
        };
        if stored(extra, &types).contains('`') {
            parts.open.push(' ');
            parts.close.insert(0, ' ');
        }
        let emphatic = types.iter().any(|name| matches!(*name, "strong" | "em" | "s"))
            && !types.iter().any(|name| LEADING.contains(name));
        let loose = |letter: Option<char>| {
            letter.is_none_or(|c| c.is_whitespace() || text::is_punctuation(c))
        };
        let content = text::decode(&extra.text);
        let behind = self.behind(no).map(|next| self.tree[next].kind);
        if emphatic && loose(content.chars().next()) {
            self.w.put(" ");
        }
        self.w.put(&parts.open);
        self.w.put(&parts.content);
        self.w.put(&parts.close);
        match behind {
            Some(Kind::TextMark) => self.w.put_char(ZWSP),
            Some(_) if emphatic && loose(content.chars().next_back()) => self.w.put(" "),
            _ => {}
        }
    }

    fn single(&self, no: NodeNo, name: &str) -> Parts {
        let node = &self.tree[no];
        let extra = node.extra();
        let stored = extra.text.to_string();
        match name {
            "code" => {
                let (tick, content) = self.code_text(extra);
                Parts { open: tick.into(), content, close: tick.into() }
            }
            "inline-math" => {
                Parts { open: format!("${}$", self.formula(extra)), ..Parts::default() }
            }
            "a" => Parts {
                open: format!("[{}]({})", text::decode(&bracketed(&extra.text)), target(extra)),
                ..Parts::default()
            },
            "inline-memo" => Parts { open: stored, ..Parts::default() },
            "text" => {
                let attributes: String = node
                    .properties
                    .iter()
                    .map(|(name, value)| format!(" {name}=\"{value}\""))
                    .collect();
                Parts {
                    open: format!("<span data-type=\"text\"{attributes}>"),
                    content: stored,
                    close: "</span>".into(),
                }
            }
            _ => {
                let (open, close) = around(name);
                Parts { open: open.into(), content: stored, close: close.into() }
            }
        }
    }

    fn several(&self, extra: &Extra, types: &[&str]) -> Parts {
        let mut types: Vec<&str> = types.iter().copied().filter(|name| *name != "text").collect();
        let first = types.iter().position(|name| *name == "code" || LEADING.contains(name));
        let mut leading = None;
        if let Some(at) = first {
            let name = types.remove(at);
            if name == "code" {
                types.push(name);
            } else {
                leading = Some(name);
            }
        }
        let mut parts = Parts::default();
        let (tick, code) = self.code_text(extra);
        for (i, name) in types.iter().enumerate() {
            match *name {
                "code" => {
                    if i > 0 {
                        parts.open.push(ZWSP);
                    }
                    if leading.is_none() {
                        parts.open.push_str(tick);
                    }
                }
                name => parts.open.push_str(around(name).0),
            }
        }
        let has_code = types.contains(&"code");
        let closers = |reversed: bool| {
            let mut names: Vec<&str> = types.clone();
            if reversed {
                names.reverse();
            }
            let mut close = String::new();
            for name in names {
                if name == "code" {
                    if leading.is_none() {
                        close.push_str(tick);
                    }
                    close.push(ZWSP);
                } else {
                    close.push_str(around(name).1);
                }
            }
            close
        };
        match leading {
            None => {
                parts.content = if has_code { code } else { extra.text.to_string() };
                parts.close = closers(true);
            }
            Some("a") => {
                let content = match has_code {
                    true => format!("{tick}{}{tick}", escaped(&extra.text)),
                    false => escaped(&extra.text),
                };
                parts.open.push('[');
                parts.content = content;
                parts.close = format!("]({}){}", target(extra), closers(false));
            }
            Some("inline-math") => {
                parts.content = format!("${}$", self.formula(extra));
                parts.close = closers(false);
            }
            Some(_) => {
                parts.content = extra.text.to_string();
                parts.close = closers(false);
            }
        }
        parts
    }

    /// Code with what stands around it.
    fn code_text(&self, extra: &Extra) -> (&'static str, String) {
        let code = text::decode(&extra.text);
        let tick = if code.contains('`') && !code.contains("``") { "``" } else { "`" };
        let code = match self.in_cell {
            true => code.replace('|', "\\|"),
            false => code.into_owned(),
        };
        (tick, code)
    }

    fn formula(&self, extra: &Extra) -> String {
        let formula = extra.math.replace("_esc_newline_", " ");
        match self.in_cell {
            true => formula.replace('|', "\\|").replace('\n', "<br/>"),
            false => formula,
        }
    }
}

/// What is stored as the mark's text.
fn stored<'a>(extra: &'a Extra, types: &[&str]) -> &'a str {
    if types.contains(&"inline-math") { &extra.math } else { &extra.text }
}

fn target(extra: &Extra) -> String {
    let place = place(&extra.href);
    if extra.title.is_empty() {
        return place;
    }
    format!("{place} \"{}\"", text::decode(&extra.title))
}
