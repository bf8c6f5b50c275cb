//! Whether the receipts in a log are genuine, and why a statement was shown what it was: from the
//! log and public keys alone, without the proxy and its store.
//!
//! Lines are handed in after [`super::Verifier`] has taken them, in their order.

mod check;
mod line;
mod why;

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::GrantStep;
use crate::model::receipt::Attestation;
use crate::model::{Digest, KeyId, PublicKey};
use line::{GrantLine, ReleaseLine};
pub use why::{Explanation, Link, OwnKey, Question, Said};

/// Whose signatures count.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Of deployments: they sign receipts.
    pub receipt_keys: Vec<PublicKey>,
    /// Approvers' own. Every approval of somebody named here has to be signed by that key.
    pub approver_keys: BTreeMap<String, PublicKey>,
}

/// What is wrong with a record of a step that has a receipt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("it cannot be read")]
    Shape,
    #[error("it has no receipt")]
    Missing,
    #[error("its receipt cannot be read, or says more than is signed")]
    Receipt,
    #[error("its receipt is signed by key {0}, which is not among the receipt keys")]
    Key(KeyId),
    #[error("the signature of its receipt is wrong")]
    Signature,
    #[error("its {0} is not what was signed")]
    Differs(&'static str),
    #[error("{0} approved it twice")]
    Twice(String),
    #[error("{0} approved what they had asked for")]
    OwnRequest(String),
    #[error("it is signed as granted in another way than its approvals, request and policy say")]
    Way,
    #[error("the approval by {0} has no receipt of its own in the log before it")]
    Approval(String),
    #[error("the approval by {0} lacks the signature of their own key, or it is wrong")]
    Own(String),
    #[error("another grant has its number")]
    Number,
}

/// A flaw in its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("receipt broken at {file} line {line} (seq {seq}): {about}: {flaw}")]
pub struct Flawed {
    pub file: String,
    pub line: u64,
    pub seq: u64,
    /// `grant 3` or `request 2`.
    pub about: String,
    pub flaw: Flaw,
}

/// Reads a log after its chain was checked.
#[derive(Debug)]
pub struct Attestor {
    trust: Trust,
    question: Option<Question>,
    /// Receipts of approvals that were found good, by their digest.
    approved: HashMap<Digest, Attestation>,
    /// What has a number; a store that was begun anew counts from 1 again.
    granted: HashMap<u64, Vec<Granted>>,
    receipts: u64,
    flawed: Vec<Flawed>,
    explanations: Vec<Explanation>,
}

/// A grant as the log tells it.
#[derive(Clone, Debug)]
struct Granted {
    line: GrantLine,
    receipt: Option<Attestation>,
    flaws: Vec<Flaw>,
    /// The step that ended it, who took it, and in which record.
    ended: Option<(GrantStep, Option<String>, u64)>,
}

impl Attestor {
    pub fn new(trust: Trust) -> Self {
        Self {
            trust,
            question: None,
            approved: HashMap::new(),
            granted: HashMap::new(),
            receipts: 0,
            flawed: Vec::new(),
            explanations: Vec::new(),
        }
    }

    /// One that also looks for what is asked about.
    pub fn asking(trust: Trust, question: Question) -> Self {
        Self { question: Some(question), ..Self::new(trust) }
    }

    /// Takes the next line in; `file` and `number` say where it stands.
    pub fn line(&mut self, file: &str, number: u64, line: &[u8]) {
        let Ok(value) = serde_json::from_slice::<Value>(line) else {
            return self.flaw(file, number, 0, "record", Flaw::Shape);
        };
        match value.get("kind").and_then(Value::as_str) {
            Some("grant") => match serde_json::from_value::<GrantLine>(value) {
                Ok(grant) => self.grant(file, number, grant),
                Err(_) => self.flaw(file, number, 0, "record", Flaw::Shape),
            },
            Some("release" | "statement") => {
                if let Some(question) = self.question
                    && let Ok(release) = serde_json::from_value::<ReleaseLine>(value)
                    && question.is_about(&release)
                {
                    self.explain(&release);
                }
            }
            Some(_) | None => {}
        }
    }

    fn grant(&mut self, file: &str, number: u64, line: GrantLine) {
        let (seq, about) = (line.seq, line.about());
        match line.step {
            GrantStep::Approved => {
                let (receipt, flaws) = self.approval(&line);
                if let (Some(receipt), []) = (receipt, flaws.as_slice()) {
                    self.receipts += 1;
                    self.approved.insert(receipt.receipt.digest(), receipt);
                }
                self.flaws(file, number, seq, &about, flaws);
            }
            GrantStep::Granted => {
                let (receipt, mut flaws) = self.outcome(&line);
                let known = line.grant.and_then(|id| self.granted.get(&id)).into_iter().flatten();
                let mut known = known.filter_map(|other| other.receipt.as_ref());
                let same_number = |other: &Attestation| {
                    receipt.as_ref().is_some_and(|receipt| {
                        receipt.receipt.matter.store == other.receipt.matter.store
                            && receipt != other
                    })
                };
                if known.any(same_number) {
                    flaws.push(Flaw::Number);
                }
                if flaws.is_empty() {
                    self.receipts += 1;
                }
                self.flaws(file, number, seq, &about, flaws.clone());
                if let Some(id) = line.grant {
                    let granted = Granted { line, receipt, flaws, ended: None };
                    self.granted.entry(id).or_default().push(granted);
                }
            }
            GrantStep::Extended => {
                let (_, flaws) = self.outcome(&line);
                if flaws.is_empty() {
                    self.receipts += 1;
                }
                self.flaws(file, number, seq, &about, flaws);
            }
            // A grant that is used up goes on to count for what has been paid.
            GrantStep::Revoked | GrantStep::Expired => {
                let grants = line.grant.and_then(|id| self.granted.get_mut(&id));
                if let Some(granted) = grants.and_then(|grants| grants.last_mut()) {
                    granted.ended = Some((line.step, line.by, seq));
                }
            }
            // These make nothing visible.
            GrantStep::Requested
            | GrantStep::Lapsed
            | GrantStep::Started
            | GrantStep::Exhausted
            | GrantStep::Reviewed
            | GrantStep::Denied
            | GrantStep::Cancelled
            | GrantStep::FactorUsed
            | GrantStep::FactorFailed
            | GrantStep::Restricted
            | GrantStep::Lifted => {}
        }
    }

    fn flaws(&mut self, file: &str, number: u64, seq: u64, about: &str, flaws: Vec<Flaw>) {
        for flaw in flaws {
            self.flaw(file, number, seq, about, flaw);
        }
    }

    fn flaw(&mut self, file: &str, line: u64, seq: u64, about: &str, flaw: Flaw) {
        let (file, about) = (file.to_owned(), about.to_owned());
        self.flawed.push(Flawed { file, line, seq, about, flaw });
    }

    /// Good receipts so far.
    pub fn receipts(&self) -> u64 {
        self.receipts
    }

    /// All that is wrong, in the order of the log.
    pub fn flawed(&self) -> &[Flawed] {
        &self.flawed
    }

    /// The answers: one for each process that ran a statement of the numbers asked about.
    pub fn into_explanations(self) -> Vec<Explanation> {
        self.explanations
    }
}

#[cfg(test)]
mod tests;
