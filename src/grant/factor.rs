//! The second factor of approvers: time-based one-time passwords (RFC 6238: SHA-1, 6 digits, 30
//! seconds) and recovery codes. Pure: which codes were used, and how many were wrong lately, is
//! told by the ledger's events.

use std::collections::BTreeSet;
use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use ring::hmac;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::model::receipt::FactorKind;
use crate::model::{Digest, Secret, Timestamp};

/// Seconds for which one code is shown.
pub const STEP_SECS: u64 = 30;

/// Steps by which clocks may differ, in either direction.
const SKEW_STEPS: u64 = 1;

/// So many wrong codes within [`WINDOW`] lock the user out of approving for [`LOCKED`]. Who knows
/// the password has some hundred guesses a day, and three codes of a million are right at a time.
const WRONG_MAX: usize = 5;
const WINDOW: Duration = Duration::from_secs(60 * 60);
const LOCKED: Duration = Duration::from_secs(15 * 60);

/// RFC 4226 wants 128 bits at least.
const SECRET_BYTES_MIN: usize = 16;

/// Base32 digits of a recovery code: 80 bits, which nobody guesses against a hash.
pub const RECOVERY_DIGITS: usize = 16;

/// The secret that an approver's device shares with the configuration.
#[derive(Clone)]
pub struct TotpSecret(hmac::Key);

/// A secret that is none.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("a TOTP secret is Base32 of at least 16 bytes")]
pub struct SecretError;

/// A code that was taken, so that it is taken once only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "factor", rename_all = "snake_case")]
pub enum Factor {
    /// The code of this step, counted from 1970.
    Totp { step: u64 },
    /// The recovery code with this SHA-256.
    Recovery { code: Digest },
}

/// What the events say of one user's second factor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FactorState {
    /// The last step whose code was taken; earlier ones are not taken any more either.
    last_step: Option<u64>,
    spent: BTreeSet<Digest>,
    /// When wrong codes were given since the last right one, the latest [`WRONG_MAX`] of them.
    wrong: Vec<Timestamp>,
}

impl TotpSecret {
    /// Reads Base32; case, spaces, `-` and padding do not matter.
    ///
    /// # Errors
    /// [`SecretError`] when it is something else or too short.
    pub fn parse(text: &Secret) -> Result<Self, SecretError> {
        let digits = plain(text.expose());
        let bytes = BASE32_NOPAD.decode(digits.as_bytes()).map_err(|_| SecretError)?;
        if bytes.len() < SECRET_BYTES_MIN {
            return Err(SecretError);
        }
        Ok(Self::new(&bytes))
    }

    fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, bytes))
    }

    /// HOTP of RFC 4226 with `digits` digits.
    pub(super) fn code(&self, step: u64, digits: u32) -> String {
        let tag = hmac::sign(&self.0, &step.to_be_bytes());
        let tag = tag.as_ref();
        let start = tag.last().map_or(0, |last| usize::from(last & 15));
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&tag[start..start + 4]);
        let number = u32::from_be_bytes(bytes) & 0x7fff_ffff;
        let width = digits as usize;
        format!("{:0width$}", u64::from(number) % 10_u64.pow(digits))
    }

    /// The step within the skew of `now` whose code this is, after `last`.
    fn step_of(&self, code: &str, now: Timestamp, last: Option<u64>) -> Option<u64> {
        let current = u64::try_from(now.as_second()).ok()? / STEP_SECS;
        let mut found = None;
        // All of them, in constant time: the answer does not tell which was near.
        for step in current.saturating_sub(SKEW_STEPS)..=current + SKEW_STEPS {
            let same = self.code(step, 6).as_bytes().ct_eq(code.as_bytes());
            if bool::from(same) && last.is_none_or(|last| step > last) {
                found = Some(step);
            }
        }
        found
    }
}

impl std::fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TotpSecret(…)")
    }
}

impl Factor {
    pub fn kind(&self) -> FactorKind {
        match self {
            Self::Totp { .. } => FactorKind::Totp,
            Self::Recovery { .. } => FactorKind::Recovery,
        }
    }
}

impl FactorState {
    /// The factor that `code` shows at `now`; None: wrong, used already, or too old. Six digits
    /// are a time-based code, anything else is a recovery code.
    pub fn check(
        &self,
        secret: Option<&TotpSecret>,
        recovery: &[Digest],
        code: &Secret,
        now: Timestamp,
    ) -> Option<Factor> {
        let code = plain(code.expose());
        if code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()) {
            let step = secret?.step_of(&code, now, self.last_step)?;
            return Some(Factor::Totp { step });
        }
        let given = recovery_digest(&code);
        let mut found = None;
        for known in recovery {
            if bool::from(known.as_bytes().ct_eq(given.as_bytes())) {
                found = Some(*known);
            }
        }
        let code = found.filter(|code| !self.spent.contains(code))?;
        Some(Factor::Recovery { code })
    }

    /// Until when no code of the user is looked at, after too many wrong ones.
    pub fn locked_until(&self, now: Timestamp) -> Option<Timestamp> {
        let (first, last) = (self.wrong.first()?, self.wrong.last()?);
        let crowded = Duration::try_from(last.duration_since(*first)).unwrap_or_default() <= WINDOW;
        let until = last.checked_add(LOCKED).unwrap_or(Timestamp::MAX);
        (self.wrong.len() >= WRONG_MAX && crowded && now < until).then_some(until)
    }

    /// Takes in that a code was taken.
    pub fn used(&mut self, factor: &Factor) {
        match factor {
            Factor::Totp { step } => {
                self.last_step = Some(self.last_step.map_or(*step, |last| last.max(*step)));
            }
            Factor::Recovery { code } => {
                self.spent.insert(*code);
            }
        }
        self.wrong.clear();
    }

    /// Takes in that a wrong code was given.
    pub fn failed(&mut self, at: Timestamp) {
        self.wrong.push(at);
        if self.wrong.len() > WRONG_MAX {
            self.wrong.remove(0);
        }
    }
}

/// The hash by which the configuration knows a recovery code, however it was typed.
pub fn recovery_digest(code: &str) -> Digest {
    Digest::of(plain(code).as_bytes())
}

/// A new secret or code as text.
pub fn base32(bytes: &[u8]) -> String {
    BASE32_NOPAD.encode(bytes)
}

fn plain(text: &str) -> String {
    let is_padding = |c: char| c.is_whitespace() || c == '-' || c == '=';
    text.chars().filter(|c| !is_padding(*c)).map(|c| c.to_ascii_uppercase()).collect()
}

#[cfg(test)]
mod tests;
