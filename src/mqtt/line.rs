//! The socket to the broker: connects, then reads and writes until either side ends it.
//!
//! The client crate has a loop of its own, which writes and flushes after every message: the 137
//! values of one answer are 137 writes, and took longer than everything else together. Here all
//! that waits goes out with one write.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use super::failure::Cause;
use super::wire::{self, Heard, Hello, Saying, Will};
use crate::clock;
use crate::config::{self, Protocol};

/// From the first packet to the broker's answer to our first.
const CONNECT: Duration = Duration::from_secs(5);
/// The share of it that one address of the name may take while there are others: behind a dead
/// IPv6 address stands a living IPv4 one.
const CONNECT_ADDRESS: Duration = Duration::from_millis(1500);
/// The protocol's longest keep-alive, and the shortest that is worth its pings.
const KEEP_ALIVE_S: std::ops::RangeInclusive<u64> = 5..=65_535;
/// Room for what arrives: mostly acknowledgements of a few bytes.
const READ_AT_ONCE: usize = 4096;
/// For what the broker said before it hung up.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// No more is taken on while so much waits to be written.
const WRITE_AT_ONCE: usize = 256 << 10;
/// A broker acknowledges each of so many messages by itself; they are read together after this, or
/// each would wake this process while the broker needs the processor. Not when the broker's window is
/// full or smaller than this: it would be waiting for us.
const BURST: usize = 32;
const GATHER: Duration = Duration::from_millis(1);
/// A buffer that grew beyond this for one long message is given back.
const KEPT_BUFFER: usize = 16 << 10;

/// What a connection is made with.
pub(super) struct Plan {
    pub settings: config::Mqtt,
    pub client_id: String,
    pub tls: Option<Arc<ClientConfig>>,
    pub will: Option<Will>,
}

/// Runs the line to its end and tells what it hears; the last word is why it ended. It also ends
/// when nobody listens any more.
pub(super) async fn run(
    plan: Plan,
    sayings: mpsc::Receiver<Saying>,
    tell: mpsc::Sender<Result<Heard, Cause>>,
) {
    let line = match timeout(CONNECT, Line::connect(&plan)).await {
        Ok(line) => line,
        Err(_) => Err(Cause::NoAnswer),
    };
    let cause = match line {
        Ok((line, hello)) => {
            if tell.send(Ok(hello)).await.is_err() {
                return;
            }
            line.talk(sayings, &tell).await
        }
        Err(cause) => cause,
    };
    let _ = tell.send(Err(cause)).await;
}

trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

struct Line {
    protocol: Protocol,
    ear: ReadHalf<Box<dyn Socket>>,
    mouth: WriteHalf<Box<dyn Socket>>,
    arrived: BytesMut,
    /// Not written yet.
    out: BytesMut,
    is_flushed: bool,
    /// Messages in `out` or not flushed that no broker acknowledges.
    n_unacknowledged: usize,
    /// Messages that the broker is to acknowledge, and how many it lets be so.
    n_under_way: usize,
    receive_max: usize,
    keep_alive: Duration,
    ping_at: Instant,
    awaits_pong: bool,
    /// Nothing is read before this time.
    listen_at: Instant,
}

