//! What can go wrong between a client and Tesla, on demand or at a rate.

use std::collections::VecDeque;
use std::time::Duration;

use super::CallKind;
use crate::spec::mix;
use tesla2mqtt_core::model::Vin;

/// One way to fail.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// Another answer in place of the right one.
    Status {
        /// HTTP status.
        code: u16,
        /// For `Retry-After` and the like.
        headers: Vec<(String, String)>,
        /// The body, JSON or not.
        body: String,
    },
    /// No answer until the client gives up or the cloud stops.
    Hang,
    /// No answer for so long, then the connection is reset: what sits in between has lost patience.
    HangUp(Duration),
    /// The connection is reset; the request had no effect.
    Reset,
    /// The request is carried out, then the connection is reset: the reply is lost.
    LoseReply,
    /// The right answer breaks off after so many bytes.
    Truncate(usize),
    /// 200 with bytes that are no text.
    Garbage,
    /// A page of the edge's, with this status.
    Html(u16),
    /// The right answer, so many bytes at a time.
    SlowDrip {
        /// At once.
        bytes: usize,
        /// Between two of them.
        every: Duration,
    },
    /// 200 without a body.
    Empty,
    /// The right answer, later.
    Late(Duration),
}

impl Fault {
    /// A status with an error body in Tesla's shape.
    pub fn status(code: u16, error: &str) -> Self {
        let body = serde_json::json!({ "response": null, "error": error, "error_description": "" });
        Self::Status {
            code,
            headers: Vec::new(),
            body: body.to_string(),
        }
    }

    /// 429 with the given `Retry-After`, or none.
    pub fn rate_limited(retry_after: Option<&str>) -> Self {
        let header = retry_after.map(|value| ("retry-after".to_owned(), value.to_owned()));
        Self::Status {
            code: 429,
            headers: header.into_iter().collect(),
            body: "Retry later".to_owned(),
        }
    }

    /// One of each kind that passes by itself and says nothing lasting: not that the login is void,
    /// not that the car sleeps or is gone. Silence is short, because a client's time-outs stay
    /// real where the clocks run fast.
    pub fn passing() -> Vec<Self> {
        let moment = Duration::from_millis(20);
        vec![
            Self::status(500, "internal server error"),
            Self::status(503, "upstream request timeout"),
            Self::status(540, "device unexpected response"),
            Self::rate_limited(None),
            Self::rate_limited(Some("120")),
            Self::HangUp(moment),
            Self::Reset,
            Self::LoseReply,
            Self::Truncate(40),
            Self::Garbage,
            Self::Html(403),
            Self::Html(502),
            Self::SlowDrip {
                bytes: 4096,
                every: Duration::from_millis(5),
            },
            Self::Empty,
            Self::Late(moment),
        ]
    }

    /// Whether the request still has its effect.
    pub(super) fn is_carried_out(&self) -> bool {
        matches!(
            self,
            Self::LoseReply | Self::Truncate(_) | Self::SlowDrip { .. } | Self::Late(_)
        )
    }

    /// The status that the client gets to see, 0 for none; `None`: that of the right answer.
    pub(super) fn seen_status(&self) -> Option<u16> {
        match self {
            Self::Status { code, .. } | Self::Html(code) => Some(*code),
            Self::Hang | Self::HangUp(_) | Self::Reset | Self::LoseReply => Some(0),
            Self::Garbage | Self::Empty => Some(200),
            Self::Truncate(_) | Self::SlowDrip { .. } | Self::Late(_) => None,
        }
    }
}

/// Which requests a fault is for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Aim {
    /// Kinds of calls; empty: all.
    pub calls: Vec<CallKind>,
    /// One car's calls only.
    pub vin: Option<Vin>,
}

impl Aim {
    /// Every request.
    pub fn all() -> Self {
        Self::default()
    }

    /// Every request of these kinds.
    pub fn at(calls: &[CallKind]) -> Self {
        Self {
            calls: calls.to_vec(),
            vin: None,
        }
    }

    fn hits(&self, call: CallKind, vin: Option<&Vin>) -> bool {
        (self.calls.is_empty() || self.calls.contains(&call))
            && (self.vin.is_none() || self.vin.as_ref() == vin)
    }
}

/// The faults to come: those ordered come first, then those by rate.
#[derive(Debug, Default)]
pub(super) struct Faults {
    ordered: VecDeque<(Aim, Fault)>,
    turns: Vec<QueuedFault>,
    rates: Vec<Rate>,
}

/// A fault whose turn comes after some requests that go well.
#[derive(Debug)]
struct QueuedFault {
    aim: Aim,
    fault: Fault,
    requests_before: u64,
}

#[derive(Debug)]
struct Rate {
    aim: Aim,
    per_thousand: u64,
    faults: Vec<Fault>,
    noise: u64,
}

impl Faults {
    pub(super) fn order(&mut self, n: usize, aim: &Aim, fault: &Fault) {
        self.ordered
            .extend(std::iter::repeat_n((aim.clone(), fault.clone()), n));
    }

    pub(super) fn order_nth(&mut self, nth: u64, aim: &Aim, fault: &Fault) {
        self.turns.push(QueuedFault {
            aim: aim.clone(),
            fault: fault.clone(),
            requests_before: nth.saturating_sub(1),
        });
    }

    pub(super) fn rate(&mut self, share: f64, aim: Aim, faults: Vec<Fault>, seed: u64) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to 0..=1000"
        )]
        let per_thousand = (share.clamp(0.0, 1.0) * 1000.0).round() as u64;
        self.rates.push(Rate {
            aim,
            per_thousand,
            faults,
            noise: seed,
        });
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The fault of this request, if any.
    pub(super) fn draw(&mut self, call: CallKind, vin: Option<&Vin>) -> Option<Fault> {
        if let Some(fault) = self.whose_turn_it_is(call, vin) {
            return Some(fault);
        }
        if let Some(index) = self.ordered.iter().position(|(aim, _)| aim.hits(call, vin)) {
            return self.ordered.remove(index).map(|(_, fault)| fault);
        }
        self.rates.iter_mut().find_map(|rate| {
            if !rate.aim.hits(call, vin) {
                return None;
            }
            rate.noise = mix(rate.noise);
            if rate.noise % 1000 >= rate.per_thousand {
                return None;
            }
            let n = u64::try_from(rate.faults.len()).ok()?;
            let pick = (rate.noise / 1000).checked_rem(n)?;
            rate.faults.get(usize::try_from(pick).ok()?).cloned()
        })
    }

    fn whose_turn_it_is(&mut self, call: CallKind, vin: Option<&Vin>) -> Option<Fault> {
        let mut due = None;
        for (index, turn) in self.turns.iter_mut().enumerate() {
            if !turn.aim.hits(call, vin) {
                continue;
            }
            match turn.requests_before.checked_sub(1) {
                Some(left) => turn.requests_before = left,
                None => due = due.or(Some(index)),
            }
        }
        Some(self.turns.remove(due?).fault)
    }
}
