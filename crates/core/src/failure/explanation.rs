//! An error as a person reads it: what happened, what to do about it, and what happens by itself.
//! The parts stay apart until they are shown; as text they are one clause.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use crate::hint::Hint;

/// Whether it is worth saying that nobody has to do anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// Only the owner can mend it, or there is nothing to mend.
    Unsaid,
    /// It is tried again soon.
    Soon,
    /// It is tried again, after a while.
    Later,
    /// It is tried again then; [`Again::at`] makes it a whole minute.
    At(Timestamp),
    /// It is tried again after this.
    After(Duration),
}

impl Again {
    /// A time, in whole minutes and never before it: two that are shown alike are alike.
    pub fn at(time: Timestamp) -> Self {
        const MINUTE: i64 = 60;
        let minute = time.as_second().saturating_add(MINUTE - 1) / MINUTE;
        Self::At(Timestamp::from_second(minute * MINUTE).unwrap_or(time))
    }
}

impl fmt::Display for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsaid => Ok(()),
            Self::Soon => f.write_str("; it is tried again by itself"),
            Self::Later => f.write_str("; it is tried again later by itself"),
            Self::At(time) => {
                let time = time.strftime("%Y-%m-%d %H:%M UTC");
                write!(f, ": the next one goes out at {time}")
            }
            Self::After(wait) => write!(f, ": the next one goes out in {} s", wait.as_secs()),
        }
    }
}

/// A failure for a person. As text it is the same for every occurrence, so that it can be
/// published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What happened.
    pub what: String,
    /// What to do.
    pub hint: Option<Hint>,
    /// Whether it is tried again.
    pub again: Again,
}

impl Explanation {
    /// Something that happened, of which there is no more to say.
    pub fn of(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            hint: None,
            again: Again::Unsaid,
        }
    }

    /// The same with the thing that it happened to in front.
    #[must_use]
    pub fn about(self, thing: impl fmt::Display) -> Self {
        Self {
            what: format!("{thing}: {}", self.what),
            ..self
        }
    }

    /// The same for somebody who does not try again by himself.
    #[must_use]
    pub fn tried_once(self) -> Self {
        match self.again {
            Again::Soon | Again::Later => Self {
                again: Again::Unsaid,
                ..self
            },
            Again::Unsaid | Again::At(_) | Again::After(_) => self,
        }
    }

    /// Whether both are about the same, but for the time at which it is tried again.
    pub fn is_same_but_for_the_time(&self, other: &Self) -> bool {
        (&self.what, self.hint) == (&other.what, other.hint)
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(hint) = self.hint {
            write!(f, ": {hint}")?;
        }
        write!(f, "{}", self.again)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::ApiFailure;

    #[test]
    fn a_sentence_says_what_happened_what_to_do_and_whether_it_is_tried_again() {
        let text = |kind: ApiFailure| kind.explanation().to_string();
        assert_eq!(
            text(ApiFailure::Unreachable),
            "Tesla cannot be reached: check the network; it is tried again by itself"
        );
        assert_eq!(
            text(ApiFailure::Firewall),
            "Tesla's firewall blocks this address for now; it is tried again later by itself"
        );
        assert_eq!(
            text(ApiFailure::WrongPassword),
            "wrong e-mail or password: correct them in the configuration"
        );
    }

    #[test]
    fn a_time_is_shown_in_whole_minutes_and_never_before_it() {
        let at = |time: &str| Again::at(time.parse().expect("a time"));
        for (time, shown) in [
            ("2026-11-26T12:00:00Z", "12:00"),
            ("2026-11-26T12:00:01Z", "12:01"),
            ("2026-11-26T12:01:00Z", "12:01"),
        ] {
            let expected = format!(": the next one goes out at 2026-11-26 {shown} UTC");
            assert_eq!(at(time).to_string(), expected);
        }
        assert_eq!(at("2026-11-26T12:00:01Z"), at("2026-11-26T12:00:59Z"));
        let last = Again::at(Timestamp::MAX).to_string();
        assert!(last.contains("9999"), "{last}");
    }

    #[test]
    fn a_promise_to_try_again_is_left_out_where_nobody_does() {
        let text = |kind: ApiFailure| kind.explanation().tried_once().to_string();
        assert_eq!(
            text(ApiFailure::Unreachable),
            "Tesla cannot be reached: check the network"
        );
        let limited = Explanation {
            again: Again::After(Duration::from_hours(2)),
            ..ApiFailure::Limited.explanation()
        };
        assert!(limited.tried_once().to_string().ends_with("in 7200 s"));
    }
}
