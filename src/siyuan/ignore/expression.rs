//! Regular expressions in Go's dialect (`regexp/syntax` with its Perl flags), as far as a line of
//! ignore rules can lead to one: `(?…)` and lazy operators cannot come about, because every `?`
//! that a rule's expression holds stands behind a `\`.
//!
//! What Go refuses is refused here, because SiYuan leaves out lines whose expression Go refuses.

use regex_syntax::hir::{Class, Dot, Hir, HirKind, Look, Repetition};

use super::class;

/// Go counts repetitions within repetitions as their product, and refuses more.
const MOST_REPEATS: u32 = 1_000;
/// Go's limit on the height of an expression's tree.
const MOST_HEIGHT: u32 = 1_000;

/// Why an expression is none. The texts are parts of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A group without its end.
    #[error("a parenthesis is not closed")]
    Open,
    /// The end of a group that did not start.
    #[error("a parenthesis is closed that was not opened")]
    Close,
    /// A class without its end.
    #[error("a bracket is not closed")]
    Bracket,
    /// A class that does not exist, or a range from a later character to an earlier one.
    #[error("what stands between its brackets is no range or class of characters")]
    Range,
    /// A backslash before something that it gives no meaning.
    #[error("a backslash stands before a character that it does not go with")]
    Escape,
    /// `+`, `*`, `?` or a count with nothing before it, or behind another.
    #[error("a `+`, `?` or a count in braces has nothing to repeat")]
    Repeat,
    /// Too many repetitions, or a smallest number above the largest.
    #[error("a count in braces is not a range, or beyond 1000")]
    Count,
    /// Too deep a tree.
    #[error("it is nested too deeply")]
    Depth,
}

/// A place in an expression.
pub struct Cursor<'a> {
    text: &'a str,
    at: usize,
    /// Where the last `:]` stands, so that looking for one costs nothing.
    class_end: Option<usize>,
}

impl<'a> Cursor<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0, class_end: text.rfind(":]") }
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// How many bytes have not been read.
    pub fn len(&self) -> usize {
        self.text.len() - self.at
    }

    /// Whether `text` comes next.
    pub fn starts_with(&self, text: &str) -> bool {
        self.rest().starts_with(text)
    }

    /// Whether a `:]` stands behind the two characters `[:` that come next.
    pub fn contains_class_end(&self) -> bool {
        self.class_end.is_some_and(|end| end >= self.at + 2)
    }

    /// Reads `text` if it comes next.
    pub fn eat(&mut self, text: &str) -> bool {
        let comes = self.starts_with(text);
        self.at += if comes { text.len() } else { 0 };
        comes
    }

    /// Reads a character.
    pub fn next(&mut self) -> Option<char> {
        self.next_if(|_| true)
    }

    /// Reads the next character if it is one of these.
    pub fn next_if(&mut self, is: impl Fn(char) -> bool) -> Option<char> {
        let next = self.rest().chars().next().filter(|next| is(*next))?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Reads up to `end` and over it, and gives what stands before it.
    pub fn until(&mut self, end: &str) -> Option<&'a str> {
        let (before, _) = self.rest().split_once(end)?;
        self.at += before.len() + end.len();
        Some(before)
    }

    /// Reads a number without leading zeros; one of eight digits or more is as good as the
    /// largest.
    fn number(&mut self) -> Option<u32> {
        let rest = self.rest();
        let digits = &rest[..rest.bytes().take_while(u8::is_ascii_digit).count()];
        if digits.is_empty() || digits.len() > 1 && digits.starts_with('0') {
            return None;
        }
        self.at += digits.len();
        Some(if digits.len() < 8 { digits.parse().expect("seven digits fit") } else { u32::MAX })
    }
}

/// A part of the tree with what Go's limits need to know of it.
struct Part {
    hir: Hir,
    height: u32,
    /// The largest product of counts within it.
    repeats: u32,
}

impl Part {
    fn leaf(hir: Hir) -> Self {
        Self { hir, height: 1, repeats: 1 }
    }

    /// Several parts as one, one level up.
    fn of(mut parts: Vec<Self>, join: fn(Vec<Hir>) -> Hir) -> Self {
        if parts.len() == 1 {
            return parts.remove(0);
        }
        let highest = |of: fn(&Self) -> u32| parts.iter().map(of).max().unwrap_or(1);
        let (height, repeats) = (highest(|part| part.height) + 1, highest(|part| part.repeats));
        Self { hir: join(parts.into_iter().map(|part| part.hir).collect()), height, repeats }
    }

    fn check(self) -> Result<Self, Fault> {
        if self.height > MOST_HEIGHT { Err(Fault::Depth) } else { Ok(self) }
    }
}

/// What has been read of a group.
#[derive(Default)]
struct Group {
    alternatives: Vec<Part>,
    sequence: Vec<Part>,
    /// The characters at the end of the sequence, not yet a part of it.
    literal: String,
}

