//! The event loop: cars, their followers and an account, from one call to the next. It is the
//! bridge's own loop without the world: the device asks, the governor permits, the car answers a
//! moment later. Everything is written down for the report and the picture.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use jiff::Timestamp;

use super::follower::{Follower, Turn};
use super::{Case, DAY, START};
use crate::device::{Answers, Call};
use crate::model::{ChargingState, Gear, Now, Vin};
use crate::policy::{Ask, Budget, Failure, Governor, PolicyInput, Push, State};
use crate::sim::{Car, CarActivity, LifeEvent};

/// From request to answer.
const LATENCY: Duration = Duration::from_millis(300);
/// From a change in the car to its being heard by who listens.
const HEARING: Duration = Duration::from_secs(1);
/// A follower that wants to act again at the same instant is slowed down to this.
const LEAST_STEP: Duration = Duration::from_millis(1);
const NEVER: Duration = Duration::MAX;

/// How a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOutcome {
    /// Answered.
    Served,
    /// 408: asleep or out of reach. Billed.
    Unavailable,
    /// 405: at service. Billed.
    InService,
}

/// A call that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallMade {
    /// When it was answered, since the start.
    pub at: Duration,
    /// Which.
    pub ask: Ask,
    /// How it went.
    pub outcome: CallOutcome,
}

/// One car's time, written down.
#[derive(Debug, Clone)]
pub struct CarTrace {
    /// Calls, in order.
    pub calls: Vec<CallMade>,
    /// What was believed from when on.
    pub beliefs: Vec<(Duration, State)>,
    /// What the car did at the start.
    pub begins_as: CarActivity,
    /// What really happened.
    pub events: Vec<(Duration, LifeEvent)>,
    /// Awake in all.
    pub awake: Duration,
    /// Awake in all, had nobody asked it anything.
    pub awake_unpolled: Duration,
}

/// Everything that was written down.
#[derive(Debug, Clone)]
pub struct Played {
    /// Each car's.
    pub cars: Vec<CarTrace>,
    /// How long.
    pub length: Duration,
    /// The most that the budget stretched the intervals of data calls.
    pub worst_factor: f64,
    /// Data calls that the budget or the caps did not allow.
    pub n_not_permitted: u64,
}

struct Followed {
    car: Car,
    follower: Box<dyn Follower>,
    /// The call under way and when it is answered.
    flight: Option<(Duration, Call)>,
    wakes_at: Duration,
    /// As it heard last.
    budget: Option<Budget>,
    ear: Option<Ear>,
    trace: CarTrace,
}

/// Hears what changes by itself, a moment later.
#[derive(Default)]
struct Ear {
    said: Push,
    watch_at: Duration,
    speak_at: Option<Duration>,
}

/// Plays the case's cars, each with the follower that `follow` makes for it.
pub(super) fn play(
    case: &Case,
    follow: impl Fn(&Vin) -> Box<dyn Follower>,
    mut governor: Option<Governor>,
) -> Played {
    let length = DAY * case.days;
    let mut cars: Vec<Followed> = (0..case.n_cars)
        .map(|nth| {
            let spec = case.life.car(nth, case.held);
            let follower = follow(&spec.vin);
            let mut unpolled = Car::new(spec.clone(), START);
            unpolled.advance(START + length);
            Followed::new(Car::new(spec, START), follower, unpolled.truth().awake)
        })
        .collect();
    let mut worst_factor: f64 = 1.0;
    let mut n_not_permitted = 0;
    // A car's turn changes when that car is due, and no other's.
    let mut queue: BinaryHeap<_> = cars.iter().enumerate().map(entry).collect();
    while let Some(mut first) = queue.peek_mut() {
        let Reverse((due, nth)) = *first;
        if due >= length {
            break;
        }
        let now = now_at(due);
        if let Some(governor) = &mut governor {
            if governor.month_rolled(now) {
                for car in &mut cars {
                    car.hear(now, PolicyInput::MonthRolled);
                }
            }
            let budget = governor.budget(now);
            worst_factor = worst_factor.max(budget.factor);
            if cars[nth].budget.replace(budget) != Some(budget) {
                cars[nth].follower.hear(now, PolicyInput::Budget(budget));
            }
        }
        n_not_permitted += cars[nth].turn(now, governor.as_mut());
        *first = entry((nth, &cars[nth]));
    }
    Played {
        cars: cars.into_iter().map(|car| car.finish(length)).collect(),
        length,
        worst_factor,
        n_not_permitted,
    }
}

/// When the nth car is due, and by its number among those due at the same time; the earliest first.
fn entry((nth, car): (usize, &Followed)) -> Reverse<(Duration, usize)> {
    Reverse((car.due(), nth))
}

fn now_at(mono: Duration) -> Now {
    Now {
        mono,
        wall: START + mono,
    }
}

fn since_start(at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(START)).unwrap_or_default()
}

