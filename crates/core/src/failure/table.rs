//! The table of failures: a row a kind, made of named parts.

use std::time::Duration;

use super::{Again, ApiFailure, CarWaits, Failure, ForCar, ForList, ForLogin, Meaning, PATIENCE};
use crate::backoff::{Backoff, Jitter};
use crate::hint::Hint;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

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

/// Nothing passes by itself here, but nothing is refused for hours either.
const LIST_UNTRUSTED: ForList = ForList {
    told_from: Some(1),
    ..LIST_PASSES
};

impl Failure {
    /// The rows of a car.
    pub const fn for_car(self) -> ForCar {
        match self {
            Self::Unavailable => ForCar {
                waits: Some(CarWaits {
                    light: CAR_TRANSPORT,
                    // Again and again, although light calls say online.
                    data: spread(MINUTE, 5 * MINUTE, Jitter::UPPER_HALF),
                }),
                tells_of_it: true,
                ..car(self)
            },
            Self::Transport => car(self).again_after(CAR_TRANSPORT),
            Self::Server => car(self).again_after(spread(15, 15 * MINUTE, Jitter::UPPER_HALF)),
            // A limit that names its end is believed, but not when it names the same end again and
            // again.
            Self::Limited {
                retry_after: Some(wait),
            } if !wait.is_zero() => car(self)
                .again_after(spread(MINUTE, HOUR, Jitter::LONGER))
                .told_from(PATIENCE),
            Self::Limited { .. } => car(self)
                .again_after(spread(5 * MINUTE, HOUR, Jitter::LONGER))
                .told_from(PATIENCE),
            Self::SignedOut => car(self).again_after(spread(5 * MINUTE, HOUR, Jitter::UPPER_HALF)),
            Self::BillingLimit => car(self).again_after(CAR_WITHHELD).told_from(1),
            Self::MissingScope => car(self).again_after(CAR_WITHHELD).told_from(2),
            Self::Refused | Self::Region => car(self)
                .again_after(spread(15 * MINUTE, 6 * HOUR, Jitter::UPPER_HALF))
                .told_from(1),
            Self::Doubted => car(self)
                .again_after(spread(MINUTE, HOUR, Jitter::UPPER_HALF))
                .told_from(2),
            Self::NotFound => ForCar {
                waits: Some(CarWaits {
                    // It costs nothing, and tells when the car is found again.
                    light: spread(MINUTE, HOUR, Jitter::UPPER_HALF),
                    data: spread(MINUTE, 3 * HOUR, Jitter::UPPER_HALF),
                }),
                ..car(self).told_from(PATIENCE)
            },
            // The car's state tells of it, and has its own intervals.
            Self::InService => ForCar {
                tells_of_it: true,
                ..car(self)
            },
            // The account knows until when.
            Self::NotPermitted { .. } => car(self),
        }
    }
}

const CAR_TRANSPORT: Backoff = spread(10, 5 * MINUTE, Jitter::UPPER_HALF);
const CAR_WITHHELD: Backoff = spread(HOUR, 6 * HOUR, Jitter::UPPER_HALF);

const fn car(failure: Failure) -> ForCar {
    ForCar {
        failure,
        waits: None,
        tells_of_it: false,
        told_from: None,
    }
}

impl ForCar {
    const fn again_after(self, wait: Backoff) -> Self {
        let (light, data) = (wait, wait);
        Self {
            waits: Some(CarWaits { light, data }),
            ..self
        }
    }

    const fn told_from(self, n: u32) -> Self {
        Self {
            told_from: Some(n),
            ..self
        }
    }
}

