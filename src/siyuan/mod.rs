//! What only SiYuan means: its workspaces and their configuration, whether it is running, what it
//! leaves out of snapshots, and which of them it retains.

pub mod conf;
pub mod ignore;
pub mod lock;
pub mod notes;
pub mod retention;
pub mod workspace;

pub use conf::{Conf, ConfError, Device};
pub use ignore::IgnoreRules;
pub use lock::WorkspaceLock;
pub use retention::RetentionPolicy;
pub use workspace::{Place, Workspace};
