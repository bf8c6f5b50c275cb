//! The sockets of all ports: bound first, served when everything else stands.

use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::crew::Crew;
use super::house::House;
use super::{Running, ServeError, desk, door};
use crate::config::Listen;
use crate::control;
use crate::net::unix::UnixPort;
use crate::net::{self, Listener};

/// The sockets, bound and not yet served.
pub(super) struct Ports {
    data: net::Ports,
    console: Option<Listener>,
    http: Option<Listener>,
}

impl Ports {
    pub(super) fn bind(house: &House) -> Result<Self, ServeError> {
        let setup = house.setup.load();
        let bind = |key, address: SocketAddr| {
            let failed = |source| ServeError::Listen { key, address: address.to_string(), source };
            Listener::bind(address).map_err(failed)
        };
        let control = &setup.config.control;
        Ok(Self {
            data: bind_data(&setup.config.data.listen)?,
            console: control.listen.map(|at| bind("listen in [control]", at)).transpose()?,
            http: control.http.map(|at| bind("http in [control]", at)).transpose()?,
        })
    }

    /// What stands on the `ready` line.
    pub(super) fn line(&self) -> io::Result<String> {
        let data = self.data.names()?;
        let (first, others) = data.split_first().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let mut line = format!("ready data={first}");
        for (name, port) in [("control", &self.console), ("http", &self.http)] {
            if let Some(port) = port {
                line.push_str(&format!(" {name}={}", port.local_addr()?));
            }
        }
        if !others.is_empty() {
            line.push_str(&format!(" also={}", others.join(",")));
        }
        Ok(line)
    }

    pub(super) fn open(self, house: &Arc<House>, crew: Crew) -> Running {
        let desk = Arc::new(desk::build(house));
        let closing = watch::Sender::new(false);
        let closed = || {
            let mut closing = closing.subscribe();
            async move {
                // A sender that is gone closes too.
                let _ = closing.wait_for(|closing| *closing).await;
            }
        };
        let mut data = JoinSet::new();
        data.spawn(door::serve(self.data, Arc::clone(house), crew));
        let mut control = JoinSet::new();
        if let Some(listener) = self.console {
            control.spawn(control::console::serve(listener, Arc::clone(&desk), closed()));
        }
        if let Some(listener) = self.http {
            let serving = control::http::serve(listener, desk, closed());
            control.spawn(async move {
                if let Err(error) = serving.await {
                    tracing::error!(%error, "the HTTP port is lost");
                }
            });
        }
        Running { data, control, closing }
    }
}

/// Every address of the data port. Unix sockets are named by the port of the first.
fn bind_data(listen: &Listen) -> Result<net::Ports, ServeError> {
    let key = "listen in [data]";
    let failed = |address: &dyn Display, source| {
        let address = address.to_string();
        ServeError::Listen { key, address, source }
    };
    let mut tcp = Vec::with_capacity(listen.tcp.len());
    for address in &listen.tcp {
        tcp.push(Listener::bind(*address).map_err(|source| failed(address, source))?);
    }
    let mut unix = Vec::with_capacity(listen.unix.len());
    if let Some(first) = tcp.first() {
        let port = first.local_addr().map_err(|source| failed(&listen.tcp[0], source))?.port();
        for dir in &listen.unix {
            let bound = UnixPort::bind(dir, port, listen.unix_mode);
            unix.push(bound.map_err(|source| failed(&dir.display(), source))?);
        }
    }
    Ok(net::Ports::new(tcp, unix))
}
