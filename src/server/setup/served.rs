//! One `[[database]]`, ready for use: its servers, its certificates, its accounts.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::config::{
    AccountConfig, ApplicationName, CertificateFiles, ChannelBinding, DatabaseConfig, DatabaseName,
    LoadBalance, NAME_LEN_MAX, Roots, SessionTarget, SslMode, SslNegotiation, UpstreamDatabase,
    UpstreamHost, UpstreamUrl,
};
use crate::model::{Secret, User};
use crate::net::listen::Silence;
use crate::net::tls::{self, OwnCertificate, ServerCertificate, client_config};
use crate::upstream::connect::{Binding, Target, Tls};
use crate::upstream::servers::{Host, Order, Servers, Wanted};

pub(super) struct Served {
    pub(super) name: DatabaseName,
    /// As the URL's account; its database is a placeholder where it is as the client asks.
    target: Target,
    database: UpstreamDatabase,
    pub(super) accounts: Arc<Accounts>,
    pub(super) catalog: Arc<Catalog>,
}

/// As whom the sessions of a database run.
pub(in crate::server) struct Accounts {
    /// With the TLS settings of those that have a certificate of their own.
    special: Vec<(AccountConfig, Option<Tls>)>,
    application_name: Option<ApplicationName>,
}

/// The name of a user makes no name of an account.
#[derive(Debug)]
pub(in crate::server) struct NoAccount;

impl Accounts {
    /// `target` as `user` connects to it.
    pub(in crate::server) fn target(
        &self,
        target: &Arc<Target>,
        user: &User,
    ) -> Result<Arc<Target>, NoAccount> {
        let Some((account, tls)) = self.special.iter().find(|(entry, _)| entry.serves(user)) else {
            return Ok(Arc::clone(target));
        };
        let mut special = (**target).clone();
        special.user = account.name_for(&user.name).ok_or(NoAccount)?;
        special.password.clone_from(&account.password);
        if let Some(tls) = tls {
            special.tls = tls.clone();
        }
        Ok(Arc::new(special))
    }

    /// `target` for a client that logs in to the database itself: as the user that it names, with
    /// whatever certificate the URL's account has, and without a password.
    pub(in crate::server) fn of_client(
        target: &Target,
        user: &str,
    ) -> Result<Arc<Target>, NoAccount> {
        // Cut off, it would be somebody else's.
        if user.len() > NAME_LEN_MAX {
            return Err(NoAccount);
        }
        let user = user.to_owned();
        Ok(Arc::new(Target { user, password: None, ..target.clone() }))
    }

    /// `target` for every account that does not depend on the user's name.
    pub(in crate::server) fn fixed(&self, target: &Target) -> Vec<Target> {
        let fixed = |(account, tls): &(AccountConfig, Option<Tls>)| {
            let mut special = target.clone();
            account.fixed_name()?.clone_into(&mut special.user);
            special.password.clone_from(&account.password);
            if let Some(tls) = tls {
                special.tls = tls.clone();
            }
            Some(special)
        };
        self.special.iter().filter_map(fixed).collect()
    }

    /// What `user` calls the application, in the words of the configuration; None: as they do.
    pub(in crate::server) fn application_name(&self, user: &str, own: &str) -> Option<String> {
        self.application_name.as_ref().map(|name| name.of(user, own))
    }
}

impl Served {
    pub(super) fn new(config: &DatabaseConfig) -> Result<Self, String> {
        let upstream = &config.upstream;
        let settings = |certificate: Option<&CertificateFiles>| {
            tls(upstream, certificate).map_err(|error| format!("{}: {error}", config.place))
        };
        let special = config.accounts.iter().map(|account| {
            let certificate = account.certificate.as_ref();
            let tls = certificate.map(|files| settings(Some(files))).transpose()?;
            Ok::<_, String>((account.clone(), tls))
        });
        Ok(Self {
            name: config.name.clone(),
            target: target(upstream, servers(upstream), config.password.clone())
                .map_err(|error| format!("{}: {error}", config.place))?,
            database: upstream.database.clone(),
            accounts: Arc::new(Accounts {
                special: special.collect::<Result<_, _>>()?,
                application_name: config.application_name.clone(),
            }),
            catalog: Arc::new(config.catalog.clone()),
        })
    }

