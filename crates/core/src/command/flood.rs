//! How many messages a second are listened to. An automation that loops must neither storm the
//! policy nor fill the broker with answers.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::DeviceId;

/// Commands for one device in one second that are taken up.
pub(super) const TAKEN: u32 = 5;
/// Further ones that are refused with an answer; the rest has none.
pub(super) const ANSWERED: u32 = 10;
const WINDOW: Duration = Duration::from_secs(1);

/// What to do with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Take it up.
    Take,
    /// Answer that it is too much.
    Refuse,
    /// Leave it.
    Drop,
}

/// Counts by device; what is for no device of ours counts together, so that inventing names is no
/// way around it and memory is bounded by the devices.
#[derive(Debug, Default)]
pub struct Flood {
    windows: BTreeMap<Option<DeviceId>, (Duration, u32)>,
}

impl Flood {
    /// A message came at this monotonic time.
    pub fn admit(&mut self, device: Option<&DeviceId>, now: Duration) -> Admission {
        let window = self.windows.entry(device.cloned()).or_insert((now, 0));
        if now.saturating_sub(window.0) >= WINDOW {
            *window = (now, 0);
        }
        window.1 = window.1.saturating_add(1);
        match window.1 {
            n if n <= TAKEN => Admission::Take,
            n if n <= TAKEN + ANSWERED => Admission::Refuse,
            _ => Admission::Drop,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_in_a_second_are_taken_ten_more_answered_and_the_next_second_is_new() {
        let car = DeviceId::new("LRW3E7EK5PC000001").unwrap();
        let other = DeviceId::new("LRW3E7EK5PC000002").unwrap();
        let mut flood = Flood::default();
        let at = |ms| Duration::from_millis(ms);
        let admissions: Vec<Admission> =
            (0..20).map(|ms| flood.admit(Some(&car), at(ms))).collect();
        assert!(
            admissions[..5]
                .iter()
                .all(|admission| *admission == Admission::Take)
        );
        assert!(
            admissions[5..15]
                .iter()
                .all(|admission| *admission == Admission::Refuse)
        );
        assert!(
            admissions[15..]
                .iter()
                .all(|admission| *admission == Admission::Drop)
        );
        assert_eq!(flood.admit(Some(&other), at(20)), Admission::Take);
        assert_eq!(flood.admit(None, at(20)), Admission::Take);
        assert_eq!(flood.admit(Some(&car), at(999)), Admission::Drop);
        assert_eq!(flood.admit(Some(&car), at(1000)), Admission::Take);
    }
}
