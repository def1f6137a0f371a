//! (being built)

pub mod clear;
