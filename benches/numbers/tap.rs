//! What passes between the bridge and its broker, and when: a port of its own in front of the
//! broker's.
//!
//! A PUBACK says that the broker has a value; that is the moment which the contract speaks of, and
//! no subscriber's work is in it. Bytes are passed on as they come, with their time, and read only
//! when somebody asks, so that the tap costs little more than a copy.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::linux::net::TcpStreamExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use jiff::Timestamp;
use tesla2mqtt::clock;

const READ_AT_ONCE: usize = 64 << 10;
/// First byte of a packet without its flags.
const PUBLISH: u8 = 0x30;
const PUBACK: u8 = 0x40;
/// Reason codes from here on are refusals.
const REFUSED: u8 = 0x80;

/// Passes one connection on.
pub struct Tap {
    pub port: u16,
    to_broker: Recording,
    to_bridge: Recording,
}

impl Tap {
    /// Waits for one connection, in a thread of its own.
    pub fn before(broker_port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let tap = Self {
            port: listener.local_addr().expect("its address").port(),
            to_broker: Recording::default(),
            to_bridge: Recording::default(),
        };
        let (to_broker, to_bridge) = (tap.to_broker.clone(), tap.to_bridge.clone());
        thread::spawn(move || {
            let (bridge, _) = listener.accept().expect("the bridge");
            let broker = TcpStream::connect(("127.0.0.1", broker_port)).expect("the broker");
            for socket in [&bridge, &broker] {
                socket.set_nodelay(true).expect("a TCP socket");
            }
            let ends = [&bridge, &broker].map(|end| end.try_clone().expect("a second handle"));
            let [from_bridge, from_broker] = ends;
            thread::spawn(move || to_broker.pass(from_bridge, broker));
            to_bridge.pass(from_broker, bridge);
        });
        tap
    }

    /// When the broker acknowledged each message to a topic that begins like this, oldest first.
    pub fn acknowledged(&self, prefix: &str) -> Vec<Timestamp> {
        let mut wanted = BTreeMap::new();
        for (_, packet) in self.to_broker.packets() {
            if let Some((topic, id)) = published(&packet) {
                wanted.insert(id, topic.starts_with(prefix.as_bytes()));
            }
        }
        let mut times = Vec::new();
        for (at, packet) in self.to_bridge.packets() {
            let [first, id_high, id_low, rest @ ..] = packet.as_slice() else {
                continue;
            };
            let id = u16::from_be_bytes([*id_high, *id_low]);
            if *first == PUBACK && wanted.get(&id) == Some(&true) {
                assert!(rest.first() < Some(&REFUSED), "the broker refused {id}");
                times.push(at);
            }
        }
        times
    }
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

/// What came at once, and when.
type Chunk = (Timestamp, Vec<u8>);

/// One direction.
#[derive(Clone, Default)]
struct Recording(Arc<Mutex<Vec<Chunk>>>);

impl Recording {
    /// Until either side ends.
    fn pass(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut chunk = vec![0; READ_AT_ONCE];
        while let Ok(n @ 1..) = from.read(&mut chunk) {
            let at = clock::now().wall;
            // Mosquitto leaves Nagle's algorithm on: it would keep the last acknowledgements back
            // until this side confirms the first, which it does after 40 ms if not asked to.
            let _ = from.set_quickack(true);
            if to.write_all(&chunk[..n]).is_err() {
                break;
            }
            let mut chunks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            chunks.push((at, chunk[..n].to_vec()));
        }
        let _ = to.shutdown(Shutdown::Both);
    }

    /// Every whole packet without its length, and when its last byte came.
    fn packets(&self) -> Vec<(Timestamp, Vec<u8>)> {
        let chunks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut packets = Vec::new();
        let mut waiting = Vec::new();
        for (at, chunk) in chunks.iter() {
            waiting.extend_from_slice(chunk);
            while let Some((packet, n)) = first_packet(&waiting) {
                packets.push((*at, packet));
                waiting.drain(..n);
            }
        }
        packets
    }
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
