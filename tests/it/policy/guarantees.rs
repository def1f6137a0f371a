//! The guarantees of the sleep policy (section 5.1), checked on a whole trace; what needs to know
//! the car's truth (G4, most of G5) in `truth`, G8's growth in `retries`. The rig itself fails
//! where there is no next action (G10), and where a second device, with the same inputs and a
//! calendar that jumps, does something else (G11, G12: nothing but its inputs moves a device, and
//! none of them speaks of the broker).

mod retries;
mod truth;

use std::time::Duration;

use tesla2mqtt::device::Input;
use tesla2mqtt::model::Gear;
use tesla2mqtt::policy::{Ask, Failure, LightState, MonthlyLimit, Push, State};

use super::rig::{DAY, Happening, MINUTE, Rig, SECOND, TraceLine};
use retries::Retries;

const START_SPREAD: Duration = Duration::from_secs(10);
/// G5, for hints and pushes.
const SOON: Duration = Duration::from_secs(5);

/// Panics with the end of the trace if a guarantee is broken.
pub fn check(rig: &Rig) {
    let mut told = ToldSoFar::default();
    let mut retries = Retries::default();
    for line in &rig.trace {
        if let Err(broken) = told.take(line).and_then(|()| retries.take(line)) {
            panic!("{broken} at {:?}\n{}", line.at, rig.story_until(line.at));
        }
    }
    // However it comes about, no minute is a storm.
    for (ask, most) in [(Ask::Light, 25), (Ask::Data, 13)] {
        let asks = rig.asks_from(Duration::ZERO, ask);
        let storm = asks
            .windows(most + 1)
            .find(|asks| asks[most] - asks[0] < MINUTE);
        assert!(
            storm.is_none(),
            "a storm of {ask:?} calls: {storm:?}\n{}",
            rig.story()
        );
    }
    // G7: the month costs no more than it may.
    if let Some(governor) = &rig.governor {
        let status = governor.status(rig.now());
        let is_kept = match status.limit {
            Some(MonthlyLimit::DataCalls(limit)) => rig.n_billed_data() <= u64::from(limit),
            Some(MonthlyLimit::Dollars(limit)) => status.dollars <= limit + 1e-6,
            None => true,
        };
        assert!(is_kept, "G7: over the budget: {status:?}\n{}", rig.story());
    }
    if let Err((at, broken)) = truth::check(rig) {
        panic!("{broken} at {at:?}\n{}", rig.story_until(at + 5 * MINUTE));
    }
    // The ledger forgets no call that Tesla bills.
    if rig.governor.is_some() && rig.at <= 30 * DAY {
        let is_data = |line: &&TraceLine| matches!(&line.what, Happening::Asked(call) if call.class == Ask::Data);
        let is_free =
            |line: &&TraceLine| matches!(line.what, Happening::Failed(Ask::Data, Failure::Server));
        let n_asked = rig.trace.iter().filter(is_data).count();
        let n_free = rig.trace.iter().filter(is_free).count();
        let n_billed = (n_asked - n_free) as u64;
        assert!(
            n_billed <= rig.n_billed_data(),
            "G7: {n_billed} by the trace"
        );
    }
    // G1: the car was woken by nobody but its owner. The policy has no word for it, so that this is
    // about the rig; the real program's calls are counted by the tests over HTTP.
    assert_eq!(
        rig.car.truth().wakes,
        rig.n_user_wakes(),
        "G1: woken without a command"
    );
}

/// What the world has told the policy so far.
#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that vary independently"
)]
struct ToldSoFar {
    last_ask: Option<(Duration, Ask)>,
    /// The newest word says online.
    online: bool,
    light_online: bool,
    online_at: Option<Duration>,
    light_online_at: Option<Duration>,
    data_ok_at: Option<Duration>,
    data_failed: bool,
    last_use: Duration,
    state: Option<State>,
    quiet_since: Option<Duration>,
    data_in_quiet: Option<Duration>,
    scheduled: bool,
    restarted: bool,
    restarted_at: Option<Duration>,
    lights_since_restart: usize,
    /// Nothing but time and answers since the restart.
    undisturbed: bool,
    light_not_before: Duration,
    data_not_before: Duration,
    removed: bool,
    /// The last call of its kind failed.
    light_fails: bool,
    data_fails: bool,
    /// A hint that no call has followed yet, and the last one.
    hint_at: Option<Duration>,
    last_hint_at: Option<Duration>,
}

