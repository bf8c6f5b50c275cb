//! A client's way on to the database.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::{Guest, Refusal, parameter};
use crate::auth::login::Request;
use crate::model::{Report, SqlState};
use crate::relay::CancelCall;
use crate::server::databases::Site;
use crate::server::house::House;
use crate::server::setup::Accounts;
use crate::telemetry::labels::{LoginResult, UpstreamError};
use crate::upstream::cancel::cancel;
use crate::upstream::connect::passthrough::Proven;
use crate::upstream::connect::{
    BackendKey, ConnectError, Connected, Target, Way, connect, startup_parameters,
};

/// How long the database may take to hear of a cancelled query.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(10);

/// The startup parameters of a session at the database: what the client asks for, and the
/// configured name of the application.
pub(in crate::server) fn parameters(
    target: &Target,
    accounts: &Accounts,
    request: &Request,
) -> Vec<(String, String)> {
    let mut parameters = startup_parameters(target, &request.parameters, &[]);
    let own = parameter(request, "application_name");
    if let Some(name) = accounts.application_name(&request.user, own) {
        parameters.retain(|(key, _)| key != "application_name");
        parameters.push(("application_name".to_owned(), name));
    }
    parameters
}

/// What a step towards the database gives, within the time that its hosts have.
///
/// # Errors
/// What the client may be told; the failure is counted and logged.
pub(in crate::server) async fn within_patience<T>(
    house: &House,
    target: &Target,
    request: &Request,
    step: impl Future<Output = Result<T, ConnectError>>,
) -> Result<T, Report> {
    let error = match timeout(target.servers.patience(), step).await {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(error)) => error,
        Err(_) => ConnectError::Unreachable(std::io::ErrorKind::TimedOut.into()),
    };
    let kind = match &error {
        ConnectError::Unreachable(_)
        | ConnectError::Io(_)
        | ConnectError::Closed
        | ConnectError::Unsuitable => UpstreamError::Connect,
        ConnectError::Server(_)
        | ConnectError::TlsRefused
        | ConnectError::Tls(_)
        | ConnectError::ServerName
        | ConnectError::PasswordMissing
        | ConnectError::ClearPassword
        | ConnectError::BindingMissing
        | ConnectError::Authentication(_)
        | ConnectError::Mechanisms
        | ConnectError::Unproven
        | ConnectError::NotScram(_)
        | ConnectError::OtherUser
        | ConnectError::Scram(_) => UpstreamError::Login,
        ConnectError::Wire(_) | ConnectError::Unexpected(_) => UpstreamError::Protocol,
    };
    house.metrics.upstream_errors.of(kind).inc();
    tracing::warn!(database = %request.database, %error, "no connection for a client");
    if kind == UpstreamError::Connect
        && let Some(site) = house.databases.find(&request.database)
    {
        site.database.suspect();
    }
    Err(error.report())
}

impl Guest {
    /// Connects to the database in the client's name for it, with what the client asks for; or
    /// completes the login on the connection that there is.
    pub(super) async fn connect(
        &self,
        target: &Target,
        accounts: &Accounts,
        request: &Request,
        proven: Option<Proven>,
    ) -> Result<Connected, Refusal> {
        let house = &self.house;
        let connected = match proven {
            Some(proven) => within_patience(house, target, request, proven.ready()).await,
            None => {
                let parameters = parameters(target, accounts, request);
                let connecting = connect(target, &parameters);
                within_patience(house, target, request, connecting).await
            }
        };
        connected.map_err(|report| Refusal { report, result: LoginResult::Upstream })
    }

    /// Among several servers, one that belongs to another cluster would give what the schema does
    /// not say: its OIDs mean something else.
    pub(super) async fn same_cluster(
        &self,
        site: &Site,
        connected: &Connected,
    ) -> Result<(), Refusal> {
        let Some(server) = &connected.server else { return Ok(()) };
        let same = || {
            let known = site.identity.load();
            known.as_ref().is_some_and(|known| known.is_same(&server.identity))
        };
        // The schema may have been read before the hosts changed their parts.
        if same() || (site.database.refresh().await.is_ok() && same()) {
            return Ok(());
        }
        self.house.metrics.upstream_errors.of(UpstreamError::Protocol).inc();
        let (database, address) = (site.database.name(), &connected.way.address);
        tracing::warn!(%database, %address, "a host of the database is not of its cluster");
        let report = Report::fatal(SqlState::CONNECTION_FAILURE, "cannot connect to the database");
        Err(Refusal { report, result: LoginResult::Upstream })
    }
}

/// Stops what the database does for this session.
pub(super) fn cancel_call(target: &Arc<Target>, connected: &Connected) -> CancelCall {
    let way: Option<(Way, BackendKey)> =
        connected.key.clone().map(|key| (connected.way.clone(), key));
    let target = Arc::clone(target);
    Arc::new(move || {
        let (way, target) = (way.clone(), Arc::clone(&target));
        Box::pin(async move {
            let Some((way, key)) = way else { return };
            match timeout(CANCEL_TIMEOUT, cancel(&way, &target, &key)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "a query could not be cancelled"),
                Err(_) => tracing::warn!("a query could not be cancelled in time"),
            }
        })
    })
}
