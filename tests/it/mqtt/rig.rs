//! What the tests of the connection stand on: a broker, a proxy in front of it, a watcher.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use tempfile::TempDir;
use tesla2mqtt::config::{self, MqttSettings, Protocol};
use tesla2mqtt::mqtt::{
    BrokerFacts, BrokerFailure, Connection, DrainOutcome, Handle, Incoming, OneShotClient,
    Subscription,
};
use tesla2mqtt::outbox::Publish;
use tesla2mqtt::{broker, mqtt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, tcp};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::ci;
use crate::rig::SOON;
use crate::rig::ports::free_port;

pub const BOTH: [Protocol; 2] = [Protocol::V5, Protocol::V4];
pub const LOOPBACK: &str = "127.0.0.1:0";
/// For whatever is waited for, however busy the machine is.
pub const PATIENCE: Duration = SOON;

/// Which broker a test runs against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    /// The one inside the bridge.
    Embedded,
    /// Eclipse Mosquitto, where it is installed; most owners have this one.
    Mosquitto,
}

/// Plays the story with every broker at hand and both protocol versions, all at once.
pub async fn everywhere(story: impl AsyncFn(Make, Protocol)) {
    let mut makes = vec![Make::Embedded];
    if mosquitto_is_here() {
        makes.push(Make::Mosquitto);
    }
    let pairs = makes.into_iter();
    let pairs = pairs.flat_map(|make| BOTH.map(|protocol| (make, protocol)));
    join_all(pairs.map(|(make, protocol)| story(make, protocol))).await;
}

/// Plays the story with a real Mosquitto and both protocol versions at once, where there is one.
pub async fn with_mosquitto(story: impl AsyncFn(Protocol)) {
    if mosquitto_is_here() {
        join_all(BOTH.map(|protocol| story(protocol))).await;
    }
}

/// Says so where it is not.
pub fn mosquitto_is_here() -> bool {
    let is_here = ci::program("mosquitto").is_some();
    if !is_here {
        ci::skip("mosquitto is not installed, only the embedded broker is tested");
    }
    is_here
}

/// A broker that anyone on this machine may use; keeps nothing over a restart.
pub struct Broker {
    pub addr: SocketAddr,
    make: Make,
    running: Running,
}

enum Running {
    Embedded(broker::Embedded),
    Mosquitto { _child: Killed, _directory: TempDir },
}

/// A process that does not outlive its owner.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Make {
    pub async fn open(self) -> Broker {
        self.open_at(free_address()).await
    }

    async fn open_at(self, addr: SocketAddr) -> Broker {
        let running = match self {
            Self::Embedded => Running::Embedded(open_broker(addr).await),
            Self::Mosquitto => mosquitto(addr, "allow_anonymous true", &[]).await,
        };
        Broker {
            addr,
            make: self,
            running,
        }
    }
}

impl Broker {
    /// Mosquitto with its own lines of configuration and files beside it (named `@name` there).
    pub async fn mosquitto(configuration: &str, files: &[(&str, String)]) -> Self {
        let addr = free_address();
        Self {
            addr,
            make: Make::Mosquitto,
            running: mosquitto(addr, configuration, files).await,
        }
    }

    /// Stops at once: Mosquitto is killed.
    pub async fn stop(self) -> Stopped {
        match self.running {
            Running::Embedded(broker) => broker.stop().await,
            Running::Mosquitto { .. } => {}
        }
        Stopped {
            addr: self.addr,
            make: self.make,
        }
    }
}

/// A broker that is away.
#[derive(Debug, Clone, Copy)]
pub struct Stopped {
    pub addr: SocketAddr,
    make: Make,
}

impl Stopped {
    /// Starts it again at the same address, without its memory.
    pub async fn start(self) -> Broker {
        self.make.open_at(self.addr).await
    }
}

/// Where nobody listens, on loopback.
pub fn free_address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, free_port()).into()
}

async fn mosquitto(addr: SocketAddr, configuration: &str, files: &[(&str, String)]) -> Running {
    let directory = tempfile::tempdir().expect("a directory");
    let here = directory.path().display().to_string();
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).expect("written");
    }
    let configuration = configuration.replace('@', &format!("{here}/"));
    let text = format!(
        "user root\nlistener {} {}\npersistence false\nset_tcp_nodelay true\n\
         max_queued_messages 0\n{configuration}\n",
        addr.port(),
        addr.ip()
    );
    let file = directory.path().join("mosquitto.conf");
    std::fs::write(&file, text).expect("written");
    let child = Command::new(ci::program("mosquitto").expect("looked for before"))
        .arg("-c")
        .arg(file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let accepts = async {
        while TcpStream::connect(addr).await.is_err() {
            pause().await;
        }
    };
    timeout(PATIENCE, accepts).await.expect("accepts");
    Running::Mosquitto {
        _child: Killed(child),
        _directory: directory,
    }
}

