//! What a call of the API brought, and what it took.

use crate::api::error::ApiError;
use crate::device::{Answers, Limit};
use crate::failure::ApiFailure;

/// The outcome of a call, and every answer that it took.
#[derive(Debug)]
pub struct Called<T> {
    /// What the caller wanted, or why not.
    pub outcome: Result<T, ApiError>,
    /// HTTP statuses of all answers, in order; empty when nothing was sent or nothing came back.
    pub statuses: Vec<u16>,
}

impl<T> Called<T> {
    /// How many of the answers the Fleet API bills: every one below 500.
    pub fn billed(&self) -> u32 {
        let billed = self.statuses.iter().filter(|status| **status < 500).count();
        u32::try_from(billed).unwrap_or(u32::MAX)
    }

    /// What of it is for the account's bill.
    pub fn answers(&self) -> Answers<'_> {
        let error = self.outcome.as_ref().err();
        Answers {
            statuses: &self.statuses,
            is_lost: error.is_some_and(|error| error.unanswered),
            limit: error.and_then(|error| match error.kind {
                ApiFailure::Limited => Some(Limit::Rate(error.retry_after)),
                ApiFailure::BillingLimit => Some(Limit::Billing),
                _ => None,
            }),
        }
    }
}
