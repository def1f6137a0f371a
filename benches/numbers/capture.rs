//! What passes between the bridge and its broker, and when, without standing in the way.
//!
//! The kernel hands this socket a copy of every IPv4 packet that arrives on this machine, stamped on
//! its way, and keeps them until somebody asks: a copy is all that it costs while the values travel.
//! Only arrivals (`EthIp`, not `EthAll`): a packet of the loopback device would be seen twice. It
//! needs root, or `CAP_NET_RAW` and `CAP_NET_ADMIN` (for the room).

use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, OwnedFd};

use etherparse::{SlicedPacket, TransportSlice};
use jiff::Timestamp;
use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockProtocol, SockType, recvmsg,
    setsockopt, socket, sockopt,
};
use nix::sys::time::TimeSpec;

use crate::segments::TcpSegment;

/// The longest packet of the loopback device.
const PACKET_MAX: usize = 64 << 10;
/// Room in the kernel for all that passes while one bridge starts.
const KEPT: usize = 32 << 20;
/// Keeps what passes from now on.
pub(crate) struct Capture {
    socket: OwnedFd,
    passed: Vec<TcpSegment>,
}

impl Capture {
    /// # Errors
    /// This process may not capture.
    pub(crate) fn begin() -> io::Result<Self> {
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

    /// Everything that has passed so far.
    pub(crate) fn passed(&mut self) -> &[TcpSegment] {
        self.read();
        &self.passed
    }

    /// Takes what the kernel has kept.
    fn read(&mut self) {
        let mut packet = vec![0; PACKET_MAX];
        let mut control = cmsg_space!(TimeSpec);
        loop {
            let mut into = [IoSliceMut::new(&mut packet)];
            let control = Some(control.as_mut_slice());
            let socket = self.socket.as_raw_fd();
            let received = match recvmsg::<()>(socket, &mut into, control, MsgFlags::empty()) {
                Ok(received) => received,
                Err(Errno::EAGAIN) => return,
                Err(Errno::EINTR) => continue,
                Err(error) => panic!("the captured packets cannot be read: {error}"),
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
}

/// `None`: not TCP, or without a payload.
fn segment(at: Timestamp, packet: &[u8]) -> Option<TcpSegment> {
    let packet = SlicedPacket::from_ip(packet).ok()?;
    let Some(TransportSlice::Tcp(tcp)) = packet.transport else {
        return None;
    };
    (!tcp.payload().is_empty()).then(|| TcpSegment {
        at,
        from_port: tcp.source_port(),
        to_port: tcp.destination_port(),
        sequence: tcp.sequence_number(),
        bytes: tcp.payload().to_vec(),
    })
}
