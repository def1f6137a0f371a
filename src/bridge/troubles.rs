//! What is wrong at present, as the owner is told: each trouble from when it is worth telling until
//! it has ended. The newest of them is the topic `last_error`.

use std::collections::BTreeMap;
use std::fmt;

use crate::failure::Explanation;
use crate::model::DeviceId;

/// What became of a trouble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TroubleChange {
    /// Something is wrong.
    Begun(Explanation),
    /// The owner knows that something is wrong: another part of it, or another time at which it is
    /// tried again.
    Changed(Explanation),
    /// Nothing is wrong any more.
    Ended,
}

impl TroubleChange {
    /// What became of a trouble that was `before` and is `now`, if anything: another time of the
    /// same makes no new one.
    pub(super) fn between(before: Option<&Explanation>, now: Option<Explanation>) -> Option<Self> {
        match (before, now) {
            (None, None) => None,
            (Some(_), None) => Some(Self::Ended),
            (Some(before), Some(now)) if *before == now => None,
            (Some(before), Some(now)) if before.is_same_but_for_the_time(&now) => {
                Some(Self::Changed(now))
            }
            (_, Some(now)) => Some(Self::Begun(now)),
        }
    }
}

/// A change as the tests write it.
#[cfg(test)]
pub(super) fn told(change: Option<TroubleChange>) -> String {
    match change {
        Some(TroubleChange::Begun(trouble)) => trouble.to_string(),
        Some(TroubleChange::Changed(trouble)) => format!("still {trouble}"),
        Some(TroubleChange::Ended) => "ended".to_owned(),
        None => String::new(),
    }
}

/// What a trouble is about: each has one at most.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Troubled {
    /// The login of the account of this name.
    Login(String),
    /// The list of cars of the account of this name.
    List(String),
    /// Tesla refuses to tell of this device.
    Device(DeviceId),
}

impl fmt::Display for Troubled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Login(name) | Self::List(name) => write!(f, "account {name}"),
            Self::Device(id) => write!(f, "car {id}"),
        }
    }
}

/// Every trouble that has not ended.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    /// With the number of each, counted from the first.
    standing: BTreeMap<Troubled, (u64, Explanation)>,
    n_begun: u64,
}

impl Troubles {
    /// What became of the trouble of one thing. One that has only changed gets in front of no other.
    pub(super) fn change(&mut self, thing: Troubled, change: TroubleChange) {
        match change {
            TroubleChange::Ended => {
                self.standing.remove(&thing);
            }
            TroubleChange::Changed(trouble) => match self.standing.get_mut(&thing) {
                Some((_, before)) => *before = trouble,
                // The owner knows it from an earlier run.
                None => self.begin(thing, trouble),
            },
            TroubleChange::Begun(trouble) => self.begin(thing, trouble),
        }
    }

    fn begin(&mut self, thing: Troubled, trouble: Explanation) {
        self.n_begun += 1;
        self.standing.insert(thing, (self.n_begun, trouble));
    }

    /// What is wrong with one thing now, if anything is.
    pub(super) fn set(&mut self, thing: Troubled, trouble: Option<Explanation>) {
        let before = self.standing.get(&thing).map(|(_, before)| before);
        if let Some(change) = TroubleChange::between(before, trouble) {
            self.change(thing, change);
        }
    }

    /// An account is not followed any more, at least not as it was.
    pub(super) fn forget_account(&mut self, name: &str) {
        for thing in [Troubled::Login, Troubled::List] {
            self.set(thing(name.to_owned()), None);
        }
    }

    /// The newest, with the thing that it is about in front.
    pub(super) fn newest(&self) -> Option<Explanation> {
        let newest = self.standing.iter().max_by_key(|(_, (number, _))| *number);
        newest.map(|(thing, (_, trouble))| trouble.clone().about(thing))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::failure::{Again, ApiFailure};

    fn car() -> Troubled {
        Troubled::Device(DeviceId::new("LRW3E7EK5PC000031").expect("an id"))
    }

    fn newest(troubles: &Troubles) -> String {
        let newest = troubles.newest();
        newest.map_or_else(String::new, |trouble| trouble.to_string())
    }

    fn limited(minute: i64) -> Explanation {
        let time = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_mins(minute);
        Explanation {
            again: Again::at(time),
            ..ApiFailure::Limited.explanation()
        }
    }

    #[test]
    fn the_newest_trouble_that_has_not_ended_is_shown_and_then_none() {
        let home = || "home".to_owned();
        let mut troubles = Troubles::default();
        assert_eq!(troubles.newest(), None);
        troubles.set(Troubled::List(home()), Some(limited(1)));
        troubles.set(car(), Some(ApiFailure::Privacy.explanation()));
        troubles.set(
            Troubled::Login(home()),
            Some(ApiFailure::SignedOut.explanation()),
        );
        assert!(newest(&troubles).starts_with("account home: Tesla ended this login: sign in"));
        let shown = troubles.newest().and_then(|trouble| trouble.hint);
        assert_eq!(shown, ApiFailure::SignedOut.meaning().hint, "kept apart");

        troubles.set(Troubled::Login(home()), None);
        assert!(newest(&troubles).starts_with("car LRW…000031: a privacy setting"));
        // Told anew with another time, which makes it no newer.
        troubles.set(Troubled::List(home()), Some(limited(2)));
        assert!(newest(&troubles).starts_with("car "));
        troubles.set(car(), None);
        assert!(newest(&troubles).ends_with("at 1970-01-01 00:02 UTC"));
        troubles.set(Troubled::List(home()), None);
        troubles.set(Troubled::List(home()), None);
        assert_eq!(troubles.newest(), None);
    }

    #[test]
    fn a_trouble_that_changes_gets_in_front_of_no_newer_one() {
        let mut troubles = Troubles::default();
        let list = || Troubled::List("home".to_owned());
        let changed = |kind: ApiFailure| TroubleChange::Changed(kind.explanation());
        troubles.change(car(), TroubleChange::Begun(limited(1)));
        troubles.change(list(), TroubleChange::Begun(limited(2)));
        troubles.change(car(), changed(ApiFailure::Locked));
        assert!(newest(&troubles).starts_with("account home: "));
        troubles.change(list(), TroubleChange::Ended);
        assert!(newest(&troubles).contains("locked"));
        // Known from an earlier run only.
        troubles.change(list(), changed(ApiFailure::Privacy));
        assert!(newest(&troubles).starts_with("account home: a privacy"));
    }

    #[test]
    fn an_account_that_goes_takes_its_troubles_with_it() {
        let mut troubles = Troubles::default();
        for name in ["home", "cabin"] {
            troubles.set(Troubled::List(name.to_owned()), Some(limited(1)));
            let signed_out = ApiFailure::SignedOut.explanation();
            troubles.set(Troubled::Login(name.to_owned()), Some(signed_out));
        }
        troubles.forget_account("cabin");
        assert!(newest(&troubles).starts_with("account home: "));
        troubles.forget_account("home");
        assert_eq!(troubles.newest(), None);
    }
}