/// The embedded broker.
pub async fn open_broker(listen: SocketAddr) -> broker::Embedded {
    let settings = broker_settings(listen);
    for _ in 0..100 {
        match broker::start(&settings).await {
            Ok(broker) => return broker,
            Err(broker::BrokerError::PortTaken(_)) => pause().await,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the port of the stopped broker is not free")
}

pub fn broker_settings(listen: SocketAddr) -> config::BrokerSettings {
    config::BrokerSettings {
        enabled: true,
        listen,
        username: None,
        password: None,
    }
}

pub fn settings(addr: SocketAddr, protocol: Protocol) -> MqttSettings {
    MqttSettings {
        host: addr.ip().to_string(),
        port: addr.port(),
        tls: None,
        username: None,
        password: None,
        client_id: None,
        protocol,
        base_topic: "tesla2mqtt".into(),
        keep_alive: Duration::from_secs(5),
    }
}

/// Connects once, and asks what the broker can do.
pub async fn probe(settings: &MqttSettings) -> Result<BrokerFacts, BrokerFailure> {
    let (client, facts) = OneShotClient::connect(settings, "probe").await?;
    client.close().await;
    Ok(facts)
}

/// A connection under test.
pub struct MqttBridge {
    pub handle: Handle,
    pub incoming: mpsc::Receiver<Incoming>,
    pub task: JoinHandle<DrainOutcome>,
    pub cancel: CancellationToken,
}

impl MqttBridge {
    pub fn start(settings: &MqttSettings) -> Self {
        Self::listening(settings, vec![])
    }

    pub fn listening(settings: &MqttSettings, subscriptions: Vec<Subscription>) -> Self {
        let cancel = CancellationToken::new();
        let id = mqtt::random_client_id();
        Self::named(settings, id, subscriptions, cancel)
    }

    pub fn named(
        settings: &MqttSettings,
        id: String,
        subscriptions: Vec<Subscription>,
        cancel: CancellationToken,
    ) -> Self {
        let (handle, incoming, task) =
            mqtt::start(settings, id, subscriptions, cancel.clone()).expect("TLS files are right");
        Self {
            handle,
            incoming,
            task,
            cancel,
        }
    }

    pub async fn state(&self, topic: &str, payload: &str) {
        self.handle
            .publish(Publish::State {
                topic: topic.into(),
                payload: payload.into(),
            })
            .await;
    }

    pub async fn until_up(&self) -> u64 {
        match self.until(|c| matches!(c, Connection::Up(_))).await {
            Connection::Up(n) => n,
            Connection::Down(_) => unreachable!("waited for Up"),
        }
    }

    /// Waits for a failure whose sentence holds `words`.
    pub async fn until_down(&self, words: &str) -> String {
        let said = self
            .until(|c| matches!(c, Connection::Down(why) if why.contains(words)))
            .await;
        match said {
            Connection::Down(why) => why,
            Connection::Up(_) => unreachable!("waited for Down"),
        }
    }

    async fn until(&self, condition: impl FnMut(&Connection) -> bool) -> Connection {
        let mut connection = self.handle.connection();
        let found = timeout(PATIENCE, connection.wait_for(condition)).await;
        match found {
            Ok(Ok(connection)) => connection.clone(),
            _ => panic!("still {:?}", *self.handle.connection().borrow()),
        }
    }

    pub async fn stop(self) -> DrainOutcome {
        self.cancel.cancel();
        timeout(PATIENCE, self.task)
            .await
            .expect("ends")
            .expect("no panic")
    }
}

/// What a fresh, independent subscriber sees; connects again by itself.
#[derive(Clone)]
pub struct Watcher {
    seen: watch::Receiver<Seen>,
    _task: Arc<AbortOnDrop>,
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Everything since the watcher's last connection.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    /// The newest payload of each topic; empty ones are removals and not kept.
    pub topics: BTreeMap<String, String>,
    /// Each message in order.
    pub messages: Vec<(String, String)>,
    pub subscribed: bool,
}

impl Watcher {
    pub fn start(addr: SocketAddr) -> Self {
        let (tell, seen) = watch::channel(Seen::default());
        let mut options =
            MqttOptions::new(mqtt::random_client_id(), addr.ip().to_string(), addr.port());
        options.set_max_packet_size(Some(4 << 20));
        let (client, mut poll) = AsyncClient::new(options, 10);
        let task = tokio::spawn(async move {
            loop {
                match poll.poll().await {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        tell.send_replace(Seen::default());
                        let _ = client.try_subscribe("#", QoS::AtLeastOnce);
                    }
                    Ok(Event::Incoming(Packet::SubAck(_))) => {
                        tell.send_modify(|seen| seen.subscribed = true);
                    }
                    Ok(Event::Incoming(Packet::Publish(message))) => {
                        let topic = String::from_utf8_lossy(&message.topic).into_owned();
                        let payload = String::from_utf8_lossy(&message.payload).into_owned();
                        tell.send_modify(|seen| {
                            if payload.is_empty() {
                                seen.topics.remove(&topic);
                            } else {
                                seen.topics.insert(topic.clone(), payload.clone());
                            }
                            seen.messages.push((topic, payload));
                        });
                    }
                    Ok(_) => {}
                    Err(_) => pause().await,
                }
            }
        });
        Self {
            seen,
            _task: Arc::new(AbortOnDrop(task.abort_handle())),
        }
    }

    /// Waits until what was seen is as expected.
    pub async fn until(&self, what: &str, condition: impl FnMut(&Seen) -> bool) -> Seen {
        let mut seen = self.seen.clone();
        if let Ok(Ok(seen)) = timeout(PATIENCE, seen.wait_for(condition)).await {
            return seen.clone();
        }
        let seen = self.seen.borrow();
        let last: Vec<_> = seen.messages.iter().rev().take(5).collect();
        let n = seen.topics.len();
        panic!("not seen: {what}; {n} topics, last {last:?}")
    }

    pub async fn until_topic(&self, topic: &str, payload: &str) -> Seen {
        self.until(&format!("{topic} = {payload}"), |seen| {
            seen.topics.get(topic).map(String::as_str) == Some(payload)
        })
        .await
    }

    pub async fn until_subscribed(&self) {
        self.until("SUBACK", |seen| seen.subscribed).await;
    }
}

/// An independent client that publishes.
pub async fn publish(addr: SocketAddr, messages: &[(&str, &str, bool)]) {
    let options = MqttOptions::new(mqtt::random_client_id(), addr.ip().to_string(), addr.port());
    let (client, mut poll) = AsyncClient::new(options, messages.len() + 1);
    for (topic, payload, retain) in messages {
        client
            .try_publish(
                *topic,
                QoS::AtLeastOnce,
                *retain,
                payload.as_bytes().to_vec(),
            )
            .expect("room");
    }
    let mut missing = messages.len();
    while missing > 0 {
        let event = timeout(PATIENCE, poll.poll()).await.expect("in time");
        if matches!(event, Ok(Event::Incoming(Packet::PubAck(_)))) {
            missing -= 1;
        }
    }
}

/// What the proxy does with connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyMode {
    /// Carries everything.
    Open,
    /// Closes every connection at once.
    Cut,
    /// Keeps connections and carries nothing, in neither direction.
    Blackhole,
    /// Carries what the bridge says, and keeps the broker's answers back.
    Deaf,
}

