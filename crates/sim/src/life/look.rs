//! What a living car shows: to one who asks it, and to one who knows.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "milliseconds of a few years, never negative here"
)]

use std::time::Duration;

use super::{Car, SleepState, What, motion, stamp};
use crate::{CarActivity, CarView, ChargeState, ChargeView, DriveView, Model, Truth, UpdateView};
use tesla2mqtt_core::policy::HoldReason;

impl Car {
    /// What only the simulator knows, at the time of the last call.
    pub fn truth(&self) -> Truth {
        let (asleep, awake_since) = match self.sleep {
            SleepState::Asleep { .. } => (true, None),
            SleepState::Awake { since, brief, .. } => (brief, Some(stamp(since))),
        };
        let activity = match self.busy() {
            Some(activity) => activity,
            None if asleep => CarActivity::Asleep,
            None => CarActivity::Idle,
        };
        Truth {
            at: stamp(self.now),
            activity,
            awake_since,
            awake: Duration::from_millis(self.tally.awake_ms.max(0) as u64),
            last_use: stamp(self.last_use),
            in_reach: self.in_reach(),
            data_served: self.tally.data_served,
            data_refused: self.tally.data_refused,
            wakes: self.tally.wakes,
            drives_started: self.tally.drives,
            charges_started: self.tally.charges,
            battery_level: self.battery_level,
            odometer_km: self.odometer_km,
        }
    }

    pub(super) fn view(&self) -> CarView {
        let drive = self.acts.iter().find_map(|act| match act.what {
            What::Drive { km, .. } if act.begun => Some((km, act.end - self.now)),
            _ => None,
        });
        let drive = drive
            .zip(self.driving())
            .map(|((km, left), (moment, ..))| DriveView {
                speed_kmh: moment.speed_kmh,
                power_kw: moment.power_kw,
                km_left: (km - moment.km).max(0.0),
                left: Duration::from_millis(left.max(0) as u64),
            });
        CarView {
            at: stamp(self.now),
            drive,
            // The refreshed X says "P" where others say nothing.
            parked_gear: (self.spec.model() == Model::X).then_some("P"),
            charge: self.charge_view(),
            holds: self.holds(),
            update: self.update_view(),
            firmware: self.firmware.clone(),
            in_service: self.is(&What::Service),
            battery_level: self.battery_level,
            idle_kw: self.idle_kw(),
            odometer_km: self.odometer_km,
            place: motion::place(self.spec.home, self.odometer_km),
            inside_temp: self.inside_temp,
            outside_temp: self.outside_temp(),
            last_drive_end: stamp(self.last_drive_end),
        }
    }

    fn charge_view(&self) -> ChargeView {
        let kw = self.charging_kw();
        let state = match kw {
            Some(_) => ChargeState::Charging,
            None if !self.cable.plugged => ChargeState::Disconnected,
            None if self.battery_level >= self.spec.charge_limit - 0.5 => ChargeState::Complete,
            None => ChargeState::Stopped,
        };
        let left = kw.map_or(0, |kw| self.charge_ms(kw, self.spec.charge_limit));
        ChargeView {
            state,
            kw: kw.unwrap_or(0.0),
            dc: self.cable.plugged && self.cable.dc,
            energy_added_kwh: self.energy_added_kwh,
            limit: self.spec.charge_limit,
            left: Duration::from_millis(left.max(0) as u64),
            scheduled: self.cable.scheduled.map(stamp),
        }
    }

    fn update_view(&self) -> Option<UpdateView> {
        let (status, act) = self.acts.iter().find_map(|act| match act.what {
            What::Install if act.begun => Some(("installing", act)),
            What::Download | What::Hold(HoldReason::Downloading) if act.begun => {
                Some(("downloading", act))
            }
            _ => None,
        })?;
        let done = (self.now - act.start) as f64 / (act.end - act.start).max(1) as f64;
        let version = self.next_version.as_deref().unwrap_or("2026.44.1");
        Some(UpdateView {
            status,
            version: version.split(' ').next().unwrap_or_default().to_owned(),
            percent: (done * 100.0).clamp(1.0, 99.0),
        })
    }

    fn holds(&self) -> Vec<HoldReason> {
        let mut holds: Vec<HoldReason> = self
            .acts
            .iter()
            .filter_map(|act| match act.what {
                What::Hold(reason) if act.begun => Some(reason),
                What::Download if act.begun => Some(HoldReason::Downloading),
                _ => None,
            })
            .collect();
        holds.sort_unstable();
        holds.dedup();
        holds
    }
}
