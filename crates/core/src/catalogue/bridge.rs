//! The bridge's own facts, under `<base>/bridge/<key>`, those of its accounts, under
//! `<base>/bridge/accounts/<name>/<key>`, and their rows.

use jiff::Timestamp;

use super::entity::{Entity, Platform};
use super::extractor::Extractor;
use super::value::EntityValue;
use crate::failure::Explanation;
use crate::policy::{GovernorStatus, MonthlyLimit};

/// What the bridge knows about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgeFacts {
    /// Its version.
    pub version: String,
    /// Start of the process.
    pub started_at: Timestamp,
    /// Cars that are followed.
    pub n_cars: usize,
    /// The newest error that a person should see and that has not ended.
    pub last_error: Option<Explanation>,
}

/// A row and where its value comes from.
#[derive(Debug, Clone, Copy)]
pub struct BridgeEntity {
    /// What it is.
    pub entity: Entity,
    /// Its value.
    pub read: fn(&BridgeFacts) -> EntityValue,
}

/// Every fact of the bridge but `state`, which is its availability.
#[rustfmt::skip]
pub const BRIDGE_ENTITIES: &[BridgeEntity] = &[
    of(sensor("version",    "Version")   .diagnostic().icon("numeric"),              |facts| EntityValue::text(&facts.version)),
    of(sensor("started_at", "Started")   .diagnostic().class("timestamp"),           |facts| EntityValue::Time(facts.started_at)),
    of(sensor("cars",       "Cars")      .diagnostic().icon("car-multiple"),         |facts| EntityValue::Text(facts.n_cars.to_string())),
    of(sensor("last_error", "Last error").diagnostic().icon("alert-circle-outline"), last_error),
];

/// A row of an account and where its value comes from.
#[derive(Debug, Clone, Copy)]
pub struct AccountEntity {
    /// What it is.
    pub entity: Entity,
    /// Its value.
    pub read: fn(&GovernorStatus) -> EntityValue,
}

/// Every fact of an account, of this UTC month. No key ends in another one: `<name>_<key>` is told
/// apart whatever the name.
#[rustfmt::skip]
pub const ACCOUNT_ENTITIES: &[AccountEntity] = &[
    account(sensor("data_calls",        "Data calls this month")    .metered("", "").diagnostic().icon("counter"),                     |status| count(status.month.data)),
    account(sensor("light_calls",       "Light calls this month")   .metered("", "").diagnostic().off().icon("counter"),               |status| count(status.month.light)),
    account(sensor("commands",          "Commands this month")      .metered("", "").diagnostic().off().icon("counter"),               |status| count(status.month.command)),
    account(sensor("wakes",             "Wakes this month")         .metered("", "").diagnostic().off().icon("counter"),               |status| count(status.month.wake)),
    account(sensor("dollars",           "Cost this month")          .unit("USD", "monetary").precision(2).diagnostic(),                |status| EntityValue::number(status.dollars, 2)),
    account(sensor("dollars_projected", "Projected cost this month").unit("USD", "monetary").precision(2).diagnostic(),                |status| EntityValue::number(status.projected_dollars, 2)),
    account(sensor("dollars_limit",     "Cost limit")               .unit("USD", "monetary").precision(2).diagnostic().off(),          dollars_limit),
    account(sensor("data_calls_limit",  "Data call limit")          .diagnostic().off().icon("speedometer-slow"),                      data_calls_limit),
    account(sensor("budget_factor",     "Stretch of intervals")     .measured("", "").precision(1).diagnostic().icon("arrow-expand-horizontal"), |status| EntityValue::number(status.factor, 2)),
];

fn last_error(facts: &BridgeFacts) -> EntityValue {
    match &facts.last_error {
        Some(error) => EntityValue::text(&error.to_string()),
        None => EntityValue::Word("none"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a month")]
fn count(calls: u64) -> EntityValue {
    EntityValue::number(calls as f64, 0)
}

fn dollars_limit(status: &GovernorStatus) -> EntityValue {
    match status.limit {
        Some(MonthlyLimit::Dollars(dollars)) => EntityValue::number(dollars, 2),
        Some(MonthlyLimit::DataCalls(_)) | None => EntityValue::Unknown,
    }
}

fn data_calls_limit(status: &GovernorStatus) -> EntityValue {
    match status.limit {
        Some(MonthlyLimit::DataCalls(calls)) => count(calls.into()),
        Some(MonthlyLimit::Dollars(_)) | None => EntityValue::Unknown,
    }
}

#[expect(clippy::large_types_passed_by_value, reason = "in constants only")]
const fn account(entity: Entity, read: fn(&GovernorStatus) -> EntityValue) -> AccountEntity {
    AccountEntity { entity, read }
}

#[expect(clippy::large_types_passed_by_value, reason = "in constants only")]
const fn of(entity: Entity, read: fn(&BridgeFacts) -> EntityValue) -> BridgeEntity {
    BridgeEntity { entity, read }
}

const fn sensor(key: &'static str, name: &'static str) -> Entity {
    Entity::new(Platform::Sensor, key, name, Extractor::Nothing)
}
