//! What the bridge says of itself and of its accounts: the facts are gathered here, and what its
//! publisher makes of them is carried out.

use super::Bridge;
use super::publishing::setup;
use super::retained::Retained;
use crate::clock;
use crate::config::{Api, Settings};
use crate::discovery;
use crate::model::{DeviceId, Now};
use crate::mqtt::Connection;
use crate::publisher::{self, AccountReport, BridgePublisher, Publication};
use crate::retained::{Declaration, Manifest};

/// What the bridge publishes as soon as there is a broker.
pub(super) fn first_declaration(settings: &Settings, manifest: &Manifest) -> Declaration {
    publisher::first_declaration(&setup(settings), manifest)
}

/// The bridge's publisher, after what an earlier run left at the broker.
pub(super) async fn bridge_publisher(settings: &Settings, retained: &Retained) -> BridgePublisher {
    let setup = setup(settings);
    let announced = retained.announced(&discovery::bridge_topic(&setup)).await;
    let mut at_broker = Vec::new();
    for owner in retained.owners().await {
        let topics = retained.topics_of(&owner).await;
        at_broker.push((owner, topics));
    }
    BridgePublisher::new(
        setup,
        settings.homeassistant.enabled,
        announced,
        at_broker,
        clock::now().wall,
    )
}

impl Bridge {
    /// Says what has changed of the bridge and its accounts.
    pub(super) async fn publish_bridge(&mut self) {
        let now = clock::now();
        let reports = self.accounts.values().map(|followed| AccountReport {
            name: followed.settings.name.clone(),
            api: api_word(followed.settings.api),
            login: followed.account.status().borrow().word(),
            spent: followed.ledger.governor().status(now),
        });
        let reports: Vec<AccountReport> = reports.collect();
        let cars: Vec<DeviceId> = self.fleet.followed().cloned().collect();
        let configured = self.settings.accounts.iter();
        let configured = configured.map(|account| account.name.clone()).collect();
        let last_error = self.troubles.newest();
        self.publisher
            .begin(configured, &reports, &cars, last_error, now);
        self.publish_own().await;
    }

    /// Publishes what the bridge has to say. Home Assistant is told in the world's time, however
    /// fast the cars' clocks run.
    pub(super) async fn publish_own(&mut self) {
        let is_up = matches!(*self.mqtt.connection().borrow(), Connection::Up(_));
        self.publisher.connection(is_up);
        let now = Now {
            mono: clock::uptime(),
            wall: clock::now().wall,
        };
        while let Some(publication) = self.publisher.next(now) {
            match publication {
                Publication::Declare(declaration) => self.retained.declare(declaration).await,
                Publication::Publish(messages) => self.mqtt.publish_all(messages).await,
            }
        }
    }
}

fn api_word(api: Api) -> &'static str {
    match api {
        Api::Fleet => "fleet",
        Api::Owner => "owner",
        Api::Password => "password",
    }
}
