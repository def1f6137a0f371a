//! What owners reported of this and other bridges, played to the whole bridge through HTTP, broker
//! and topics: the right value is the test. Beside each stand some of its kind.

mod energy;
mod names;
mod refusals;
mod report;
mod rig;
mod states;
mod values;
