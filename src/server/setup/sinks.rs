//! Where the records of the audit log go: the sinks of the configuration, with all they need.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use super::super::workers;
use super::served;
use crate::config::{Config, SinkConfig, SinkWay, SyslogConfig, SyslogWay, TableConfig};
use crate::net::trust::trusting;
use crate::sinks::{File, Http, Otlp, Sink, Stdout, Syslog, Table};
use crate::upstream::own;

/// A sink as it is to be.
#[derive(Clone)]
pub(in crate::server) struct Plan {
    pub(in crate::server) config: SinkConfig,
    /// What `ca_file` holds.
    authorities: Option<Vec<u8>>,
    make: Arc<dyn Fn() -> Box<dyn Sink> + Send + Sync>,
}

impl Plan {
    /// A new one.
    pub(in crate::server) fn sink(&self) -> Box<dyn Sink> {
        (self.make)()
    }
}

impl workers::Plan for Plan {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn is_like(&self, other: &Self) -> bool {
        // Where it stands in the file is no difference.
        let placed = SinkConfig { place: other.config.place.clone(), ..self.config.clone() };
        placed == other.config && self.authorities == other.authorities
    }
}

/// The sinks of a configuration. Reads files of authorities.
///
/// # Errors
/// A file that cannot be used, an address that cannot be asked.
pub(super) fn plans(config: &Config) -> Result<Vec<Plan>, String> {
    let plan = |sink: &SinkConfig| {
        plan(sink).map_err(|error| format!("{}: sink \"{}\": {error}", sink.place, sink.name))
    };
    config.sinks.iter().map(plan).collect()
}

fn plan(config: &SinkConfig) -> Result<Plan, String> {
    let authorities = authorities(config).map(read).transpose()?;
    let tls = || trusting(authorities.as_deref()).map_err(|error| format!("ca_file: {error}"));
    let timeout = config.timeout;
    let make: Arc<dyn Fn() -> Box<dyn Sink> + Send + Sync> = match &config.way {
        SinkWay::Stdout => Arc::new(|| Box::new(Stdout)),
        SinkWay::File(path) => {
            let path = path.clone();
            Arc::new(move || Box::new(File::new(path.clone())))
        }
        SinkWay::Syslog(syslog) => {
            let sink = Syslog::new(syslog, tls()?, &machine(), timeout);
            Arc::new(move || Box::new(sink.clone()))
        }
        SinkWay::Otlp(post) => {
            let sink = Otlp::new(post, tls()?, timeout).map_err(|error| error.to_string())?;
            Arc::new(move || Box::new(sink.clone()))
        }
        SinkWay::Http(post) => {
            let sink = Http::new(post, tls()?, timeout).map_err(|error| error.to_string())?;
            Arc::new(move || Box::new(sink.clone()))
        }
        SinkWay::Postgres(table) => in_table(config, table)?,
    };
    Ok(Plan { config: config.clone(), authorities, make })
}

fn in_table(
    config: &SinkConfig,
    table: &TableConfig,
) -> Result<Arc<dyn Fn() -> Box<dyn Sink> + Send + Sync>, String> {
    let servers = served::servers(&table.url);
    let patience = servers.patience();
    let target = served::target(&table.url, servers, table.password.clone())?;
    let connect = own::for_store(Arc::new(target));
    let (schema, name, timeout) = (table.schema.clone(), table.table.clone(), config.timeout);
    Ok(Arc::new(move || {
        let connect = Arc::clone(&connect);
        Box::new(Table::new(schema.as_deref(), &name, connect, patience, timeout))
    }))
}

fn authorities(config: &SinkConfig) -> Option<&PathBuf> {
    match &config.way {
        SinkWay::Syslog(SyslogConfig { way: SyslogWay::Tls { ca_file, .. }, .. }) => {
            ca_file.as_ref()
        }
        SinkWay::Otlp(post) | SinkWay::Http(post) => post.ca_file.as_ref(),
        SinkWay::Stdout | SinkWay::File(_) | SinkWay::Syslog(_) | SinkWay::Postgres(_) => None,
    }
}

fn read(path: &PathBuf) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// This machine's name; empty if it has none.
fn machine() -> String {
    nix::unistd::gethostname().map_or_else(|_| String::new(), |name| name.to_string_lossy().into())
}