/// A TCP proxy on loopback.
pub struct Proxy {
    pub addr: SocketAddr,
    mode: watch::Sender<ProxyMode>,
    task: AbortHandle,
}

impl Proxy {
    pub async fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind(LOOPBACK).await.expect("loopback");
        let addr = listener.local_addr().expect("bound");
        let (mode, follow) = watch::channel(ProxyMode::Open);
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let mut follow = follow.clone();
                tokio::spawn(async move {
                    let Ok(far) = TcpStream::connect(to).await else {
                        return;
                    };
                    let (near_in, near_out) = near.into_split();
                    let (far_in, far_out) = far.into_split();
                    let (a, b) = (follow.clone(), follow.clone());
                    tokio::select! {
                        _ = carry(near_in, far_out, a, false) => {}
                        _ = carry(far_in, near_out, b, true) => {}
                        _ = follow.wait_for(|mode| *mode == ProxyMode::Cut) => {}
                    }
                });
            }
        });
        Self {
            addr,
            mode,
            task: task.abort_handle(),
        }
    }

    pub fn set(&self, mode: ProxyMode) {
        self.mode.send_replace(mode);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(
    mut from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    mut mode: watch::Receiver<ProxyMode>,
    answers: bool,
) -> Option<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let open =
            |mode: &ProxyMode| *mode == ProxyMode::Open || (*mode == ProxyMode::Deaf && !answers);
        mode.wait_for(open).await.ok()?;
        let n = from.read(&mut buffer).await.ok().filter(|n| *n > 0)?;
        mode.wait_for(open).await.ok()?;
        to.write_all(&buffer[..n]).await.ok()?;
    }
}

/// Between two looks at something that cannot be waited for.
pub async fn pause() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}
