//! What the operator wrote: `proxy.toml` and the catalog files it names, read, checked and turned
//! into plain values. Everything that can be wrong is found here, with its file and line, before
//! any port opens.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lettre::message::Mailbox;

pub use crate::analysis::sensitive::Unclassified;
use crate::catalog::Catalog;
use crate::grant::{CatalogView, Policies, PolicyText, Standing, StandingText, Subject};
use crate::model::{Secret, User};
use crate::risk::Rules;

mod account;
mod approver;
mod audit;
mod build;
mod builder;
mod catalog;
mod catalog_keys;
mod connections;
mod control;
mod discovery;
mod identity;
mod identity_map;
mod ldap;
mod listen;
mod login;
mod notice_kind;
mod notify;
mod oidc;
mod one_or_many;
mod passthrough;
mod proposed;
mod raw;
mod risk;
mod sink;
mod source;
mod store;
mod token;
mod upstream;
mod values;

pub use account::NAME_LEN_MAX;
pub use approver::{ApproverConfig, ReceiptsConfig};
pub use audit::AuditConfig;
pub use catalog_keys::{CATALOG_KEYS, CATALOG_SECTIONS, CatalogKey, MASKS};
pub use connections::Connections;
pub use control::{ControlConfig, RequestLimits, SESSION_MOST};
pub use discovery::{DiscoveryConfig, Suggest};
pub use identity_map::IdentityMap;
pub use ldap::{LdapConfig, LdapService, LdapWay, StartTls};
pub use listen::Listen;
pub use login::{
    AuthMethod, CertIdentity, GroupConfig, LoginConfig, LoginNetwork, LoginTls, LoginWhen,
};
pub use notice_kind::NoticeKind;
pub use notify::{NotifyConfig, SmtpConfig, SmtpEncryption, WebhookConfig, WebhookFormat};
pub use oidc::{Algorithm, OidcClient, OidcConfig, SessionEnd};
pub use sink::{
    Confirm, Facility, PostConfig, SinkConfig, SinkKind, SinkStart, SinkWay, SyslogConfig,
    SyslogWay, TableConfig,
};
pub use source::{Place, Problem, Problems};
pub use store::{SharedStoreConfig, StoreConfig, StoreLocation};
pub use token::TokenConfig;
pub use upstream::{
    CertificateFiles, ChannelBinding, LoadBalance, Roots, SessionTarget, SslMode, SslNegotiation,
    UpstreamDatabase, UpstreamHost, UpstreamTls, UpstreamUrl,
};

/// A configuration that passed every check that needs no network.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it was read from, as named on the command line.
    pub path: PathBuf,
    pub data: DataConfig,
    pub control: ControlConfig,
    pub store: StoreConfig,
    pub audit: AuditConfig,
    pub receipts: ReceiptsConfig,
    pub enforcement: Enforcement,
    pub schema: SchemaConfig,
    pub discovery: DiscoveryConfig,
    pub log: LogConfig,
    pub shutdown: ShutdownConfig,
    /// None: nobody logs in with `ldap`.
    pub ldap: Option<LdapConfig>,
    /// None: nobody logs in with `oidc`.
    pub oidc: Option<OidcConfig>,
    pub notify: NotifyConfig,
    pub sinks: Vec<SinkConfig>,
    pub risk: Arc<Rules>,
    pub databases: Vec<DatabaseConfig>,
    /// In the order of the file: the first that matches decides. Empty: `data.auth` for everybody.
    pub logins: Vec<LoginConfig>,
    pub users: Vec<UserConfig>,
    pub groups: Vec<GroupConfig>,
    pub tokens: Vec<TokenConfig>,
    /// In the order of the file: the first that matches decides.
    pub policies: Vec<PolicyConfig>,
    pub standing: Vec<StandingConfig>,
}

/// `[data]`: where clients connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataConfig {
    pub listen: Listen,
    pub auth: AuthMethod,
    /// None: clients that ask for TLS are told no.
    pub tls: Option<TlsConfig>,
    /// Bytes; a longer message ends the session.
    pub frame_len_max: usize,
    /// From the accepted connection to the end of authentication.
    pub login_timeout: Duration,
    pub connections_max: usize,
    pub connections: Connections,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConfig {
    pub cert: PathBuf,
    pub key: PathBuf,
    pub client_ca: Option<PathBuf>,
    /// Certificates that the authorities have taken back.
    pub crl: Option<PathBuf>,
    pub demand: TlsDemand,
}

/// Whether a client may go without TLS (`mode = "prefer"` and `"require"`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsDemand {
    Prefer,
    Require,
}

/// `[enforcement]`: what happens to personal data that no grant covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enforcement {
    pub mode: EnforcementMode,
    pub unclassified: Unclassified,
    pub persist: Persist,
    pub writes: Writes,
    /// One NOTICE per statement that was masked.
    pub notice: bool,
    /// How many values a user may look up in a database in a minute, under grants for `lookup`.
    pub lookups_per_minute: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnforcementMode {
    Enforce,
    /// Log what would be masked, change nothing.
    Observe,
}

/// Storing values derived from hidden personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persist {
    Refuse,
    Masked,
}

/// A client's own values going into columns of personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    Allow,
    Refuse,
}

/// `[schema]`: how often the upstream schema is read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaConfig {
    pub refresh: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    pub format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShutdownConfig {
    /// How long sessions may go on after SIGTERM before they are ended.
    pub drain: Duration,
}

