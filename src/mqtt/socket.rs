//! The socket to the broker: opens it, and carries packets until either side ends it.
//!
//! The client crate has a loop of its own, which writes and flushes after every message: the 137
//! values of one answer are 137 writes, and took longer than everything else together. Here all
//! that waits goes out with one write.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use super::faults::io_cause;
use super::{codec, tls};
use crate::clock;
use crate::config::{self, Protocol};
use crate::mqtt_client::{Cause, ClientPacket, ServerPacket, TlsFault};

/// The share of the time for a connection that one address of the name may take while there are
/// others: behind a dead IPv6 address stands a living IPv4 one.
const CONNECT_ADDRESS: Duration = Duration::from_millis(1500);
/// Room for what arrives: mostly acknowledgements of a few bytes.
const READ_AT_ONCE: usize = 4096;
/// For the reason that the broker sent before it closed the connection.
const REASON_MAX: Duration = Duration::from_millis(100);
/// No more is taken on while so much waits to be written.
const WRITE_AT_ONCE: usize = 256 << 10;
/// A broker acknowledges each of so many messages by itself; they are read together after this, or
/// each would wake this process while the broker needs the processor. Not when the broker's window is
/// full or smaller than this: it would be waiting for us.
const BURST: usize = 32;
const GATHER: Duration = Duration::from_millis(1);
/// A buffer that grew beyond this for one long message is given back.
const KEPT_BUFFER: usize = 16 << 10;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A socket that is open.
pub(super) struct Socket {
    protocol: Protocol,
    reader: ReadHalf<Box<dyn Stream>>,
    writer: WriteHalf<Box<dyn Stream>>,
    arrived: BytesMut,
    /// Not written yet.
    out: BytesMut,
    is_flushed: bool,
    /// Nothing is read before this time.
    read_at: Instant,
    /// It cannot be written to any more; how long it is still read.
    broken: Option<(io::Error, Instant)>,
}

/// What one turn did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SocketTurn {
    /// Everything that was put has left.
    Written,
    /// Something came; see [`Socket::next_packet`].
    Arrived,
    /// A part of either.
    Nothing,
}

impl Socket {
    /// Opens a socket, with TLS where the settings say so. Needs a tokio runtime.
    ///
    /// # Errors
    /// There is none to be had.
    pub(super) async fn dial(settings: &config::MqttSettings) -> Result<Self, Cause> {
        let tls = settings.tls.as_ref().map(tls::client_config).transpose();
        let tls = tls.map_err(|error| Cause::Settings(error.to_string()))?;
        let host = bare(&settings.host);
        let addresses = lookup_host((host, settings.port)).await;
        let addresses = addresses.map_err(|error| io_cause(&error))?;
        let tcp = first_of(addresses, CONNECT_ADDRESS, TcpStream::connect).await;
        let tcp = tcp.map_err(|error| io_cause(&error))?;
        tcp.set_nodelay(true).map_err(|error| io_cause(&error))?;
        let Some(tls) = tls else {
            return Ok(Self::over(Box::new(tcp), settings.protocol));
        };
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| Cause::Tls(TlsFault::Other(error.to_string())))?;
        let stream = TlsConnector::from(tls).connect(name, tcp).await;
        let stream = stream.map_err(|error| io_cause(&error))?;
        Ok(Self::over(Box::new(stream), settings.protocol))
    }

    fn over(stream: Box<dyn Stream>, protocol: Protocol) -> Self {
        let (reader, writer) = split(stream);
        Self {
            protocol,
            reader,
            writer,
            arrived: BytesMut::new(),
            out: BytesMut::new(),
            is_flushed: true,
            read_at: now(),
            broken: None,
        }
    }

    /// Whether more may be put.
    pub(super) fn has_room(&self) -> bool {
        self.out.len() < WRITE_AT_ONCE && self.broken.is_none()
    }

    /// Puts a packet behind what waits to be written.
    ///
    /// # Errors
    /// It cannot be put into bytes.
    pub(super) fn put(
        &mut self,
        settings: &config::MqttSettings,
        packet: ClientPacket,
    ) -> Result<(), Cause> {
        tracing::trace!("sent {packet}");
        codec::write(settings, packet, &mut self.out)
    }

    /// So many messages are in flight, of so many that the broker takes.
    pub(super) fn expect_answers(&mut self, n_in_flight: usize, receive_max: usize) {
        if (BURST..receive_max).contains(&n_in_flight) {
            self.read_at = now() + GATHER;
        }
    }

    /// Writes what was put, or reads what comes: one step of either. May be dropped and called
    /// again.
    ///
    /// # Errors
    /// The connection is over.
    pub(super) async fn turn(&mut self) -> Result<SocketTurn, Cause> {
        self.arrived.reserve(READ_AT_ONCE);
        if self.broken.is_some() {
            return self.read_reason().await;
        }
        let is_gathering = now() < self.read_at;
        tokio::select! {
            pushed = push(&mut self.writer, &mut self.out),
                if !self.out.is_empty() || !self.is_flushed =>
            {
                match pushed {
                    Ok(is_flushed) => self.is_flushed = is_flushed,
                    Err(error) => {
                        self.is_flushed = false;
                        self.broken = Some((error, now() + REASON_MAX));
                    }
                }
                if self.out.is_empty() && self.out.capacity() > KEPT_BUFFER {
                    self.out = BytesMut::new();
                }
                Ok(if self.is_flushed { SocketTurn::Written } else { SocketTurn::Nothing })
            }
            () = sleep_until(self.read_at), if is_gathering => Ok(SocketTurn::Nothing),
            read = self.reader.read_buf(&mut self.arrived), if !is_gathering => match read {
                Ok(0) => Err(self.ended()),
                Ok(_) => Ok(SocketTurn::Arrived),
                Err(error) => Err(io_cause(&error)),
            }
        }
    }

    /// A broker that closes the connection may have sent its reason before.
    async fn read_reason(&mut self) -> Result<SocketTurn, Cause> {
        let Some((error, until)) = &self.broken else {
            return Ok(SocketTurn::Nothing);
        };
        match timeout_at(*until, self.reader.read_buf(&mut self.arrived)).await {
            Ok(Ok(1..)) => Ok(SocketTurn::Arrived),
            _ => Err(io_cause(error)),
        }
    }

    fn ended(&self) -> Cause {
        if self.arrived.is_empty() {
            Cause::Closed
        } else {
            Cause::NotMqtt("an end inside a packet".to_owned())
        }
    }

    /// The next packet that has arrived whole; `None`: there is none yet.
    ///
    /// # Errors
    /// What came is not MQTT.
    pub(super) fn next_packet(&mut self) -> Result<Option<ServerPacket>, Cause> {
        let packet = codec::read(self.protocol, &mut self.arrived)?;
        match &packet {
            Some(packet) => tracing::trace!("received {packet}"),
            None if self.arrived.is_empty() && self.arrived.capacity() > KEPT_BUFFER => {
                self.arrived = BytesMut::new();
            }
            None => {}
        }
        Ok(packet)
    }
}