impl Line {
    async fn connect(plan: &Plan) -> Result<(Self, Heard), Cause> {
        let (ear, mouth) = split(socket(plan).await?);
        let keep_alive_s = plan.settings.keep_alive.as_secs();
        let keep_alive_s = keep_alive_s.clamp(*KEEP_ALIVE_S.start(), *KEEP_ALIVE_S.end());
        let mut line = Self {
            protocol: plan.settings.protocol,
            ear,
            mouth,
            arrived: BytesMut::new(),
            out: BytesMut::new(),
            is_flushed: true,
            n_unacknowledged: 0,
            n_under_way: 0,
            receive_max: 0,
            keep_alive: Duration::from_secs(keep_alive_s),
            ping_at: now(),
            awaits_pong: false,
            listen_at: now(),
        };
        let hello = Hello {
            settings: &plan.settings,
            client_id: &plan.client_id,
            keep_alive_s: u16::try_from(keep_alive_s).unwrap_or(u16::MAX),
            will: plan.will.as_ref(),
        };
        wire::write_hello(&hello, &mut line.out)?;
        line.mouth.write_all_buf(&mut line.out).await?;
        line.mouth.flush().await?;
        loop {
            match wire::read(line.protocol, &mut line.arrived)? {
                Some(heard @ Heard::Connected(facts)) => {
                    if let Some(seconds @ 1..) = facts.keep_alive_s {
                        line.keep_alive = Duration::from_secs(seconds.into());
                    }
                    line.receive_max = facts.receive_max.into();
                    line.ping_at = now() + line.keep_alive;
                    return Ok((line, heard));
                }
                Some(Heard::Refused(refusal, text)) => return Err(Cause::Refused(refusal, text)),
                Some(_) => return Err(Cause::NotMqtt("no CONNACK".to_owned())),
                None => {}
            }
            line.arrived.reserve(READ_AT_ONCE);
            if line.ear.read_buf(&mut line.arrived).await? == 0 {
                return Err(if line.arrived.is_empty() {
                    Cause::Closed
                } else {
                    Cause::NotMqtt("an end inside a packet".to_owned())
                });
            }
        }
    }

    /// Until the end.
    async fn talk(
        mut self,
        mut sayings: mpsc::Receiver<Saying>,
        tell: &mpsc::Sender<Result<Heard, Cause>>,
    ) -> Cause {
        // What came in one piece with the CONNACK would wait for the next that comes.
        if let Err(cause) = self.hear(tell).await {
            return cause;
        }
        loop {
            if let Err(cause) = self.turn(&mut sayings, tell).await {
                return cause;
            }
        }
    }

    /// One thing: something written, read, or said.
    async fn turn(
        &mut self,
        sayings: &mut mpsc::Receiver<Saying>,
        tell: &mpsc::Sender<Result<Heard, Cause>>,
    ) -> Result<(), Cause> {
        self.arrived.reserve(READ_AT_ONCE);
        let is_gathering = now() < self.listen_at;
        tokio::select! {
            saying = sayings.recv(), if self.out.len() < WRITE_AT_ONCE => {
                let Some(saying) = saying else { return Err(Cause::Closed) };
                self.say(saying)?;
                while self.out.len() < WRITE_AT_ONCE
                    && let Ok(saying) = sayings.try_recv()
                {
                    self.say(saying)?;
                }
                if (BURST..self.receive_max).contains(&self.n_under_way) {
                    self.listen_at = now() + GATHER;
                }
            }
            pushed = push(&mut self.mouth, &mut self.out),
                if !self.out.is_empty() || !self.is_flushed =>
            {
                match pushed {
                    Ok(is_flushed) => self.is_flushed = is_flushed,
                    Err(error) => return Err(self.last_words(tell, error).await),
                }
                if self.out.is_empty() && self.out.capacity() > KEPT_BUFFER {
                    self.out = BytesMut::new();
                }
                if self.is_flushed && self.n_unacknowledged > 0 {
                    let written = Heard::Written(std::mem::take(&mut self.n_unacknowledged));
                    tell.send(Ok(written)).await.map_err(|_| Cause::Closed)?;
                }
            }
            () = sleep_until(self.listen_at), if is_gathering => {}
            read = self.ear.read_buf(&mut self.arrived), if !is_gathering => {
                if read? == 0 {
                    return Err(Cause::Closed);
                }
                self.hear(tell).await?;
            }
            () = sleep_until(self.ping_at) => {
                if self.awaits_pong {
                    return Err(Cause::NoPing);
                }
                self.awaits_pong = true;
                self.ping_at = now() + self.keep_alive;
                self.say(Saying::Ping)?;
            }
        }
        Ok(())
    }

