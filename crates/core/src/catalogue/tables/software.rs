//! Software and what the car was built with.

use super::{binary, sensor, update};
use crate::catalogue::derived as d;
use crate::catalogue::entity::Entity;
use crate::catalogue::extractor::Extractor::{Derived, Text};

#[rustfmt::skip]
pub(super) const ROWS: &[Entity] = &[
    update("software_update",          "Update",                            Derived(d::UPDATE, d::software_update))          .stream("Version, SoftwareUpdateVersion").command("schedule_software_update, cancel_software_update").note("JSON for Home Assistant; map packages are no update"),
    sensor("version",                  "Version",                           Derived(d::VERSION, d::version))                 .diagnostic().off().icon("numeric").stream("Version").note("without Tesla's hash"),
    binary("update_available",         "Update available",                  Derived(d::UPDATE, d::update_available))         .class("update").diagnostic().off(),
    sensor("update_version",           "Update version",                    Derived(d::UPDATE, d::update_version))           .diagnostic().off().icon("numeric").stream("SoftwareUpdateVersion"),
    sensor("update_download_percent",  "Software update download",          Derived(d::UPDATE, d::update_download_percent))  .measured("%", "").diagnostic().off().precision(0).icon("download").stream("SoftwareUpdateDownloadPercentComplete"),
    sensor("update_install_percent",   "Software update installation",      Derived(d::UPDATE, d::update_install_percent))   .measured("%", "").diagnostic().off().precision(0).icon("update").stream("SoftwareUpdateInstallationPercentComplete").note("only while installing"),
    sensor("update_expected_duration", "Software update expected duration", Derived(d::UPDATE, d::update_expected_duration)) .measured("min", "duration").diagnostic().off().precision(0).stream("SoftwareUpdateExpectedDurationMinutes"),
    sensor("model",                    "Model",                             Derived(d::MODEL, d::model))                     .diagnostic().off().icon("car").stream("CarType"),
    sensor("trim_badging",             "Trim badging",                      Text("vehicle_config.trim_badging"))             .diagnostic().off().icon("shield-star-outline").stream("Trim"),
    sensor("exterior_color",           "Exterior color",                    Text("vehicle_config.exterior_color"))           .diagnostic().off().icon("palette").stream("ExteriorColor"),
    sensor("wheel_type",               "Wheel type",                        Text("vehicle_config.wheel_type"))               .diagnostic().off().icon("tire").stream("WheelType"),
    sensor("spoiler_type",             "Spoiler type",                      Text("vehicle_config.spoiler_type"))             .diagnostic().off().icon("car-sports"),
];
