//! What one server is asked for one login.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;

use ldap3::{
    DerefAliases, Ldap, LdapConnAsync, LdapConnSettings, LdapResult, Scope, SearchEntry,
    SearchOptions, SearchResult,
};
use tokio::time::timeout;

use super::{Directory, LdapError, ServerError, Stop, names};
use crate::config::{LdapWay, StartTls};
use crate::model::Secret;

/// Entries that a search for groups may find; somebody in more does not get in with some of them.
const GROUPS_MAX: i32 = 1000;

/// Result codes of RFC 4511, appendix A.
mod code {
    pub(super) const SUCCESS: u32 = 0;
    pub(super) const SIZE_LIMIT_EXCEEDED: u32 = 4;
    pub(super) const CONSTRAINT_VIOLATION: u32 = 19;
    pub(super) const NO_SUCH_OBJECT: u32 = 32;
    pub(super) const INVALID_DN_SYNTAX: u32 = 34;
    pub(super) const INAPPROPRIATE_AUTHENTICATION: u32 = 48;
    pub(super) const INVALID_CREDENTIALS: u32 = 49;
    pub(super) const INSUFFICIENT_ACCESS_RIGHTS: u32 = 50;
    pub(super) const UNWILLING_TO_PERFORM: u32 = 53;
}

/// A connection to one server.
struct Conversation<'a> {
    directory: &'a Directory,
    ldap: Ldap,
}

/// Somebody's entry.
struct Person {
    dn: String,
    names: Vec<String>,
    /// Values of the attribute that lists groups.
    member_of: Vec<String>,
}

impl Directory {
    pub(super) async fn ask(
        &self,
        server: &str,
        user: &str,
        password: &Secret,
    ) -> Result<Vec<String>, Stop> {
        let settings = LdapConnSettings::new()
            .set_config(Arc::clone(&self.tls))
            .set_starttls(self.config.start_tls == StartTls::On);
        let connecting = LdapConnAsync::with_settings(settings, server);
        let (connection, ldap) = timeout(self.config.connect_timeout, connecting)
            .await
            .map_err(|_| Stop::Server(ServerError::ConnectTimeout))??;
        let conversation = Conversation { directory: self, ldap };
        let talking = timeout(self.config.timeout, conversation.run(user, password));
        // What ends the connection ends the conversation, which then says so.
        let driving = async {
            let _ = connection.drive().await;
            pending::<Infallible>().await
        };
        tokio::select! {
            answer = talking => answer.unwrap_or(Err(Stop::Server(ServerError::Timeout))),
            never = driving => match never {},
        }
    }
}

