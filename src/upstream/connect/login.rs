//! The proxy's own login at the database.

use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{
    ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256,
};
use tokio::io::AsyncWriteExt;

use super::probe::{self, Row, Server};
use super::{BackendKey, Binding, ConnectError, Connected, ServerError, Target, Way};
use crate::model::Secret;
use crate::net::tls::end_point;
use crate::net::{Frames, Stream};
use crate::wire::backend::{self, Authentication, DataRow, Mechanisms, authentication, tag};
use crate::wire::{TxStatus, WireError, startup, write};

/// The longest message taken during login; PostgreSQL's are a few hundred bytes.
const LOGIN_FRAME_LEN_MAX: usize = 64 * 1024;

/// ParameterStatus messages taken during login; PostgreSQL 18 sends 15.
const PARAMETERS_MAX: usize = 256;

/// What the database may do next.
enum Step {
    /// It asks for proof, or for none.
    Start,
    /// SCRAM: waits for the challenge.
    Challenge(ScramSha256),
    /// SCRAM: waits for the server's own proof, without which its Ok is worth nothing.
    Proof(ScramSha256),
    /// Waits for AuthenticationOk.
    Answered,
}

/// Sends the startup packet and proves the proxy's identity; done at the first ReadyForQuery.
pub(super) async fn log_in(
    stream: Stream,
    way: Way,
    target: &Target,
    parameters: &[(String, String)],
) -> Result<Connected, ConnectError> {
    let mut line = Line::begin(stream, parameters).await?;
    line.authenticate(target, &way).await?;
    line.finish(way, target).await
}

/// A connection during its login.
pub(super) struct Line {
    stream: Stream,
    frames: Frames,
}

impl Line {
    /// Sends the startup packet.
    pub(super) async fn begin(
        stream: Stream,
        parameters: &[(String, String)],
    ) -> Result<Self, ConnectError> {
        let mut line = Self { stream, frames: Frames::default() };
        let mut out = Vec::new();
        let pairs = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        startup::startup(&mut out, 0, pairs)?;
        // Longer packets are cut off by the server without a word.
        if out.len() > startup::PACKET_LEN_MAX {
            return Err(WireError::Length.into());
        }
        line.send(&out).await?;
        Ok(line)
    }

    /// After AuthenticationOk: everything up to the first ReadyForQuery, and who the server is.
    pub(super) async fn finish(
        mut self,
        way: Way,
        target: &Target,
    ) -> Result<Connected, ConnectError> {
        let (parameters, key) = self.wait_until_ready().await?;
        let server = if target.servers.is_cluster() { Some(self.probe().await?) } else { None };
        let Self { stream, frames } = self;
        Ok(Connected { stream, way, parameters, key, server, leftover: frames.into_leftover() })
    }

    pub(super) async fn send(&mut self, message: &[u8]) -> Result<(), ConnectError> {
        self.stream.write_all(message).await?;
        self.stream.flush().await?;
        Ok(())
    }

    /// The payload of the next message, which has to be one of the authentication.
    pub(super) async fn authentication(&mut self) -> Result<Vec<u8>, ConnectError> {
        match self.receive().await? {
            (tag::AUTHENTICATION, payload) => Ok(payload),
            (tag, _) => Err(ConnectError::Unexpected(tag)),
        }
    }

    /// The next message that is neither an error nor a notice.
    async fn receive(&mut self) -> Result<(u8, Vec<u8>), ConnectError> {
        loop {
            let frame = self.frames.next(&mut self.stream, LOGIN_FRAME_LEN_MAX).await?;
            match frame.tag {
                tag::ERROR_RESPONSE => {
                    return Err(ConnectError::Server(ServerError::read(&frame.payload)?));
                }
                tag::NOTICE_RESPONSE => {}
                tag => return Ok((tag, frame.payload)),
            }
        }
    }

    async fn authenticate(&mut self, target: &Target, way: &Way) -> Result<(), ConnectError> {
        let mut step = Step::Start;
        loop {
            let payload = self.authentication().await?;
            let mut out = Vec::new();
            step = match (step, authentication(&payload)?) {
                (Step::Start, Authentication::Ok) if target.binding == Binding::Require => {
                    return Err(ConnectError::BindingMissing);
                }
                (Step::Start | Step::Answered, Authentication::Ok) => return Ok(()),
                (
                    Step::Start,
                    Authentication::CleartextPassword | Authentication::Md5Password { .. },
                ) if target.binding == Binding::Require => {
                    return Err(ConnectError::BindingMissing);
                }
                (Step::Start, Authentication::CleartextPassword) => {
                    if !self.stream.is_encrypted() && !way.is_local() {
                        return Err(ConnectError::ClearPassword);
                    }
                    write::password(&mut out, password(target)?.expose().as_bytes())?;
                    Step::Answered
                }
                (Step::Start, Authentication::Md5Password { salt }) => {
                    let password = password(target)?.expose().as_bytes();
                    let hash = md5_hash(target.user.as_bytes(), password, salt);
                    write::password(&mut out, hash.as_bytes())?;
                    Step::Answered
                }
                (Step::Start, Authentication::Sasl(mechanisms)) => {
                    let channel = Channel::of(&self.stream, target.binding);
                    Step::Challenge(start_scram(&mut out, mechanisms, channel, password(target)?)?)
                }
                (Step::Challenge(mut scram), Authentication::SaslContinue(data)) => {
                    scram.update(data).map_err(ConnectError::Scram)?;
                    write::sasl_response(&mut out, scram.message())?;
                    Step::Proof(scram)
                }
                (Step::Proof(mut scram), Authentication::SaslFinal(data)) => {
                    scram.finish(data).map_err(ConnectError::Scram)?;
                    Step::Answered
                }
                (Step::Start, Authentication::Other(code)) => {
                    return Err(ConnectError::Authentication(code));
                }
                (
                    Step::Start | Step::Challenge(_) | Step::Proof(_) | Step::Answered,
                    Authentication::Ok
                    | Authentication::CleartextPassword
                    | Authentication::Md5Password { .. }
                    | Authentication::Sasl(_)
                    | Authentication::SaslContinue(_)
                    | Authentication::SaslFinal(_)
                    | Authentication::Other(_),
                ) => return Err(ConnectError::Unexpected(tag::AUTHENTICATION)),
            };
            self.send(&out).await?;
        }
    }

