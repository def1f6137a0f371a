//! How many messages a second are listened to. An automation that loops must neither storm the
//! policy nor fill the broker with answers.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::DeviceId;

/// Commands for one device in one second that are taken up.
pub const TAKEN: u32 = 5;
/// Further ones that are refused with an answer; the rest has none.
pub const ANSWERED: u32 = 10;
const WINDOW: Duration = Duration::from_secs(1);

/// What to do with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
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
    pub fn pace(&mut self, device: Option<&DeviceId>, now: Duration) -> Pace {
        let window = self.windows.entry(device.cloned()).or_insert((now, 0));
        if now.saturating_sub(window.0) >= WINDOW {
            *window = (now, 0);
        }
        window.1 = window.1.saturating_add(1);
        match window.1 {
            n if n <= TAKEN => Pace::Take,
            n if n <= TAKEN + ANSWERED => Pace::Refuse,
            _ => Pace::Drop,
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
        let paces: Vec<Pace> = (0..20).map(|ms| flood.pace(Some(&car), at(ms))).collect();
        assert!(paces[..5].iter().all(|pace| *pace == Pace::Take));
        assert!(paces[5..15].iter().all(|pace| *pace == Pace::Refuse));
        assert!(paces[15..].iter().all(|pace| *pace == Pace::Drop));
        assert_eq!(flood.pace(Some(&other), at(20)), Pace::Take);
        assert_eq!(flood.pace(None, at(20)), Pace::Take);
        assert_eq!(flood.pace(Some(&car), at(999)), Pace::Drop);
        assert_eq!(flood.pace(Some(&car), at(1000)), Pace::Take);
    }
}
