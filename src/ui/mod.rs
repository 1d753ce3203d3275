//! What the user sees: results on standard output, as text or as JSON; errors, warnings and progress
//! on standard error. Nothing here knows what a snapshot is.
//!
//! - [`Out`]: standard output, that is results alone
//! - [`Look`]: whether a stream is a terminal, how wide it is, whether it has colours
//! - [`table`], [`size`], [`time`], [`text`]: how things are worded
//! - [`log`](mod@log): warnings and damage on standard error
//! - [`progress`]: a bar for what takes longer than half a second

pub mod log;
mod look;
mod out;
pub mod progress;
pub mod size;
pub mod table;
pub mod text;
pub mod time;

pub use look::{Color, Look, Style, asks_for_plain};
pub use out::{Out, OutError};
