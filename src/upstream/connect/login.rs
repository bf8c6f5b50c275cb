//! The proxy's own login at the database.

use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use tokio::io::AsyncWriteExt;

use super::{BackendKey, ConnectError, Connected, ServerError, Target};
use crate::model::Secret;
use crate::net::{Frames, Stream};
use crate::wire::backend::{self, Authentication, Mechanisms, authentication, tag};
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
    target: &Target,
    parameters: &[(String, String)],
) -> Result<Connected, ConnectError> {
    let mut line = Line { stream, frames: Frames::default() };
    let mut out = Vec::new();
    let pairs = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    startup::startup(&mut out, 0, pairs)?;
    // Longer packets are cut off by the server without a word.
    if out.len() > startup::PACKET_LEN_MAX {
        return Err(WireError::Length.into());
    }
    line.stream.write_all(&out).await?;
    line.stream.flush().await?;
    line.authenticate(target).await?;
    line.wait_until_ready().await
}

struct Line {
    stream: Stream,
    frames: Frames,
}

impl Line {
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

    async fn authenticate(&mut self, target: &Target) -> Result<(), ConnectError> {
        let mut step = Step::Start;
        loop {
            let (tag, payload) = self.receive().await?;
            if tag != tag::AUTHENTICATION {
                return Err(ConnectError::Unexpected(tag));
            }
            let mut out = Vec::new();
            step = match (step, authentication(&payload)?) {
                (Step::Start | Step::Answered, Authentication::Ok) => return Ok(()),
                (Step::Start, Authentication::CleartextPassword) => {
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
                    Step::Challenge(start_scram(&mut out, mechanisms, password(target)?)?)
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
                ) => return Err(ConnectError::Unexpected(tag)),
            };
            self.stream.write_all(&out).await?;
            self.stream.flush().await?;
        }
    }

    async fn wait_until_ready(mut self) -> Result<Connected, ConnectError> {
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
                    let Self { stream, frames } = self;
                    let leftover = frames.into_leftover();
                    return Ok(Connected { stream, parameters, key, leftover });
                }
                _ => return Err(ConnectError::Unexpected(tag)),
            }
        }
    }
}

fn password(target: &Target) -> Result<&Secret, ConnectError> {
    target.password.as_ref().ok_or(ConnectError::PasswordMissing)
}

/// Without channel binding, which PostgreSQL does not insist on.
fn start_scram(
    out: &mut Vec<u8>,
    mechanisms: Mechanisms<'_>,
    password: &Secret,
) -> Result<ScramSha256, ConnectError> {
    if !mechanisms.iter().any(|mechanism| mechanism == SCRAM_SHA_256) {
        return Err(ConnectError::Mechanisms);
    }
    let scram = ScramSha256::new(password.expose().as_bytes(), ChannelBinding::unsupported());
    write::sasl_initial_response(out, SCRAM_SHA_256, Some(scram.message()))?;
    Ok(scram)
}
