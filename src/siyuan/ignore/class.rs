//! Character classes of Go's expressions: what stands between brackets, and the escapes that stand
//! for more than one character.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

use super::expression::{Cursor, Fault};

/// The named classes of POSIX, ASCII alone as in Go.
const NAMED: [(&str, &[(char, char)]); 14] = [
    ("alnum", &[('0', '9'), ('A', 'Z'), ('a', 'z')]),
    ("alpha", &[('A', 'Z'), ('a', 'z')]),
    ("ascii", &[('\0', '\x7f')]),
    ("blank", &[('\t', '\t'), (' ', ' ')]),
    ("cntrl", &[('\0', '\x1f'), ('\x7f', '\x7f')]),
    ("digit", &[('0', '9')]),
    ("graph", &[('!', '~')]),
    ("lower", &[('a', 'z')]),
    ("print", &[(' ', '~')]),
    ("punct", &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')]),
    ("space", &[('\t', '\r'), (' ', ' ')]),
    ("upper", &[('A', 'Z')]),
    ("word", &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')]),
    ("xdigit", &[('0', '9'), ('A', 'F'), ('a', 'f')]),
];

/// What `\s` stands for: no vertical tab, unlike `[:space:]`.
const WHITE: &[(char, char)] = &[('\t', '\n'), ('\x0c', '\r'), (' ', ' ')];

fn class(ranges: &[(char, char)], negated: bool) -> ClassUnicode {
    let ranges = ranges.iter().map(|(from, to)| ClassUnicodeRange::new(*from, *to));
    let mut class = ClassUnicode::new(ranges);
    if negated {
        class.negate();
    }
    class
}

fn named(name: &str) -> Option<&'static [(char, char)]> {
    NAMED.iter().find(|(known, _)| *known == name).map(|(_, ranges)| *ranges)
}

/// The rest of a class whose `[` has been read.
///
/// # Errors
/// [`Fault`] where Go finds one.
pub fn bracketed(cursor: &mut Cursor<'_>) -> Result<Class, Fault> {
    let negated = cursor.eat("^");
    let mut all = ClassUnicode::empty();
    let mut first = true;
    while first || !cursor.eat("]") {
        first = false;
        if let Some(some) = posix(cursor)? {
            all.union(&some);
        } else if let Some(some) = escaped(cursor)? {
            all.union(&some);
        } else {
            let from = member(cursor)?;
            // A dash before the closing bracket stands for itself.
            let range = cursor.starts_with("-") && !cursor.starts_with("-]") && cursor.len() > 1;
            let to = if range && cursor.eat("-") { member(cursor)? } else { from };
            if to < from {
                return Err(Fault::Range);
            }
            all.push(ClassUnicodeRange::new(from, to));
        }
    }
    if negated {
        all.negate();
    }
    Ok(Class::Unicode(all))
}

/// A single character of a class.
fn member(cursor: &mut Cursor<'_>) -> Result<char, Fault> {
    if cursor.eat("\\") {
        return escape(cursor);
    }
    cursor.next().ok_or(Fault::Bracket)
}

/// `[:name:]` within a class. Without its end it is not one, and the bracket stands for itself.
fn posix(cursor: &mut Cursor<'_>) -> Result<Option<ClassUnicode>, Fault> {
    if !cursor.starts_with("[:") || !cursor.contains_class_end() {
        return Ok(None);
    }
    cursor.eat("[:");
    let negated = cursor.eat("^");
    let ranges = cursor.until(":]").and_then(named).ok_or(Fault::Range)?;
    Ok(Some(class(ranges, negated)))
}

/// An escape that stands for a class: `\d`, `\pL` and their like.
///
/// # Errors
/// [`Fault::Range`] for properties that Unicode does not have.
pub fn escaped(cursor: &mut Cursor<'_>) -> Result<Option<ClassUnicode>, Fault> {
    let mut letters = cursor.rest().chars();
    if letters.next() != Some('\\') {
        return Ok(None);
    }
    let ranges = match letters.next() {
        Some('d' | 'D') => named("digit").expect("it is in the table"),
        Some('w' | 'W') => named("word").expect("it is in the table"),
        Some('s' | 'S') => WHITE,
        Some('p' | 'P') => return property(cursor).map(Some),
        _ => return Ok(None),
    };
    cursor.next();
    let negated = cursor.next().is_some_and(char::is_uppercase);
    Ok(Some(class(ranges, negated)))
}

/// `\pL`, `\p{Han}`, `\p{^Han}`, `\PL`: general categories and scripts.
fn property(cursor: &mut Cursor<'_>) -> Result<ClassUnicode, Fault> {
    cursor.next();
    let mut negated = cursor.next() == Some('P');
    let name = if cursor.eat("{") {
        negated ^= cursor.eat("^");
        cursor.until("}").ok_or(Fault::Range)?.to_owned()
    } else {
        cursor.next().ok_or(Fault::Escape)?.to_string()
    };
    if !name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_') {
        return Err(Fault::Range);
    }
    let query = format!("\\{}{{{name}}}", if negated { 'P' } else { 'p' });
    match regex_syntax::parse(&query).map_err(|_| Fault::Range)?.into_kind() {
        HirKind::Class(Class::Unicode(class)) => Ok(class),
        _ => Err(Fault::Range),
    }
}

/// An escape that stands for one character; its `\` has been read.
///
/// # Errors
/// [`Fault::Escape`] for what Go does not know.
pub fn escape(cursor: &mut Cursor<'_>) -> Result<char, Fault> {
    let octal = |cursor: &mut Cursor<'_>| cursor.next_if(|c| c.is_digit(8));
    let digits = |text: &str, radix| {
        u32::from_str_radix(text, radix).ok().and_then(char::from_u32).ok_or(Fault::Escape)
    };
    match cursor.next().ok_or(Fault::Escape)? {
        // A single digit other than zero would refer to a group, which Go does not do.
        first @ '0'..='7' if first == '0' || cursor.rest().starts_with(|c: char| c.is_digit(8)) => {
            let text: String =
                [Some(first), octal(cursor), octal(cursor)].into_iter().flatten().collect();
            digits(&text, 8)
        }
        'x' if cursor.eat("{") => {
            let text = cursor.until("}").ok_or(Fault::Escape)?;
            // from_str_radix would take a sign.
            if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(Fault::Escape);
            }
            digits(text, 16)
        }
        'x' => {
            let hex = |cursor: &mut Cursor<'_>| {
                cursor.next_if(|c| c.is_ascii_hexdigit()).ok_or(Fault::Escape)
            };
            digits(&String::from_iter([hex(cursor)?, hex(cursor)?]), 16)
        }
        'a' => Ok('\x07'),
        'f' => Ok('\x0c'),
        'n' => Ok('\n'),
        'r' => Ok('\r'),
        't' => Ok('\t'),
        'v' => Ok('\x0b'),
        other if other.is_ascii() && !other.is_ascii_alphanumeric() => Ok(other),
        _ => Err(Fault::Escape),
    }
}
