//! The first packet of a connection: it is read whole and to the byte, or refused.

use futures_util::FutureExt;
use keyhole::net::Frames;
use keyhole::wire::startup::{self, StartupPacket};

use super::bytes::mutate;
use super::choices::Choices;

pub(crate) fn run(choices: &mut Choices<'_>) {
    let mut bytes = packet(choices);
    let other = packet(choices);
    if choices.chance(40) {
        bytes.extend_from_slice(&other);
    }
    if choices.chance(90) {
        mutate(&mut bytes, &other, choices);
    }
    read_all(&bytes);
}

/// Cuts packets off the front until one is refused or the bytes have run out.
pub(crate) fn read_all(bytes: &[u8]) {
    let mut frames = Frames::default();
    let mut stream = bytes;
    loop {
        let next = frames.next_startup(&mut stream).now_or_never();
        let Ok(packet) = next.expect("bytes in memory are there at once") else { return };
        assert!(packet.len() <= startup::PACKET_LEN_MAX);
        let Ok(read) = StartupPacket::read(&packet) else { return };
        let mut out = Vec::new();
        match read {
            StartupPacket::SslRequest => startup::ssl_request(&mut out),
            StartupPacket::GssEncRequest => startup::gssenc_request(&mut out),
            StartupPacket::CancelRequest(cancel) => {
                let written = startup::cancel_request(&mut out, cancel.pid, cancel.secret);
                assert_eq!(written, Ok(()));
            }
            StartupPacket::Startup(startup) => {
                assert!(matches!(startup.minor_spoken(), 0 | 2));
                assert!(startup.protocol_options().count() <= startup.parameters().count());
                let written = startup::startup(&mut out, startup.minor, startup.parameters());
                assert_eq!(written, Ok(()));
            }
        }
        assert!(out == packet, "{} was read as {}", packet.escape_ascii(), out.escape_ascii());
    }
}

fn packet(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let secret = [7; 32];
    match choices.below(6) {
        0 => startup::ssl_request(&mut out),
        1 => startup::gssenc_request(&mut out),
        2 => {
            let len = choices.of(&[&4_usize, &32]);
            assert_eq!(startup::cancel_request(&mut out, 42, &secret[..*len]), Ok(()));
        }
        _ => {
            let names = ["user", "database", "options", "replication", "_pq_.x", "client_encoding"];
            let values = ["alice", "", "shop", "-c search_path=x", "true", "é"];
            let parameters: Vec<_> = (0..choices.below(5))
                .map(|_| (names[choices.below(6)], values[choices.below(6)]))
                .collect();
            let minor = [0, 1, 2, 9][choices.below(4)];
            assert_eq!(startup::startup(&mut out, minor, parameters), Ok(()));
        }
    }
    out
}
