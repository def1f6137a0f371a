//! A fresh subscriber that keeps the newest payload of every topic it is sent.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, MqttOptions};

use super::{SOON, eventually};

/// Topics by name, with their newest payload; an empty payload removes a topic.
pub type Topics = BTreeMap<String, String>;

/// Connected until dropped; reconnects by itself.
pub struct Subscriber {
    topics: Arc<Mutex<Topics>>,
    messages: Arc<Mutex<Vec<(String, String, bool)>>>,
    is_subscribed: Arc<AtomicBool>,
    client: AsyncClient,
    task: tokio::task::JoinHandle<()>,
}

impl Subscriber {
    /// Subscribes to `filter` at a broker on this machine.
    pub fn to(port: u16, filter: &str) -> Self {
        Self::with_login(port, filter, None)
    }

    pub fn with_login(port: u16, filter: &str, login: Option<(&str, &str)>) -> Self {
        let mut options = MqttOptions::new(client_id(), "127.0.0.1", port);
        options.set_max_packet_size(Some(1 << 20));
        options.set_keep_alive(Duration::from_secs(5));
        if let Some((user, password)) = login {
            options.set_credentials(user, password);
        }
        let (client, mut events) = AsyncClient::new(options, 64);
        let handle = client.clone();
        let topics = Arc::new(Mutex::new(Topics::new()));
        let messages = Arc::new(Mutex::new(Vec::new()));
        let is_subscribed = Arc::new(AtomicBool::new(false));
        let answered = is_subscribed.clone();
        let (kept, seen, filter) = (topics.clone(), messages.clone(), filter.to_owned());
        let task = tokio::spawn(async move {
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        let _ = client.subscribe(&filter, QoS::AtLeastOnce).await;
                    }
                    Ok(Event::Incoming(Packet::SubAck(_))) => {
                        answered.store(true, Ordering::Relaxed);
                    }
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        let topic = String::from_utf8_lossy(&publish.topic).into_owned();
                        let payload = String::from_utf8_lossy(&publish.payload).into_owned();
                        seen.lock().expect("unpoisoned").push((
                            topic.clone(),
                            payload.clone(),
                            publish.retain,
                        ));
                        let mut kept = kept.lock().expect("unpoisoned");
                        if payload.is_empty() {
                            kept.remove(&topic);
                        } else {
                            kept.insert(topic, payload);
                        }
                    }
                    Ok(_) => {}
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        });
        Self {
            topics,
            messages,
            is_subscribed,
            client: handle,
            task,
        }
    }

    /// Waits until the broker has taken its subscription: from then on it hears all that is said.
    pub async fn is_listening(&self) {
        let answered = || self.is_subscribed.load(Ordering::Relaxed);
        eventually("a subscription", SOON, answered).await;
    }

    /// Waits until it has heard all that the broker was sent before: a mark of its own, which its
    /// filter must fit, comes after that, and is forgotten again.
    pub async fn has_caught_up(&self) {
        let mark = format!("a-mark-of-the-test/{}", client_id());
        self.is_listening().await;
        self.send(&mark, "1").await;
        self.until(&mark, SOON).await;
        self.topics.lock().expect("unpoisoned").remove(&mark);
        let mut messages = self.messages.lock().expect("unpoisoned");
        messages.retain(|(topic, ..)| *topic != mark);
    }

    /// Publishes a retained message, as somebody else.
    pub async fn publish(&self, topic: &str, payload: &str) {
        let sent = self
            .client
            .publish(topic, QoS::AtLeastOnce, true, payload.to_owned());
        sent.await.expect("a running client");
    }

    /// Publishes a message that is not kept, as an automation does.
    pub async fn send(&self, topic: &str, payload: &str) {
        let sent = self
            .client
            .publish(topic, QoS::AtLeastOnce, false, payload.to_owned());
        sent.await.expect("a running client");
    }

    /// The newest payload of each topic so far.
    pub fn topics(&self) -> Topics {
        self.topics.lock().expect("unpoisoned").clone()
    }

    pub fn get(&self, topic: &str) -> Option<String> {
        self.topics.lock().expect("unpoisoned").get(topic).cloned()
    }

    /// Every message in the order of arrival: topic, payload, retain flag.
    pub fn messages(&self) -> Vec<(String, String, bool)> {
        self.messages.lock().expect("unpoisoned").clone()
    }

    /// Forgets everything so far.
    pub fn forget(&self) {
        self.topics.lock().expect("unpoisoned").clear();
        self.messages.lock().expect("unpoisoned").clear();
    }

    /// Waits until a topic has any payload, and returns it.
    pub async fn until(&self, topic: &str, limit: Duration) -> String {
        eventually(topic, limit, || self.get(topic).is_some()).await;
        self.get(topic).expect("just seen")
    }

    /// Waits until a topic has this payload.
    pub async fn wait_for(&self, topic: &str, payload: &str, limit: Duration) {
        let what = format!("{topic} = {payload}");
        eventually(&what, limit, || self.get(topic).as_deref() == Some(payload)).await;
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Every topic that a broker on this machine retains now.
pub async fn retained(port: u16) -> Topics {
    let fresh = Subscriber::to(port, "#");
    // A broker hands out what it retains before it carries what a subscriber says itself.
    fresh.has_caught_up().await;
    fresh.topics()
}

fn client_id() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!(
        "test-{}-{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}