/// Writes as much as the socket takes, or flushes when there is nothing to write; true: all is out.
/// May be dropped and called again.
async fn push(writer: &mut WriteHalf<Box<dyn Stream>>, out: &mut BytesMut) -> io::Result<bool> {
    if out.is_empty() {
        writer.flush().await?;
        return Ok(true);
    }
    match writer.write_buf(out).await? {
        0 => Err(io::ErrorKind::WriteZero.into()),
        _ => Ok(false),
    }
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

    use tokio::io::ReadBuf;

    use super::*;
    use crate::mqtt_client::DisconnectReason;

    /// What comes from the broker after a ping, and how it ended.
    async fn received(stream: impl Stream + 'static) -> (Vec<ServerPacket>, Cause) {
        let mut socket = Socket::over(Box::new(stream), Protocol::V5);
        socket.out.extend_from_slice(&[0xC0, 0]);
        let mut packets = Vec::new();
        loop {
            if let Err(cause) = socket.turn().await {
                return (packets, cause);
            }
            while let Some(packet) = socket.next_packet().expect("it is MQTT") {
                packets.push(packet);
            }
        }
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
        let (packets, _) = received(hung_up(&[0xE0, 1, 0x8E])).await;
        let taken_over = ServerPacket::Disconnect(Some(DisconnectReason::TakenOver), None);
        assert_eq!(packets, [taken_over]);
        let (packets, cause) = received(hung_up(&[0x40, 2, 0, 7])).await;
        assert_eq!(packets, [ServerPacket::PubAck(7, None)]);
        assert!(matches!(cause, Cause::Transport(_)), "{cause:?}");
    }

    #[tokio::test]
    async fn what_came_with_the_connack_is_heard_at_once() {
        let (near, mut far) = tokio::io::duplex(64);
        let in_one_piece = [0x20, 3, 0, 0, 0, 0x40, 2, 0, 7, 0xE0, 1, 0x8E];
        far.write_all(&in_one_piece).await.expect("room");
        let mut socket = Socket::over(Box::new(near), Protocol::V5);
        let turn = timeout(Duration::from_secs(5), socket.turn()).await;
        assert_eq!(
            turn.expect("nothing more has to come"),
            Ok(SocketTurn::Arrived)
        );
        let packets: Vec<_> = std::iter::from_fn(|| socket.next_packet().ok().flatten()).collect();
        assert!(
            matches!(
                packets[..],
                [
                    ServerPacket::ConnAck(_),
                    ServerPacket::PubAck(7, None),
                    ServerPacket::Disconnect(..)
                ]
            ),
            "{packets:?}"
        );
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