    /// Why the line cannot be written to: a broker that hangs up may have said its reason before.
    async fn last_words(
        &mut self,
        tell: &mpsc::Sender<Result<Heard, Cause>>,
        error: io::Error,
    ) -> Cause {
        let until = now() + LAST_WORDS;
        loop {
            self.arrived.reserve(READ_AT_ONCE);
            match timeout_at(until, self.ear.read_buf(&mut self.arrived)).await {
                Ok(Ok(1..)) => {
                    if let Err(cause) = self.hear(tell).await {
                        return cause;
                    }
                }
                _ => return Cause::Io(error),
            }
        }
    }

    fn say(&mut self, saying: Saying) -> Result<(), Cause> {
        tracing::trace!("said {saying}");
        match saying {
            Saying::Publish { id: None, .. } => self.n_unacknowledged += 1,
            Saying::Publish { id: Some(_), .. } => self.n_under_way += 1,
            _ => {}
        }
        wire::write(self.protocol, saying, &mut self.out)
    }

    /// Hands on every packet that has arrived whole.
    async fn hear(&mut self, tell: &mpsc::Sender<Result<Heard, Cause>>) -> Result<(), Cause> {
        while let Some(heard) = wire::read(self.protocol, &mut self.arrived)? {
            tracing::trace!("heard {heard}");
            match &heard {
                Heard::Pong => self.awaits_pong = false,
                Heard::Acknowledged(..) => {
                    self.n_under_way = self.n_under_way.saturating_sub(1);
                }
                Heard::Message { id: Some(id), .. } => self.say(Saying::Acknowledge(*id))?,
                _ => {}
            }
            tell.send(Ok(heard)).await.map_err(|_| Cause::Closed)?;
        }
        if self.arrived.is_empty() && self.arrived.capacity() > KEPT_BUFFER {
            self.arrived = BytesMut::new();
        }
        Ok(())
    }
}

/// Writes as much as the socket takes, or flushes when there is nothing to write; true: all is out.
/// May be dropped and called again.
async fn push(mouth: &mut WriteHalf<Box<dyn Socket>>, out: &mut BytesMut) -> io::Result<bool> {
    if out.is_empty() {
        mouth.flush().await?;
        return Ok(true);
    }
    match mouth.write_buf(out).await? {
        0 => Err(io::ErrorKind::WriteZero.into()),
        _ => Ok(false),
    }
}

async fn socket(plan: &Plan) -> Result<Box<dyn Socket>, Cause> {
    let config::Mqtt { host, port, .. } = &plan.settings;
    let host = bare(host);
    let addresses = lookup_host((host, *port)).await?;
    let tcp = first_of(addresses, CONNECT_ADDRESS, TcpStream::connect).await?;
    tcp.set_nodelay(true)?;
    let Some(config) = &plan.tls else {
        return Ok(Box::new(tcp));
    };
    let name = ServerName::try_from(host.to_owned())
        .map_err(|error| Cause::Tls(rustls::Error::General(error.to_string())))?;
    let connector = TlsConnector::from(Arc::clone(config));
    Ok(Box::new(connector.connect(name, tcp).await?))
}

