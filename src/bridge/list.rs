//! How the lists of an account's products fare, in words for the owner: each trouble once, and once
//! that it is over.

use std::time::Duration;

use jiff::Timestamp;

use crate::api::{ApiError, ProductList};
use crate::failure::ApiFailure;

/// A limit that lasts for longer does not pass unnoticed.
pub(super) const LONG_LIMIT: Duration = Duration::from_mins(5);

/// The trouble of a limit.
pub(super) const LIMITED: &str = "Tesla limits the rate of calls";

/// What is worth telling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    /// Something is wrong.
    Trouble(String),
    /// The same is wrong as was told, but for the time at which it goes on.
    Still(String),
    /// It no longer is.
    Mended,
}

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct ListWatch {
    n_failed: u32,
    /// The trouble, and the words for it.
    told: Option<(String, String)>,
}

impl ListWatch {
    /// No list was had; the next is asked for after `wait`, at `next_at`.
    pub(super) fn failed(
        &mut self,
        error: &ApiError,
        wait: Duration,
        next_at: Timestamp,
    ) -> Option<News> {
        self.n_failed += 1;
        let is_limited = error.kind == ApiFailure::Limited;
        // Where it is for nothing to tell, the account's status tells of its login.
        let told_from = error.kind.meaning().list.told_from?;
        if self.n_failed < told_from && !(is_limited && wait > LONG_LIMIT) {
            return None;
        }
        let (trouble, words) = if is_limited {
            limited(next_at)
        } else {
            (error.sentence(), error.sentence())
        };
        let no_list = |of: String| format!("no list of its cars: {of}");
        self.tell(no_list(trouble), no_list(words))
    }

    /// An earlier run was told to leave the list alone until then.
    pub(super) fn limited_before(&mut self, next_at: Timestamp) -> Option<News> {
        let limited = ApiError::limited(None, "");
        self.failed(&limited, Duration::MAX, next_at)
    }

    /// A list arrived.
    pub(super) fn listed(&mut self, list: &ProductList) -> Option<News> {
        self.n_failed = 0;
        let trouble = if list.is_cut {
            "its list of products does not end, and was cut: cars beyond the cut are followed as before"
        } else if !list.is_whole() {
            "its list of products holds something that cannot be read: cars that are missing in it are followed as before"
        } else if list.vehicles.is_empty() {
            "it has no car: expected the login of somebody who owns or drives one"
        } else {
            return self.told.take().map(|_| News::Mended);
        };
        self.tell(trouble.to_owned(), trouble.to_owned())
    }

    fn tell(&mut self, trouble: String, words: String) -> Option<News> {
        let now = (trouble, words);
        let news = match &self.told {
            Some(before) if *before == now => None,
            Some((trouble, _)) if *trouble == now.0 => Some(News::Still(now.1.clone())),
            _ => Some(News::Trouble(now.1.clone())),
        };
        self.told = Some(now);
        news
    }
}

