//! Why Tesla refuses to tell of a car, in words for the owner: each reason once, and once that it
//! is over. What passes by itself is the log's at most, what ends a login is told by the account.

use jiff::{SignedDuration, Timestamp};

use super::list::{LIMITED, LONG_LIMIT, News, limited};
use crate::api::ApiError;
use crate::api::error::LONGEST_OWN_WAIT;
use crate::failure::ApiFailure;
use crate::policy::Ask;

/// What was told of one car.
#[derive(Debug, Default)]
pub(super) struct CarWatch {
    light: CallWatch,
    data: CallWatch,
}

#[derive(Debug, Default)]
struct CallWatch {
    /// The last failures of one kind, and how many.
    in_a_row: Option<(ApiFailure, u32)>,
    refused: Option<String>,
}

impl CarWatch {
    /// A call was answered with an error.
    pub(super) fn failed(&mut self, ask: Ask, error: &ApiError, now: Timestamp) -> Option<News> {
        let call = self.call(ask);
        call.in_a_row = match call.in_a_row {
            Some((kind, n)) if kind == error.kind => Some((kind, n.saturating_add(1))),
            _ => Some((error.kind, 1)),
        };
        let n_in_a_row = call.in_a_row.map_or(1, |(_, n)| n);
        let (reason, words) = worth_telling(error, n_in_a_row, now)?;
        let is_known = [&self.light, &self.data]
            .iter()
            .any(|call| call.refused.as_ref() == Some(&reason));
        self.call(ask).refused = Some(reason.clone());
        match (is_known, reason == words) {
            (false, _) => Some(News::Trouble(words)),
            (true, false) => Some(News::Still(words)),
            (true, true) => None,
        }
    }

    /// A call brought what it was made for.
    pub(super) fn succeeded(&mut self, ask: Ask) -> Option<News> {
        let before = std::mem::take(self.call(ask)).refused;
        let is_over = self.light.refused.is_none() && self.data.refused.is_none();
        before.filter(|_| is_over).map(|_| News::Mended)
    }

    fn call(&mut self, ask: Ask) -> &mut CallWatch {
        match ask {
            Ask::Light => &mut self.light,
            Ask::Data => &mut self.data,
        }
    }
}

/// The reason, and the words for it.
fn worth_telling(error: &ApiError, n_in_a_row: u32, now: Timestamp) -> Option<(String, String)> {
    let told_from = error.kind.meaning().car.told_from?;
    let is_long = error.retry_after.is_some_and(|wait| wait > LONG_LIMIT);
    if n_in_a_row < told_from && !is_long {
        return None;
    }
    if error.kind != ApiFailure::Limited {
        return Some((error.sentence(), error.sentence()));
    }
    // Where Tesla named no wait, the car's next call is the policy's to plan.
    let until = error
        .retry_after
        .filter(|wait| *wait > LONGEST_OWN_WAIT)
        .and_then(|wait| SignedDuration::try_from(wait).ok())
        .and_then(|wait| now.saturating_add(wait).ok());
    Some(until.map_or_else(|| (LIMITED.to_owned(), LIMITED.to_owned()), limited))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn told(news: Option<News>) -> String {
        match news {
            Some(News::Trouble(words)) => words,
            Some(News::Still(words)) => format!("still {words}"),
            Some(News::Mended) => "mended".to_owned(),
            None => String::new(),
        }
    }

    fn failed(watch: &mut CarWatch, ask: Ask, kind: ApiFailure) -> String {
        failed_with(watch, ask, &ApiError::new(kind, ""))
    }

    fn failed_with(watch: &mut CarWatch, ask: Ask, error: &ApiError) -> String {
        let now = "2026-11-26T12:00:00Z".parse().expect("a time");
        told(watch.failed(ask, error, now))
    }

    #[test]
    fn a_refusal_is_told_once_and_that_it_is_over() {
        let mut watch = CarWatch::default();
        let disabled = || ApiFailure::MobileAccessDisabled;
        assert!(failed(&mut watch, Ask::Data, disabled()).contains("mobile access"));
        assert_eq!(failed(&mut watch, Ask::Data, disabled()), "");
        assert_eq!(
            failed(&mut watch, Ask::Light, disabled()),
            "",
            "the same of both"
        );
        assert_eq!(
            told(watch.succeeded(Ask::Light)),
            "",
            "data is still refused"
        );
        assert_eq!(failed(&mut watch, Ask::Data, ApiFailure::TimedOut), "");
        assert!(failed(&mut watch, Ask::Data, ApiFailure::Privacy).contains("privacy"));
        assert_eq!(told(watch.succeeded(Ask::Data)), "mended");
        assert_eq!(told(watch.succeeded(Ask::Data)), "");
    }

    #[test]
    fn what_passes_is_not_told() {
        let mut watch = CarWatch::default();
        for kind in [
            ApiFailure::Unavailable,
            ApiFailure::TimedOut,
            ApiFailure::Server,
            ApiFailure::InService,
            ApiFailure::SignedOut,
        ] {
            for _ in 0..5 {
                assert_eq!(failed(&mut watch, Ask::Data, kind), "");
            }
        }
        assert_eq!(told(watch.succeeded(Ask::Data)), "");
    }

    #[test]
    fn a_long_limit_is_told_with_the_time_at_which_it_ends() {
        let mut watch = CarWatch::default();
        let limited = |minutes| ApiError::limited(Some(Duration::from_mins(minutes)), "");
        assert_eq!(failed_with(&mut watch, Ask::Data, &limited(2)), "");
        let words = failed_with(&mut watch, Ask::Data, &limited(120));
        assert!(words.ends_with("at 2026-11-26 14:00 UTC"), "{words}");
        let words = failed_with(&mut watch, Ask::Data, &limited(180));
        assert!(
            words.starts_with("still ") && words.contains("15:00"),
            "{words}"
        );

        let mut watch = CarWatch::default();
        let mut limited = || failed(&mut watch, Ask::Data, ApiFailure::Limited);
        assert_eq!([limited(), limited()], ["", ""]);
        assert_eq!(limited(), LIMITED, "Tesla named no time");
    }

    #[test]
    fn what_is_doubted_is_told_when_it_comes_again_and_a_car_not_found_at_the_third_time() {
        let mut watch = CarWatch::default();
        let mut denied = || failed(&mut watch, Ask::Data, ApiFailure::ScopeDenied);
        assert_eq!(denied(), "");
        assert!(denied().contains("has the permission"));
        let mut watch = CarWatch::default();
        let mut not_found = || failed(&mut watch, Ask::Light, ApiFailure::NotFound);
        assert_eq!([not_found(), not_found()], ["", ""]);
        let words = not_found();
        assert!(words.contains("does not know this car"), "{words}");
        assert!(words.contains("Tesla app"), "the hint: {words}");
    }
}