    /// What the server reports of the session, up to its first ReadyForQuery.
    async fn wait_until_ready(
        &mut self,
    ) -> Result<(Vec<(String, String)>, Option<BackendKey>), ConnectError> {
        let mut parameters = Vec::new();
        let mut key = None;
        loop {
            let (tag, payload) = self.receive().await?;
            match tag {
                tag::PARAMETER_STATUS if parameters.len() < PARAMETERS_MAX => {
                    let (name, value) = backend::parameter_status(&payload)?;
                    parameters.push((name.to_owned(), value.to_owned()));
                }
                tag::BACKEND_KEY_DATA if key.is_none() => {
                    let (pid, secret) = backend::backend_key(&payload)?;
                    key = Some(BackendKey { pid, secret: secret.to_vec() });
                }
                tag::READY_FOR_QUERY => {
                    if backend::ready_status(&payload)? != TxStatus::Idle {
                        return Err(ConnectError::Unexpected(tag));
                    }
                    return Ok((parameters, key));
                }
                _ => return Err(ConnectError::Unexpected(tag)),
            }
        }
    }

    async fn probe(&mut self) -> Result<Server, ConnectError> {
        let role = self.ask(probe::ROLE).await?;
        let system = match self.ask(probe::SYSTEM).await {
            Ok(row) => row,
            // Not permitted.
            Err(ConnectError::Server(_)) => {
                self.wait_until_ready().await?;
                None
            }
            Err(error) => return Err(error),
        };
        probe::server(role, system)
    }

    /// The first row of what `sql` answers. After an error, ReadyForQuery is still to come.
    async fn ask(&mut self, sql: &str) -> Result<Option<Row>, ConnectError> {
        let mut out = Vec::new();
        write::query(&mut out, sql)?;
        self.send(&out).await?;
        let mut first = None;
        loop {
            let (tag, payload) = self.receive().await?;
            match tag {
                tag::ROW_DESCRIPTION | tag::COMMAND_COMPLETE => {}
                tag::DATA_ROW if first.is_none() => {
                    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
                    let fields = DataRow::read(&payload)?.fields();
                    let row: Result<Row, _> =
                        fields.map(|field| Ok::<_, WireError>(field?.map(text))).collect();
                    first = Some(row?);
                }
                tag::READY_FOR_QUERY => return Ok(first),
                _ => return Err(ConnectError::Unexpected(tag)),
            }
        }
    }
}

/// What a SCRAM exchange can be bound to.
enum Channel {
    /// No TLS, or it is not wanted.
    Unbound,
    /// The hash of the server's certificate.
    EndPoint { hash: Vec<u8>, binding: Binding },
    /// There is nothing, and there has to be.
    Missing,
}

impl Channel {
    fn of(stream: &Stream, binding: Binding) -> Self {
        let hash = || stream.peer_certificate().and_then(end_point);
        match binding {
            Binding::Disable => Self::Unbound,
            Binding::Prefer => match hash() {
                Some(hash) => Self::EndPoint { hash, binding },
                None => Self::Unbound,
            },
            Binding::Require => match hash() {
                Some(hash) => Self::EndPoint { hash, binding },
                None => Self::Missing,
            },
        }
    }
}

fn password(target: &Target) -> Result<&Secret, ConnectError> {
    target.password.as_ref().ok_or(ConnectError::PasswordMissing)
}

/// Bound to the channel where both sides can: somebody in between with a certificate of their own
/// cannot pass the exchange on then.
fn start_scram(
    out: &mut Vec<u8>,
    mechanisms: Mechanisms<'_>,
    channel: Channel,
    password: &Secret,
) -> Result<ScramSha256, ConnectError> {
    let offered = |name| mechanisms.iter().any(|mechanism| mechanism == name);
    let plus = offered(SCRAM_SHA_256_PLUS);
    let (mechanism, binding) = match channel {
        Channel::EndPoint { hash, .. } if plus => {
            (SCRAM_SHA_256_PLUS, ChannelBinding::tls_server_end_point(hash))
        }
        Channel::EndPoint { binding: Binding::Require, .. } | Channel::Missing => {
            return Err(ConnectError::BindingMissing);
        }
        // Says that it could: a server that can, too, notices that somebody took its offer away.
        Channel::EndPoint { .. } => (SCRAM_SHA_256, ChannelBinding::unrequested()),
        Channel::Unbound => (SCRAM_SHA_256, ChannelBinding::unsupported()),
    };
    if !offered(mechanism) {
        return Err(ConnectError::Mechanisms);
    }
    let scram = ScramSha256::new(password.expose().as_bytes(), binding);
    write::sasl_initial_response(out, mechanism, Some(scram.message()))?;
    Ok(scram)
}