    /// Where a client gets that asks for database `name`.
    pub(super) fn target(&self, name: &str) -> Target {
        let mut target = self.target.clone();
        if self.database == UpstreamDatabase::AsRequested {
            name.clone_into(&mut target.database);
        }
        target
    }

    /// Where it is, for people.
    pub(super) fn place(&self) -> String {
        format!("{}/{}", self.target.servers, self.target.database)
    }
}

/// Where a URL leads.
pub(super) fn target(
    url: &UpstreamUrl,
    servers: Servers,
    password: Option<Secret>,
) -> Result<Target, String> {
    Ok(Target {
        servers: Arc::new(servers),
        tls: tls(url, url.tls.certificate.as_ref())?,
        binding: match url.binding {
            ChannelBinding::Disable => Binding::Disable,
            ChannelBinding::Prefer => Binding::Prefer,
            ChannelBinding::Require => Binding::Require,
        },
        user: url.user.clone(),
        database: match &url.database {
            UpstreamDatabase::Named(name) => name.clone(),
            UpstreamDatabase::AsRequested => "*".to_owned(),
        },
        password,
    })
}

pub(super) fn servers(upstream: &UpstreamUrl) -> Servers {
    let host = |host: &UpstreamHost| match host {
        UpstreamHost::Tcp { host, port } => Host::Tcp { name: host.clone(), port: *port },
        UpstreamHost::Socket { dir, port } => Host::socket(dir, *port),
    };
    let mut servers =
        Servers::new(upstream.hosts.iter().map(host).collect(), upstream.connect_timeout);
    servers.wanted = match upstream.target {
        SessionTarget::Any => Wanted::Any,
        SessionTarget::ReadWrite => Wanted::ReadWrite,
        SessionTarget::ReadOnly => Wanted::ReadOnly,
        SessionTarget::Primary => Wanted::Primary,
        SessionTarget::Standby => Wanted::Standby,
        SessionTarget::PreferStandby => Wanted::PreferStandby,
    };
    servers.silence =
        Silence { idle: Some(upstream.keepalives_idle), unacknowledged: upstream.tcp_user_timeout };
    servers.order = match upstream.balance {
        LoadBalance::Disable => Order::AsListed,
        LoadBalance::Random => Order::Random,
    };
    servers
}

fn tls(upstream: &UpstreamUrl, certificate: Option<&CertificateFiles>) -> Result<Tls, String> {
    let settings = &upstream.tls;
    let read = |path: &Path| fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let roots = || match &settings.roots {
        Roots::System => tls::system_roots().map_err(|error| error.to_string()),
        Roots::File(path) => {
            tls::roots(&read(path)?).map_err(|error| format!("{}: {error}", path.display()))
        }
        // The configuration was checked; nobody is trusted then.
        Roots::None => Err("sslrootcert is missing".to_owned()),
    };
    let server = match settings.mode {
        SslMode::Disable => return Ok(Tls::Disable),
        SslMode::Prefer | SslMode::Require => ServerCertificate::Unverified,
        SslMode::VerifyCa => ServerCertificate::Signed(roots()?),
        SslMode::VerifyFull => ServerCertificate::Verified(roots()?),
    };
    let config = match certificate {
        None => client_config(server, None).map_err(|error| error.to_string())?,
        Some(CertificateFiles { cert, key }) => {
            let (chain, key) = (read(cert)?, read(key)?);
            let own = OwnCertificate { chain: &chain, key: &key };
            client_config(server, Some(own))
                .map_err(|error| format!("{}: {error}", cert.display()))?
        }
    };
    Ok(match (settings.mode, settings.negotiation) {
        (SslMode::Disable | SslMode::Prefer, _) => Tls::Prefer(config),
        (_, SslNegotiation::Postgres) => Tls::Require(config),
        (_, SslNegotiation::Direct) => Tls::Direct(config),
    })
}
