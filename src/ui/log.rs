//! Warnings and damage, as the floors below log them: a line each on standard error.

use std::io::Write;
use std::sync::OnceLock;

use ::log::{Level, LevelFilter, Log, Metadata, Record};
use serde_json::json;

use super::{Look, Style, progress, text};

/// How lines look.
#[derive(Debug, Clone, Copy)]
struct Lines {
    json: bool,
    look: Look,
}

#[derive(Debug, Default)]
struct Logger(OnceLock<Lines>);

static LOGGER: Logger = Logger(OnceLock::new());

/// Logs to standard error from now on: lines of JSON (`{"log":{"level","message"}}`) or text.
pub fn install(level: LevelFilter, json: bool, look: Look) {
    let first = LOGGER.0.set(Lines { json, look }).is_ok();
    if first && ::log::set_logger(&LOGGER).is_ok() {
        ::log::set_max_level(level);
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= ::log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        let Some(lines) = self.0.get().filter(|_| self.enabled(record.metadata())) else { return };
        tell(&line(*lines, record.level(), &record.args().to_string()));
    }

    fn flush(&self) {}
}

/// Writes a line to standard error, in one piece and not into a progress bar.
pub fn tell(line: &str) {
    progress::with_none(|| {
        // There is nobody to tell that this failed.
        let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
    });
}

fn line(lines: Lines, level: Level, message: &str) -> String {
    let word = match level {
        Level::Error => "error",
        Level::Warn => "warning",
        Level::Info => "info",
        Level::Debug | Level::Trace => "debug",
    };
    if lines.json {
        return json!({"log": {"level": word, "message": message}}).to_string();
    }
    let style = if level == Level::Error { Style::Bad } else { Style::Dim };
    format!("{} {}", lines.look.paint(style, &format!("revu: {word}:")), text::visible(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_each() {
        let lines = Lines { json: false, look: Look::default() };
        assert_eq!(line(lines, Level::Warn, "a\nb"), r"revu: warning: a\nb");
        assert_eq!(
            line(Lines { json: true, ..lines }, Level::Error, "a\nb"),
            r#"{"log":{"level":"error","message":"a\nb"}}"#
        );
    }
}
