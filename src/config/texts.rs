//! The texts that a key may hold: addresses, hosts, names. An error says what was expected instead;
//! an empty one leaves that to the schema.

use std::net::{Ipv4Addr, SocketAddr};

use url::{Host, Url};

use super::reader::MOST_BYTES;

const PORTS: &str = "expected a port from 1 to 65535";

/// Host, port and whether TLS was asked for.
pub(super) struct Address {
    pub host: String,
    pub port: u16,
    pub tls: bool,
}

/// The address of a broker.
pub(super) fn broker_address(text: &str) -> Result<Address, String> {
    let url = Url::parse(text).map_err(|_| String::new())?;
    let tls = match url.scheme() {
        "mqtt" => false,
        "mqtts" => true,
        _ => return Err(String::new()),
    };
    if !url.username().is_empty() || url.password().is_some() {
        let rest = "expected no user or password in the address; they have the keys mqtt.username and mqtt.password";
        return Err(rest.to_owned());
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err("expected nothing after the host and port".to_owned());
    }
    let host = match url.host() {
        Some(Host::Domain(name)) if is_host_name(name) => name.to_owned(),
        Some(Host::Ipv4(ip)) => ip.to_string(),
        Some(Host::Ipv6(ip)) => ip.to_string(),
        _ => return Err("expected a host name or address after \"://\"".to_owned()),
    };
    let port = match url.port() {
        Some(0) => return Err(PORTS.to_owned()),
        Some(port) => port,
        None if tls => 8883,
        None => 1883,
    };
    Ok(Address { host, port, tls })
}

/// A name that can be looked up. What ends in a number is an address, and then a whole one.
fn is_host_name(name: &str) -> bool {
    let labels = name.strip_suffix('.').unwrap_or(name);
    let is_legal = |label: &str| {
        let letters = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        (1..=63).contains(&label.len())
            && label.chars().all(letters)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let ends_in_number = labels
        .rsplit('.')
        .next()
        .is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    labels.len() <= 253
        && labels.split('.').all(is_legal)
        && (!ends_in_number || labels.parse::<Ipv4Addr>().is_ok())
}

/// The address that replaces one of Tesla's hosts.
pub(super) fn base_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| String::new())?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(String::new());
    }
    if matches!(url.host(), Some(Host::Domain(name)) if !is_host_name(name)) {
        return Err("expected a host name or address after \"://\"".to_owned());
    }
    if url.port() == Some(0) {
        return Err(PORTS.to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("expected no user or password in the address".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("expected an address without ? and #".to_owned());
    }
    Ok(url)
}

/// An address to listen at.
pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    let text = text
        .strip_prefix("localhost:")
        .map(|port| format!("127.0.0.1:{port}"))
        .unwrap_or(text.to_owned());
    match text.parse::<SocketAddr>() {
        Ok(listen) if listen.port() == 0 => Err(PORTS.to_owned()),
        read => read.map_err(|_| String::new()),
    }
}

/// Text that is more than blanks, as MQTT takes it.
pub(super) fn not_empty(text: &str) -> Result<String, String> {
    if text.trim().is_empty() || text.contains('\0') {
        Err(String::new())
    } else if text.len() > MOST_BYTES {
        Err(format!("expected at most {MOST_BYTES} bytes"))
    } else {
        Ok(text.to_owned())
    }
}
