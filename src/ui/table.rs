//! Rows with columns one below the other.

use super::{Look, Out, OutError, Style, text};

/// On which side a column is even.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Texts.
    Left,
    /// Numbers.
    Right,
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its title, shown on a terminal alone: a pipe gets results and nothing else. A table whose
    /// columns have none has no line for them.
    pub title: &'static str,
    /// On which side it is even.
    pub align: Align,
    /// The colour of its texts.
    pub style: Style,
    /// A text that is too long for the terminal is cut. For a last column.
    pub cut: bool,
}

impl Column {
    /// A column of texts.
    pub const fn text(title: &'static str) -> Self {
        Self { title, align: Align::Left, style: Style::Plain, cut: false }
    }

    /// A column of numbers.
    pub const fn number(title: &'static str) -> Self {
        Self { title, align: Align::Right, style: Style::Plain, cut: false }
    }

    /// The same in a colour.
    pub const fn styled(self, style: Style) -> Self {
        Self { style, ..self }
    }

    /// A last column of texts that may be cut to the width of the terminal.
    pub const fn cut(self) -> Self {
        Self { cut: true, ..self }
    }
}

/// A table that is written at once, when the width of its columns is known.
#[derive(Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

/// Between two columns.
const GAP: &str = "  ";

impl Table {
    /// An empty table.
    pub fn new(columns: impl Into<Vec<Column>>) -> Self {
        Self { columns: columns.into(), rows: Vec::new() }
    }

    /// Adds a row, with a text for each column.
    pub fn row(&mut self, cells: impl Into<Vec<String>>) {
        let cells = cells.into();
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(cells);
    }

    /// Writes it: with titles, and cut to the width of the terminal, where a person reads.
    ///
    /// # Errors
    /// As [`Out::line`].
    pub fn write(&self, out: &mut Out) -> Result<(), OutError> {
        let look = out.look();
        for line in self.lines(look) {
            out.line(&line)?;
        }
        Ok(())
    }

    fn lines(&self, look: Look) -> Vec<String> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        // A column that is empty in every row says nothing.
        let shown: Vec<usize> = (0..self.columns.len())
            .filter(|nth| self.rows.iter().any(|row| !row[*nth].is_empty()))
            .collect();
        let titles: Vec<String> = self.columns.iter().map(|c| c.title.to_owned()).collect();
        let width = |nth: usize| {
            let cells = self.rows.iter().map(|row| text::columns(&row[nth]));
            let title = if look.terminal { text::columns(&titles[nth]) } else { 0 };
            cells.max().unwrap_or(0).max(title)
        };
        let widths: Vec<usize> = shown.iter().map(|nth| width(*nth)).collect();
        let line = |cells: &[String], style: &dyn Fn(&Column) -> Style| {
            let mut line = String::new();
            let mut used = 0;
            for (at, (nth, width)) in shown.iter().zip(&widths).enumerate() {
                let column = &self.columns[*nth];
                let is_last = at + 1 == shown.len();
                let cell = match look.width {
                    Some(most) if is_last && column.cut => {
                        text::cut(&cells[*nth], most.saturating_sub(used))
                    }
                    _ => cells[*nth].as_str().into(),
                };
                let pad = " ".repeat(width.saturating_sub(text::columns(&cell)));
                let painted = look.paint(style(column), &cell);
                match column.align {
                    Align::Right => line.extend([pad.as_str(), painted.as_str()]),
                    Align::Left if is_last => line.push_str(&painted),
                    Align::Left => line.extend([painted.as_str(), pad.as_str()]),
                }
                used += width + GAP.len();
                if !is_last {
                    line.push_str(GAP);
                }
            }
            line.truncate(line.trim_end().len());
            line
        };
        let titled = look.terminal && titles.iter().any(|title| !title.is_empty());
        let head = titled.then(|| line(&titles, &|_| Style::Dim));
        head.into_iter().chain(self.rows.iter().map(|row| line(row, &|c| c.style))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new([
            Column::text("name").styled(Style::Id),
            Column::number("files"),
            Column::text("empty"),
            Column::text("memo").cut(),
        ]);
        table.row(["标签".to_owned(), "7".to_owned(), String::new(), "a long memo".to_owned()]);
        table.row(["a".to_owned(), "1234567".to_owned(), String::new(), String::new()]);
        table
    }

    #[test]
    fn a_pipe_gets_results_alone() {
        assert_eq!(table().lines(Look::default()), ["标签        7  a long memo", "a     1234567"]);
        assert!(Table::new([Column::text("x")]).lines(Look::default()).is_empty());
    }

    #[test]
    fn a_terminal_gets_titles_and_no_long_lines() {
        let look = Look { terminal: true, color: false, width: Some(20) };
        assert_eq!(
            table().lines(look),
            ["name    files  memo", "标签        7  a lo…", "a     1234567"]
        );
    }

    #[test]
    fn colours_do_not_count_as_width() {
        let look = Look { color: true, ..Look::default() };
        assert_eq!(table().lines(look)[1], "\x1b[33ma\x1b[0m     1234567");
    }
}
