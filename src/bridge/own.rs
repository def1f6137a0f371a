//! How the bridge speaks about itself: `<base>/bridge/...` and its own discovery message.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;

use super::voice::setup;
use crate::api::{Account, AccountStatus};
use crate::catalogue::BridgeFacts;
use crate::clock;
use crate::config::{Api, Settings};
use crate::discovery;
use crate::model::Vin;
use crate::mqtt::{Handle, Publish};
use crate::topics;

/// The bridge's own voice.
pub struct OwnVoice {
    mqtt: Handle,
    started_at: Timestamp,
    last_error: Option<String>,
}

impl OwnVoice {
    /// Nothing said yet.
    pub fn new(mqtt: Handle) -> Self {
        Self {
            mqtt,
            started_at: clock::now().wall,
            last_error: None,
        }
    }

    /// Tells Home Assistant of the bridge; its message never changes while it runs.
    pub async fn announce(&self, settings: &Settings) {
        if !settings.homeassistant.enabled {
            return;
        }
        let message = discovery::bridge(&setup(settings));
        let payload = message.payload(&BTreeMap::new()).into();
        let topic = message.topic;
        self.mqtt.publish(Publish::State { topic, payload }).await;
    }

    /// An account's news: the log's line, and the error that a person should see.
    pub fn heed(&mut self, account: &str, status: &AccountStatus) {
        let trouble = match status {
            AccountStatus::SignedOut { sentence } | AccountStatus::Unreachable { sentence } => {
                sentence
            }
            AccountStatus::SigningIn | AccountStatus::SignedIn { .. } => return,
        };
        self.last_error = Some(format!("account {account}: {trouble}"));
    }

    /// Says the bridge's facts; what did not change is not sent.
    pub async fn say<'a>(
        &self,
        settings: &Settings,
        accounts: impl Iterator<Item = &'a Account>,
        cars: impl Iterator<Item = &'a Vin>,
    ) {
        let cars: Vec<&str> = cars.map(Vin::as_str).collect();
        let base = &settings.mqtt.base_topic;
        let facts = BridgeFacts {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: self.started_at,
            n_cars: cars.len(),
            last_error: self.last_error.clone(),
        };
        for message in topics::bridge(base, &facts) {
            self.mqtt.publish(message).await;
        }
        let accounts: Vec<_> = accounts
            .map(|account| {
                json!({
                    "name": account.name(),
                    "api": api_word(account.api()),
                    "status": account.status().borrow().word(),
                })
            })
            .collect();
        let info = json!({
            "version": facts.version,
            "started_at": self.started_at.to_string(),
            "accounts": accounts,
            "cars": cars,
            "doors": ["polling"],
        });
        let topic = format!("{base}/bridge/info");
        let payload = info.to_string().into();
        self.mqtt.publish(Publish::State { topic, payload }).await;
    }
}

fn api_word(api: Api) -> &'static str {
    match api {
        Api::Fleet => "fleet",
        Api::Owner => "owner",
        Api::Password => "password",
    }
}
