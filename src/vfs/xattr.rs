//! Extended attributes: what a file system has no other place for.

use crate::repo::{File, Snapshot};

/// The kernel takes no value longer than this, bytes.
const MAX_VALUE: usize = 65_536;

/// Attributes of a file.
pub fn of_file(file: &File) -> Vec<(&'static str, Vec<u8>)> {
    match file {
        File::Known(entry) => {
            let chunks = entry.content.chunks().len();
            vec![
                ("user.revu.id", entry.id.to_string().into_bytes()),
                ("user.revu.chunks", chunks.to_string().into_bytes()),
            ]
        }
        File::Bad(e) => vec![
            ("user.revu.id", e.id.to_string().into_bytes()),
            ("user.revu.damage", cut(&e.to_string())),
        ],
    }
}

/// Attributes of the root folder of a snapshot.
pub fn of_snapshot(snapshot: &Snapshot) -> Vec<(&'static str, Vec<u8>)> {
    let mut all = vec![
        ("user.revu.id", snapshot.head.id.to_string().into_bytes()),
        ("user.revu.created", snapshot.head.created.to_string().into_bytes()),
        ("user.revu.memo", cut(&snapshot.head.memo)),
    ];
    if !snapshot.tags.is_empty() {
        all.push(("user.revu.tags", cut(&snapshot.tags.join("\n"))));
    }
    all
}

fn cut(text: &str) -> Vec<u8> {
    let mut end = text.len().min(MAX_VALUE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.as_bytes()[..end].to_vec()
}
