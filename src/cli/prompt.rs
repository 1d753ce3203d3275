//! Asking for a secret on the terminal, without showing it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};

use nix::sys::termios::{
    LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr,
};
use zeroize::Zeroizing;

/// More than anybody types, bytes. The buffer has this size from the start, so that no copy of a part
/// of the secret is left where it was grown.
const MOST: usize = 4096;

/// Why nothing was typed.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// There is no terminal.
    #[error("there is no terminal to ask on")]
    NoTerminal,
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// The terminal fails.
    #[error("cannot ask on the terminal: {0}")]
    Io(#[from] io::Error),
}

/// Asks on the terminal, whatever standard input and output are. What is typed is not shown. The
/// terminal is left as it was, also after Ctrl-C: that comes as a letter and not as a signal, which
/// would end the program with the terminal still blind.
///
/// # Errors
/// [`PromptError`].
pub fn ask(question: &str) -> Result<Zeroizing<Vec<u8>>, PromptError> {
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty");
    let mut terminal = terminal.map_err(|_| PromptError::NoTerminal)?;
    let blind = Blind::new(terminal.try_clone()?)?;
    write!(terminal, "{question}: ")?;
    let typed = read(&terminal);
    drop(blind);
    // Its line end was not shown either.
    writeln!(terminal)?;
    typed
}

fn read(mut terminal: &File) -> Result<Zeroizing<Vec<u8>>, PromptError> {
    let mut typed = Zeroizing::new(Vec::with_capacity(MOST));
    let mut byte = Zeroizing::new([0]);
    loop {
        let step = match terminal.read(&mut *byte)? {
            0 => Step::Done,
            _ => edit(&mut typed, byte[0]),
        };
        match step {
            Step::More => {}
            Step::Done => return Ok(typed),
            Step::Interrupt => return Err(PromptError::Interrupted),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    More,
    Done,
    Interrupt,
}

/// What a typed byte does to the line, as terminals do it.
fn edit(typed: &mut Vec<u8>, byte: u8) -> Step {
    const CTRL_C: u8 = 3;
    const CTRL_D: u8 = 4;
    const CTRL_H: u8 = 8;
    const CTRL_U: u8 = 21;
    const BACKSPACE: u8 = 127;
    match byte {
        b'\n' | b'\r' => return Step::Done,
        CTRL_C => return Step::Interrupt,
        CTRL_D if typed.is_empty() => return Step::Interrupt,
        CTRL_D => return Step::Done,
        CTRL_U => typed.clear(),
        CTRL_H | BACKSPACE => {
            // All bytes of the last letter.
            while typed.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
        }
        _ if typed.len() < MOST => typed.push(byte),
        _ => {}
    }
    Step::More
}

/// A terminal that does not show what is typed, until this is dropped.
struct Blind {
    terminal: File,
    before: Termios,
}

impl Blind {
    fn new(terminal: File) -> io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut blind = before.clone();
        blind.local_flags &= !(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG);
        blind.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
        blind.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        tcsetattr(&terminal, SetArg::TCSAFLUSH, &blind)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Blind {
    fn drop(&mut self) {
        if let Err(error) = tcsetattr(&self.terminal, SetArg::TCSADRAIN, &self.before) {
            ::log::warn!("the terminal may not show what is typed ({error}): type `stty sane`");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(bytes: &[u8]) -> (String, Step) {
        let mut typed = Vec::new();
        for byte in bytes {
            match edit(&mut typed, *byte) {
                Step::More => {}
                end => return (String::from_utf8(typed).unwrap(), end),
            }
        }
        (String::from_utf8(typed).unwrap(), Step::More)
    }

    #[test]
    fn keys_do_what_they_do_elsewhere() {
        assert_eq!(typed(b"secret\nmore"), ("secret".into(), Step::Done));
        assert_eq!(typed("aé\x7fb\x08c\r".as_bytes()), ("ac".into(), Step::Done));
        assert_eq!(typed(b"\x7f\x7fa\n"), ("a".into(), Step::Done));
        assert_eq!(typed(b"wrong\x15right\x04"), ("right".into(), Step::Done));
        assert_eq!(typed(b"abc\x03"), ("abc".into(), Step::Interrupt));
        assert_eq!(typed(b"\x04"), (String::new(), Step::Interrupt));
        assert_eq!(typed(&[b'x'; MOST + 9]).0.len(), MOST);
    }
}
