//! Why Tesla refuses to tell of a car, in words for the owner: each reason once, and once that it
//! is over. What passes by itself is the log's at most, what ends a login is told by the account.

use jiff::{SignedDuration, Timestamp};

use super::list::{LIMITED, LONG_LIMIT, News, PATIENCE, limited};
use crate::api::{ApiError, Kind};
use crate::policy::Ask;

/// What was told of one car.
#[derive(Debug, Default)]
pub struct CarWatch {
    light: Call,
    data: Call,
}

#[derive(Debug, Default)]
struct Call {
    /// Limits in a row.
    n_limited: u32,
    refused: Option<String>,
}

impl CarWatch {
    /// A call was answered with an error.
    pub fn failed(&mut self, ask: Ask, error: &ApiError, now: Timestamp) -> Option<News> {
        let call = self.call(ask);
        if matches!(error.kind, Kind::Limited { .. }) {
            call.n_limited += 1;
        }
        let (reason, words) = worth_telling(error, call.n_limited, now)?;
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
    pub fn succeeded(&mut self, ask: Ask) -> Option<News> {
        let before = std::mem::take(self.call(ask)).refused;
        let is_over = self.light.refused.is_none() && self.data.refused.is_none();
        before.filter(|_| is_over).map(|_| News::Mended)
    }

    fn call(&mut self, ask: Ask) -> &mut Call {
        match ask {
            Ask::Light => &mut self.light,
            Ask::Data => &mut self.data,
        }
    }
}

/// The reason, and the words for it.
fn worth_telling(error: &ApiError, n_limited: u32, now: Timestamp) -> Option<(String, String)> {
    match &error.kind {
        Kind::Limited { retry_after } => {
            let is_long = retry_after.is_some_and(|wait| wait > LONG_LIMIT);
            if !is_long && n_limited < PATIENCE {
                return None;
            }
            // Where Tesla named no wait, the car's next call is the policy's to plan.
            let until = retry_after
                .and_then(|wait| SignedDuration::try_from(wait).ok())
                .and_then(|wait| now.saturating_add(wait).ok());
            Some(until.map_or_else(|| (LIMITED.to_owned(), LIMITED.to_owned()), limited))
        }
        Kind::MobileAccessDisabled
        | Kind::PaymentRequired
        | Kind::BillingLimit
        | Kind::MissingScope
        | Kind::ClientRefused
        | Kind::Firewall
        | Kind::UnsupportedVehicle
        | Kind::EndpointGone
        | Kind::NotRegistered
        | Kind::WrongRegion { .. }
        | Kind::AppRefused
        | Kind::Locked
        | Kind::Privacy
        | Kind::Redirected
        | Kind::BadRequest => Some((error.sentence(), error.sentence())),
        Kind::Unavailable
        | Kind::Unreachable
        | Kind::Untrusted
        | Kind::TimedOut
        | Kind::Garbled
        | Kind::Server
        | Kind::TokenRejected
        | Kind::Unexplained
        | Kind::SignedOut
        | Kind::NeverSignedIn
        | Kind::LoginRetired
        | Kind::WrongPassword
        | Kind::ClientUnknown
        // The list tells whether the car is gone, and its state that it is at service.
        | Kind::NotFound
        | Kind::InService
        | Kind::Store
        | Kind::Setup
        | Kind::Closed => None,
    }
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

    fn failed(watch: &mut CarWatch, ask: Ask, kind: Kind) -> String {
        let now = "2026-11-26T12:00:00Z".parse().expect("a time");
        told(watch.failed(ask, &ApiError::new(kind, ""), now))
    }

    #[test]
    fn a_refusal_is_told_once_and_that_it_is_over() {
        let mut watch = CarWatch::default();
        let disabled = || Kind::MobileAccessDisabled;
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
        assert_eq!(failed(&mut watch, Ask::Data, Kind::TimedOut), "");
        assert!(failed(&mut watch, Ask::Data, Kind::Privacy).contains("privacy"));
        assert_eq!(told(watch.succeeded(Ask::Data)), "mended");
        assert_eq!(told(watch.succeeded(Ask::Data)), "");
    }

    #[test]
    fn what_passes_is_not_told() {
        let mut watch = CarWatch::default();
        for kind in [
            Kind::Unavailable,
            Kind::TimedOut,
            Kind::Server,
            Kind::InService,
            Kind::SignedOut,
        ] {
            for _ in 0..5 {
                assert_eq!(failed(&mut watch, Ask::Data, kind.clone()), "");
            }
        }
        assert_eq!(told(watch.succeeded(Ask::Data)), "");
    }

    #[test]
    fn a_long_limit_is_told_with_the_time_at_which_it_ends() {
        let mut watch = CarWatch::default();
        let limited = |minutes| Kind::Limited {
            retry_after: Some(Duration::from_mins(minutes)),
        };
        assert_eq!(failed(&mut watch, Ask::Data, limited(2)), "");
        let words = failed(&mut watch, Ask::Data, limited(120));
        assert!(words.ends_with("at 2026-11-26 14:00 UTC"), "{words}");
        let words = failed(&mut watch, Ask::Data, limited(180));
        assert!(
            words.starts_with("still ") && words.contains("15:00"),
            "{words}"
        );

        let mut watch = CarWatch::default();
        let mut limited = || failed(&mut watch, Ask::Data, Kind::Limited { retry_after: None });
        assert_eq!([limited(), limited()], ["", ""]);
        assert_eq!(limited(), LIMITED, "Tesla named no time");
    }
}
