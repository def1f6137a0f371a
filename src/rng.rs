//! Chance from the operating system, so that the bridges of one house do not knock at the same
//! moment. What a test must be able to play again takes its chance as an argument, or from a seed.

/// From 0 to 1, another at each call and in each process.
pub(crate) fn share() -> f64 {
    getrandom::u32().map_or(0.5, |n| f64::from(n) / f64::from(u32::MAX))
}
