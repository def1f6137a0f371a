//! The words that the policy and its runner exchange: what is told to it, what it wants to be done,
//! what it believes, what has happened.

mod event;
mod input;
mod state;
mod status;
mod step;

pub use crate::failure::Failure;
pub use crate::model::{Light, LightState};
pub use event::Event;
pub use input::{Budget, PolicyInput, Push, User};
pub use state::{HoldReason, State};
pub use status::{Belief, Class, Problem, Status};
pub use step::{Ask, Purpose, Step, Why};
