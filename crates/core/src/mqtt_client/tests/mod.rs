//! The client against brokers that do what a test says, in virtual time.

mod broker;
mod endings;
mod habits;
mod outages;
