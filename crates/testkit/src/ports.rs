//! Ports on loopback at which nobody listens.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;

use tokio::net::TcpSocket;

/// The sockets that keep the ports for us, as long as this process lives.
static KEPT: Mutex<Vec<TcpSocket>> = Mutex::new(Vec::new());

/// A port at which nobody listens until the test does, or what it starts; the system gives it to no
/// other test meanwhile.
///
/// # Panics
/// Without loopback.
pub fn free_port() -> u16 {
    let socket = TcpSocket::new_v4().expect("a socket");
    // Lets a listener stand beside this socket, which never listens.
    socket.set_reuseaddr(true).expect("an option");
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    socket.bind(any).expect("loopback");
    let address = socket.local_addr().expect("bound");
    KEPT.lock().expect("unpoisoned").push(socket);
    address.port()
}
