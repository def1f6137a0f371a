//! Every way in which a call to Tesla's cloud can fail, as one table (tesla-api.md, section 7): what
//! it means for the login, for a car and for the list of cars, how it is retried, and what a
//! person is told. The policy's [`Failure`], the waits of lists and of logins, and every sentence
//! are derived from it; a new kind is a new row in `failure/table`.

mod car;
mod explanation;
mod table;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::backoff::{Backoff, Jitter};
use crate::hint::Hint;
pub use car::{CarWaits, Failure, ForCar};
pub use explanation::{Again, Explanation};

/// A kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApiFailure {
    /// 408: the car is asleep or out of reach. Not an error.
    Unavailable,
    /// No connection: DNS, TCP, TLS, or it broke before the answer was whole.
    Unreachable,
    /// The server's certificate is not trusted: not Tesla, a wrong clock, or a server of the
    /// owner's own without `ca_file`.
    Untrusted,
    /// No answer in time.
    TimedOut,
    /// HTML, an empty or a truncated body where JSON belongs; something in between spoke.
    Garbled,
    /// 5xx, 540: Tesla's side.
    Server,
    /// 429.
    Limited,
    /// 401 on a call: the access token is expired or refused; one refresh may cure it.
    TokenRejected,
    /// The refresh token is spent, expired or revoked: the owner must sign in again.
    SignedOut,
    /// 401 of a token host in words that do not end a login: as likely a fault as an end.
    Unexplained,
    /// The token host gives access tokens that are at their end when they come.
    StaleToken,
    /// There is no token to begin with.
    NeverSignedIn,
    /// 400 `endpoint_deprecated`: this generation of login is gone.
    LoginRetired,
    /// The 2019 login: wrong e-mail or password.
    WrongPassword,
    /// The token host does not know `client_id` (or `client_secret`).
    ClientUnknown,
    /// 401 `mobile_access_disabled`: remote access is off in this car.
    MobileAccessDisabled,
    /// 402: no plan or no credit.
    PaymentRequired,
    /// 403 `EXCEEDED_LIMIT`: the app's billing limit is reached.
    BillingLimit,
    /// 403 missing scopes, and the token does not say otherwise.
    MissingScope,
    /// 403 missing scopes, although the token's own claims name them: owners saw it come and go.
    ScopeDenied,
    /// 403 "see fleet-api": the Owner API refuses this client since June 2026.
    ClientRefused,
    /// 403 with a web page: a firewall.
    Firewall,
    /// 403 unsupported vehicle.
    UnsupportedVehicle,
    /// 404, 410.
    NotFound,
    /// The answer is about another car than the one that was asked for.
    AnotherCar,
    /// 405: the car is at service.
    InService,
    /// 412, and 400 `invalid_endpoint`: this endpoint does not exist for this kind of account.
    EndpointGone,
    /// 412: the app is not registered in the account's region.
    NotRegistered,
    /// 421: the account lives elsewhere.
    WrongRegion,
    /// 418, and 403 in other words: this app may not.
    AppRefused,
    /// 423: the account is locked.
    Locked,
    /// 451: a privacy setting forbids it.
    Privacy,
    /// 3xx: the URL in the configuration is not the API.
    Redirected,
    /// 400, 406, 422 and other 4xx: our mistake; repeating it is no use.
    BadRequest,
    /// The token store cannot be read or written.
    Store,
    /// The client cannot be built: `ca_file`, or no certificates on this machine.
    Setup,
    /// The bridge is shutting down.
    Closed,
}

/// What a failure means for an account's login.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ForLogin {
    /// Only the owner can cure it: nothing is asked any more.
    Ends,
    /// It is tried again.
    Retried {
        /// While no token lives.
        without_token: Backoff,
        /// While one still does.
        with_token: Backoff,
    },
}

/// What a failure means for an account's list of cars.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ForList {
    /// When the list is asked for again.
    pub wait: Backoff,
    /// Who refuses it will not think better of it within minutes.
    pub is_refused: bool,
    /// Whether the wait is a minimum, which no wish for a list shortens.
    pub is_imposed: bool,
    /// From which failure in a row on the owner is told; `None` where something else tells.
    pub told_from: Option<u32>,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Meaning {
    /// For the login.
    pub login: ForLogin,
    /// For the car.
    pub car: ForCar,
    /// For the list.
    pub list: ForList,
    /// What happened.
    pub what: &'static str,
    /// What to do.
    pub hint: Option<Hint>,
    /// Whether it is tried again.
    pub again: Again,
}

/// A refusal of what worked a short while ago is doubted: it is tried again by this schedule,
/// [`N_DOUBTED`] times, before it is believed.
pub const CONTRADICTED: Backoff = Backoff::fixed(
    Duration::from_mins(1),
    Duration::from_mins(2),
    Jitter::UPPER_HALF,
);
/// See [`CONTRADICTED`].
pub const N_DOUBTED: u32 = 2;

