//! The sleep policy in virtual time: scenarios by the number of the reference's section 6, each
//! with the guarantees of section 5.1 checked on its whole trace.

mod boot;
mod charges;
mod drives;
mod guarantees;
mod model_day;
mod parking;
mod rig;
mod sleep;
mod works;
