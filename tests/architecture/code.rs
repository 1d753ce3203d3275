//! Reads Rust source as far as the architecture test needs it: its tokens, and the paths in it.

/// How a path ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Name,
    Glob,
}

/// A path from the root of the crate that the code names.
#[derive(Debug)]
pub struct Used {
    pub line: usize,
    pub path: Vec<String>,
    pub ending: Ending,
}

/// Every path of the code that begins with `crate`, `self`, `super` or `revu`: in `use` lines, in
/// expressions, in types. Others cannot leave the module that they stand in, because what a `use`
/// line brought there is found at that line.
pub fn used_paths(tokens: &[Token], file_module: &[String]) -> Vec<Used> {
    let mut used = Vec::new();
    let mut module = file_module.to_vec();
    // For each open brace, whether it opened an inline module.
    let mut braces = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let text = tokens[at].text.as_str();
        let before = |back: usize| at.checked_sub(back).map_or("", |i| tokens[i].text.as_str());
        if text == "{" {
            let opens_module = before(2) == "mod";
            if opens_module {
                module.push(before(1).to_owned());
            }
            braces.push(opens_module);
        } else if text == "}" && braces.pop() == Some(true) {
            module.pop();
        }
        // `pub(in crate::x)` and `pub(super)` allow, they do not use.
        let visibility =
            before(1) == "in" && before(2) == "(" || before(1) == "(" && before(2) == "pub";
        let next = tokens.get(at + 1).map_or("", |t| t.text.as_str());
        let starts = match text {
            "self" | "revu" => next == "::",
            "crate" | "super" => next == "::" || next == "as",
            _ => false,
        };
        if starts && !visibility {
            at = tree(tokens, at, &module, &mut used);
        } else {
            at += 1;
        }
    }
    used
}

/// Reads one path or `use` tree that begins at `at`, below `base`; returns where it ends.
fn tree(tokens: &[Token], at: usize, base: &[String], used: &mut Vec<Used>) -> usize {
    let mut path = base.to_vec();
    let mut at = at;
    let line = tokens.get(at).map_or(0, |t| t.line);
    let mut ending = Ending::Name;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token.text.as_str() {
            "crate" | "revu" if path == base => path.clear(),
            "self" => {}
            "super" => drop(path.pop()),
            "*" => ending = Ending::Glob,
            "{" => {
                while tokens.get(at).is_some_and(|t| !t.is("}")) {
                    let next = tree(tokens, at, &path, used);
                    // What no `use` tree holds, such as the `$` of a macro, is stepped over.
                    let step = next == at || tokens.get(next).is_some_and(|t| t.is(","));
                    at = next + usize::from(step);
                }
                return at + 1;
            }
            name if is_name(name) => path.push(name.to_owned()),
            // Not a path after all, such as the `<` of a turbofish: it ends before.
            _ => {
                at -= 1;
                break;
            }
        }
        if ending == Ending::Name && tokens.get(at).is_some_and(|t| t.is("::")) {
            at += 1;
        } else {
            break;
        }
    }
    if tokens.get(at).is_some_and(|t| t.is("as")) {
        at += 2;
    }
    used.push(Used { line, path, ending });
    at
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// A name, `::`, or one other character of the code; literals and comments are left out.
#[derive(Debug)]
pub struct Token {
    pub line: usize,
    pub text: String,
}

impl Token {
    pub fn is(&self, text: &str) -> bool {
        self.text == text
    }
}

/// Cuts Rust source into tokens, as well as these checks need it.
pub fn lex(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let peek = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let starts = |i: usize, what: &str| what.chars().enumerate().all(|(n, c)| peek(i + n) == c);
    let mut tokens = Vec::new();
    let mut at = 0;
    let mut line = 1;
    while at < chars.len() {
        let from = at;
        let c = chars[at];
        if starts(at, "//") {
            while at < chars.len() && chars[at] != '\n' {
                at += 1;
            }
        } else if starts(at, "/*") {
            let mut depth = 0;
            while at < chars.len() {
                let step = if starts(at, "/*") { 1 } else { -i32::from(starts(at, "*/")) };
                depth += step;
                at += if step == 0 { 1 } else { 2 };
                if depth == 0 {
                    break;
                }
            }
        } else if let Some(end) = raw_string(&chars, at) {
            at = end;
        } else if c == '"' {
            at = quoted(&chars, at, '"');
        } else if c == '\'' && (peek(at + 1) == '\\' || peek(at + 2) == '\'') {
            at = quoted(&chars, at, '\'');
        } else if c.is_alphanumeric() || c == '_' {
            while peek(at).is_alphanumeric() || peek(at) == '_' {
                at += 1;
            }
            let word: String = chars[from..at].iter().collect();
            // The prefix of a literal (b"…", c"…", b'…') or of a raw name (r#type) is no name.
            if !matches!(peek(at), '"' | '\'' | '#') || !matches!(word.as_str(), "b" | "c" | "r") {
                tokens.push(Token { line, text: word });
            }
        } else {
            at += if starts(at, "::") { 2 } else { 1 };
            if !c.is_whitespace() {
                tokens.push(Token { line, text: chars[from..at].iter().collect() });
            }
        }
        line += chars[from..at.min(chars.len())].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

/// The end of `r"…"`, `r#"…"#`, `br"…"` and so on, if one begins at `at`.
fn raw_string(chars: &[char], at: usize) -> Option<usize> {
    let rest = &chars[at..];
    let prefix = match rest {
        ['b' | 'c', 'r', ..] => 2,
        ['r', ..] => 1,
        _ => return None,
    };
    let hashes = rest[prefix..].iter().take_while(|c| **c == '#').count();
    let open = prefix + hashes;
    if rest.get(open) != Some(&'"') {
        return None;
    }
    let close: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let body = &rest[open + 1..];
    let len = body.windows(close.len()).position(|w| w == close).unwrap_or(body.len());
    Some(at + open + 1 + len + close.len())
}

/// The end of a literal in `quote`s that begins at `at`.
fn quoted(chars: &[char], at: usize, quote: char) -> usize {
    let mut at = at + 1;
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}
