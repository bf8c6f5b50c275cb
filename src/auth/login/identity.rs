//! The exchanges whose proof somebody else keeps: a directory, an issuer of tokens.

use super::newcomer::Newcomer;
use super::{Stop, refusal};
use crate::auth::Authenticated;
use crate::auth::ldap::Directory;
use crate::auth::oidc::bearer::{self, BearerError};
use crate::auth::oidc::{Issuer, OidcError, Proven};
use crate::config::AuthMethod;
use crate::model::SqlState;
use crate::wire::{frontend, write};

impl From<BearerError> for Stop {
    fn from(error: BearerError) -> Self {
        refusal(error.state(), error.to_string())
    }
}

impl Newcomer {
    /// The password, which the directory checks.
    pub(super) async fn ldap(
        &mut self,
        user: &str,
        directory: &Directory,
        out: &mut Vec<u8>,
    ) -> Result<Authenticated, Stop> {
        let password = self.clear_password(out).await?;
        let checked = directory.check(user, &password).await;
        let groups = checked.map_err(|error| Stop::Report(error.report(user)))?;
        Ok(Authenticated::new(user, groups, AuthMethod::Ldap))
    }

    /// A token where other clients have a password.
    pub(super) async fn token(
        &mut self,
        user: &str,
        issuer: &Issuer,
        out: &mut Vec<u8>,
    ) -> Result<Authenticated, Stop> {
        let token = self.clear_password(out).await?;
        let checked = issuer.check(token.expose(), user).await;
        let report = |error: OidcError| error.report(user, SqlState::INVALID_PASSWORD);
        let Proven { groups, until } = checked.map_err(|error| Stop::Report(report(error)))?;
        Ok(Authenticated::new(user, groups, AuthMethod::Oidc).ending(until))
    }

    /// OAUTHBEARER. A client without a token that counts is told where to get one, and has to
    /// connect again with it.
    pub(super) async fn bearer(
        &mut self,
        user: &str,
        issuer: &Issuer,
        out: &mut Vec<u8>,
    ) -> Result<Authenticated, Stop> {
        self.is_private("a token")?;
        write::authentication_sasl(out, [bearer::MECHANISM])?;
        self.send(out).await?;

        let response = self.response().await?;
        let (mechanism, first) = frontend::sasl_initial_response(&response)?;
        if mechanism != bearer::MECHANISM {
            let message = "client selected an invalid SASL authentication mechanism";
            return Err(refusal(SqlState::PROTOCOL_VIOLATION, message));
        }
        let checked = match bearer::token(first.ok_or(BearerError::Malformed)?)? {
            Some(token) => issuer.check(token, user).await,
            None => Err(OidcError::Malformed),
        };
        let error = match checked {
            Ok(Proven { groups, until }) => {
                let proof = Authenticated::new(user, groups, AuthMethod::OauthBearer);
                return Ok(proof.ending(until));
            }
            Err(error) => error,
        };
        let report = Stop::Report(error.report(user, SqlState::INVALID_AUTHORIZATION));
        // Another token would not count either.
        if error == OidcError::Unavailable {
            return Err(report);
        }
        write::authentication_sasl_continue(out, bearer::status(issuer.config()).as_bytes())?;
        self.send(out).await?;
        if self.response().await? != bearer::ACKNOWLEDGEMENT {
            return Err(BearerError::Malformed.into());
        }
        Err(report)
    }
}