impl Conversation<'_> {
    async fn run(mut self, user: &str, password: &Secret) -> Result<Vec<String>, Stop> {
        let config = &self.directory.config;
        let person = match &config.way {
            LdapWay::Bind { dn } => {
                let dn = names::dn(dn, user);
                self.prove(&dn, password).await?;
                self.bind_as_service().await?;
                self.read(&dn).await?
            }
            LdapWay::Search { base, filter } => {
                self.bind_as_service().await?;
                let filter = names::filter(filter, user, "");
                let person = self.find(base, Scope::Subtree, &filter).await?;
                self.prove(&person.dn, password).await?;
                self.bind_as_service().await?;
                person
            }
        };
        if person.names != [user] {
            return Err(Stop::No(LdapError::OtherName));
        }
        let groups = self.groups(user, &person).await?;
        // Only politeness: the connection is closed in any case.
        let _ = self.ldap.unbind().await;
        Ok(groups)
    }

    /// Tries the password on the entry.
    async fn prove(&mut self, dn: &str, password: &Secret) -> Result<(), Stop> {
        // Either would be a bind as nobody, which succeeds.
        if dn.is_empty() || password.expose().is_empty() {
            return Err(Stop::No(LdapError::EmptyPassword));
        }
        let LdapResult { rc, .. } = self.ldap.simple_bind(dn, password.expose()).await?;
        match rc {
            code::SUCCESS => Ok(()),
            code::INVALID_CREDENTIALS
            | code::CONSTRAINT_VIOLATION
            | code::NO_SUCH_OBJECT
            | code::INVALID_DN_SYNTAX
            | code::INAPPROPRIATE_AUTHENTICATION
            | code::INSUFFICIENT_ACCESS_RIGHTS
            | code::UNWILLING_TO_PERFORM => Err(Stop::No(LdapError::Password(rc))),
            other => Err(failed("the bind of a user", other)),
        }
    }

    /// Searches are the service account's, if there is one.
    async fn bind_as_service(&mut self) -> Result<(), Stop> {
        let Some(service) = &self.directory.config.service else { return Ok(()) };
        let bind = self.ldap.simple_bind(&service.dn, service.password.expose()).await?;
        match bind.rc {
            code::SUCCESS => Ok(()),
            other => Err(failed("the bind of service_dn", other)),
        }
    }

    async fn read(&mut self, dn: &str) -> Result<Person, Stop> {
        self.find(dn, Scope::Base, "(objectClass=*)").await
    }

    /// The only entry that matches.
    async fn find(&mut self, base: &str, scope: Scope, filter: &str) -> Result<Person, Stop> {
        let config = &self.directory.config;
        let mut attributes = vec![config.user_attribute.as_str()];
        attributes.extend(config.member_of.as_deref());
        let (entries, rc) = self.search(base, scope, filter, &attributes, 2).await?;
        let mut entries = entries.into_iter();
        match (rc, entries.next(), entries.next()) {
            (code::SUCCESS, Some(entry), None) => Ok(Person {
                names: values(&entry, &config.user_attribute),
                member_of: config
                    .member_of
                    .as_ref()
                    .map(|attribute| values(&entry, attribute))
                    .unwrap_or_default(),
                dn: entry.dn,
            }),
            (code::SUCCESS, None, _) => Err(Stop::No(LdapError::NoEntry)),
            (code::SUCCESS | code::SIZE_LIMIT_EXCEEDED, _, _) => {
                Err(Stop::No(LdapError::SeveralEntries))
            }
            (other, _, _) => Err(failed("the search for a user", other)),
        }
    }

    async fn groups(&mut self, user: &str, person: &Person) -> Result<Vec<String>, Stop> {
        let config = &self.directory.config;
        let base = config.group_base.as_deref();
        let listed = person.member_of.iter().filter_map(|value| names::group(value, base));
        let mut groups: BTreeSet<String> = listed.collect();
        if let (Some(filter), Some(base)) = (&config.group_filter, base) {
            let filter = names::filter(filter, user, &person.dn);
            let attribute = config.group_attribute.as_str();
            let (entries, rc) =
                self.search(base, Scope::Subtree, &filter, &[attribute], GROUPS_MAX).await?;
            if rc != code::SUCCESS {
                return Err(failed("the search for groups", rc));
            }
            groups.extend(entries.iter().flat_map(|entry| values(entry, attribute)));
        }
        Ok(groups.into_iter().collect())
    }

    /// Entries, without references to other servers, and the result code.
    async fn search(
        &mut self,
        base: &str,
        scope: Scope,
        filter: &str,
        attributes: &[&str],
        entries_max: i32,
    ) -> Result<(Vec<SearchEntry>, u32), Stop> {
        let limit_secs = self.directory.config.timeout.as_secs().max(1);
        let options = SearchOptions::new()
            .deref(DerefAliases::Never)
            .sizelimit(entries_max)
            .timelimit(i32::try_from(limit_secs).unwrap_or(i32::MAX));
        let SearchResult(found, LdapResult { rc, .. }) = self
            .ldap
            .with_search_options(options)
            .search(base, scope, filter, attributes.to_vec())
            .await?;
        let entries = found.into_iter().filter(|entry| !entry.is_ref() && !entry.is_intermediate());
        Ok((entries.map(SearchEntry::construct).collect(), rc))
    }
}

/// The values of an attribute, whose name a directory may write as it likes.
fn values(entry: &SearchEntry, attribute: &str) -> Vec<String> {
    let named = entry.attrs.iter().filter(|(name, _)| name.eq_ignore_ascii_case(attribute));
    named.flat_map(|(_, values)| values).cloned().collect()
}

fn failed(what: &'static str, rc: u32) -> Stop {
    Stop::Server(ServerError::Result(what, rc))
}