/// A limit that lasts for longer does not pass unnoticed.
pub const LONG_LIMIT: Duration = Duration::from_mins(5);

/// So many failures in a row of a kind that mostly passes by itself are worth a word.
pub const PATIENCE: u32 = 3;

impl ApiFailure {
    /// The failure in the owner's words.
    pub fn explanation(self) -> Explanation {
        let Meaning {
            what, hint, again, ..
        } = self.meaning();
        Explanation {
            what: what.to_owned(),
            hint,
            again,
        }
    }

    /// Whether only the owner can cure it: no more sign-in attempts until the configuration
    /// changes.
    pub const fn ends_login(self) -> bool {
        matches!(self.meaning().login, ForLogin::Ends)
    }
}

impl ForLogin {
    /// How long to wait after the `n_in_a_row`-th failed refresh (from 1). A token that still
    /// lives leaves time. What the server `asked` for is a minimum. `chance` is between 0 and 1.
    pub fn wait(
        &self,
        n_in_a_row: u32,
        has_token: bool,
        asked: Option<Duration>,
        chance: f64,
    ) -> Duration {
        let schedule = match self {
            Self::Ends => return Duration::MAX,
            Self::Retried { with_token, .. } if has_token => with_token,
            Self::Retried { without_token, .. } => without_token,
        };
        schedule.wait_at_least(asked, n_in_a_row, chance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_of_a_login_double_to_a_limit_and_are_spread() {
        let wait = |kind: ApiFailure, n, has_token, asked: Option<u64>, chance| {
            let asked = asked.map(Duration::from_secs);
            let login = kind.meaning().login;
            login.wait(n, has_token, asked, chance).as_secs()
        };
        let row = |kind, has_token, asked| {
            [1, 2, 3, 11, 1000].map(|n| wait(kind, n, has_token, asked, 0.5))
        };
        let plain = |kind, has_token| row(kind, has_token, None);
        assert_eq!(plain(ApiFailure::Unreachable, false), [5, 10, 20, 300, 300]);
        assert_eq!(plain(ApiFailure::Server, false), [10, 20, 40, 900, 900]);
        let unexplained = [60, 120, 240, 14_400, 14_400];
        assert_eq!(plain(ApiFailure::Unexplained, false), unexplained);
        let spared = [300, 600, 1200, 1800, 1800];
        assert_eq!(plain(ApiFailure::Unreachable, true), spared);
        let refused = [900, 1800, 3600, 14_400, 14_400];
        assert_eq!(plain(ApiFailure::Firewall, false), refused);
        assert_eq!(plain(ApiFailure::ClientRefused, true), refused);
        let limited = |asked| row(ApiFailure::Limited, false, asked);
        assert_eq!(limited(Some(0)), limited(None), "nothing is no wait");
        assert_eq!(limited(Some(0)), [300, 600, 1200, 3600, 3600]);
        assert_eq!(limited(Some(1000)), [1050, 1050, 1200, 3600, 3600]);
        let long = wait(ApiFailure::Limited, 10, false, Some(86_400), 0.5);
        assert_eq!(long, 90_720);
        let spread = [0.0, 1.0].map(|chance| wait(ApiFailure::Server, 1, false, None, chance));
        assert_eq!(spread, [8, 12]);
    }

    #[test]
    fn tokens_that_are_old_when_they_come_are_fetched_a_few_times_a_day_and_ever_later() {
        let day = Duration::from_hours(24);
        let login = ApiFailure::StaleToken.meaning().login;
        for chance in [0.0, 0.5, 1.0] {
            let mut waits = Vec::new();
            while waits.iter().sum::<Duration>() < day {
                let n = u32::try_from(waits.len()).unwrap() + 1;
                waits.push(login.wait(n, false, None, chance));
            }
            assert!(waits.is_sorted() && waits.len() <= 12, "{waits:?}");
        }
    }

    #[test]
    fn only_an_answer_that_tells_how_the_car_is_is_contact_with_it() {
        let tells = |kind: ApiFailure| kind.meaning().car.tells_of_it;
        assert!(tells(ApiFailure::Unavailable) && tells(ApiFailure::InService));
        for silent in [
            ApiFailure::ScopeDenied,
            ApiFailure::NotFound,
            ApiFailure::AnotherCar,
            ApiFailure::Limited,
            ApiFailure::Server,
        ] {
            assert!(!tells(silent), "{silent:?}");
        }
    }

    #[test]
    fn a_refusal_against_better_evidence_is_tried_again_within_a_minute_and_a_plain_one_is_not() {
        let first = |kind: ApiFailure| kind.meaning().list.wait.wait(1, 1.0);
        assert_eq!(first(ApiFailure::ScopeDenied), Duration::from_mins(1));
        assert_eq!(first(ApiFailure::MissingScope), Duration::from_hours(1));
        assert!(!ApiFailure::ScopeDenied.ends_login());
        assert!(ApiFailure::SignedOut.ends_login());
    }
}
