//! File names of notes: their titles, with as little change as a file system forces.
//!
//! Names are a function of the IDs and titles in one folder alone: the same snapshot gives the same names
//! for ever, and a note that is added later takes no name away, because the older ID keeps it.

use std::collections::HashSet;

/// Bytes of a name at the most, without what tells equal ones apart and `.md`. A file system takes 255.
const LONGEST: usize = 200;

/// What is shown for an empty title, as SiYuan does.
pub const UNTITLED: &str = "Untitled";

/// Names that have another meaning in every folder of notes.
const RESERVED: [&str; 2] = ["assets", "databases"];

/// The name for a title, `.md` not included.
pub fn stem(title: &str) -> String {
    let mut name: String = title
        .chars()
        .map(|letter| match letter {
            '/' => '_',
            letter if letter.is_control() => ' ',
            letter => letter,
        })
        .collect();
    let mut end = name.len().min(LONGEST);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.truncate(end);
    let name = name.trim();
    if name.is_empty() {
        return UNTITLED.to_owned();
    }
    // Hidden files would be missed.
    match name.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None => name.to_owned(),
    }
}

/// The names for notes, or notebooks, of one folder, given by ID and title, in the same order. Neither a
/// name nor a name with `.md` comes twice.
pub fn assign<'a>(notes: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let notes: Vec<(&str, &str)> = notes.into_iter().collect();
    let mut order: Vec<usize> = (0..notes.len()).collect();
    order.sort_by_key(|i| notes[*i].0);
    let mut taken: HashSet<String> = RESERVED.map(str::to_owned).into();
    let mut names = vec![String::new(); notes.len()];
    for i in order {
        let (id, title) = notes[i];
        let stem = stem(title);
        let mark = stem_of_id(id);
        let is_free = |name: &String, taken: &HashSet<String>| {
            !taken.contains(name) && !taken.contains(&format!("{name}.md"))
        };
        let mut name = stem.clone();
        if !is_free(&name, &taken) {
            name = format!("{stem}~{mark}");
        }
        let mut count = 2;
        while !is_free(&name, &taken) {
            name = format!("{stem}~{mark}~{count}");
            count += 1;
        }
        taken.insert(format!("{name}.md"));
        taken.insert(name.clone());
        names[i] = name;
    }
    names
}

/// The random end of an ID, which tells apart what was made in one second too.
fn stem_of_id(id: &str) -> String {
    let end = id.rsplit_once('-').map_or(id, |(_, end)| end);
    let safe = end.chars().filter(char::is_ascii_alphanumeric).take(7).collect::<String>();
    if safe.is_empty() { "0".to_owned() } else { safe }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn titles_as_names() {
        for (title, wanted) in [
            ("Garden", "Garden"),
            ("a/b", "a_b"),
            ("A: strange * title? <1>", "A: strange * title? <1>"),
            ("", "Untitled"),
            ("  ", "Untitled"),
            ("..", "_."),
            (".hidden", "_hidden"),
            ("a\nb\0c", "a b c"),
            ("标签 ", "标签"),
        ] {
            assert_eq!(stem(title), wanted);
        }
        assert_eq!(stem(&"标".repeat(100)), "标".repeat(66));
    }

    #[test]
    fn equal_titles_are_told_apart_and_the_older_keeps_its_name() {
        let notes = [
            ("20260102000000-bbbbbbb", "Same"),
            ("20260101000000-aaaaaaa", "Same"),
            ("20260103000000-ccccccc", "Same.md"),
            ("20260104000000-ddddddd", "assets"),
        ];
        let names = assign(notes);
        assert_eq!(names, ["Same~bbbbbbb", "Same", "Same.md~ccccccc", "assets~ddddddd"]);
        assert_eq!(assign(notes[..2].iter().copied()), names[..2]);
    }

    proptest! {
        #[test]
        fn any_titles_make_valid_unique_names(
            titles in prop::collection::vec(".{0,300}|[a./]{0,3}|Same(~aaaaaaa)?", 0..12),
        ) {
            let ids: Vec<String> =
                (0..titles.len()).map(|n| format!("2026010100000{}-aaaaaaa", n % 7)).collect();
            let notes: Vec<(&str, &str)> =
                ids.iter().zip(&titles).map(|(id, title)| (id.as_str(), title.as_str())).collect();
            let names = assign(notes.iter().copied());
            prop_assert_eq!(&names, &assign(notes.iter().copied()));
            let mut all = HashSet::new();
            for name in &names {
                let file = format!("{name}.md");
                prop_assert!(file.len() <= 255 && !name.is_empty());
                prop_assert!(!name.contains(['/', '\0']) && !name.starts_with('.'));
                prop_assert!(all.insert(file) && all.insert(name.clone()));
            }
        }
    }
}
