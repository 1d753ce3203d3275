//! Lists. What is in an item is written for itself, and then indented as a whole.

use super::super::kind::Kind;
use super::super::tree::NodeNo;
use super::blocks::Out;

/// Type of an ordered list.
const ORDERED: u8 = 1;
/// Type of a task list.
const TASKS: u8 = 3;

impl Out<'_> {
    pub fn list(&mut self, no: NodeNo) {
        self.w.begin();
        self.children(no);
        let list = self.w.end();
        self.w.put(&list);
        self.w.trim();
        self.w.put("\n\n");
    }

    pub fn item(&mut self, no: NodeNo) {
        self.w.begin();
        self.children(no);
        let mut content = self.w.end();
        let tree = self.tree;
        let list = &tree[no].extra().list;
        let mut indent = usize::from(list.marker) + 1;
        if list.typ == ORDERED && indent < 3 {
            indent += 1;
        }
        let second = tree[no].children.get(1).map(|child| tree[*child].kind);
        if list.typ == TASKS && (list.bullet == 0 || second == Some(Kind::Callout)) {
            indent += 4;
        }
        if content.starts_with("* ") {
            content.insert_str(0, " \n\n");
        }
        let space = " ".repeat(indent);
        let mut indented = String::with_capacity(content.len() + indent);
        for line in content.split('\n') {
            if !line.is_empty() {
                indented.push_str(&space);
                indented.push_str(line);
            }
            indented.push('\n');
            if indented.len() > super::LARGEST {
                break;
            }
        }
        let numbered = list.typ == ORDERED || (list.typ == TASKS && list.bullet == 0);
        if numbered {
            let delimiter =
                if list.delimiter.is_ascii() { char::from(list.delimiter) } else { '.' };
            self.w.put(&list.number.to_string());
            self.w.put_char(delimiter);
            self.w.put(" ");
        } else {
            self.w.put("- ");
        }
        // Lines are empty or indented, so what is cut off is space, and the border is one.
        self.w.put(indented.get(indent..).unwrap_or(""));
        self.w.trim();
        self.w.put("\n");
    }

    pub fn task(&mut self, no: NodeNo) {
        let extra = self.tree[no].extra();
        let done = match extra.task {
            0 => extra.checked,
            letter => letter != b' ',
        };
        self.w.put(if done { "[X] " } else { "[ ] " });
    }
}
