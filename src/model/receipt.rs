//! Receipts: what was approved and granted, in a form that somebody signs and anybody can check
//! without the proxy.
//!
//! What is signed is one string of bytes: `keyhole-receipt-v1 approved` or `keyhole-receipt-v1
//! granted`, a zero byte, and then the fields of [`ReceiptBody`] in the order in which they are
//! declared. A text is its length (4 bytes, big-endian) and its UTF-8; a number is such a text in
//! decimal digits, a time one of nanoseconds since 1970, a digest one of hexadecimal digits; what
//! may be absent begins with a byte 0 or 1; a list is its length (4 bytes) and its items.
//!
//! A receipt holds no literal: the row predicate, the reason and the ticket stand in it as their
//! SHA-256. `terms` is the SHA-256 of all that was asked for, so that a term without a field of
//! its own here is bound too.

mod canonical;

use serde::{Deserialize, Serialize};

use super::{Digest, KeyId, PublicKey, Signature, SigningKey, Timestamp};
use canonical::Canonical;

/// Which step was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Somebody approved a request.
    Approved,
    /// A grant was made.
    Granted,
}

/// On whose word a grant was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Of those who approved the request.
    Approvals,
    /// Of a policy that needs no approval.
    Policy,
    /// Of a DBA, without a request.
    Direct,
    /// Of the configuration.
    Standing,
}

/// What is agreed upon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matter {
    /// The approval store in which the numbers mean something.
    pub store: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<u64>,
    pub requester: String,
    /// Who would see: `alice` or `group:support`.
    pub subject: String,
    /// `*`: every database.
    pub database: String,
    pub resource: String,
    pub actions: Vec<String>,
    /// SHA-256 of the row predicate's SQL; None: every row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<Digest>,
    pub reason: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Digest>,
    /// None: without an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// SHA-256 of all terms as the store writes them.
    pub terms: Digest,
}

/// One person's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    pub by: String,
    pub at: Timestamp,
    /// The second factor that was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<FactorKind>,
    /// The approver's own signature of [`Matter::challenge`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<OwnSignature>,
    /// [`ReceiptBody::digest`] of this approval's own receipt; None in that receipt itself, and for
    /// an approval that has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Digest>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactorKind {
    Totp,
    Recovery,
}

/// Made with a key of the approver's own, which the proxy does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnSignature {
    pub key: KeyId,
    pub signature: Signature,
}

/// What became a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub id: u64,
    pub begins: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Timestamp>,
    /// SHA-256 of the grant as the store writes it.
    pub grant: Digest,
}

/// What a receipt says, before it is signed. (The `Receipt` of `audit` is another thing: proof
/// that a record is durable.)
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptBody {
    pub step: Step,
    #[serde(flatten)]
    pub matter: Matter,
    /// None for a DBA's own GRANT and for standing grants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    pub way: Way,
    /// Those so far; on the step `approved`, the last one is what the receipt is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Approval>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// A receipt: what it says, with the signature of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attestation {
    #[serde(flatten)]
    pub receipt: ReceiptBody,
    pub key: KeyId,
    pub signature: Signature,
}

/// What an approver's own key signs: stands for exactly what would be granted, in which store, on
/// which request. Its text is the signed message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge(String);

/// Text that is no challenge.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("a challenge is \"keyhole-approval-v1:\" and 64 hexadecimal digits")]
pub struct ChallengeError;

impl ReceiptBody {
    /// The bytes that are signed.
    pub fn canonical(&self) -> Vec<u8> {
        let Self { step, matter, policy, way, approvals, outcome } = self;
        let mut out = Canonical::new(match step {
            Step::Approved => "keyhole-receipt-v1 approved",
            Step::Granted => "keyhole-receipt-v1 granted",
        });
        out.matter(matter);
        out.optional(policy.as_ref(), Canonical::text);
        out.text(match way {
            Way::Approvals => "approvals",
            Way::Policy => "policy",
            Way::Direct => "direct",
            Way::Standing => "standing",
        });
        out.list(approvals, Canonical::approval);
        out.optional(outcome.as_ref(), Canonical::outcome);
        out.bytes()
    }

    /// Names the receipt in others.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.canonical())
    }

    pub fn sign(self, key: &SigningKey) -> Attestation {
        let signature = key.sign(&self.canonical());
        Attestation { receipt: self, key: key.public().id(), signature }
    }
}

impl Attestation {
    /// Whether the holder of this key signed it.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        self.key == key.id() && key.verifies(&self.receipt.canonical(), &self.signature)
    }

    /// The approval that it is about, as later receipts name it; None on the step `granted`.
    pub fn approval(&self) -> Option<Approval> {
        match self.receipt.step {
            Step::Granted => None,
            Step::Approved => {
                let last = self.receipt.approvals.last()?.clone();
                Some(Approval { receipt: Some(self.receipt.digest()), ..last })
            }
        }
    }
}

impl Matter {
    /// What an approver's own key signs.
    pub fn challenge(&self) -> Challenge {
        let mut out = Canonical::new("keyhole-challenge-v1");
        out.matter(self);
        Challenge(format!("{}{}", Challenge::PREFIX, Digest::of(&out.bytes())))
    }
}

impl Challenge {
    const PREFIX: &'static str = "keyhole-approval-v1:";

    /// Reads a challenge as it is shown.
    ///
    /// # Errors
    /// [`ChallengeError`] for any other text: a key must not sign just anything.
    pub fn parse(text: &str) -> Result<Self, ChallengeError> {
        let digits = text.strip_prefix(Self::PREFIX).ok_or(ChallengeError)?;
        digits.parse::<Digest>().map_err(|_| ChallengeError)?;
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests;