impl ApiFailure {
    /// The table.
    #[expect(clippy::too_many_lines, reason = "a table, a row a kind")]
    pub const fn meaning(self) -> Meaning {
        match self {
            Self::Unavailable => row(LOGIN_FAULT, Failure::Unavailable, LIST_PASSES)
                .says("the car is asleep or out of reach"),
            Self::Unreachable => row(LOGIN_UNREACHABLE, Failure::Transport, LIST_PASSES)
                .says("Tesla cannot be reached")
                .hint("check the network")
                .again(Again::Soon),
            Self::Untrusted => row(LOGIN_REFUSED, Failure::Transport, LIST_UNTRUSTED)
                .says("the server's certificate is not trusted")
                .hint("check this machine's clock, and set ca_file for a server of your own"),
            Self::TimedOut => row(LOGIN_FAULT, Failure::Transport, LIST_PASSES)
                .says("Tesla does not answer in time")
                .again(Again::Soon),
            Self::Garbled => row(LOGIN_FAULT, Failure::Transport, LIST_PASSES)
                .says("something between here and Tesla answered with a page that is not Tesla's data")
                .hint("check proxies and api_url")
                .again(Again::Soon),
            Self::Server => row(LOGIN_FAULT, Failure::Server, LIST_PASSES)
                .says("Tesla's servers have a fault")
                .again(Again::Soon),
            Self::Limited => row(LOGIN_LIMITED, Failure::Limited { retry_after: None }, LIST_LIMITED)
                .says("Tesla limits the rate of calls")
                .again(Again::Later),
            Self::TokenRejected => row(LOGIN_DOUBTED, Failure::Doubted, LIST_DOUBTED)
                .told_elsewhere()
                .says("Tesla refuses even a fresh access token")
                .hint("check that api and api_url fit the token")
                .again(Again::Later),
            Self::SignedOut => row(ForLogin::Ends, Failure::SignedOut, LIST_SIGNED_OUT)
                .says("Tesla ended this login")
                .hint("sign in again with `tesla2mqtt login`, or paste a new refresh token"),
            Self::Unexplained => row(LOGIN_UNEXPLAINED, Failure::Server, LIST_PASSES)
                .says("Tesla refuses this login without saying why")
                .hint("if that lasts for hours, sign in again with `tesla2mqtt login`")
                .again(Again::Soon),
            Self::StaleToken => row(LOGIN_REFUSED, Failure::Server, LIST_PASSES)
                .says("Tesla gives tokens that are at their end when they come")
                .hint("check auth_url, and this machine's clock")
                .again(Again::Later),
            Self::NeverSignedIn => row(ForLogin::Ends, Failure::SignedOut, LIST_SIGNED_OUT)
                .says("no login yet")
                .hint("run `tesla2mqtt login`, or put a refresh token into the configuration"),
            Self::LoginRetired => row(ForLogin::Ends, Failure::SignedOut, LIST_SIGNED_OUT)
                .says("this login no longer exists at Tesla")
                .hint("use api = \"fleet\" or api = \"owner\" with a refresh token (`tesla2mqtt login`)"),
            Self::WrongPassword => row(ForLogin::Ends, Failure::SignedOut, LIST_SIGNED_OUT)
                .says("wrong e-mail or password")
                .hint("correct them in the configuration"),
            Self::ClientUnknown => row(ForLogin::Ends, Failure::SignedOut, LIST_SIGNED_OUT)
                .says("Tesla does not know this client_id or client_secret")
                .hint("correct it in the configuration"),
            Self::MobileAccessDisabled => row(LOGIN_REFUSED, Failure::Refused, LIST_REFUSED)
                .says("mobile access is switched off in the car")
                .hint("allow it there under Controls > Safety"),
            Self::PaymentRequired => row(LOGIN_REFUSED, Failure::Refused, LIST_REFUSED)
                .says("the API provider wants a paid plan for this")
                .hint("see your account there"),
            Self::BillingLimit => {
                row(LOGIN_REFUSED, Failure::BillingLimit, LIST_WITHHELD)
                    .says("the billing limit of your Tesla app is reached")
                    .hint("raise it at developer.tesla.com or wait for the next month")
            }
            Self::MissingScope => {
                row(LOGIN_REFUSED, Failure::MissingScope, LIST_WITHHELD)
                    .says("the login does not allow this")
                    .hint("sign in again and tick every permission")
            }
            Self::ScopeDenied => row(LOGIN_REFUSED, Failure::Doubted, LIST_DOUBTED)
                .says("Tesla refuses what the login has the permission for")
                .hint("if that lasts for hours, sign in again with `tesla2mqtt login`")
                .again(Again::Soon),
            Self::ClientRefused => row(LOGIN_REFUSED, Failure::Refused, LIST_REFUSED)
                .says("Tesla refuses this program at the Owner API")
                .hint("use api = \"fleet\"")
                .again(Again::Later),
            Self::Firewall => row(LOGIN_REFUSED, Failure::Refused, LIST_REFUSED)
                .says("Tesla's firewall blocks this address for now")
                .again(Again::Later),
            Self::UnsupportedVehicle => row(LOGIN_REFUSED, Failure::Refused, LIST_REFUSED)
                .says("this car is too old for what was asked"),
            Self::NotFound => {
                row(LOGIN_REFUSED, Failure::NotFound, LIST_NOT_FOUND)
                    .says("Tesla does not know this car or this address any more")
                    .hint("see in the Tesla app whether the car is still on this account")
                    .again(Again::Later)
            }
            Self::AnotherCar => {
                row(LOGIN_FAULT, Failure::NotFound, LIST_PASSES)
                    .says("Tesla answers about another car than the one that was asked for")
                    .again(Again::Later)
            }
            Self::InService => row(LOGIN_REFUSED, Failure::InService, LIST_REFUSED)
                .says("the car is at service"),
            Self::EndpointGone => row(LOGIN_REFUSED, Failure::Region, LIST_REFUSED)
                .says("this address does not exist for this kind of account")
                .hint("check api and api_url"),
            Self::NotRegistered => row(LOGIN_REFUSED, Failure::Region, LIST_REFUSED)
                .says("your app is not registered in the account's region")
                .hint("register its domain there (POST /api/1/partner_accounts)"),
            Self::WrongRegion => row(LOGIN_REFUSED, Failure::Region, LIST_REFUSED)
                .says("the account lives in another region")
                .hint("correct region or api_url in the configuration"),
            Self::AppRefused => row(LOGIN_REFUSED, Failure::Refused, LIST_REFUSED)
                .says("Tesla does not allow your app to do this")
                .hint("see developer.tesla.com"),
            Self::Locked => row(LOGIN_REFUSED, Failure::Refused, LIST_REFUSED)
                .says("Tesla locked the account")
                .hint("unlock it in the Tesla app"),
            Self::Privacy => row(LOGIN_REFUSED, Failure::Refused, LIST_REFUSED)
                .says("a privacy setting of the account or the car forbids this"),
            Self::Redirected => row(LOGIN_REFUSED, Failure::Refused, LIST_REFUSED)
                .says("the server sends us elsewhere")
                .hint("api_url or auth_url is not the API itself"),
            Self::BadRequest => row(LOGIN_REFUSED, Failure::Refused, LIST_REFUSED)
                .says("Tesla did not understand the request")
                .hint("please report this with the log"),
            Self::Store => row(LOGIN_STORE, Failure::Transport, LIST_UNTRUSTED)
                .says("the login cannot be read or kept")
                .hint("check the disk, and that the state directory and all in it belong to the user that runs this")
                .again(Again::Soon),
            Self::Setup => row(LOGIN_REFUSED, Failure::Refused, LIST_REFUSED)
                .told_elsewhere()
                .says("no secure connection can be set up")
                .hint("check ca_file, and that CA certificates are installed"),
            Self::Closed => {
                row(LOGIN_REFUSED, Failure::Transport, LIST_PASSES).says("shutting down")
            }
        }
    }
}

const fn row(login: ForLogin, failure: Failure, list: ForList) -> Meaning {
    Meaning {
        login,
        car: failure.for_car(),
        list,
        what: "",
        hint: None,
        again: Again::Unsaid,
    }
}

impl Meaning {
    /// What is wrong with a car is told of its account.
    const fn told_elsewhere(self) -> Self {
        let car = ForCar {
            told_from: None,
            ..self.car
        };
        Self { car, ..self }
    }

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
