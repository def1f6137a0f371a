//! How the lists of an account's products fare, in words for the owner: each trouble once, and once
//! that it is over.

use crate::api::{ApiError, Kind, ProductList};

/// So many failures in a row of a kind that mostly passes by itself are worth a word.
const PATIENCE: u32 = 3;

/// What is worth telling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Something is wrong with the list.
    Trouble(String),
    /// It no longer is.
    Mended,
}

/// What was told last.
#[derive(Debug, Default)]
pub struct ListWatch {
    n_failed: u32,
    trouble: Option<String>,
}

impl ListWatch {
    /// No list was had.
    pub fn failed(&mut self, error: &ApiError) -> Option<News> {
        self.n_failed += 1;
        // The account's status tells of its login.
        if error.ends_login() || (mostly_passes(&error.kind) && self.n_failed < PATIENCE) {
            return None;
        }
        // How long Tesla wants to be left alone is another number each time.
        let sentence = match error.kind {
            Kind::Limited { .. } => {
                ApiError::new(Kind::Limited { retry_after: None }, "").sentence()
            }
            _ => error.sentence(),
        };
        self.tell(format!("no list of its cars: {sentence}"))
    }

    /// A list arrived.
    pub fn listed(&mut self, list: &ProductList) -> Option<News> {
        self.n_failed = 0;
        let trouble = if !list.is_whole() {
            "its list of products holds something that cannot be read: cars that are missing in it are followed as before"
        } else if list.vehicles.is_empty() {
            "it has no car: expected the login of somebody who owns or drives one"
        } else {
            return self.trouble.take().map(|_| News::Mended);
        };
        self.tell(trouble.to_owned())
    }

    fn tell(&mut self, trouble: String) -> Option<News> {
        let is_news = self.trouble.as_ref() != Some(&trouble);
        self.trouble = Some(trouble.clone());
        is_news.then_some(News::Trouble(trouble))
    }
}

fn mostly_passes(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Unreachable
            | Kind::TimedOut
            | Kind::Garbled
            | Kind::Server
            | Kind::Unexplained
            | Kind::Limited { .. }
            | Kind::Unavailable
            | Kind::Closed
    )
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
            Some(News::Mended) => "mended".to_owned(),
            None => String::new(),
        }
    }

    #[test]
    fn a_refusal_is_told_once_until_it_is_another_or_over() {
        let mut watch = ListWatch::default();
        let mut failed = |kind| told(watch.failed(&ApiError::new(kind, "")));
        assert!(failed(Kind::Redirected).contains("sends us elsewhere"));
        assert_eq!(failed(Kind::Redirected), "");
        assert!(failed(Kind::MissingScope).contains("permission"));
        assert_eq!(failed(Kind::SignedOut), "", "the status tells");
        assert_eq!(told(watch.listed(&list(1, 0))), "mended");
        assert_eq!(told(watch.listed(&list(1, 0))), "");
    }

    #[test]
    fn what_mostly_passes_is_told_when_it_does_not() {
        for kind in [
            Kind::Server,
            Kind::TimedOut,
            Kind::Garbled,
            Kind::Unreachable,
        ] {
            let mut watch = ListWatch::default();
            let mut failed = || told(watch.failed(&ApiError::new(kind.clone(), "")));
            assert_eq!([failed(), failed()], ["", ""]);
            assert!(failed().starts_with("no list of its cars: "));
            assert_eq!(failed(), "");
        }
        let mut watch = ListWatch::default();
        for _ in 0..5 {
            let error = ApiError::new(Kind::Server, "");
            assert_eq!(
                [told(watch.failed(&error)), told(watch.failed(&error))],
                ["", ""]
            );
            assert_eq!(told(watch.listed(&list(1, 0))), "");
        }
    }

    #[test]
    fn a_limit_is_told_once_whatever_wait_it_asks_for() {
        let mut watch = ListWatch::default();
        let mut limited = |seconds| {
            let retry_after = Some(std::time::Duration::from_secs(seconds));
            told(watch.failed(&ApiError::new(Kind::Limited { retry_after }, "")))
        };
        assert_eq!([limited(9), limited(8)], ["", ""]);
        assert!(limited(7).contains("limits the rate"));
        assert_eq!([limited(6), limited(5)], ["", ""]);
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
}