impl Group {
    fn push(&mut self, part: Part) {
        self.flush();
        // Stars follow each other where a rule has several: any number of them is one.
        let star = |hir: &Hir| {
            matches!(hir.kind(), HirKind::Repetition(Repetition { min: 0, max: None, .. }))
        };
        if star(&part.hir) && self.sequence.last().is_some_and(|last| last.hir == part.hir) {
            return;
        }
        self.sequence.push(part);
    }

    fn flush(&mut self) {
        if !self.literal.is_empty() {
            let literal = std::mem::take(&mut self.literal);
            self.sequence.push(Part::leaf(Hir::literal(literal.into_bytes())));
        }
    }

    /// The last part, which an operator behind it is to repeat.
    fn pop(&mut self) -> Option<Part> {
        match self.literal.pop() {
            Some(last) => {
                self.flush();
                Some(Part::leaf(Hir::literal(last.to_string().into_bytes())))
            }
            None => self.sequence.pop(),
        }
    }

    fn end_alternative(&mut self) {
        self.flush();
        let sequence = std::mem::take(&mut self.sequence);
        self.alternatives.push(Part::of(sequence, Hir::concat));
    }

    fn end(mut self) -> Part {
        self.end_alternative();
        Part::of(self.alternatives, Hir::alternation)
    }
}

/// The tree of an expression. Groups are not told apart from what they hold: who matches needs to
/// know only whether something matches.
///
/// # Errors
/// [`Fault`] where Go refuses the expression.
pub fn parse(expression: &str) -> Result<Hir, Fault> {
    let mut cursor = Cursor::new(expression);
    let (mut group, mut outer) = (Group::default(), Vec::new());
    // Go refuses an operator behind an operator.
    let mut repeated = false;
    while cursor.len() > 0 {
        if let Some((min, max)) = repetition(&mut cursor)? {
            let last = if repeated { None } else { group.pop() };
            let part = repeat(last.ok_or(Fault::Repeat)?, min, max)?.check()?;
            group.push(part);
            repeated = true;
            continue;
        }
        repeated = false;
        if let Some(class) = class::escaped(&mut cursor)? {
            group.push(Part::leaf(Hir::class(Class::Unicode(class))));
            continue;
        }
        match cursor.next().expect("something is left") {
            '(' => {
                outer.push(std::mem::take(&mut group));
                if outer.len() > MOST_HEIGHT as usize {
                    return Err(Fault::Depth);
                }
            }
            ')' => {
                let inner = std::mem::replace(&mut group, outer.pop().ok_or(Fault::Close)?).end();
                group.push(Part { height: inner.height + 1, ..inner }.check()?);
            }
            '|' => group.end_alternative(),
            '^' => group.push(Part::leaf(Hir::look(Look::Start))),
            '$' => group.push(Part::leaf(Hir::look(Look::End))),
            '.' => group.push(Part::leaf(Hir::dot(Dot::AnyCharExceptLF))),
            '[' => group.push(Part::leaf(Hir::class(class::bracketed(&mut cursor)?))),
            '\\' => backslash(&mut cursor, &mut group)?,
            other => group.literal.push(other),
        }
    }
    if !outer.is_empty() {
        return Err(Fault::Open);
    }
    Ok(group.end().check()?.hir)
}

/// What stands behind a `\` that does not begin a class.
fn backslash(cursor: &mut Cursor<'_>, group: &mut Group) -> Result<(), Fault> {
    if cursor.eat("Q") {
        let rest = cursor.rest();
        group.literal.push_str(cursor.until(r"\E").unwrap_or(rest));
        if !rest.contains(r"\E") {
            cursor.at = cursor.text.len();
        }
        return Ok(());
    }
    for (letter, look) in
        [("A", Look::Start), ("z", Look::End), ("b", Look::WordAscii), ("B", Look::WordAsciiNegate)]
    {
        if cursor.eat(letter) {
            group.push(Part::leaf(Hir::look(look)));
            return Ok(());
        }
    }
    group.literal.push(class::escape(cursor)?);
    Ok(())
}

/// The operator that comes next, if one does: how often at the least and at the most.
fn repetition(cursor: &mut Cursor<'_>) -> Result<Option<(u32, Option<u32>)>, Fault> {
    for (operator, count) in [("*", (0, None)), ("+", (1, None)), ("?", (0, Some(1)))] {
        if cursor.eat(operator) {
            return Ok(Some(count));
        }
    }
    let start = cursor.at;
    let Some((min, max)) = counts(cursor) else {
        // Braces that hold no count stand for themselves.
        cursor.at = start;
        return Ok(None);
    };
    if min > MOST_REPEATS || max.is_some_and(|max| max > MOST_REPEATS || max < min) {
        return Err(Fault::Count);
    }
    Ok(Some((min, max)))
}

/// `{2}`, `{2,}` or `{2,3}`.
fn counts(cursor: &mut Cursor<'_>) -> Option<(u32, Option<u32>)> {
    if !cursor.eat("{") {
        return None;
    }
    let min = cursor.number()?;
    let max = match cursor.eat(",") {
        false => Some(min),
        true if cursor.starts_with("}") => None,
        true => Some(cursor.number()?),
    };
    cursor.eat("}").then_some((min, max))
}