/// The first of several addresses that can be reached; the last of them may take all the time.
async fn first_of<T, F: Future<Output = io::Result<T>>>(
    addresses: impl Iterator<Item = SocketAddr>,
    patience: Duration,
    connect: impl Fn(SocketAddr) -> F,
) -> io::Result<T> {
    let mut addresses = addresses.peekable();
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    while let Some(address) = addresses.next() {
        let attempt = connect(address);
        let outcome = if addresses.peek().is_some() {
            let outcome = timeout(patience, attempt).await;
            outcome.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        } else {
            attempt.await
        };
        match outcome {
            Ok(connection) => return Ok(connection),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// A host name as sockets and certificates want it: an IPv6 address without its brackets.
fn bare(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}

fn now() -> Instant {
    clock::instant_of(clock::uptime())
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use rumqttc::v5::mqttbytes::v5::DisconnectReasonCode;
    use tokio::io::ReadBuf;

    use super::*;

    /// What is heard on `socket` of a broker that speaks MQTT 5, and how it ended.
    async fn heard(socket: impl Socket + 'static, arrived: &[u8]) -> (Vec<Heard>, Cause) {
        let (ear, mouth) = split(Box::new(socket) as Box<dyn Socket>);
        let line = Line {
            protocol: Protocol::V5,
            ear,
            mouth,
            arrived: BytesMut::from(arrived),
            out: BytesMut::new(),
            is_flushed: true,
            n_unacknowledged: 0,
            n_under_way: 0,
            receive_max: 0,
            keep_alive: Duration::from_mins(1),
            ping_at: now() + Duration::from_mins(1),
            awaits_pong: false,
            listen_at: now(),
        };
        let (say, sayings) = mpsc::channel(8);
        say.try_send(Saying::Ping).expect("room");
        let (tell, mut told) = mpsc::channel(8);
        let cause = line.talk(sayings, &tell).await;
        drop(tell);
        let mut heard = Vec::new();
        while let Some(Ok(next)) = told.recv().await {
            heard.push(next);
        }
        (heard, cause)
    }

    /// Takes nothing, and shows what the other side said only when that is known.
    struct HungUp {
        said: &'static [u8],
        was_written_to: bool,
    }

    impl AsyncRead for HungUp {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            if !self.was_written_to {
                return Poll::Pending;
            }
            buffer.put_slice(std::mem::take(&mut self.said));
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for HungUp {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.was_written_to = true;
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn a_reason_said_before_hanging_up_is_heard() {
        let hung_up = |said| HungUp {
            said,
            was_written_to: false,
        };
        let taken_over = DisconnectReasonCode::SessionTakenOver;
        let (_, cause) = heard(hung_up(&[0xE0, 1, 0x8E]), &[]).await;
        assert!(
            matches!(cause, Cause::Disconnected(reason, _) if reason == taken_over),
            "{cause:?}"
        );
        let (heard, cause) = heard(hung_up(&[0x40, 2, 0, 7]), &[]).await;
        assert!(matches!(heard[..], [Heard::Acknowledged(7, None)]));
        assert!(matches!(cause, Cause::Io(_)), "{cause:?}");
    }

    #[tokio::test]
    async fn what_came_with_the_connack_is_heard_at_once() {
        let (near, far) = tokio::io::duplex(64);
        let goodbye = [0x40, 2, 0, 7, 0xE0, 1, 0x8E];
        let ended = timeout(Duration::from_secs(5), heard(near, &goodbye)).await;
        let (heard, cause) = ended.expect("nothing more has to come");
        assert!(matches!(heard[..], [Heard::Acknowledged(7, None)]));
        assert!(matches!(cause, Cause::Disconnected(..)), "{cause:?}");
        drop(far);
    }

    const DEAD: [u8; 4] = [192, 0, 2, 1];
    const REFUSING: [u8; 4] = [192, 0, 2, 2];
    const ALIVE: [u8; 4] = [192, 0, 2, 3];

    async fn reached(addresses: &[[u8; 4]]) -> io::Result<SocketAddr> {
        let addresses = addresses.iter().map(|ip| SocketAddr::from((*ip, 1883)));
        let connect = |address: SocketAddr| async move {
            match address {
                a if a.ip() == std::net::IpAddr::from(DEAD) => pending().await,
                a if a.ip() == std::net::IpAddr::from(ALIVE) => Ok(a),
                _ => Err(io::ErrorKind::ConnectionRefused.into()),
            }
        };
        first_of(addresses, Duration::from_millis(1), connect).await
    }

    #[tokio::test]
    async fn an_address_that_does_not_answer_leaves_time_for_the_next() {
        let alive = reached(&[DEAD, REFUSING, ALIVE]).await.expect("reached");
        assert_eq!(alive, SocketAddr::from((ALIVE, 1883)));
    }

    #[tokio::test]
    async fn the_last_address_that_failed_is_told() {
        let failure = reached(&[DEAD, REFUSING]).await.expect_err("nobody");
        assert_eq!(failure.kind(), io::ErrorKind::ConnectionRefused);
        let failure = reached(&[]).await.expect_err("no address");
        assert_eq!(failure.kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn an_only_address_has_all_the_time() {
        let waited = timeout(Duration::from_millis(50), reached(&[DEAD])).await;
        assert!(waited.is_err());
    }
}
