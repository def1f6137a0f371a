//! The client's notices as lines of the log.

use std::time::Duration;

use tracing::{error, info, warn};

use crate::config;
use crate::mqtt_client::ClientNotice;

/// Writes a line.
pub(super) fn log(settings: &config::MqttSettings, notice: ClientNotice) {
    let config::MqttSettings { host, port, .. } = settings;
    match notice {
        ClientNotice::Unreachable(reason) => warn!(%reason, "broker unreachable"),
        ClientNotice::Lost(reason) => warn!(%reason, "broker connection lost"),
        ClientNotice::NeedsOwner(reason) => {
            error!(%reason, "no broker connection until this is mended");
        }
        ClientNotice::Connected { n_topics } => {
            info!(%host, port, topics = n_topics, "connected to the broker");
        }
        ClientNotice::Back { away, n_topics } => {
            let away = rounded(away);
            info!(%host, port, "broker back after {away}, {n_topics} topics republished");
        }
        ClientNotice::RetainsNothing => warn!(
            "this broker does not keep retained messages: \
             whoever subscribes later sees nothing until a value changes"
        ),
        ClientNotice::OnlyQos0 => warn!(
            "this broker supports only QoS 0, so everything is published without \
             acknowledgement: what is lost on the way stays lost until it changes, or until \
             the next connection"
        ),
        ClientNotice::TopicLeftOut(reason) => error!(%reason, "a topic is not published"),
        ClientNotice::MessageRefused { topic, refusal } => {
            let (why, hint) = (refusal.why(), refusal.hint());
            warn!(
                %topic, %why,
                "the broker refuses what we publish: {hint} (only the first topic is named)"
            );
        }
        ClientNotice::SubscriptionRefused { filter, why } => {
            warn!(%filter, %why, "the broker refuses a subscription: check its access list");
        }
        ClientNotice::NotSent(not_sent) => warn!("{not_sent}"),
        ClientNotice::OfflineAcknowledged => info!("said offline to the broker"),
        ClientNotice::NotDrained { n_lost } => {
            warn!(lost = n_lost, "the broker did not take everything in time");
        }
    }
}

/// A duration, rounded: `2m 10s`, `340ms`.
fn rounded(duration: Duration) -> String {
    let whole = if duration < Duration::from_secs(10) {
        Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    } else {
        Duration::from_secs(duration.as_secs())
    };
    jiff::SignedDuration::try_from(whole).map_or_else(
        |_| format!("{}s", whole.as_secs()),
        |whole| format!("{whole:#}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_spoken_of_in_round_figures() {
        assert_eq!(rounded(Duration::from_millis(130_900)), "2m 10s");
        assert_eq!(rounded(Duration::from_micros(340_900)), "340ms");
    }
}
