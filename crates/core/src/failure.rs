//! Every way in which a call to Tesla's cloud can fail, as one table (tesla-api.md, section 7): what
//! it means for the login, for a car and for the list of cars, how it is retried, and what a
//! person is told. The policy's [`Failure`], the waits of lists and of logins, and every sentence
//! are derived from it; a new kind is a new row.

use std::fmt;
use std::time::Duration;

use crate::backoff::{Backoff, Jitter};
use crate::hint::Hint;
use crate::policy::Failure;

/// A kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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

/// Whether it is worth saying that nobody has to do anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// Only the owner can mend it, or there is nothing to mend.
    Unsaid,
    /// It is tried again soon.
    Soon,
    /// It is tried again, after a while.
    Later,
}

/// A failure for a person: what happened, what to do, and whether it is tried again anyway. As
/// text it is one clause, the same for every occurrence, so that it can be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What happened.
    pub what: String,
    /// What to do.
    pub hint: Option<Hint>,
    /// Whether it is tried again.
    pub again: Again,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(hint) = self.hint {
            write!(f, ": {hint}")?;
        }
        match self.again {
            Again::Unsaid => Ok(()),
            Again::Soon => f.write_str("; it is tried again by itself"),
            Again::Later => f.write_str("; it is tried again later by itself"),
        }
    }
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

/// What a failure means for a car.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ForCar {
    /// What the policy is told.
    pub failure: Failure,
    /// Whether the answer tells how the car is: one that does not leaves the bridge without
    /// knowledge of it, and for long that makes it unavailable.
    pub tells_of_it: bool,
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

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// A refusal of what worked a short while ago is doubted: it is tried again by this schedule,
/// [`N_DOUBTED`] times, before it is believed.
pub const CONTRADICTED: Backoff = spread(MINUTE, 2 * MINUTE, Jitter::UPPER_HALF);
/// See [`CONTRADICTED`].
pub const N_DOUBTED: u32 = 2;

/// So many failures in a row of a kind that mostly passes by itself are worth a word.
pub const PATIENCE: u32 = 3;

const fn spread(first: u64, cap: u64, jitter: Jitter) -> Backoff {
    Backoff::fixed(Duration::from_secs(first), Duration::from_secs(cap), jitter)
}

/// A login's waits, in seconds: the first and the longest without a token, and with one.
const fn login(without_token: (u64, u64), with_token: (u64, u64)) -> ForLogin {
    ForLogin::Retried {
        without_token: spread(without_token.0, without_token.1, Jitter::AROUND),
        with_token: spread(with_token.0, with_token.1, Jitter::AROUND),
    }
}

const LOGIN_UNREACHABLE: ForLogin = login((5, 5 * MINUTE), (5 * MINUTE, 30 * MINUTE));
const LOGIN_FAULT: ForLogin = login((10, 15 * MINUTE), (5 * MINUTE, 30 * MINUTE));
const LOGIN_LIMITED: ForLogin = login((5 * MINUTE, HOUR), (5 * MINUTE, HOUR));
const LOGIN_UNEXPLAINED: ForLogin = login((MINUTE, 4 * HOUR), (5 * MINUTE, 4 * HOUR));
const LOGIN_DOUBTED: ForLogin = login((MINUTE, 4 * HOUR), (MINUTE, 4 * HOUR));
const LOGIN_STORE: ForLogin = login((10, 5 * MINUTE), (10, 5 * MINUTE));
const LOGIN_REFUSED: ForLogin = login((15 * MINUTE, 4 * HOUR), (15 * MINUTE, 4 * HOUR));

/// The list is not to be had, and that mostly passes.
const LIST_PASSES: ForList = ForList {
    wait: spread(10, 15 * MINUTE, Jitter::UPPER_HALF),
    is_refused: false,
    is_imposed: false,
    told_from: Some(PATIENCE),
};
/// The list waits for the login, of which the account's status tells.
const LIST_SIGNED_OUT: ForList = ForList {
    wait: spread(5 * MINUTE, HOUR, Jitter::UPPER_HALF),
    is_refused: true,
    is_imposed: true,
    told_from: None,
};
const LIST_LIMITED: ForList = ForList {
    wait: spread(5 * MINUTE, HOUR, Jitter::LONGER),
    is_refused: false,
    is_imposed: true,
    told_from: Some(PATIENCE),
};
const LIST_REFUSED: ForList = ForList {
    wait: spread(15 * MINUTE, 6 * HOUR, Jitter::UPPER_HALF),
    is_refused: true,
    is_imposed: true,
    told_from: Some(1),
};
const LIST_WITHHELD: ForList = ForList {
    wait: spread(HOUR, 6 * HOUR, Jitter::UPPER_HALF),
    ..LIST_REFUSED
};
const LIST_NOT_FOUND: ForList = ForList {
    wait: spread(MINUTE, HOUR, Jitter::UPPER_HALF),
    ..LIST_REFUSED
};
/// Refused against better evidence: asked for again soon.
const LIST_DOUBTED: ForList = ForList {
    wait: spread(MINUTE, HOUR, Jitter::UPPER_HALF),
    told_from: Some(2),
    ..LIST_REFUSED
};

