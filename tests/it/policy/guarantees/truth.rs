//! What only the car's truth can show: that it sleeps as it would if nobody asked it anything
//! (G4), and that what it begins is seen in time (G5). Judged where nothing else is in the way: no
//! failure, no restart, nobody's word, no dead zone about that time.

use std::time::Duration;

use tesla2mqtt::policy::{Ask, ClassSetting, Failure, LightState, State};
use tesla2mqtt::sim::LifeEvent;

use crate::policy::rig::{DAY, Happening, MINUTE, Rig, SECOND, TraceLine};

/// The settle time, and a minute.
const LATER: Duration = Duration::from_mins(4);
/// A car that takes longer has been looked at once before it slept.
const LONGEST_TO_SLEEP: Duration = Duration::from_mins(17);
/// The last look before Quiet may be so old.
const LAST_LOOK: Duration = Duration::from_secs(35);
/// A source that pushed within this time stands for the light calls.
const PUSHED: Duration = Duration::from_mins(11);

/// When a guarantee was broken, and which.
pub fn check(rig: &Rig) -> Result<(), (Duration, String)> {
    let is_plain = rig.governor.is_none() && rig.word.is_none() && !rig.is_disguised();
    if !is_plain || rig.config.pushes {
        return Ok(());
    }
    sleeps_in_time(rig)?;
    starts_are_seen(rig)
}

/// Whether nothing but answers of a car in reach and time is between two times.
fn is_calm(rig: &Rig, from: Duration, to: Duration) -> bool {
    let until: Vec<_> = rig.trace.iter().take_while(|line| line.at <= to).collect();
    let is_power = |line: &&&TraceLine| {
        matches!(
            line.what,
            Happening::Down | Happening::Up | Happening::Restarted
        )
    };
    let is_down = until.iter().rev().find(is_power);
    let is_down = is_down.is_some_and(|line| matches!(line.what, Happening::Down));
    let between = until.iter().filter(|line| line.at >= from);
    let disturbs = |line: &&TraceLine| {
        matches!(
            line.what,
            Happening::Failed(..)
                | Happening::Restarted
                | Happening::Up
                | Happening::Down
                | Happening::Heard(_)
                | Happening::Pushed(_)
                | Happening::OnList(_)
        )
    };
    !is_down && !between.copied().any(|line| disturbs(&line))
}

fn is_out_of_reach(rig: &Rig, from: Duration, to: Duration) -> bool {
    let silent = |line: &TraceLine| matches!(line.what, Happening::Answered(light) if light.state != LightState::Online);
    let between = |line: &&TraceLine| (from..=to).contains(&line.at);
    rig.trace.iter().filter(between).any(silent)
}

/// Whether the last call of some kind before a time had failed.
fn fails(rig: &Rig, at: Duration) -> bool {
    let (mut light, mut data) = (false, false);
    for line in rig.trace.iter().take_while(|line| line.at <= at) {
        match line.what {
            Happening::Failed(Ask::Light, _) => light = true,
            Happening::Failed(Ask::Data, _) => data = true,
            Happening::Answered(_) => light = false,
            Happening::Served(_) => data = false,
            _ => {}
        }
    }
    light || data
}

/// G4: a car known as held falls asleep at most `settle` and a minute later than unpolled, and
/// not counting the time until the end of its use was seen.
fn sleeps_in_time(rig: &Rig) -> Result<(), (Duration, String)> {
    let car = rig.car.spec();
    let is_known = rig.config.class == ClassSetting::Held;
    if !is_known || car.brief_wakes.is_some() || car.time_to_sleep > LONGEST_TO_SLEEP {
        return Ok(());
    }
    let (unpolled, polled) = (rig.unpolled_events(), rig.true_events());
    let sleeps = unpolled
        .iter()
        .filter(|(_, event)| *event == LifeEvent::FellAsleep);
    for (at, _) in sleeps {
        let used_until = at.saturating_sub(car.time_to_sleep);
        let Some(unseen) = time_to_see_an_end(rig, used_until) else {
            continue;
        };
        let end = *at + LATER + unseen;
        let wakes = unpolled
            .iter()
            .any(|(then, event)| *event == LifeEvent::Woke && (*at..=end).contains(then));
        let is_scheduled = rig.trace.iter().any(
            |line| matches!(&line.what, Happening::Served(view) if view.scheduled_charging_pending),
        );
        let before = used_until.saturating_sub(LATER);
        let judged = end <= rig.at
            && !wakes
            && !is_scheduled
            && is_calm(rig, before, end)
            && !fails(rig, before)
            && !is_out_of_reach(rig, before, *at);
        let last = polled.iter().rev().find(|(then, event)| {
            *then <= end && matches!(event, LifeEvent::Woke | LifeEvent::FellAsleep)
        });
        let is_awake = last.is_some_and(|(_, event)| *event == LifeEvent::Woke);
        if judged && is_awake {
            let broken = format!("G4: awake, asleep since {at:?} if nobody had asked");
            return Err((end, broken));
        }
    }
    Ok(())
}