fn repeat(part: Part, min: u32, max: Option<u32>) -> Result<Part, Fault> {
    let repeats = match max.unwrap_or(min) {
        0 if max.is_some() => 0,
        most => part.repeats * most.max(1),
    };
    if repeats > MOST_REPEATS {
        return Err(Fault::Count);
    }
    let hir = Hir::repetition(Repetition { min, max, greedy: true, sub: Box::new(part.hir) });
    Ok(Part { hir, height: part.height + 1, repeats })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether an expression matches somewhere in a text, by its tree.
    fn matches(expression: &str, text: &str) -> Result<bool, Fault> {
        let hir = parse(expression)?;
        Ok(regex_automata::meta::Builder::new().build_from_hir(&hir).unwrap().is_match(text))
    }

    #[test]
    fn what_matches_in_go() {
        for (expression, text, expected) in [
            ("^a+b$", "aab", true),
            ("^a|b$", "xb", true),
            ("^(a|b)$", "xb", false),
            ("^a{2}$", "aa", true),
            ("^a{2,}$", "aaaa", true),
            ("^a{2,3}$", "aaaa", false),
            ("^a{,3}$", "a{,3}", true),
            ("^a{x}$", "a{x}", true),
            ("^a{02}$", "a{02}", true),
            ("^{$", "{", true),
            ("^.$", "\n", false),
            ("^[^/]$", "\n", true),
            ("^[]a]$", "]", true),
            ("^[^]a]$", "]", false),
            ("^[a-]$", "-", true),
            ("^[!a]$", "!", true),
            ("^[[]$", "[", true),
            ("^[[:]$", ":", true),
            ("^[[:alpha:]_]$", "_", true),
            ("^[[:^alpha:]]$", "1", true),
            ("^[é-ü]$", "ö", true),
            (r"^[\d\]]$", "]", true),
            (r"^\d$", "٣", false),
            (r"^\W$", "é", true),
            (r"^\s$", "\x0b", false),
            (r"^\p{Han}$", "标", true),
            (r"^\P{Han}$", "标", false),
            (r"^\p{^Han}$", "标", false),
            (r"^\pL$", "é", true),
            (r"^[\pL]$", "1", false),
            (r"^\x{6807}\x41\101\t$", "标AA\t", true),
            (r"^\Qa+(b\E+$", "a+(bb", true),
            (r"^\Qa+($", "a+($", true),
            (r"^a\b.\B$", "a-", true),
            (r"\Aa\z", "a", true),
            (r"^\#\!\_$", "#!_", true),
            ("^()$", "", true),
            ("^(|a)*$", "aaa", true),
            ("^*a$", "a", true),
        ] {
            assert_eq!(matches(expression, text), Ok(expected), "{expression} on {text:?}");
        }
    }

    #[test]
    fn what_go_refuses() {
        for (expression, fault) in [
            ("(a", Fault::Open),
            ("a)", Fault::Close),
            ("[a", Fault::Bracket),
            ("[]", Fault::Bracket),
            ("[b-a]", Fault::Range),
            ("[[:alphabet:]]", Fault::Range),
            (r"\p{Nonesuch}", Fault::Range),
            (r"\p{L", Fault::Range),
            (r"\", Fault::Escape),
            (r"\y", Fault::Escape),
            (r"\C", Fault::Escape),
            (r"\é", Fault::Escape),
            (r"\1", Fault::Escape),
            (r"[\b]", Fault::Escape),
            (r"\x{}", Fault::Escape),
            (r"\x{+41}", Fault::Escape),
            (r"\x4", Fault::Escape),
            ("+", Fault::Repeat),
            ("(*a)", Fault::Repeat),
            ("a|+", Fault::Repeat),
            ("a**", Fault::Repeat),
            ("a+{2}", Fault::Repeat),
            ("(?i)a", Fault::Repeat),
            ("a{2,1}", Fault::Count),
            ("a{1001}", Fault::Count),
            ("a{99999999999}", Fault::Count),
            ("((a{10}){10}){11}", Fault::Count),
        ] {
            assert_eq!(parse(expression).err(), Some(fault), "{expression}");
        }
        assert!(parse("((a{10}){10}){10}").is_ok());
    }

    #[test]
    fn depth_ends_before_the_stack_does() {
        let nested = |depth: usize| "(a|b".repeat(depth) + &")".repeat(depth);
        assert!(matches(&nested(300), "a").unwrap());
        let repeated = "(a|b".repeat(240) + &")+".repeat(240);
        assert!(matches(&repeated, "a").unwrap());
        let repeated = "(".repeat(490) + "a" + &")+".repeat(490);
        assert!(matches(&repeated, "a").unwrap());
        assert_eq!(parse(&nested(400)).err(), Some(Fault::Depth));
        assert_eq!(parse(&"(".repeat(1 << 20)).err(), Some(Fault::Depth));
    }
}