impl ToldSoFar {
    fn take(&mut self, line: &TraceLine) -> Result<(), String> {
        let at = line.at;
        // The answer to a call is judged by the state in which it was asked.
        let state_before = self.state.unwrap_or(State::Boot);
        // Who is down follows no hint.
        let is_up = !matches!(line.what, Happening::Restarted | Happening::Up);
        if is_up && self.hint_at.is_some_and(|hint| at > hint + SOON) {
            return Err("G5: no call within 5 s of a hint".into());
        }
        match &line.what {
            Happening::Asked(call) => self.asked(call.class, at, line.state)?,
            Happening::Answered(light) => {
                self.online = light.state == LightState::Online;
                self.light_online = self.online;
                self.restarted = false;
                self.removed = false;
                self.light_fails = false;
                if self.online {
                    self.online_at = Some(at);
                    self.light_online_at = Some(at);
                }
            }
            Happening::Served(view) => {
                self.online = true;
                self.online_at = Some(at);
                self.data_ok_at = Some(at);
                self.data_failed = false;
                self.data_fails = false;
                self.scheduled |= view.scheduled_charging_pending;
            }
            Happening::Failed(ask, failure) => self.failed(*ask, *failure, at),
            Happening::Pushed(push) => {
                let speaks = push.gear.is_some() || push.charging_state.is_some();
                // After a 408 only a light answer counts.
                if speaks && self.online {
                    self.online_at = Some(at);
                }
                if push.asleep == Some(true) {
                    self.online = false;
                    self.light_online = false;
                }
                if push.user_present == Some(true) {
                    self.last_use = at;
                }
                gear_is_followed(push, state_before, line.state)?;
            }
            Happening::OnList(light) => {
                // The list says the same as a light call.
                self.online = light.state == LightState::Online;
                self.light_online = self.online;
                if self.online {
                    self.online_at = Some(at);
                    self.light_online_at = Some(at);
                }
            }
            Happening::Heard(Input::Hint) => {
                self.last_use = at;
                self.hinted(at, line.state);
            }
            Happening::Heard(Input::Owner(_)) => {
                self.last_use = at;
                // The owner's later word counts.
                self.hint_at = None;
            }
            Happening::Heard(Input::Removed) => self.removed = true,
            Happening::Heard(Input::Listed) => self.removed = false,
            Happening::Restarted => {
                self.restarted = true;
                self.restarted_at = Some(at);
                self.lights_since_restart = 0;
                self.undisturbed = true;
                self.hint_at = None;
            }
            Happening::Heard(_)
            | Happening::Told(_)
            | Happening::Found(_)
            | Happening::Down
            | Happening::Up => {}
        }
        self.undisturbed &= !matches!(
            line.what,
            Happening::Heard(_)
                | Happening::Pushed(_)
                | Happening::OnList(_)
                | Happening::Failed(..)
        );
        if state_before != line.state {
            if matches!(
                state_before,
                State::Driving | State::Charging | State::Waking | State::InService
            ) {
                self.last_use = at;
            }
            // A kill may lose the end of a Quiet, which then goes on.
            if line.state == State::Quiet && !matches!(line.what, Happening::Restarted) {
                self.quiet_since = Some(at);
                self.data_in_quiet = None;
            }
        }
        self.state = Some(line.state);
        Ok(())
    }

    /// G5: a hint is followed soon, unless something fails, a start is spread, or the hints are
    /// many.
    fn hinted(&mut self, at: Duration, state: State) {
        let recent = |then: Option<Duration>, time| then.is_some_and(|then| at - then < time);
        let deaf = matches!(
            state,
            State::Boot | State::InService | State::Paused | State::AuthLost
        );
        let starts = recent(self.restarted_at, 15 * MINUTE);
        let chatty = recent(self.last_hint_at, MINUTE);
        let fails = self.light_fails || self.data_fails || self.removed;
        if !(deaf || starts || chatty || fails) {
            self.hint_at = Some(at);
        }
        self.last_hint_at = Some(at);
    }

