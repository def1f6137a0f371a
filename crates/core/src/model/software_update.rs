//! What counts as a software update. Tesla's object keeps the words of an update that is long
//! over, and tells of map packages in the same fields; this is the one place that tells them
//! apart.

use serde::{Deserialize, Serialize};

use super::Vehicle;

/// How far an update is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateStatus {
    /// On offer.
    Available,
    /// To be installed later.
    Scheduled,
    /// Waits for Wi-Fi.
    DownloadingWifiWait,
    /// Being downloaded.
    Downloading,
    /// Being installed.
    Installing,
}

impl UpdateStatus {
    /// By Tesla's word; none for nothing and for a word that is not listed.
    pub fn of(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "available" => Some(Self::Available),
            "scheduled" => Some(Self::Scheduled),
            "downloading_wifi_wait" => Some(Self::DownloadingWifiWait),
            "downloading" => Some(Self::Downloading),
            "installing" => Some(Self::Installing),
            _ => None,
        }
    }
}

/// An update of the car's firmware that is not installed yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SoftwareUpdate {
    /// How far it is.
    pub status: UpdateStatus,
    /// The version to come.
    pub version: Option<String>,
    /// Of the download, 0 to 100.
    pub download_percent: Option<f64>,
    /// Of the installation, 0 to 100.
    pub install_percent: Option<f64>,
}

impl SoftwareUpdate {
    /// The update of which a car tells. Status decides, because the other fields keep stale values
    /// without an update. Map packages (`EU-2023.20-14615`) are no firmware, and what is installed
    /// already is no update, whatever the status says.
    pub fn of_car(car: &Vehicle) -> Option<Self> {
        let status = car.text("vehicle_state.software_update.status")?;
        let status = UpdateStatus::of(status)?;
        let version = car.text("vehicle_state.software_update.version");
        let is_firmware = |version: &str| version.starts_with(|first: char| first.is_ascii_digit());
        let is_installed = |version: &str| installed_version(car) == Some(version);
        if version.is_some_and(|version| !is_firmware(version) || is_installed(version)) {
            return None;
        }
        let percent = |field: &str| {
            let percent = car.number(&format!("vehicle_state.software_update.{field}"));
            percent.map(|percent| percent.clamp(0.0, 100.0))
        };
        Some(Self {
            status,
            version: version.map(str::to_owned),
            download_percent: percent("download_perc"),
            install_percent: percent("install_perc"),
        })
    }

    /// It is being installed.
    pub fn is_installing(&self) -> bool {
        self.status == UpdateStatus::Installing
    }

    /// It is being downloaded, and not done with that.
    pub fn is_downloading(&self) -> bool {
        self.status == UpdateStatus::Downloading
            && self.download_percent.is_none_or(|percent| percent < 100.0)
    }
}

/// The car's firmware without Tesla's hash.
pub fn installed_version(car: &Vehicle) -> Option<&str> {
    let version = car.text("vehicle_state.car_version")?;
    version.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::{Observation, Signal, Source, Value, Vin};

    fn update(status: &str, version: Option<&str>, installed: &str) -> Option<SoftwareUpdate> {
        let mut car = Vehicle::new(Vin::new("5YJ3E7EB0KF000005").unwrap());
        let text = |field: &str, word: &str| {
            let signal = Signal::new(&format!("vehicle_state.{field}"));
            (signal, Some(Value::Text(word.to_owned())))
        };
        let mut signals = vec![
            text("software_update.status", status),
            text("car_version", installed),
        ];
        signals.extend(version.map(|version| text("software_update.version", version)));
        car.apply(&Observation {
            source: Source::Data,
            at: Timestamp::UNIX_EPOCH,
            whole_groups: Vec::new(),
            signals,
        });
        SoftwareUpdate::of_car(&car)
    }

    #[test]
    fn what_is_installed_and_what_is_a_map_is_no_update() {
        let installed = "2023.44.30.8 06f534d46010";
        for status in [
            "available",
            "scheduled",
            "downloading_wifi_wait",
            "downloading",
            "installing",
        ] {
            let is = |version| update(status, version, installed).is_some();
            assert!(is(Some("2024.2")), "{status}");
            assert!(is(Some("2023.44.30.80")), "{status}");
            assert!(is(None), "{status}");
            assert!(!is(Some("2023.44.30.8")), "{status}");
            assert!(!is(Some("EU-2025.32-15211")), "{status}");
            assert!(!is(Some("NA-2024.8-14900")), "{status}");
        }
        assert_eq!(update("", Some("2024.2"), installed), None);
        assert_eq!(update("dreaming", Some("2024.2"), installed), None);
    }
}
