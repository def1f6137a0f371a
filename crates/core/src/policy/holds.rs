//! What a parked car is doing and what keeps it awake (sleep policy, section 3): which fields of
//! `vehicle_data` block sleep, and which are only worth a note. A missing or wrongly typed field
//! never blocks.

use super::interface::{DataView, HoldReason};

/// What the car is doing, in the order in which data decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activity {
    InService,
    Updating,
    Driving,
    Charging,
    Parked,
}

pub(super) fn activity(view: &DataView) -> Activity {
    if view.in_service {
        Activity::InService
    } else if is(view.update_status.as_ref(), "installing") {
        Activity::Updating
    } else if in_gear(view.shift_state.as_deref()) {
        Activity::Driving
    } else if is_charging(view.charging_state.as_deref()) {
        Activity::Charging
    } else {
        Activity::Parked
    }
}

/// `D`, `R` and `N`: a car rolling in neutral drives too.
pub(super) fn in_gear(shift_state: Option<&str>) -> bool {
    shift_state.is_some_and(|gear| ["D", "R", "N"].iter().any(|g| gear.eq_ignore_ascii_case(g)))
}

pub(super) fn is_charging(word: Option<&str>) -> bool {
    word.is_some_and(|word| {
        ["Charging", "Starting"]
            .iter()
            .any(|w| word.eq_ignore_ascii_case(w))
    })
}

/// Current flows; `Starting` alone may come to nothing.
pub(super) fn current_flows(word: Option<&str>) -> bool {
    word.is_some_and(|word| word.eq_ignore_ascii_case("Charging"))
}

/// A word for a charge that is none of the known ones, `Calibrating` among them: worth one more
/// look, because what it turns into is not known.
pub(super) fn is_odd_charging_word(word: Option<&str>) -> bool {
    const KNOWN: [&str; 6] = [
        "Charging",
        "Starting",
        "Complete",
        "Stopped",
        "NoPower",
        "Disconnected",
    ];
    word.is_some_and(|word| !KNOWN.iter().any(|k| word.eq_ignore_ascii_case(k)))
}

/// Everything that keeps a parked car awake, in the order of the reference's table.
pub(super) fn holds(view: &DataView, unlocked_holds: bool) -> Vec<HoldReason> {
    let downloading = is(view.update_status.as_ref(), "downloading")
        && view
            .update_download_percent
            .is_none_or(|percent| percent < 100.0);
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

    fn seen(change: impl FnOnce(&mut DataView)) -> DataView {
        let mut view = DataView::default();
        change(&mut view);
        view
    }

    #[test]
    fn a_view_without_any_field_is_a_parked_car_that_nothing_holds() {
        let view = DataView::default();
        assert_eq!(activity(&view), Activity::Parked);
        assert_eq!(holds(&view, true), []);
    }

    #[test]
    fn data_decides_in_the_order_service_update_gear_charge() {
        let mut view = seen(|v| v.charging_state = Some("Charging".into()));
        assert_eq!(activity(&view), Activity::Charging);
        view.shift_state = Some("R".into());
        assert_eq!(activity(&view), Activity::Driving);
        view.update_status = Some("installing".into());
        assert_eq!(activity(&view), Activity::Updating);
        view.in_service = true;
        assert_eq!(activity(&view), Activity::InService);
    }

    #[test]
    fn words_that_do_not_block() {
        let notes: [fn(&mut DataView); 12] = [
            |v| v.power_kw = Some(-3.0),
            |v| v.power_kw = Some(f64::NAN),
            |v| v.update_status = Some("available".into()),
            |v| v.update_status = Some("scheduled".into()),
            |v| v.update_status = Some("downloading_wifi_wait".into()),
            |v| {
                v.update_status = Some("downloading".into());
                v.update_download_percent = Some(100.0);
            },
            |v| v.climate_keeper_mode = Some("off".into()),
            |v| v.climate_keeper_mode = Some("unknown".into()),
            |v| v.charging_state = Some("Calibrating".into()),
            |v| v.charging_state = Some("NoPower".into()),
            |v| v.shift_state = Some("P".into()),
            |v| v.locked = Some(false),
        ];
        for (row, note) in notes.into_iter().enumerate() {
            let view = seen(note);
            assert_eq!(holds(&view, false), [], "row {row}");
            assert_eq!(activity(&view), Activity::Parked, "row {row}");
        }
    }
}