/// `[[database]]`: what clients ask for, and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct DatabaseConfig {
    pub name: DatabaseName,
    pub upstream: UpstreamUrl,
    pub password: Option<Secret>,
    /// In the order of the file: the first that serves a user is theirs; without one, the URL's.
    pub accounts: Vec<AccountConfig>,
    /// None: the client's own.
    pub application_name: Option<ApplicationName>,
    pub catalog: Catalog,
    /// The files that make it up, in order.
    pub catalog_files: Vec<PathBuf>,
    /// Where scans leave what they find, to be reviewed in the web console.
    pub findings: Option<PathBuf>,
    pub place: Place,
}

/// `[[database.account]]`: as whom some users' sessions run.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountConfig {
    pub users: Vec<Subject>,
    /// `{user}` stands for the name at the proxy.
    pub user: String,
    pub password: Option<Secret>,
    /// Instead of the URL's.
    pub certificate: Option<CertificateFiles>,
    pub place: Place,
}

/// `application_name` with `{user}` and `{application}` in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationName(String);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseName {
    Named(String),
    /// `*`: whatever the client asks for that no other entry names.
    Any,
}

/// `[[user]]`: an identity of the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserConfig {
    pub name: String,
    pub groups: Vec<String>,
    pub roles: Vec<Role>,
    /// None only where another method than SCRAM serves, for this user at least.
    pub credential: Option<Credential>,
    /// Where notifications about the user's own requests go.
    pub email: Option<Mailbox>,
    pub approver: ApproverConfig,
    pub place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// May use the control port.
    Control,
    /// May change objects over personal data.
    Ddl,
    /// May read the audit log over HTTP.
    Auditor,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    Password(Secret),
    /// `SCRAM-SHA-256$…` as PostgreSQL stores it; its shape is checked by `auth`.
    ScramVerifier(Secret),
}

/// `[[policy]]`: who may request what, and who decides.
#[derive(Clone, Debug)]
pub struct PolicyConfig {
    pub text: PolicyText,
    pub place: Place,
}

/// `[[standing]]`: a grant that needs no request and has no end.
#[derive(Clone, Debug)]
pub struct StandingConfig {
    pub text: StandingText,
    pub place: Place,
}

impl Config {
    /// Reads the file, its catalogs, and the secrets it refers to.
    ///
    /// # Errors
    /// [`Problems`]: everything that is wrong, each with file, line and key.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        Self::load_with(path, &|name| std::env::var(name).ok())
    }

    /// [`Config::load`] with the environment as an argument.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_with(
        path: &Path,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Problems> {
        build::load(path, environment)
    }

    /// The database that serves `name`: its own entry, or the `*` one.
    pub fn database(&self, name: &str) -> Option<&DatabaseConfig> {
        let named = |database: &&DatabaseConfig| match &database.name {
            DatabaseName::Named(own) => own == name,
            DatabaseName::Any => false,
        };
        self.databases
            .iter()
            .find(named)
            .or_else(|| self.databases.iter().find(|database| database.name == DatabaseName::Any))
    }

    /// The policies in the order of the file, their names resolved against `views`.
    ///
    /// # Errors
    /// [`Problems`]: those that the catalogs give no meaning.
    pub fn grant_policies(&self, views: &[CatalogView]) -> Result<Policies, Problems> {
        identity::resolve(&self.policies, |policy| (&policy.place, policy.text.resolve(views)))
            .map(Policies)
    }

    /// The standing grants, their names resolved against `views`.
    ///
    /// # Errors
    /// [`Problems`]: those that the catalogs give no meaning.
    pub fn grant_standing(&self, views: &[CatalogView]) -> Result<Vec<Standing>, Problems> {
        identity::resolve(&self.standing, |grant| (&grant.place, grant.text.resolve(views)))
    }

    /// What can be asked for, before any schema was read.
    pub fn catalog_views(&self) -> Vec<CatalogView> {
        self.databases.iter().map(DatabaseConfig::catalog_view).collect()
    }

    /// What is served and should still be looked at.
    pub fn warnings(&self) -> Vec<Problem> {
        let warning = |database: &DatabaseConfig| {
            let name = database.name.as_str();
            let said = database.upstream.warning()?;
            Some(database.place.problem(format!("upstream of database \"{name}\": {said}")))
        };
        let sinks = self.sinks.iter().filter_map(SinkConfig::warning);
        self.databases.iter().filter_map(warning).chain(self.store.warning()).chain(sinks).collect()
    }

    pub fn user(&self, name: &str) -> Option<&UserConfig> {
        self.users.iter().find(|user| user.name == name)
    }
}

impl UserConfig {
    /// The user in the words of the core.
    pub fn principal(&self) -> User {
        User {
            name: self.name.as_str().into(),
            groups: self.groups.clone().into(),
            roles: self.roles.iter().map(|role| role.as_str().to_owned()).collect(),
        }
    }
}

impl Role {
    const WORDS: [(&'static str, Self); 3] =
        [("control", Self::Control), ("ddl", Self::Ddl), ("auditor", Self::Auditor)];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Ddl => "ddl",
            Self::Auditor => "auditor",
        }
    }
}

impl DatabaseName {
    /// The name as the configuration writes it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Named(name) => name,
            Self::Any => "*",
        }
    }
}

impl DatabaseConfig {
    fn catalog_view(&self) -> CatalogView {
        CatalogView::new(self.name.as_str(), &self.catalog, None)
    }

    /// The name of the upstream database when the client asks for `requested`.
    pub fn upstream_database<'a>(&'a self, requested: &'a str) -> &'a str {
        match &self.upstream.database {
            UpstreamDatabase::Named(name) => name,
            UpstreamDatabase::AsRequested => requested,
        }
    }
}