/// A car's row: `failure` for the policy, and from which in a row on the owner is told.
const fn car(failure: Failure, told_from: Option<u32>) -> ForCar {
    ForCar {
        failure,
        tells_of_it: false,
        told_from,
    }
}

const CAR_UNREACHABLE: ForCar = car(Failure::Transport, None);
const CAR_SERVER: ForCar = car(Failure::Server, None);
const CAR_SIGNED_OUT: ForCar = car(Failure::SignedOut, None);
const CAR_REFUSED: ForCar = car(Failure::Refused, Some(1));
const CAR_REGION: ForCar = car(Failure::Region, Some(1));

impl ApiFailure {
    /// The table.
    #[expect(clippy::too_many_lines, reason = "a table, a row a kind")]
    pub const fn meaning(self) -> Meaning {
        match self {
            Self::Unavailable => row(LOGIN_FAULT, CAR_ASLEEP, LIST_PASSES)
                .says("the car is asleep or out of reach"),
            Self::Unreachable => row(LOGIN_UNREACHABLE, CAR_UNREACHABLE, LIST_PASSES)
                .says("Tesla cannot be reached")
                .hint("check the network")
                .again(Again::Soon),
            Self::Untrusted => row(LOGIN_REFUSED, CAR_UNREACHABLE, LIST_UNTRUSTED)
                .says("the server's certificate is not trusted")
                .hint("check this machine's clock, and set ca_file for a server of your own"),
            Self::TimedOut => row(LOGIN_FAULT, CAR_UNREACHABLE, LIST_PASSES)
                .says("Tesla does not answer in time")
                .again(Again::Soon),
            Self::Garbled => row(LOGIN_FAULT, CAR_UNREACHABLE, LIST_PASSES)
                .says("something between here and Tesla answered with a page that is not Tesla's data")
                .hint("check proxies and api_url")
                .again(Again::Soon),
            Self::Server => row(LOGIN_FAULT, CAR_SERVER, LIST_PASSES)
                .says("Tesla's servers have a fault")
                .again(Again::Soon),
            Self::Limited => row(LOGIN_LIMITED, CAR_LIMITED, LIST_LIMITED)
                .says("Tesla limits the rate of calls")
                .again(Again::Later),
            Self::TokenRejected => row(LOGIN_DOUBTED, car(Failure::Doubted, None), LIST_DOUBTED)
                .says("Tesla refuses even a fresh access token")
                .hint("check that api and api_url fit the token")
                .again(Again::Later),
            Self::SignedOut => row(ForLogin::Ends, CAR_SIGNED_OUT, LIST_SIGNED_OUT)
                .says("Tesla ended this login")
                .hint("sign in again with `tesla2mqtt login`, or paste a new refresh token"),
            Self::Unexplained => row(LOGIN_UNEXPLAINED, CAR_SERVER, LIST_PASSES)
                .says("Tesla refuses this login without saying why")
                .hint("if that lasts for hours, sign in again with `tesla2mqtt login`")
                .again(Again::Soon),
            Self::StaleToken => row(LOGIN_REFUSED, CAR_SERVER, LIST_PASSES)
                .says("Tesla gives tokens that are at their end when they come")
                .hint("check auth_url, and this machine's clock")
                .again(Again::Later),
            Self::NeverSignedIn => row(ForLogin::Ends, CAR_SIGNED_OUT, LIST_SIGNED_OUT)
                .says("no login yet")
                .hint("run `tesla2mqtt login`, or put a refresh token into the configuration"),
            Self::LoginRetired => row(ForLogin::Ends, CAR_SIGNED_OUT, LIST_SIGNED_OUT)
                .says("this login no longer exists at Tesla")
                .hint("use api = \"fleet\" or api = \"owner\" with a refresh token (`tesla2mqtt login`)"),
            Self::WrongPassword => row(ForLogin::Ends, CAR_SIGNED_OUT, LIST_SIGNED_OUT)
                .says("wrong e-mail or password")
                .hint("correct them in the configuration"),
            Self::ClientUnknown => row(ForLogin::Ends, CAR_SIGNED_OUT, LIST_SIGNED_OUT)
                .says("Tesla does not know this client_id or client_secret")
                .hint("correct it in the configuration"),
            Self::MobileAccessDisabled => row(LOGIN_REFUSED, CAR_REFUSED, LIST_REFUSED)
                .says("mobile access is switched off in the car")
                .hint("allow it there under Controls > Safety"),
            Self::PaymentRequired => row(LOGIN_REFUSED, CAR_REFUSED, LIST_REFUSED)
                .says("the API provider wants a paid plan for this")
                .hint("see your account there"),
            Self::BillingLimit => {
                row(LOGIN_REFUSED, car(Failure::BillingLimit, Some(1)), LIST_WITHHELD)
                    .says("the billing limit of your Tesla app is reached")
                    .hint("raise it at developer.tesla.com or wait for the next month")
            }
            Self::MissingScope => {
                row(LOGIN_REFUSED, car(Failure::MissingScope, Some(2)), LIST_WITHHELD)
                    .says("the login does not allow this")
                    .hint("sign in again and tick every permission")
            }
            Self::ScopeDenied => row(LOGIN_REFUSED, car(Failure::Doubted, Some(2)), LIST_DOUBTED)
                .says("Tesla refuses what the login has the permission for")
                .hint("if that lasts for hours, sign in again with `tesla2mqtt login`")
                .again(Again::Soon),
            Self::ClientRefused => row(LOGIN_REFUSED, CAR_REFUSED, LIST_REFUSED)
                .says("Tesla refuses this program at the Owner API")
                .hint("use api = \"fleet\"")
                .again(Again::Later),
            Self::Firewall => row(LOGIN_REFUSED, CAR_REFUSED, LIST_REFUSED)
                .says("Tesla's firewall blocks this address for now")
                .again(Again::Later),
            Self::UnsupportedVehicle => row(LOGIN_REFUSED, CAR_REFUSED, LIST_REFUSED)
                .says("this car is too old for what was asked"),
            Self::NotFound => {
                row(LOGIN_REFUSED, car(Failure::NotFound, Some(PATIENCE)), LIST_NOT_FOUND)
                    .says("Tesla does not know this car or this address any more")
                    .hint("see in the Tesla app whether the car is still on this account")
                    .again(Again::Later)
            }
            Self::AnotherCar => {
                row(LOGIN_FAULT, car(Failure::NotFound, Some(PATIENCE)), LIST_PASSES)
                    .says("Tesla answers about another car than the one that was asked for")
                    .again(Again::Later)
            }
            Self::InService => row(LOGIN_REFUSED, CAR_IN_SERVICE, LIST_REFUSED)
                .says("the car is at service"),
            Self::EndpointGone => row(LOGIN_REFUSED, CAR_REGION, LIST_REFUSED)
                .says("this address does not exist for this kind of account")
                .hint("check api and api_url"),
            Self::NotRegistered => row(LOGIN_REFUSED, CAR_REGION, LIST_REFUSED)
                .says("your app is not registered in the account's region")
                .hint("register its domain there (POST /api/1/partner_accounts)"),
            Self::WrongRegion => row(LOGIN_REFUSED, CAR_REGION, LIST_REFUSED)
                .says("the account lives in another region")
                .hint("correct region or api_url in the configuration"),
            Self::AppRefused => row(LOGIN_REFUSED, CAR_REFUSED, LIST_REFUSED)
                .says("Tesla does not allow your app to do this")
                .hint("see developer.tesla.com"),
            Self::Locked => row(LOGIN_REFUSED, CAR_REFUSED, LIST_REFUSED)
                .says("Tesla locked the account")
                .hint("unlock it in the Tesla app"),
            Self::Privacy => row(LOGIN_REFUSED, CAR_REFUSED, LIST_REFUSED)
                .says("a privacy setting of the account or the car forbids this"),
            Self::Redirected => row(LOGIN_REFUSED, CAR_REFUSED, LIST_REFUSED)
                .says("the server sends us elsewhere")
                .hint("api_url or auth_url is not the API itself"),
            Self::BadRequest => row(LOGIN_REFUSED, CAR_REFUSED, LIST_REFUSED)
                .says("Tesla did not understand the request")
                .hint("please report this with the log"),
            Self::Store => row(LOGIN_STORE, CAR_UNREACHABLE, LIST_UNTRUSTED)
                .says("the login cannot be read or kept")
                .hint("check the disk, and that the state directory and all in it belong to the user that runs this")
                .again(Again::Soon),
            Self::Setup => row(LOGIN_REFUSED, car(Failure::Refused, None), LIST_REFUSED)
                .says("no secure connection can be set up")
                .hint("check ca_file, and that CA certificates are installed"),
            Self::Closed => {
                row(LOGIN_REFUSED, CAR_UNREACHABLE, LIST_PASSES).says("shutting down")
            }
        }
    }

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

/// Nothing passes by itself here, but nothing is refused for hours either.
const LIST_UNTRUSTED: ForList = ForList {
    told_from: Some(1),
    ..LIST_PASSES
};
const CAR_ASLEEP: ForCar = ForCar {
    tells_of_it: true,
    ..car(Failure::Unavailable, None)
};
/// The car's state tells of it.
const CAR_IN_SERVICE: ForCar = ForCar {
    tells_of_it: true,
    ..car(Failure::InService, None)
};
const CAR_LIMITED: ForCar = car(Failure::Limited { retry_after: None }, Some(PATIENCE));

const fn row(login: ForLogin, car: ForCar, list: ForList) -> Meaning {
    Meaning {
        login,
        car,
        list,
        what: "",
        hint: None,
        again: Again::Unsaid,
    }
}

impl Meaning {
    const fn says(self, what: &'static str) -> Self {
        Self { what, ..self }
    }

    const fn hint(self, hint: &'static str) -> Self {
        Self {
            hint: Some(Hint(hint)),
            ..self
        }
    }

    const fn again(self, again: Again) -> Self {
        Self { again, ..self }
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
