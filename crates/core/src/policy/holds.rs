//! What a parked car is doing and what keeps it awake (sleep policy, section 3): which fields of
//! `vehicle_data` block sleep, and which are only worth a note. A missing or wrongly typed field
//! never blocks.

use super::interface::HoldReason;
use crate::model::{CarRecord, ChargingState, Gear, SoftwareUpdate};

/// What the car is doing, in the order in which data decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activity {
    InService,
    Driving,
    Updating,
    Charging,
    Parked,
}

pub(super) fn activity(view: &CarRecord) -> Activity {
    if view.in_service {
        Activity::InService
    } else if view.gear.is_some_and(Gear::is_driving) {
        // A car in gear installs nothing, whatever its update says.
        Activity::Driving
    } else if view
        .update
        .as_ref()
        .is_some_and(SoftwareUpdate::is_installing)
    {
        Activity::Updating
    } else if view.charging_state.and_then(ChargingState::is_charging) == Some(true) {
        Activity::Charging
    } else {
        Activity::Parked
    }
}

/// Everything that keeps a parked car awake, in the order of the reference's table.
pub(super) fn holds(view: &CarRecord, unlocked_holds: bool) -> Vec<HoldReason> {
    let update = view.update.as_ref();
    let downloading = update.is_some_and(SoftwareUpdate::is_downloading);
    let keeper = ["on", "dog", "camp"]
        .iter()
        .any(|mode| is(view.climate_keeper_mode.as_ref(), mode));
    let rows = [
        (HoldReason::Power, view.power_kw.is_some_and(|kw| kw > 0.0)),
        (HoldReason::Downloading, downloading),
        (HoldReason::UserPresent, view.user_present),
        (HoldReason::SentryMode, view.sentry_mode),
        (HoldReason::Preconditioning, view.preconditioning),
        (HoldReason::Climate, view.climate_on),
        (HoldReason::ClimateKeeper, keeper),
        (HoldReason::CabinOverheat, view.cabin_overheat_cooling),
        (HoldReason::DoorOpen, view.door_open),
        (HoldReason::TrunkOpen, view.trunk_open),
        (
            HoldReason::Unlocked,
            unlocked_holds && view.locked == Some(false),
        ),
    ];
    rows.into_iter()
        .filter_map(|(reason, seen)| seen.then_some(reason))
        .collect()
}

fn is(value: Option<&String>, word: &str) -> bool {
    value.is_some_and(|value| value.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::UpdateStatus;

    fn seen(change: impl FnOnce(&mut CarRecord)) -> CarRecord {
        let mut view = CarRecord::default();
        change(&mut view);
        view
    }

    #[test]
    fn a_view_without_any_field_is_a_parked_car_that_nothing_holds() {
        let view = CarRecord::default();
        assert_eq!(activity(&view), Activity::Parked);
        assert_eq!(holds(&view, true), []);
    }

    fn update(status: UpdateStatus, download_percent: Option<f64>) -> SoftwareUpdate {
        SoftwareUpdate {
            status,
            version: Some("2026.8".to_owned()),
            download_percent,
            install_percent: None,
        }
    }

    #[test]
    fn data_decides_in_the_order_service_gear_update_charge() {
        let mut view = seen(|v| v.charging_state = Some(ChargingState::Charging));
        assert_eq!(activity(&view), Activity::Charging);
        view.update = Some(update(UpdateStatus::Installing, None));
        assert_eq!(activity(&view), Activity::Updating);
        view.gear = Some(Gear::R);
        assert_eq!(activity(&view), Activity::Driving);
        view.in_service = true;
        assert_eq!(activity(&view), Activity::InService);
    }

    #[test]
    fn words_that_do_not_block() {
        let notes: [fn(&mut CarRecord); 12] = [
            |v| v.power_kw = Some(-3.0),
            |v| v.power_kw = Some(f64::NAN),
            |v| v.update = Some(update(UpdateStatus::Available, None)),
            |v| v.update = Some(update(UpdateStatus::Scheduled, None)),
            |v| v.update = Some(update(UpdateStatus::DownloadingWifiWait, None)),
            |v| v.update = Some(update(UpdateStatus::Downloading, Some(100.0))),
            |v| v.climate_keeper_mode = Some("off".into()),
            |v| v.climate_keeper_mode = Some("unknown".into()),
            |v| v.charging_state = Some(ChargingState::Calibrating),
            |v| v.charging_state = Some(ChargingState::NoPower),
            |v| v.gear = Some(Gear::P),
            |v| v.locked = Some(false),
        ];
        for (row, note) in notes.into_iter().enumerate() {
            let view = seen(note);
            assert_eq!(holds(&view, false), [], "row {row}");
            assert_eq!(activity(&view), Activity::Parked, "row {row}");
        }
    }
}