impl Followed {
    fn new(car: Car, follower: Box<dyn Follower>, awake_unpolled: Duration) -> Self {
        let trace = CarTrace {
            calls: Vec::new(),
            beliefs: vec![(Duration::ZERO, follower.belief())],
            begins_as: car.truth().activity,
            events: Vec::new(),
            awake: Duration::ZERO,
            awake_unpolled,
        };
        Self {
            ear: follower.listens().then(Ear::default),
            car,
            follower,
            flight: None,
            wakes_at: Duration::ZERO,
            budget: None,
            trace,
        }
    }

    /// When something is to be done.
    fn due(&self) -> Duration {
        let act_at = self.flight.as_ref().map_or(self.wakes_at, |(at, _)| *at);
        let hear_at = self
            .ear
            .as_ref()
            .map_or(NEVER, |ear| ear.speak_at.unwrap_or(NEVER).min(ear.watch_at));
        act_at.min(hear_at)
    }

    /// Does what is due; returns how many data calls were not permitted.
    fn turn(&mut self, now: Now, governor: Option<&mut Governor>) -> u64 {
        let mut governor = governor;
        if let Some((_, call)) = self.flight.take_if(|(at, _)| *at <= now.mono) {
            let ask = call.class;
            let (input, status) = self.answer(ask, now.wall);
            if let Some(governor) = governor.as_deref_mut() {
                let answers = Answers {
                    statuses: &[status],
                    ..Answers::NONE
                };
                call.bill(governor, now, &answers);
            }
            let outcome = match status {
                408 => CallOutcome::Unavailable,
                405 => CallOutcome::InService,
                _ => CallOutcome::Served,
            };
            let at = now.mono;
            self.trace.calls.push(CallMade { at, ask, outcome });
            self.hear(now, input);
        }
        self.overhear(now);
        if self.flight.is_some() {
            return 0;
        }
        let turn = self.follower.next(now);
        self.note_belief(now.mono);
        match turn {
            Turn::Wait(until) => self.wakes_at = until.max(now.mono + LEAST_STEP),
            Turn::Call(call) => {
                let permit = governor.map_or(Ok(()), |governor| call.permit(governor, now));
                if let Err(denied) = permit {
                    let failure = Failure::NotPermitted {
                        retry_after: denied.retry_after,
                    };
                    let ask = call.class;
                    self.hear(now, PolicyInput::Failed { ask, failure });
                    self.wakes_at = now.mono + LEAST_STEP;
                    return u64::from(ask == Ask::Data);
                }
                self.flight = Some((now.mono + LATENCY, call));
            }
        }
        0
    }

    fn answer(&mut self, ask: Ask, at: Timestamp) -> (PolicyInput, u16) {
        let failed = |failure, status| (PolicyInput::Failed { ask, failure }, status);
        match ask {
            Ask::Light => (PolicyInput::Light(self.car.light(at)), 200),
            Ask::Data => match self.car.data(at) {
                None => failed(Failure::Unavailable, 408),
                Some(view) if view.in_service => failed(Failure::InService, 405),
                Some(view) => (PolicyInput::Data(Box::new(view.policy_view())), 200),
            },
        }
    }

    /// Passes on what the car said by itself.
    fn overhear(&mut self, now: Now) {
        let Some(ear) = &mut self.ear else { return };
        self.car.advance(now.wall);
        let says = push_of(&self.car);
        if ear.speak_at.is_some_and(|at| at <= now.mono) {
            ear.speak_at = None;
            ear.said = says.clone();
            self.follower.hear(now, PolicyInput::Push(says));
            self.note_belief(now.mono);
        } else if says != ear.said && ear.speak_at.is_none() {
            ear.speak_at = Some(now.mono + HEARING);
        }
        if let Some(ear) = &mut self.ear {
            ear.watch_at = since_start(self.car.next_change()).max(now.mono + LEAST_STEP);
        }
    }

    fn hear(&mut self, now: Now, input: PolicyInput) {
        self.follower.hear(now, input);
        self.note_belief(now.mono);
    }

    fn note_belief(&mut self, at: Duration) {
        let belief = self.follower.belief();
        if self
            .trace
            .beliefs
            .last()
            .is_none_or(|(_, last)| *last != belief)
        {
            self.trace.beliefs.push((at, belief));
        }
    }

    fn finish(mut self, length: Duration) -> CarTrace {
        self.car.advance(START + length);
        let events = self.car.events().iter();
        self.trace.events = events
            .map(|(at, event)| (since_start(*at), *event))
            .collect();
        self.trace.awake = self.car.truth().awake;
        self.trace
    }
}

/// What a car that pushes says about itself.
fn push_of(car: &Car) -> Push {
    let truth = car.truth();
    let connected = truth.awake_since.is_some() && truth.in_reach;
    if !connected {
        return Push {
            connected: Some(false),
            ..Push::default()
        };
    }
    let drives = truth.activity == CarActivity::Driving;
    let charges = truth.activity == CarActivity::Charging;
    Push {
        connected: Some(true),
        gear: Some(if drives { Gear::D } else { Gear::P }),
        charging_state: Some(if charges {
            ChargingState::Charging
        } else {
            ChargingState::Stopped
        }),
        user_present: Some(drives),
        asleep: None,
    }
}