    fn asked(&mut self, ask: Ask, at: Duration, state: State) -> Result<(), String> {
        if let Some((last, _)) = self.last_ask
            && !self.restarted
            && at - last < 2 * SECOND
        {
            return Err("G6: two requests closer than the gap".into());
        }
        self.last_ask = Some((at, ask));
        self.hint_at = None;
        match ask {
            Ask::Light => {
                self.lights_since_restart += 1;
                let starts = self
                    .restarted_at
                    .is_some_and(|start| at - start < START_SPREAD);
                // A car on its way out of sleep or out of reach is asked at short intervals.
                let is_settled = !matches!(
                    state,
                    State::Waking | State::Driving | State::Charging | State::Updating
                );
                if starts && is_settled && self.undisturbed && self.lights_since_restart > 1 {
                    return Err("G9: a second light call at a start".into());
                }
                if at < self.light_not_before {
                    return Err("G8: light before its Retry-After".into());
                }
                Ok(())
            }
            Ask::Data => self.data_asked(at, state),
        }
    }

    fn data_asked(&mut self, at: Duration, state: State) -> Result<(), String> {
        let within = |stamp: Option<Duration>, ttl| stamp.is_some_and(|then| at - then <= ttl);
        if self.restarted {
            return Err("G9: data before the light call that opens a start".into());
        }
        if !self.online || !self.light_online {
            return Err("G2: data although the newest word is not online".into());
        }
        let chain = match state {
            State::Driving => 2 * MINUTE,
            State::Charging => 10 * MINUTE,
            _ => Duration::ZERO,
        };
        let chained = !self.data_failed && within(self.data_ok_at, chain);
        if !chained && !within(self.online_at, 90 * SECOND) {
            return Err("G2: data on old knowledge".into());
        }
        let late =
            state == State::Quiet || (state == State::Idle && at - self.last_use > 5 * MINUTE);
        if late && !within(self.light_online_at, 10 * SECOND) {
            return Err("G2: data of an idle car without a light call of the same tick".into());
        }
        if at < self.data_not_before {
            return Err("G8: data before its Retry-After".into());
        }
        if state == State::Quiet && !self.scheduled {
            let quiet = at - self.quiet_since.unwrap_or_default();
            let looked = self
                .data_in_quiet
                .is_none_or(|last| at - last >= 5 * MINUTE);
            if quiet < 12 * MINUTE || !looked {
                return Err(format!("G3: data after {quiet:?} of Quiet"));
            }
            self.data_in_quiet = Some(at);
        }
        if matches!(
            state,
            State::Paused | State::AuthLost | State::Asleep | State::Unreachable
        ) {
            return Err(format!("data in {state}"));
        }
        Ok(())
    }

    fn failed(&mut self, ask: Ask, failure: Failure, at: Duration) {
        self.hint_at = None;
        match ask {
            Ask::Light => self.light_fails = true,
            Ask::Data => self.data_fails = true,
        }
        // A call that the account did not permit was not made.
        if ask == Ask::Data && !matches!(failure, Failure::NotPermitted { .. }) {
            self.data_failed = true;
        }
        match failure {
            Failure::Unavailable if ask == Ask::Data => {
                self.online = false;
                // The look that was due is still due, once a light call says online again.
                self.data_in_quiet = None;
            }
            Failure::Limited { retry_after } => {
                let wait = retry_after.unwrap_or(5 * MINUTE);
                let until = at + wait.clamp(MINUTE, DAY);
                match ask {
                    Ask::Light => self.light_not_before = until,
                    Ask::Data => self.data_not_before = until,
                }
            }
            _ => {}
        }
    }
}

/// G5: a gear that is pushed is a drive at once.
fn gear_is_followed(push: &Push, before: State, after: State) -> Result<(), String> {
    let in_gear = push.gear.is_some_and(Gear::is_driving);
    let deaf = matches!(before, State::Paused | State::AuthLost);
    if in_gear && !deaf && after != State::Driving {
        return Err(format!("G5: {after} although a gear was pushed"));
    }
    Ok(())
}
