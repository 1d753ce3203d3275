//! The program as its users meet it: started as a process, with an environment of its own.

#[path = "../common/mod.rs"]
mod common;

mod cache;
mod cat;
mod check;
mod damage;
mod help;
mod keys;
mod log;
mod ls;
mod mount;
mod output;
mod own;
mod purge;
mod readme;
mod restores;
mod snapshots;
mod support;
mod tag_changes;
mod tags_stats;
mod zero_config;
