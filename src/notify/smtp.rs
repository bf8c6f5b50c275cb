//! The channel of mail: who gets a letter, and the conversation with the server that takes it.

use std::collections::BTreeSet;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{
    Certificate, CertificateStore, Tls, TlsParameters, TlsParametersBuilder,
};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use tokio::time::timeout;

use super::Failure;
use super::mail::Letter;
use super::notice::{Notice, Told};
use crate::config::{SmtpConfig, SmtpEncryption, UserConfig};
use crate::grant::Subject;

/// Letters about one event; beyond, only the first get one.
const RECIPIENTS_MAX: usize = 100;

/// A letter takes some six answers of the server.
const ANSWERS: u32 = 6;

/// A server of mail that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SmtpError {
    #[error("ca_file: {0}")]
    Tls(#[from] lettre::transport::smtp::Error),
}

/// Whose mail goes where.
#[derive(Clone, Debug, PartialEq)]
pub struct Directory {
    people: Vec<Person>,
}

#[derive(Clone, Debug, PartialEq)]
struct Person {
    name: String,
    groups: Vec<String>,
    email: Mailbox,
}

/// The server, and what of the notice at hand has been sent.
#[derive(Clone, Debug)]
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
    directory: Directory,
    limit: Duration,
    /// Of which delivery, and whose letters need not be sent again.
    settled: (String, BTreeSet<String>),
}

impl Directory {
    /// Of those who have an address.
    pub fn new(users: &[UserConfig]) -> Self {
        let person = |user: &UserConfig| {
            let (name, groups) = (user.name.clone(), user.groups.clone());
            user.email.clone().map(|email| Person { name, groups, email })
        };
        Self { people: users.iter().filter_map(person).collect() }
    }

    /// `always`, and those whom it concerns and whose address is known; nobody twice. Where anyone
    /// may approve, nobody in particular is asked to.
    fn recipients(&self, always: &[Mailbox], told: &Told) -> Vec<Mailbox> {
        let concerned = |person: &&Person| {
            let may_approve = |subject: &Subject| match subject {
                Subject::User(name) => *name == person.name,
                Subject::Group(group) => person.groups.contains(group),
                Subject::Anyone => false,
            };
            told.users.contains(&person.name)
                || (person.name != told.requester && told.approvers.iter().any(may_approve))
        };
        let known = self.people.iter().filter(concerned).map(|person| &person.email);
        let mut seen = BTreeSet::new();
        let all = always.iter().chain(known);
        all.filter(|mailbox| seen.insert(mailbox.email.to_string())).cloned().collect()
    }
}

impl Smtp {
    /// `authorities` are PEM; None: the system's.
    ///
    /// # Errors
    /// [`SmtpError::Tls`]: the authorities cannot be read.
    pub fn new(
        config: &SmtpConfig,
        authorities: Option<&[u8]>,
        directory: Directory,
    ) -> Result<Self, SmtpError> {
        let tls = match config.encryption {
            SmtpEncryption::None => Tls::None,
            SmtpEncryption::StartTls => Tls::Required(parameters(&config.host, authorities)?),
            SmtpEncryption::Tls => Tls::Wrapper(parameters(&config.host, authorities)?),
        };
        let name = config.from.email.domain();
        let mut builder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(config.host.as_str())
                .port(config.port)
                .tls(tls)
                .timeout(Some(config.timeout));
        if name.is_ascii() {
            builder = builder.hello_name(ClientId::Domain(name.to_owned()));
        }
        if let Some((user, password)) = &config.login {
            let password = password.expose().to_owned();
            builder = builder.credentials(Credentials::new(user.clone(), password));
        }
        Ok(Self {
            transport: builder.build(),
            from: config.from.clone(),
            to: config.to.clone(),
            directory,
            limit: config.timeout.saturating_mul(ANSWERS),
            settled: Default::default(),
        })
    }

    /// Makes one attempt to reach everybody whom it was not sent to in an earlier one; says how
    /// many letters there are. Cancel safety: the letter at hand may or may not have been taken.
    ///
    /// # Errors
    /// [`Failure::ForGood`] if the server wants none of the letters.
    pub async fn deliver(&mut self, notice: &Notice) -> Result<usize, Failure> {
        if self.settled.0 != notice.delivery {
            self.settled = (notice.delivery.clone(), BTreeSet::new());
        }
        let mut recipients = self.directory.recipients(&self.to, &notice.told);
        if recipients.len() > RECIPIENTS_MAX {
            tracing::warn!(known = recipients.len(), "a notification has too many recipients");
            recipients.truncate(RECIPIENTS_MAX);
        }
        let letter = Letter { notice, from: &self.from };
        let mut refused = None;
        for recipient in &recipients {
            let address = recipient.email.to_string();
            if self.settled.1.contains(&address) {
                continue;
            }
            let sent = match letter.to(recipient) {
                Ok(message) => self.send(message).await,
                Err(error) => Err(Failure::ForGood { why: error.to_string() }),
            };
            match sent {
                Ok(()) => {}
                Err(Failure::ForGood { why }) => {
                    tracing::warn!(why, "a letter is not taken");
                    refused = Some(why);
                }
                Err(failure @ Failure::ForNow { .. }) => return Err(failure),
            }
            self.settled.1.insert(address);
        }
        match refused {
            Some(why) if recipients.len() == 1 => Err(Failure::ForGood { why }),
            Some(_) | None => Ok(recipients.len()),
        }
    }

    async fn send(&self, message: Message) -> Result<(), Failure> {
        match timeout(self.limit, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(judge(&error)),
            Err(_) => {
                let why = format!("no answer within {:?}", self.limit);
                Err(Failure::ForNow { why, wait: None })
            }
        }
    }
}

/// What the server says is not repeated: it may name people. A login that is refused is a mistake
/// of the configuration's, and is tried again.
fn judge(error: &lettre::transport::smtp::Error) -> Failure {
    const LOGIN: [u16; 4] = [530, 534, 535, 538];
    let code = error.status().map(u16::from);
    match code {
        Some(code) => {
            let why = format!("the server of mail says {code}");
            if error.is_permanent() && !LOGIN.contains(&code) {
                Failure::ForGood { why }
            } else {
                Failure::ForNow { why, wait: None }
            }
        }
        None => {
            let what = if error.is_timeout() {
                "does not answer in time"
            } else if error.is_tls() {
                "cannot be spoken to over TLS"
            } else if error.is_client() {
                "does not offer what is needed"
            } else {
                "cannot be reached"
            };
            Failure::ForNow { why: format!("the server of mail {what}"), wait: None }
        }
    }
}

fn parameters(host: &str, authorities: Option<&[u8]>) -> Result<TlsParameters, SmtpError> {
    let mut builder = TlsParametersBuilder::new(host.to_owned());
    if let Some(pem) = authorities {
        builder = builder.certificate_store(CertificateStore::None);
        builder = builder.add_root_certificate(Certificate::from_pem(pem)?);
    }
    Ok(builder.build_rustls()?)
}
