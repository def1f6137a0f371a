//! What the network and the TLS library say, in the client's words.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError, Error as Tls};

use crate::mqtt_client::{Cause, TlsFault, TransportFault};

/// Why a socket failed.
pub(super) fn io_cause(error: &io::Error) -> Cause {
    use io::ErrorKind as K;
    if let Some(tls) = inner::<Tls>(error) {
        return Cause::Tls(tls_fault(tls));
    }
    Cause::Transport(match error.kind() {
        K::ConnectionRefused => TransportFault::NothingListens,
        K::HostUnreachable | K::NetworkUnreachable | K::NetworkDown => {
            TransportFault::NoRoute(error.to_string())
        }
        K::TimedOut => TransportFault::TimedOut,
        K::ConnectionReset | K::ConnectionAborted | K::BrokenPipe => TransportFault::Reset,
        K::UnexpectedEof => TransportFault::Ended,
        _ if is_name_lookup(error) => TransportFault::UnknownName,
        _ => TransportFault::Other(error.to_string()),
    })
}

/// Why a TLS handshake failed.
fn tls_fault(error: &Tls) -> TlsFault {
    match error {
        Tls::InvalidCertificate(CertificateError::UnknownIssuer) => TlsFault::UnknownIssuer,
        Tls::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. })
            if presented.is_empty() =>
        {
            TlsFault::NamesNoHost
        }
        Tls::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => TlsFault::OtherName,
        Tls::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => TlsFault::Expired,
        Tls::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        ) => TlsFault::NotYetValid,
        Tls::InvalidCertificate(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            TlsFault::CaAsOwn
        }
        Tls::InvalidCertificate(other)
            if format!("{other:?}").contains("UnsupportedCertVersion") =>
        {
            TlsFault::Version1
        }
        Tls::InvalidCertificate(other) => TlsFault::Certificate(other.to_string()),
        Tls::InvalidMessage(_) | Tls::InappropriateMessage { .. } => TlsFault::NotTls,
        Tls::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied,
        ) => TlsFault::WantsClientCertificate,
        other => TlsFault::Other(other.to_string()),
    }
}

/// The resolver's errors have no kind of their own.
fn is_name_lookup(error: &io::Error) -> bool {
    let text = error.to_string();
    text.contains("lookup address") || text.contains("could not resolve")
}

/// An error wrapped in an I/O error: `source()` of that one skips it.
fn inner<T: Error + 'static>(error: &io::Error) -> Option<&T> {
    let mut at: &(dyn Error + 'static) = error.get_ref()?;
    loop {
        if let Some(found) = at.downcast_ref::<T>() {
            return Some(found);
        }
        if let Some(io) = at.downcast_ref::<io::Error>() {
            at = io.get_ref()?;
        } else {
            at = at.source()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_of_a_socket_has_its_fault() {
        let lookup =
            io::Error::other("failed to lookup address information: Name or service not known");
        let hidden = io::Error::other(io::Error::other(Tls::InvalidCertificate(
            CertificateError::Expired,
        )));
        let of = |kind: io::ErrorKind| io_cause(&kind.into());
        let cases = [
            (
                io_cause(&lookup),
                Cause::Transport(TransportFault::UnknownName),
            ),
            (io_cause(&hidden), Cause::Tls(TlsFault::Expired)),
            (
                of(io::ErrorKind::ConnectionRefused),
                Cause::Transport(TransportFault::NothingListens),
            ),
            (
                of(io::ErrorKind::TimedOut),
                Cause::Transport(TransportFault::TimedOut),
            ),
            (
                of(io::ErrorKind::ConnectionReset),
                Cause::Transport(TransportFault::Reset),
            ),
            (
                of(io::ErrorKind::UnexpectedEof),
                Cause::Transport(TransportFault::Ended),
            ),
        ];
        for (cause, expected) in cases {
            assert_eq!(cause, expected);
        }
        assert!(matches!(
            of(io::ErrorKind::HostUnreachable),
            Cause::Transport(TransportFault::NoRoute(_))
        ));
    }
}
