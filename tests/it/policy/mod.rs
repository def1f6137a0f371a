//! The sleep policy in virtual time: scenarios by the number of the reference's section 6, each
//! with the guarantees of section 5.1 checked on its whole trace.
#![allow(
    clippy::unchecked_time_subtraction,
    reason = "an overflow is a failed test"
)]

mod boot;
mod budget;
mod charges;
mod clocks;
mod drives;
mod failures;
mod guarantees;
mod holds;
mod ledger;
mod model_day;
mod owner;
mod parking;
mod push;
mod random;
mod refusals;
mod restarts;
mod rig;
mod sleep;
mod two_cars;
mod works;
