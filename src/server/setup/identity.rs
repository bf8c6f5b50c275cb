//! Who else vouches for people: the directory and the issuer of tokens.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use crate::auth::ldap::Directory;
use crate::auth::oidc::Issuer;
use crate::config::Config;
use crate::net::trust::trusting;
use crate::store::approvals::Clock;

/// What the tables `[ldap]` and `[oidc]` stand for.
pub(super) struct Identity {
    directory: Option<Arc<Directory>>,
    issuer: Option<Known>,
}

/// An issuer, and the authorities (PEM) that it is asked with.
struct Known {
    issuer: Arc<Issuer>,
    authorities: Option<Vec<u8>>,
}

impl Identity {
    /// An issuer that is the same as before stays, with the keys of it that are known.
    ///
    /// # Errors
    /// A file of authorities that cannot be used.
    pub(super) fn new(
        config: &Config,
        clock: &Clock,
        before: Option<&Self>,
    ) -> Result<Self, String> {
        let directory = match &config.ldap {
            None => None,
            Some(ldap) => {
                let authorities = read(ldap.ca_file.as_ref())?;
                let tls = trusting(authorities.as_deref())
                    .map_err(|error| format!("ca_file in [ldap]: {error}"))?;
                Some(Arc::new(Directory::new(ldap.clone(), tls)))
            }
        };
        let Some(oidc) = &config.oidc else { return Ok(Self { directory, issuer: None }) };
        let authorities = read(oidc.ca_file.as_ref())?;
        let same =
            |known: &&Known| known.issuer.config() == oidc && known.authorities == authorities;
        let issuer = match before.and_then(|before| before.issuer.as_ref()).filter(same) {
            Some(known) => Arc::clone(&known.issuer),
            None => {
                let tls = trusting(authorities.as_deref())
                    .map_err(|error| format!("ca_file in [oidc]: {error}"))?;
                Arc::new(Issuer::new(oidc.clone(), tls, Arc::clone(clock)))
            }
        };
        Ok(Self { directory, issuer: Some(Known { issuer, authorities }) })
    }

    /// # Errors
    /// There is no table `[ldap]`.
    pub(super) fn directory(&self) -> Result<Arc<Directory>, String> {
        self.directory.clone().ok_or_else(|| "there is no table [ldap]".to_owned())
    }

    /// # Errors
    /// There is no table `[oidc]`.
    pub(super) fn issuer(&self) -> Result<Arc<Issuer>, String> {
        let issuer = self.issuer.as_ref().map(|known| Arc::clone(&known.issuer));
        issuer.ok_or_else(|| "there is no table [oidc]".to_owned())
    }
}

fn read(file: Option<&PathBuf>) -> Result<Option<Vec<u8>>, String> {
    let read =
        |path: &PathBuf| fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    file.map(read).transpose()
}
