//! What passes between the bridge and its broker, and when, without standing in the way.
//!
//! The kernel hands this socket a copy of every packet of this machine's TCP connections, with the
//! time at which it passed, and keeps them until somebody asks. Until then nothing is woken, so
//! that bridge and broker have the processor to themselves. It needs the right to capture: root,
//! or `CAP_NET_RAW`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, OwnedFd};

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use jiff::Timestamp;
use nix::cmsg_space;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockProtocol, SockType, recvmsg,
    setsockopt, socket, sockopt,
};
use nix::sys::time::TimeSpec;

/// The longest packet of the loopback device.
const PACKET_MAX: usize = 64 << 10;
/// Room in the kernel for all that passes while one bridge starts.
const KEPT: usize = 32 << 20;
/// First byte of an MQTT packet without its flags.
const PUBLISH: u8 = 0x30;
const PUBACK: u8 = 0x40;
/// Reason codes from here on are refusals.
const REFUSED: u8 = 0x80;

/// Keeps what passes from now on.
pub struct Capture {
    socket: OwnedFd,
    passed: Vec<Segment>,
}

/// A piece of one direction of a connection.
struct Segment {
    at: Timestamp,
    from_port: u16,
    to_port: u16,
    sequence: u32,
    bytes: Vec<u8>,
}

impl Capture {
    /// # Errors
    /// This process may not capture.
    pub fn begin() -> io::Result<Self> {
        let socket = socket(
            AddressFamily::Packet,
            SockType::Datagram,
            SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC,
            SockProtocol::EthIp,
        )?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        setsockopt(&socket, sockopt::RcvBufForce, &KEPT)?;
        Ok(Self {
            socket,
            passed: Vec::new(),
        })
    }

    /// When each message to a topic that begins like this came to the broker, oldest first, and
    /// how many of them it has acknowledged.
    pub fn published(&mut self, broker_port: u16, prefix: &str) -> (Vec<Timestamp>, usize) {
        self.read();
        let mut times = BTreeMap::new();
        for (at, packet) in self.packets(|segment| segment.to_port == broker_port) {
            if let Some((topic, id)) = published(&packet)
                && topic.starts_with(prefix.as_bytes())
            {
                assert!(times.insert(id, at).is_none(), "{id} is used twice");
            }
        }
        let mut acknowledged = BTreeSet::new();
        for (_, packet) in self.packets(|segment| segment.from_port == broker_port) {
            if let [PUBACK, id_high, id_low, rest @ ..] = packet.as_slice() {
                let id = u16::from_be_bytes([*id_high, *id_low]);
                assert!(rest.first() < Some(&REFUSED), "the broker refused {id}");
                if times.contains_key(&id) {
                    acknowledged.insert(id);
                }
            }
        }
        let mut times: Vec<_> = times.into_values().collect();
        times.sort_unstable();
        (times, acknowledged.len())
    }

    /// Takes what the kernel has kept.
    fn read(&mut self) {
        let mut packet = vec![0; PACKET_MAX];
        let mut control = cmsg_space!(TimeSpec);
        loop {
            let mut into = [IoSliceMut::new(&mut packet)];
            let control = Some(control.as_mut_slice());
            let socket = self.socket.as_raw_fd();
            let Ok(received) = recvmsg::<()>(socket, &mut into, control, MsgFlags::empty()) else {
                return;
            };
            let n_bytes = received.bytes;
            let at = received.cmsgs().ok().and_then(|mut told| {
                told.find_map(|message| match message {
                    ControlMessageOwned::ScmTimestampns(at) => {
                        Timestamp::new(at.tv_sec(), i32::try_from(at.tv_nsec()).ok()?).ok()
                    }
                    _ => None,
                })
            });
            let at = at.expect("the kernel was asked for the time");
            self.passed.extend(segment(at, &packet[..n_bytes]));
        }
    }

    /// Every whole MQTT packet without its length, of the only connection that has such segments,
    /// and when its last byte passed.
    fn packets(&self, is_wanted: impl Fn(&Segment) -> bool) -> Vec<(Timestamp, Vec<u8>)> {
        let mut packets = Vec::new();
        let mut waiting = Vec::new();
        let mut next = None;
        for segment in self.passed.iter().filter(|segment| is_wanted(segment)) {
            let expected = *next.get_or_insert(segment.sequence);
            assert_eq!(segment.sequence, expected, "a segment is missing");
            let n = u32::try_from(segment.bytes.len()).expect("a packet's length");
            next = Some(expected.wrapping_add(n));
            waiting.extend_from_slice(&segment.bytes);
            while let Some((packet, n)) = first_packet(&waiting) {
                packets.push((segment.at, packet));
                waiting.drain(..n);
            }
        }
        packets
    }
}

/// What a TCP packet carries; `None`: nothing, or it is none.
fn segment(at: Timestamp, packet: &[u8]) -> Option<Segment> {
    let packet = SlicedPacket::from_ip(packet).ok()?;
    let (Some(NetSlice::Ipv4(_)), Some(TransportSlice::Tcp(tcp))) = (packet.net, packet.transport)
    else {
        return None;
    };
    (!tcp.payload().is_empty()).then(|| Segment {
        at,
        from_port: tcp.source_port(),
        to_port: tcp.destination_port(),
        sequence: tcp.sequence_number(),
        bytes: tcp.payload().to_vec(),
    })
}

/// Topic and id of a message that is to be acknowledged; the packet is without its length.
fn published(packet: &[u8]) -> Option<(&[u8], u16)> {
    let (first, body) = packet.split_first()?;
    let asks_for_acknowledgement = first >> 1 & 0b11 == 1;
    if first & 0xF0 != PUBLISH || !asks_for_acknowledgement {
        return None;
    }
    let (length, body) = body.split_first_chunk::<2>()?;
    let (topic, rest) = body.split_at_checked(u16::from_be_bytes(*length).into())?;
    let (id, _) = rest.split_first_chunk::<2>()?;
    Some((topic, u16::from_be_bytes(*id)))
}

/// The first packet without its length, and how many bytes it takes with it.
fn first_packet(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (first, rest) = bytes.split_first()?;
    let mut length = 0;
    for (n, byte) in rest.iter().enumerate().take(4) {
        length |= usize::from(byte & 0x7F) << (7 * n);
        if byte & 0x80 == 0 {
            let body = rest[n + 1..].get(..length)?;
            let packet = [&[*first], body].concat();
            return Some((packet, 1 + n + 1 + length));
        }
    }
    None
}