/// How late the end of a use may be seen that ended in the state that the policy believed in.
fn time_to_see_an_end(rig: &Rig, at: Duration) -> Option<Duration> {
    let lines = rig.trace.iter().take_while(|line| line.at <= at);
    match lines.last()?.state {
        State::Driving => Some(Duration::ZERO),
        State::Charging => Some(rig.config.charging_data.mul_f64(1.05)),
        State::Idle => time_to_see(rig, at),
        _ => None,
    }
}

/// G5: a drive or a charge is seen within one interval.
fn starts_are_seen(rig: &Rig) -> Result<(), (Duration, String)> {
    let events = rig.true_events();
    for (n, (at, event)) in events.iter().enumerate() {
        let (state, ended) = match event {
            LifeEvent::DriveStarted => (State::Driving, LifeEvent::DriveEnded),
            LifeEvent::ChargeStarted => (State::Charging, LifeEvent::ChargeEnded),
            _ => continue,
        };
        let Some(within) = time_to_see(rig, *at) else {
            continue;
        };
        let end = *at + within;
        let goes_on = !events[n..]
            .iter()
            .any(|(then, event)| *event == ended && *then <= end);
        let judged = end <= rig.at
            && goes_on
            && is_calm(rig, at.saturating_sub(PUSHED), end)
            && !fails(rig, *at)
            && !is_out_of_reach(rig, *at, end)
            && !goes_quiet(rig, *at);
        let is_seen = rig.trace.iter().any(|line| {
            (*at..=end).contains(&line.at) && (line.state == state || goes_before(line.state))
        });
        if judged && !is_seen {
            return Err((
                end,
                format!("G5: {event:?} at {at:?} not seen within {within:?}"),
            ));
        }
    }
    Ok(())
}

/// One interval of the state that the policy believed in, with jitter and the call.
fn time_to_see(rig: &Rig, at: Duration) -> Option<Duration> {
    let config = &rig.config;
    let before: Vec<_> = rig.trace.iter().take_while(|line| line.at <= at).collect();
    let interval = match before.last()?.state {
        State::Asleep | State::Unreachable if were_too_many(&before, at) => MINUTE,
        State::Asleep | State::Unreachable => config.asleep_light,
        State::Idle | State::Waking => {
            let view = before.iter().rev().find_map(|line| match &line.what {
                Happening::Served(view) => Some(view),
                _ => None,
            });
            let guards = view.is_some_and(|view| view.sentry_mode);
            if guards {
                config.sentry_data.max(config.idle_data)
            } else {
                config.idle_data
            }
        }
        _ => return None,
    };
    let guard = match rig.car.spec().brief_wakes {
        Some(_) if before.last()?.state != State::Idle => config.wake_guard,
        _ => Duration::ZERO,
    };
    Some(interval.mul_f64(1.05) + guard + 6 * SECOND)
}

/// What a car does that goes before a charge, or before all else.
fn goes_before(state: State) -> bool {
    matches!(state, State::Driving | State::Updating | State::InService)
}

/// Whether Tesla said on the day before that light calls are too many.
fn were_too_many(before: &[&TraceLine], at: Duration) -> bool {
    let limited = |line: &&TraceLine| {
        let is_limit = matches!(
            line.what,
            Happening::Failed(Ask::Light, Failure::Limited { .. })
        );
        is_limit && at - line.at <= DAY
    };
    before.iter().copied().any(|line| limited(&line))
}

/// What begins after the last look before Quiet is seen by the next one.
fn goes_quiet(rig: &Rig, at: Duration) -> bool {
    let entered = rig.entered(State::Quiet, at);
    entered.is_some_and(|then| then - at < LAST_LOOK)
}
