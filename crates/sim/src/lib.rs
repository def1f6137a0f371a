//! A Tesla cloud on loopback with cars that live: for the demo, the tests and the benchmarks.
//!
//! * [`Car`] is a pure model of a car's life (no I/O, no clock); the policy is tested and the bill
//!   estimated against it in virtual time.
//! * [`observed`] tells what a source would have seen of it.
//! * [`body`] dresses what a car shows as Tesla's JSON, or plays a recorded answer.
//! * [`cloud`] serves it over HTTP, with logins, a ledger and faults on demand.

pub mod body;
pub mod cloud;
mod life;
mod motion;
pub mod observed;
mod plan;
mod spec;
mod view;

pub use cloud::{Cloud, CloudOptions};
pub use life::Car;
pub use motion::Place;
pub use plan::{Anchor, Deed, Plan, Segment};
pub use spec::{BriefWakes, CarSpec, Model};
pub use view::{
    CarActivity, CarView, ChargeState, ChargeView, DriveView, LifeEvent, Truth, UpdateView,
};
