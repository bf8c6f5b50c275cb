use std::collections::HashMap;

use super::factor::TotpSecret;
use crate::model::{Digest, PublicKey, Secret, Signature};

/// How approvers prove that it is them who approve, beside their login. Who has no entry has
/// neither a key nor a second factor.
#[derive(Clone, Debug, Default)]
pub struct Approvers(pub HashMap<String, Approver>);

/// One approver's registered means.
#[derive(Clone, Debug, Default)]
pub struct Approver {
    /// Set: nothing is approved without a signature by it.
    pub key: Option<PublicKey>,
    pub totp: Option<TotpSecret>,
    /// SHA-256 of the recovery codes; see [`super::factor::recovery_digest`].
    pub recovery: Vec<Digest>,
}

/// What comes with an approval.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// Of the request's challenge, by the approver's own key.
    pub signature: Option<Signature>,
    /// A time-based or a recovery code.
    pub code: Option<Secret>,
}

/// What a policy wants of approvers beside their login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecondFactor {
    Totp,
}

impl SecondFactor {
    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Totp => "totp",
        }
    }
}

impl Approver {
    pub fn has_factor(&self) -> bool {
        self.totp.is_some() || !self.recovery.is_empty()
    }
}