/// A limit: the trouble, and the words for it, which name another time each time.
pub(super) fn limited(until: Timestamp) -> (String, String) {
    // A minute has begun.
    let until = until.saturating_add(jiff::SignedDuration::from_secs(59));
    let until = until.map_or_else(
        |_| "later".to_owned(),
        |at| format!("at {}", at.strftime("%Y-%m-%d %H:%M UTC")),
    );
    let words = format!("{LIMITED}: the next one goes out {until}");
    (LIMITED.to_owned(), words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::products::ListedVehicle;
    use crate::model::Vin;

    fn list(n_cars: usize, n_unusable: usize) -> ProductList {
        let car = |n| Vin::new(&format!("LRW3E7EK5PC{n:06}")).expect("a VIN");
        ProductList {
            vehicles: (0..n_cars)
                .map(|n| ListedVehicle::unseen(car(n), None))
                .collect(),
            n_unusable,
            ..ProductList::default()
        }
    }

    fn told(news: Option<News>) -> String {
        match news {
            Some(News::Trouble(trouble)) => trouble,
            Some(News::Still(trouble)) => format!("still {trouble}"),
            Some(News::Mended) => "mended".to_owned(),
            None => String::new(),
        }
    }

    const MINUTE: Duration = Duration::from_mins(1);

    fn failed(watch: &mut ListWatch, kind: ApiFailure) -> String {
        let next_at = "2026-11-26T12:00:00Z".parse().expect("a time");
        told(watch.failed(&ApiError::new(kind, ""), MINUTE, next_at))
    }

    #[test]
    fn a_refusal_is_told_once_until_it_is_another_or_over() {
        let mut watch = ListWatch::default();
        let mut failed = |kind| failed(&mut watch, kind);
        assert!(failed(ApiFailure::Redirected).contains("sends us elsewhere"));
        assert_eq!(failed(ApiFailure::Redirected), "");
        assert!(failed(ApiFailure::MissingScope).contains("permission"));
        assert_eq!(failed(ApiFailure::SignedOut), "", "the status tells");
        assert_eq!(told(watch.listed(&list(1, 0))), "mended");
        assert_eq!(told(watch.listed(&list(1, 0))), "");
    }

    #[test]
    fn what_mostly_passes_is_told_when_it_does_not() {
        for kind in [
            ApiFailure::Server,
            ApiFailure::TimedOut,
            ApiFailure::Garbled,
            ApiFailure::Unreachable,
        ] {
            let mut watch = ListWatch::default();
            let mut failed = || failed(&mut watch, kind);
            assert_eq!([failed(), failed()], ["", ""]);
            assert!(failed().starts_with("no list of its cars: "));
            assert_eq!(failed(), "");
        }
        let mut watch = ListWatch::default();
        for _ in 0..5 {
            let mut failed = || failed(&mut watch, ApiFailure::Server);
            assert_eq!([failed(), failed()], ["", ""]);
            assert_eq!(told(watch.listed(&list(1, 0))), "");
        }
    }

    #[test]
    fn a_short_limit_is_told_when_it_does_not_pass() {
        let mut watch = ListWatch::default();
        let mut limited = || failed(&mut watch, ApiFailure::Limited);
        assert_eq!([limited(), limited()], ["", ""]);
        assert!(limited().contains("limits the rate"));
        assert_eq!(limited(), "");
    }

    #[test]
    fn a_long_limit_is_told_at_once_with_the_time_at_which_it_goes_on() {
        let error = ApiError::limited(None, "");
        let limited = |watch: &mut ListWatch, next_at: &str| {
            told(watch.failed(&error, 6 * MINUTE, next_at.parse().expect("a time")))
        };
        let mut watch = ListWatch::default();
        let trouble = limited(&mut watch, "2026-11-26T12:00:01Z");
        assert_eq!(
            trouble,
            "no list of its cars: Tesla limits the rate of calls: the next one goes out at 2026-11-26 12:01 UTC"
        );
        // Not warned about again, but no time that has passed stays published.
        let later = limited(&mut watch, "2026-11-26T13:00:00Z");
        assert!(
            later.starts_with("still ") && later.contains("13:00"),
            "{later}"
        );
        assert_eq!(told(watch.listed(&list(1, 0))), "mended");
    }

    #[test]
    fn a_list_without_a_car_and_one_that_is_not_whole_are_told() {
        let mut watch = ListWatch::default();
        assert!(told(watch.listed(&list(0, 0))).starts_with("it has no car"));
        assert_eq!(told(watch.listed(&list(0, 0))), "");
        assert!(told(watch.listed(&list(0, 1))).contains("cannot be read"));
        assert_eq!(told(watch.listed(&list(1, 1))), "");
        assert_eq!(told(watch.listed(&list(1, 0))), "mended");
    }

    #[test]
    fn a_list_that_does_not_end_is_said_to_be_cut_and_not_unreadable() {
        let endless = ProductList {
            is_cut: true,
            ..list(1, 0)
        };
        let mut watch = ListWatch::default();
        let trouble = told(watch.listed(&endless));
        assert!(trouble.contains("does not end"), "{trouble}");
        assert_eq!(told(watch.listed(&endless)), "");
    }
}
