//! How a plan's deeds become acts with a beginning and an end, and what both do to the car.
#![expect(
    clippy::cast_possible_wrap,
    reason = "a jitter of minutes, in milliseconds"
)]

use std::time::Duration;

use super::{Cable, Car, ms};
use crate::spec::mix;
use crate::{Deed, LifeEvent};
use tesla2mqtt_core::policy::HoldReason;

const APP_USE: Duration = Duration::from_mins(1);

/// Something under way, or about to be.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Act {
    pub start: i64,
    pub end: i64,
    pub begun: bool,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum What {
    Drive { km: f64, odometer: f64, level: f64 },
    Charge { kw: f64 },
    Use,
    Hold(HoldReason),
    Download,
    Install,
    Service,
    DeadZone,
}

impl Act {
    pub(super) fn is_charge(&self) -> bool {
        matches!(self.what, What::Charge { .. })
    }

    pub(super) fn is_drive(&self) -> bool {
        matches!(self.what, What::Drive { .. })
    }
}

impl What {
    pub(super) fn keeps_awake(&self) -> bool {
        !matches!(
            self,
            Self::Service | Self::DeadZone | Self::Hold(HoldReason::Unlocked)
        )
    }
}

impl Car {
    /// The time of the plan's next segment.
    pub(super) fn segment_at(&self) -> i64 {
        let plan = &self.spec.plan;
        let Some(segment) = plan.segments.get(self.next_segment) else {
            return i64::MAX;
        };
        let jitter = ms(plan.jitter);
        let late = if jitter == 0 {
            0
        } else {
            let nth = self.n_periods * 1000 + self.next_segment as u64;
            (mix(self.spec.seed ^ nth) % jitter.unsigned_abs()) as i64
        };
        self.period_begins + ms(segment.start) + late
    }

    /// Takes the next segment off the plan and puts its acts up.
    pub(super) fn next_deed(&mut self) {
        let deed = self.spec.plan.segments[self.next_segment].deed.clone();
        self.next_segment += 1;
        if self.next_segment == self.spec.plan.segments.len() {
            self.next_segment = 0;
            self.n_periods += 1;
            self.period_begins += ms(self.spec.plan.period);
        }
        match deed {
            Deed::Drive { length, km } => {
                self.cut_short(Act::is_drive);
                self.cut_short(Act::is_charge);
                self.cable = Cable::default();
                let drive = What::Drive {
                    km,
                    odometer: 0.0,
                    level: 0.0,
                };
                self.put(0, length, drive);
            }
            Deed::AppUse => self.put(0, APP_USE, What::Use),
            Deed::Charge {
                length,
                kw,
                dc,
                scheduled_in,
            } => {
                self.cut_short(Act::is_charge);
                let wait = scheduled_in.map_or(0, ms);
                self.cable = Cable {
                    plugged: true,
                    dc,
                    scheduled: scheduled_in.map(|_| self.now + wait),
                };
                self.energy_added_kwh = 0.0;
                self.used(self.now);
                self.put(wait, length, What::Charge { kw });
            }
            Deed::Hold { reason, length } => self.put(0, length, What::Hold(reason)),
            Deed::Update { download, install } => {
                self.next_version = Some(version_after(
                    &self.firmware,
                    self.spec.seed ^ self.n_periods,
                ));
                self.put(0, download, What::Download);
                self.put(ms(download), install, What::Install);
            }
            Deed::Service { length } => self.put(0, length, What::Service),
            Deed::DeadZone { length } => self.put(0, length, What::DeadZone),
        }
    }

    fn put(&mut self, wait: i64, length: Duration, what: What) {
        let start = self.now + wait;
        self.acts.push(Act {
            start,
            end: start + ms(length),
            begun: false,
            what,
        });
    }

    pub(super) fn begin(&mut self, index: usize) {
        self.acts[index].begun = true;
        if self.acts[index].what.keeps_awake() {
            self.used(self.now);
        }
        match &mut self.acts[index].what {
            What::Drive {
                odometer, level, ..
            } => {
                (*odometer, *level) = (self.odometer_km, self.battery_level);
                self.tally.drives += 1;
                self.log(LifeEvent::DriveStarted);
            }
            What::Charge { .. } => {
                self.tally.charges += 1;
                self.cable.scheduled = None;
                self.log(LifeEvent::ChargeStarted);
            }
            What::Install => self.log(LifeEvent::InstallStarted),
            _ => {}
        }
    }

    pub(super) fn end(&mut self, act: &Act) {
        if act.what.keeps_awake() {
            self.used(self.now);
        }
        match act.what {
            What::Drive { .. } => {
                self.last_drive_end = self.now;
                self.log(LifeEvent::DriveEnded);
            }
            What::Charge { .. } => {
                self.cable.plugged = !self.cable.dc;
                self.log(LifeEvent::ChargeEnded);
            }
            What::Install => {
                self.firmware = self
                    .next_version
                    .take()
                    .unwrap_or_else(|| self.firmware.clone());
                self.log(LifeEvent::InstallEnded);
            }
            _ => {}
        }
    }

    /// Ends what cannot go on beside a new deed.
    fn cut_short(&mut self, which: fn(&Act) -> bool) {
        while let Some(index) = self.acts.iter().position(which) {
            let act = self.acts.swap_remove(index);
            if act.begun {
                self.end(&act);
            }
        }
    }
}

/// `2026.38.6 c1f8…` → `2026.38.7 …` with another hash.
fn version_after(firmware: &str, seed: u64) -> String {
    let version = firmware.split(' ').next().unwrap_or(firmware);
    let (head, tail) = version.rsplit_once('.').unwrap_or((version, "0"));
    let next = tail.parse::<u32>().unwrap_or(0).wrapping_add(1);
    format!("{head}.{next} {:012x}", mix(seed) >> 16)
}
