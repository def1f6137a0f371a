//! When to ask a car what (shared knowledge: the sleep policy, sections 3 and 5).
//!
//! One [`Policy`] a car, one governor an account; both are plain values with the same small face:
//! [`Policy::handle`] takes in what happened, [`Policy::next`] says what to do or how long to
//! wait and why. No I/O, no clock, no global randomness: the seed is part of the state, and the
//! state is serialisable.

mod interface;

pub use interface::{
    Ask, DataView, Failure, HoldReason, Input, Light, LightState, Push, State, Status, Step, User,
    Why,
};
