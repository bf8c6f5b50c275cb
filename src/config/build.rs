//! From the words of `proxy.toml` to a [`Config`]: defaults, limits, and what fits together.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;

use super::builder::Builder;
use super::ldap;
use super::notify;
use super::oidc;
use super::raw::{self, Text};
use super::sink;
use super::source::{Place, Problem, Problems, Source};
use super::upstream::{UpstreamDatabase, UpstreamUrl};
use super::{
    ApplicationName, AuditConfig, AuthMethod, Config, ControlConfig, DataConfig, DatabaseConfig,
    DatabaseName, Enforcement, EnforcementMode, LogConfig, LogFormat, LoginConfig, Persist,
    SchemaConfig, ShutdownConfig, TlsConfig, TlsDemand, Unclassified, Writes, catalog, discovery,
    identity, login, passthrough, risk, token, values,
};

const FRAME_LEN_MAX: u64 = 256 << 20;
/// Below this, a frame cannot hold what PostgreSQL itself may send in one ErrorResponse.
const FRAME_LEN_LEAST: u64 = 64 << 10;
/// PostgreSQL's own limit on one message.
const FRAME_LEN_MOST: u64 = 1 << 30;
const LOGIN_TIMEOUT: Duration = Duration::from_secs(60);
const CONNECTIONS_MAX: u32 = 1000;
const SEGMENT_LEN_MAX: u64 = 64 << 20;
/// 32 KiB of pseudonyms in one record.
const SUBJECTS_MAX: u32 = 1_000;
const SCHEMA_REFRESH: Duration = Duration::from_secs(30);
const DRAIN: Duration = Duration::from_secs(30);

