//! The command line: one file a subcommand.

pub mod clear;
pub mod config;
pub mod health;
