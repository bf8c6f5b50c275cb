//! Syslog: RFC 5424 over UDP (RFC 5426), over TCP with octet counting (RFC 6587) and over TLS (RFC
//! 5425).
//!
//! Syslog has no acknowledgment. Over TCP and TLS each shipment has a connection of its own, which
//! is half closed behind it: a receiver that closes its side then has read all of it. Over UDP, what
//! was sent is believed to have arrived.

mod message;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use self::message::{Sender, cut_to};
use super::{Delivered, Failure, Shipment, Sink};
use crate::config::{Confirm, Facility, SyslogConfig, SyslogWay};
use crate::model::Timestamp;

#[derive(Clone, Debug)]
pub struct Syslog {
    host: String,
    port: u16,
    way: Way,
    sender: Sender,
    timeout: Duration,
}

#[derive(Clone, Debug)]
enum Way {
    Udp { len_max: usize },
    Tcp(Confirm),
    Tls(Confirm, Arc<ClientConfig>),
}

impl Syslog {
    /// `tls` counts for [`SyslogWay::Tls`] only; `machine` is this machine's name.
    pub fn new(
        config: &SyslogConfig,
        tls: Arc<ClientConfig>,
        machine: &str,
        timeout: Duration,
    ) -> Self {
        let Facility(facility) = config.facility;
        Self {
            host: config.host.clone(),
            port: config.port,
            way: match &config.way {
                SyslogWay::Udp { datagram_len_max } => Way::Udp { len_max: *datagram_len_max },
                SyslogWay::Tcp { confirm } => Way::Tcp(*confirm),
                SyslogWay::Tls { confirm, ca_file: _ } => Way::Tls(*confirm, tls),
            },
            sender: Sender::new(facility, machine),
            timeout,
        }
    }

    async fn attempt(&self, shipment: &Shipment) -> io::Result<Delivered> {
        match &self.way {
            Way::Udp { len_max } => self.datagrams(shipment, *len_max).await,
            Way::Tcp(confirm) => {
                send(self.connect().await?, &self.frames(shipment), *confirm).await
            }
            Way::Tls(confirm, tls) => {
                let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
                let connector = TlsConnector::from(Arc::clone(tls));
                let stream = connector.connect(name, self.connect().await?).await?;
                send(stream, &self.frames(shipment), *confirm).await
            }
        }
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        TcpStream::connect((self.host.as_str(), self.port)).await
    }

    /// Each message behind its length.
    fn frames(&self, shipment: &Shipment) -> Vec<u8> {
        let mut frames = Vec::with_capacity(shipment.lines().len() * 5 / 4);
        for (seq, line) in shipment.records() {
            let message = self.sender.message(shipment.log(), seq, line);
            frames.extend_from_slice(message.len().to_string().as_bytes());
            frames.push(b' ');
            frames.extend_from_slice(&message);
        }
        frames
    }

    async fn datagrams(&self, shipment: &Shipment, len_max: usize) -> io::Result<Delivered> {
        let mut addresses = lookup_host((self.host.as_str(), self.port)).await?;
        let to = addresses.next().ok_or(io::ErrorKind::NotFound)?;
        let any: SocketAddr = match to {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any).await?;
        socket.connect(to).await?;
        let mut cut = 0;
        for (seq, line) in shipment.records() {
            let mut message = self.sender.message(shipment.log(), seq, line);
            if message.len() > len_max {
                let room = (len_max + line.len()).saturating_sub(message.len());
                message = self.sender.message_with(shipment.log(), seq, line, &cut_to(line, room));
                cut += 1;
            }
            socket.send(&message).await?;
        }
        Ok(Delivered { cut, refused: 0 })
    }
}

#[async_trait]
impl Sink for Syslog {
    async fn deliver(&mut self, shipment: &Shipment, _: Timestamp) -> Result<Delivered, Failure> {
        let for_now = |why: String| Failure::ForNow { why, wait: None };
        match timeout(self.timeout, self.attempt(shipment)).await {
            Ok(sent) => sent.map_err(|error| for_now(error.to_string())),
            Err(_) => Err(for_now(format!("not taken within {:?}", self.timeout))),
        }
    }
}

async fn send(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    bytes: &[u8],
    confirm: Confirm,
) -> io::Result<Delivered> {
    stream.write_all(bytes).await?;
    stream.flush().await?;
    stream.shutdown().await?;
    match confirm {
        Confirm::None => {}
        // Receivers say nothing; what they say all the same means nothing.
        Confirm::Closed => {
            let mut said = [0; 512];
            loop {
                match stream.read(&mut said).await {
                    Ok(0) => break,
                    Ok(_) => {}
                    // Closed without the last word of TLS.
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                    Err(error) => return Err(error),
                }
            }
        }
    }
    Ok(Delivered::default())
}