pub(super) fn load(
    path: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, Problems> {
    let one = |problem: Problem| Problems(vec![problem]);
    let source = Source::read(path).map_err(one)?;
    let raw: raw::Proxy = source.parse().map_err(one)?;
    let mut builder = Builder::new(source, environment);
    let config = builder.config(raw);
    if builder.problems.0.is_empty() { Ok(config) } else { Err(builder.problems) }
}

impl Builder<'_> {
    fn config(&mut self, raw: raw::Proxy) -> Config {
        let auth_span = raw.data.auth.as_ref().map_or(raw.data.listen.span(), Spanned::span);
        let data = self.data(raw.data);
        let control = self.control(raw.control);
        let logins = login::rules(self, raw.login);
        let (ldap, oidc) = (ldap::build(self, raw.ldap), oidc::build(self, raw.oidc));
        let notify = notify::build(self, raw.notify);
        let sinks = sink::build(self, raw.sink);
        let risk = risk::build(self, raw.risk);
        let tables = (ldap.as_ref(), oidc.as_ref());
        login::methods_have_tables(self, (data.auth, auth_span.clone()), &logins, tables);
        self.certificates_can_be_asked_for(&data, &logins, auth_span.clone());
        self.trust_nearby(&data, &control, &logins, auth_span.clone());
        // With rules, who needs a password is for the rules to say.
        let passwords = logins.is_empty() && data.auth == AuthMethod::Scram;
        let need = if passwords { identity::Passwords::Needed } else { identity::Passwords::Extra };
        let users = identity::users(self, raw.user, need);
        let tokens = token::build(self, raw.token, &users);
        let problems_before = self.problems.0.len();
        let databases = self.databases(raw.database);
        let default = LoginConfig::of_everybody(data.auth, self.source.place(auth_span));
        passthrough::check(self, &control, &logins, &default, &databases);
        // What a policy names can only be judged by catalogs that were understood.
        let views = (self.problems.0.len() == problems_before)
            .then(|| databases.iter().map(DatabaseConfig::catalog_view).collect::<Vec<_>>());
        Config {
            path: self.source.path.clone(),
            data,
            control,
            store: self.store(raw.store),
            audit: self.audit(raw.audit),
            receipts: self.receipts(raw.receipts),
            enforcement: self.enforcement(raw.enforcement),
            schema: SchemaConfig {
                refresh: self.duration("refresh in [schema]", raw.schema.refresh, SCHEMA_REFRESH),
            },
            discovery: discovery::discovery(self, raw.discovery),
            log: LogConfig {
                format: self.word(
                    "format in [log]",
                    raw.log.format,
                    &[("text", LogFormat::Text), ("json", LogFormat::Json)],
                    LogFormat::Text,
                ),
            },
            shutdown: ShutdownConfig {
                drain: self.duration("drain in [shutdown]", raw.shutdown.drain, DRAIN),
            },
            ldap,
            oidc,
            notify,
            sinks,
            risk: std::sync::Arc::new(risk),
            policies: identity::policies(self, raw.policy, views.as_deref()),
            standing: identity::standing(self, raw.standing, views.as_deref()),
            databases,
            logins,
            users,
            groups: login::groups(self, raw.group),
            tokens,
        }
    }

    fn data(&mut self, raw: raw::Data) -> DataConfig {
        let connections = self.connections(&raw);
        let frame = raw.frame_len_max.as_ref().map(Spanned::span).unwrap_or_default();
        let bytes =
            self.parsed("frame_len_max in [data]", raw.frame_len_max, FRAME_LEN_MAX, values::size);
        if !(FRAME_LEN_LEAST..=FRAME_LEN_MOST).contains(&bytes) {
            self.wrong(frame, "frame_len_max in [data] lies between 64KiB and 1GiB");
        }
        let span = raw.connections_max.as_ref().map(Spanned::span).unwrap_or_default();
        let connections_max = raw.connections_max.map_or(CONNECTIONS_MAX, Spanned::into_inner);
        if connections_max == 0 {
            self.wrong(span, "connections_max in [data] is at least 1");
        }
        DataConfig {
            connections,
            listen: self.listen(raw.listen, raw.unix_mode),
            auth: login::auth(self, raw.auth),
            tls: raw.tls.and_then(|tls| self.tls(tls)),
            frame_len_max: usize::try_from(bytes).unwrap_or(usize::MAX),
            login_timeout: self.duration(
                "login_timeout in [data]",
                raw.login_timeout,
                LOGIN_TIMEOUT,
            ),
            connections_max: usize::try_from(connections_max).unwrap_or(usize::MAX),
        }
    }

    fn tls(&mut self, raw: Spanned<raw::Tls>) -> Option<TlsConfig> {
        let span = raw.span();
        let raw = raw.into_inner();
        let demand = self.word(
            "mode of tls in [data]",
            raw.mode,
            &[
                ("off", None),
                ("prefer", Some(TlsDemand::Prefer)),
                ("require", Some(TlsDemand::Require)),
            ],
            Some(TlsDemand::Prefer),
        )?;
        if let (Some(crl), None) = (&raw.crl, &raw.client_ca) {
            self.wrong(crl.span(), "crl of tls in [data] needs \"client_ca\"");
        }
        let (Some(cert), Some(key)) = (raw.cert, raw.key) else {
            self.wrong(span, "tls in [data] needs both \"cert\" and \"key\"");
            return None;
        };
        Some(TlsConfig {
            cert: self.file("cert of tls in [data]", &cert),
            key: self.file("key of tls in [data]", &key),
            client_ca: raw.client_ca.map(|ca| self.file("client_ca of tls in [data]", &ca)),
            crl: raw.crl.map(|crl| self.file("crl of tls in [data]", &crl)),
            demand,
        })
    }

    /// `cert` needs TLS, and authorities to go by.
    fn certificates_can_be_asked_for(
        &mut self,
        data: &DataConfig,
        logins: &[LoginConfig],
        auth_span: Range<usize>,
    ) {
        const NEED: &str = "needs tls in [data] with \"client_ca\"";
        if data.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some()) {
            return;
        }
        if logins.is_empty() && data.auth == AuthMethod::Cert {
            self.wrong(auth_span, format!("auth = \"cert\" {NEED}"));
        }
        for rule in logins.iter().filter(|rule| rule.method == AuthMethod::Cert) {
            let message = format!("method = \"cert\" in [[login]] {NEED}");
            self.problems.0.push(rule.place.problem(message));
        }
    }

    /// `trust` believes every name: nobody but this machine may reach any port then, or the rule
    /// says that it is about clients on this machine only.
    fn trust_nearby(
        &mut self,
        data: &DataConfig,
        control: &ControlConfig,
        logins: &[LoginConfig],
        auth_span: Range<usize>,
    ) {
        let control =
            [("listen in [control]", control.listen), ("http in [control]", control.http)];
        let control = control.into_iter().filter_map(|(key, address)| Some((key, address?)));
        let ports = data.listen.tcp.iter().map(|address| ("listen in [data]", *address));
        let far = ports.chain(control).filter(|(_, address)| !address.ip().is_loopback());
        let far = far.map(|(key, _)| format!("{key} is not a loopback address"));
        // Whoever connects to a balancer may be anywhere.
        let balanced = !data.connections.balancers.is_empty();
        let balanced = balanced.then(|| "proxy_protocol in [data] names balancers".to_owned());
        for what in far.chain(balanced) {
            let why = format!("is refused, as {what}");
            if logins.is_empty() && data.auth == AuthMethod::Trust {
                self.wrong(auth_span.clone(), format!("auth = \"trust\" {why}"));
            }
            for rule in logins {
                if rule.method == AuthMethod::Trust && !rule.when.is_near() {
                    let message = format!(
                        "method = \"trust\" in [[login]] {why}: name networks on this machine"
                    );
                    self.problems.0.push(rule.place.problem(message));
                }
            }
        }
    }

    fn audit(&mut self, raw: raw::Audit) -> AuditConfig {
        let dir = raw.dir.map_or_else(|| "audit".to_owned(), Spanned::into_inner);
        let key =
            raw.subject_key_file.map_or_else(|| "subjects.key".to_owned(), Spanned::into_inner);
        AuditConfig {
            dir: self.beside(Path::new(&dir)),
            segment_len_max: self.parsed(
                "segment_len_max in [audit]",
                raw.segment_len_max,
                SEGMENT_LEN_MAX,
                values::size,
            ),
            segment_age_max: self.duration(
                "segment_age_max in [audit]",
                raw.segment_age_max,
                Duration::from_hours(24),
            ),
            compress: raw.compress.unwrap_or(true),
            retention: self.duration_or_none("retention in [audit]", raw.retention),
            checkpoint_every: self.duration(
                "checkpoint_every in [audit]",
                raw.checkpoint_every,
                Duration::from_mins(1),
            ),
            subject_key_file: self.beside(Path::new(&key)),
            subjects_max: raw.subjects_max.unwrap_or(SUBJECTS_MAX),
        }
    }

    fn enforcement(&mut self, raw: raw::Enforcement) -> Enforcement {
        Enforcement {
            mode: self.word(
                "mode in [enforcement]",
                raw.mode,
                &[("enforce", EnforcementMode::Enforce), ("observe", EnforcementMode::Observe)],
                EnforcementMode::Enforce,
            ),
            unclassified: self.word(
                "unclassified in [enforcement]",
                raw.unclassified,
                &[("allow", Unclassified::Allow), ("mask", Unclassified::Mask)],
                Unclassified::Allow,
            ),
            persist: self.word(
                "persist in [enforcement]",
                raw.persist,
                &[("refuse", Persist::Refuse), ("masked", Persist::Masked)],
                Persist::Refuse,
            ),
            writes: self.word(
                "writes in [enforcement]",
                raw.writes,
                &[("allow", Writes::Allow), ("refuse", Writes::Refuse)],
                Writes::Allow,
            ),
            notice: raw.notice.unwrap_or(true),
            lookups_per_minute: raw.lookups_per_minute.unwrap_or(20),
        }
    }

    fn databases(&mut self, raw: Vec<Spanned<raw::Database>>) -> Vec<DatabaseConfig> {
        if raw.is_empty() {
            self.wrong(0..0, "there is no [[database]], so nothing to connect to");
        }
        let mut databases: Vec<DatabaseConfig> = Vec::new();
        for entry in raw {
            let place = self.source.place(entry.span());
            let Some(database) = self.database(entry.into_inner(), place) else { continue };
            databases.push(database);
        }
        for (index, database) in databases.iter().enumerate() {
            if let Some(first) = databases[..index].iter().find(|d| d.name == database.name) {
                let message = format!("the same database is named at {}", first.place);
                self.problems.0.push(database.place.problem(message));
            }
        }
        databases
    }

    fn database(&mut self, raw: raw::Database, place: Place) -> Option<DatabaseConfig> {
        let name = match raw.name.get_ref().as_str() {
            "*" => DatabaseName::Any,
            name => DatabaseName::Named(name.to_owned()),
        };
        let of = |key: &str| format!("{key} of database \"{}\"", raw.name.get_ref());
        let catalog_file = |file: &Text| (file.get_ref().clone(), file.span());
        let files = raw.catalog.iter().map(catalog_file).collect::<Vec<_>>();
        let catalog = catalog::load(self, &files);
        let catalog_files: Vec<PathBuf> =
            files.iter().map(|(file, _)| self.beside(Path::new(file))).collect();
        let password = self.password(&of, raw.password_env, raw.password_file);
        let upstream = match UpstreamUrl::parse(raw.upstream.get_ref()) {
            Ok(upstream) => self.beside_all(upstream, &of("upstream"), raw.upstream.span()),
            Err(message) => {
                self.wrong(raw.upstream.span(), format!("{}: {message}", of("upstream")));
                return None;
            }
        };
        if name == DatabaseName::Any && upstream.database != UpstreamDatabase::AsRequested {
            let message = "a database named \"*\" has an upstream that ends in \"/*\"";
            self.wrong(raw.upstream.span(), message);
        }
        let findings = self.findings(&of("findings"), raw.findings, &name, &catalog_files);
        let accounts = self.accounts(raw.account, name.as_str(), upstream.tls.mode);
        let template = raw.application_name.map(Some);
        let parse = |text: &str| ApplicationName::parse(text).map(Some);
        let application_name =
            template.and_then(|text| self.parsed(&of("application_name"), text, None, parse));
        Some(DatabaseConfig {
            name,
            upstream,
            password,
            accounts,
            application_name,
            catalog,
            catalog_files,
            findings,
            place,
        })
    }
    /// Where scans leave what they find; it need not be there yet.
    fn findings(
        &mut self,
        key: &str,
        file: Option<Text>,
        name: &DatabaseName,
        catalog_files: &[PathBuf],
    ) -> Option<PathBuf> {
        let file = file?;
        let path = self.beside(Path::new(file.get_ref()));
        if *name == DatabaseName::Any {
            let message = format!("{key}: several databases would share it");
            self.wrong(file.span(), message);
        } else if catalog_files.contains(&path) {
            self.wrong(file.span(), format!("{key}: that is a file of the catalog"));
        }
        Some(path)
    }
}
