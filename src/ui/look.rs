//! What a stream can show.

use std::io::IsTerminal;

/// When to use colours: `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What a stream is and what it can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    /// A person reads it.
    pub terminal: bool,
    /// It may be coloured.
    pub color: bool,
    /// Its width in columns, if it has one.
    pub width: Option<usize>,
}

impl Look {
    /// How standard output looks.
    pub fn of_stdout(color: Color, plain: bool) -> Self {
        let stdout = std::io::stdout();
        Self::of(stdout.is_terminal(), color, plain, || terminal_size::terminal_size_of(stdout))
    }

    /// How standard error looks.
    pub fn of_stderr(color: Color, plain: bool) -> Self {
        let stderr = std::io::stderr();
        Self::of(stderr.is_terminal(), color, plain, || terminal_size::terminal_size_of(stderr))
    }

    /// `plain`: the environment asks for no colours, see [`asks_for_plain`].
    fn of(
        terminal: bool,
        color: Color,
        plain: bool,
        size: impl FnOnce() -> Option<(terminal_size::Width, terminal_size::Height)>,
    ) -> Self {
        let color = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !plain,
        };
        let width = if terminal { size().map(|(width, _)| width.0.into()) } else { None };
        Self { terminal, color, width }
    }

    /// The text in a style, where there are colours.
    pub fn paint(&self, style: Style, text: &str) -> String {
        if self.color && style != Style::Plain && !text.is_empty() {
            format!("\x1b[{}m{text}\x1b[0m", style.code())
        } else {
            text.to_owned()
        }
    }
}

/// Whether the environment asks for no colours: `NO_COLOR` with any text (no-color.org), or a terminal
/// that has none.
pub fn asks_for_plain() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|text| !text.is_empty())
        || std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// What a text is, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// Nothing special.
    #[default]
    Plain,
    /// An ID.
    Id,
    /// A tag.
    Tag,
    /// A folder.
    Folder,
    /// Titles and what matters less.
    Dim,
    /// Something is wrong.
    Bad,
}

impl Style {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Id => "33",
            Self::Tag => "36",
            Self::Folder => "1;34",
            Self::Dim => "2",
            Self::Bad => "1;31",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_come_when_they_should() {
        let color = |terminal, color, plain| Look::of(terminal, color, plain, || None).color;
        assert!(color(true, Color::Auto, false));
        assert!(!color(true, Color::Auto, true));
        assert!(!color(false, Color::Auto, false));
        assert!(color(false, Color::Always, true));
        assert!(!color(true, Color::Never, false));
    }

    #[test]
    fn paint_leaves_plain_text_alone() {
        let mut look = Look { color: true, ..Look::default() };
        assert_eq!(look.paint(Style::Id, "x"), "\x1b[33mx\x1b[0m");
        assert_eq!(look.paint(Style::Plain, "x"), "x");
        look.color = false;
        assert_eq!(look.paint(Style::Id, "x"), "x");
    }
}
