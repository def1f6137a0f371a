//! Where a driving car is, how fast and with what power, in closed form: any instant of a drive
//! can be asked for without having played the instants before.

use std::f64::consts::TAU;

/// Between two stops of a drive (traffic lights), the way.
const KM_BETWEEN_STOPS: f64 = 1.6;
/// The closed road on which every simulated car drives.
const LOOP_KM: f64 = 21.0;
pub(super) const KM_PER_MILE: f64 = 1.609_344;
const KM_PER_DEGREE: f64 = 111.2;

/// One instant of a drive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct DriveInstant {
    /// Driven so far.
    pub km: f64,
    /// Now.
    pub speed_kmh: f64,
    /// Drawn from the battery; negative while slowing down.
    pub power_kw: f64,
}

/// The instant after `done` (0 to 1) of a drive of `km` in `hours`. The speed swings between
/// standstill and twice the average, once for each stop.
pub(super) fn moment(km: f64, hours: f64, done: f64, wh_per_km: f64) -> DriveInstant {
    let stops = (km / KM_BETWEEN_STOPS).round().max(1.0);
    let phase = TAU * stops * done;
    let average = km / hours;
    let speed_kmh = average * (1.0 - phase.cos());
    let speeding_up = average * phase.sin() * stops / km;
    DriveInstant {
        km: km * (done - phase.sin() / (TAU * stops)),
        speed_kmh,
        power_kw: speed_kmh * wh_per_km / 1000.0 + speeding_up * 0.45,
    }
}

/// A place on the loop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Degrees, WGS84.
    pub latitude: f64,
    /// Degrees, WGS84.
    pub longitude: f64,
    /// Degrees from north, 0 to below 360.
    pub heading: f64,
}

/// The place after `odometer_km` on a loop that passes `home`.
pub(super) fn place(home: (f64, f64), odometer_km: f64) -> Place {
    let angle = TAU * (odometer_km / LOOP_KM).fract();
    let radius_km = LOOP_KM / TAU;
    let (north_km, east_km) = (radius_km * angle.sin(), radius_km * (1.0 - angle.cos()));
    let latitude = home.0 + north_km / KM_PER_DEGREE;
    Place {
        latitude,
        longitude: home.1 + east_km / (KM_PER_DEGREE * home.0.to_radians().cos().max(0.05)),
        heading: angle.to_degrees().rem_euclid(360.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drive_ends_after_exactly_its_way_and_never_goes_back() {
        let mut before = 0.0;
        for step in 0..=1000 {
            let now = moment(48.0, 0.5, f64::from(step) / 1000.0, 160.0);
            assert!(now.km >= before - 1e-9, "went back at step {step}");
            assert!(now.speed_kmh >= 0.0);
            before = now.km;
        }
        assert!((before - 48.0).abs() < 1e-6);
    }

    #[test]
    fn the_loop_closes_and_its_heading_is_a_compass_bearing() {
        let home = (52.1, 5.1);
        let (there, back) = (place(home, 0.0), place(home, LOOP_KM));
        assert!((there.latitude - back.latitude).abs() < 1e-6);
        assert!((there.longitude - back.longitude).abs() < 1e-6);
        for km in 0..40 {
            let heading = place(home, f64::from(km)).heading;
            assert!((0.0..360.0).contains(&heading), "{heading}");
        }
    }
}
