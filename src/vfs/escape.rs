//! Names that a repository may hold and a file system may not: empty, `.`, `..`, with a NUL or a
//! slash, longer than 255 bytes. They are shown under a name that says as much of them as it can, ends
//! in eight digits of their SHA-1, and so stays the same and apart from others.

use std::borrow::Cow;

use crate::format::Id;

/// The longest name that a file system takes, bytes.
pub const MAX_NAME: usize = 255;

/// Folders below each other at the most. The kernel takes 4,096 bytes of path at a time, so only a
/// hostile repository has more; what lies deeper is left out.
pub const MAX_DEPTH: usize = 1_024;

/// Whether a name can be shown as it is.
pub fn is_plain(name: &str) -> bool {
    !matches!(name, "" | "." | "..")
        && name.len() <= MAX_NAME
        && !name.bytes().any(|b| b == 0 || b == b'/')
}

/// The name to show for one part of a path, or for a tag.
pub fn shown(name: &str) -> Cow<'_, str> {
    if is_plain(name) {
        return Cow::Borrowed(name);
    }
    let digits = &Id::digest(name.as_bytes()).hex()[..8];
    Cow::Owned(marked(name, digits))
}

/// A name with a mark behind it, for the second of two that would be one.
pub fn marked(name: &str, mark: &str) -> String {
    let clean: String = name
        .chars()
        .map(|c| match c {
            '\0' => '\u{2400}',
            '/' => '\u{2215}',
            c => c,
        })
        .collect();
    let mut end = clean.len().min(MAX_NAME - 1 - mark.len());
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}~{mark}", &clean[..end])
}

/// The path to show for a path of a record, without the slash before it: `None` where it cannot be
/// shown at all. Borrowed, and so free, for all but odd ones.
pub fn shown_path(path: &str) -> Option<Cow<'_, str>> {
    let below = path.strip_prefix('/').unwrap_or(path);
    let depth = below.bytes().filter(|b| *b == b'/').count() + 1;
    if depth > MAX_DEPTH {
        return None;
    }
    if below.split('/').all(is_plain) {
        return Some(Cow::Borrowed(below));
    }
    let parts: Vec<_> = below.split('/').map(shown).collect();
    Some(Cow::Owned(parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_stay_and_odd_ones_are_safe() {
        for plain in ["a", "标签 with space", "a\nb\t\"", "...", ".x", &"n".repeat(255)] {
            assert_eq!(shown(plain), plain);
        }
        let long = "界".repeat(100);
        for odd in ["", ".", "..", "a\0b", "a/b", &"n".repeat(256), &long] {
            let name = shown(odd);
            assert!(is_plain(&name), "{odd:?} became {name:?}");
            assert!(name.contains('~'));
        }
        assert_ne!(shown("."), shown(""));
        assert_ne!(shown(&"n".repeat(256)), shown(&"n".repeat(257)));
    }

    #[test]
    fn paths() {
        assert_eq!(shown_path("/a/b.sy").unwrap(), "a/b.sy");
        assert_eq!(shown_path("a").unwrap(), "a");
        assert!(shown_path("/a/../b").unwrap().starts_with("a/..~"));
        assert!(shown_path("//a").unwrap().ends_with("/a"));
        assert!(shown_path(&"/d".repeat(MAX_DEPTH)).is_some());
        assert!(shown_path(&"/d".repeat(MAX_DEPTH + 1)).is_none());
    }
}
