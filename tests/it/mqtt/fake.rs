//! A broker that does what a test says, in MQTT 5.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::v5::mqttbytes::v5::{
    ConnAck, ConnectReturnCode, Packet, PingResp, PubAck, PubAckReason, SubAck, SubscribeReasonCode,
};
use rumqttc::v5::mqttbytes::{Error, QoS};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::rig::{LOOPBACK, PATIENCE};

/// How the broker treats its client; each is asked with the number of the connection, from 1.
pub trait Manners: Send + Sync + 'static {
    /// How long after the CONNACK it hangs up.
    fn hangs_up_after(&self, _connection: usize) -> Option<Duration> {
        None
    }

    fn suback(&self, _connection: usize) -> SubscribeReasonCode {
        SubscribeReasonCode::Success(QoS::AtLeastOnce)
    }
}

/// What it has heard: the number of the connection, and the packet; none where that ended.
pub type HeardPackets = Vec<(usize, Option<Packet>)>;

pub struct Fake {
    pub addr: SocketAddr,
    heard: watch::Receiver<HeardPackets>,
    task: AbortHandle,
}

impl Fake {
    pub async fn start(manners: impl Manners) -> Self {
        let listener = TcpListener::bind(LOOPBACK).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (tell, heard) = watch::channel(HeardPackets::new());
        let task = tokio::spawn(async move {
            for n in 1.. {
                let Ok((client, _)) = listener.accept().await else {
                    return;
                };
                let hangs_up = manners.hangs_up_after(n).unwrap_or(Duration::MAX);
                serve(n, client, &manners, &tell, hangs_up).await;
                tell.send_modify(|heard| heard.push((n, None)));
            }
        });
        Self {
            addr,
            heard,
            task: task.abort_handle(),
        }
    }

    pub async fn until(
        &self,
        what: &str,
        condition: impl FnMut(&HeardPackets) -> bool,
    ) -> HeardPackets {
        let mut heard = self.heard.clone();
        if let Ok(Ok(heard)) = timeout(PATIENCE, heard.wait_for(condition)).await {
            return heard.clone();
        }
        panic!("not heard: {what}; {:#?}", *self.heard.borrow())
    }

    /// Waits until it has heard this value in one of the connections; how often by then.
    pub async fn until_said(&self, topic: &str, payload: &str, n_times: usize) {
        self.until(&format!("{topic} = {payload}"), |heard| {
            let said = heard.iter().filter(|(_, packet)| {
                matches!(packet, Some(Packet::Publish(p)) if p.topic == topic && p.payload == payload)
            });
            said.count() >= n_times
        })
        .await;
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    n: usize,
    mut client: TcpStream,
    manners: &impl Manners,
    tell: &watch::Sender<HeardPackets>,
    hangs_up: Duration,
) -> Option<()> {
    client.set_nodelay(true).ok()?;
    let mut arrived = BytesMut::new();
    let packet = next(&mut client, &mut arrived).await?;
    let connack = Packet::ConnAck(ConnAck {
        session_present: false,
        code: ConnectReturnCode::Success,
        properties: None,
    });
    tell.send_modify(|heard| heard.push((n, Some(packet))));
    say(&mut client, connack).await?;
    let talk = async {
        loop {
            let packet = next(&mut client, &mut arrived).await?;
            let answer = match &packet {
                Packet::Publish(publish) if publish.qos == QoS::AtLeastOnce => {
                    Some(Packet::PubAck(PubAck {
                        pkid: publish.pkid,
                        reason: PubAckReason::Success,
                        properties: None,
                    }))
                }
                Packet::Subscribe(subscribe) => Some(Packet::SubAck(SubAck {
                    pkid: subscribe.pkid,
                    return_codes: vec![manners.suback(n); subscribe.filters.len()],
                    properties: None,
                })),
                Packet::PingReq(_) => Some(Packet::PingResp(PingResp)),
                _ => None,
            };
            tell.send_modify(|heard| heard.push((n, Some(packet))));
            if let Some(answer) = answer {
                say(&mut client, answer).await?;
            }
        }
    };
    timeout(hangs_up, talk).await.ok().flatten()
}

async fn next(client: &mut TcpStream, arrived: &mut BytesMut) -> Option<Packet> {
    loop {
        match Packet::read(arrived, None) {
            Ok(packet) => return Some(packet),
            Err(Error::InsufficientBytes(_)) => {}
            Err(_) => return None,
        }
        if client.read_buf(arrived).await.ok()? == 0 {
            return None;
        }
    }
}

async fn say(client: &mut TcpStream, packet: Packet) -> Option<()> {
    let mut out = BytesMut::new();
    packet.write(&mut out, None).ok()?;
    client.write_all(&out).await.ok()
}
