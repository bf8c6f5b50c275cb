//! A record against its receipt, and a receipt against those before it.

use std::collections::BTreeSet;

use super::line::GrantLine;
use super::{Attestor, Flaw};
use crate::audit::record::cut_name;
use crate::model::receipt::{Approval, Attestation, ReceiptBody, Step, Way};
use crate::model::{Digest, Timestamp};

/// Collects what differs.
struct Compared(Vec<Flaw>);

impl Compared {
    fn same<T: PartialEq>(&mut self, field: &'static str, told: T, signed: T) {
        if told != signed {
            self.0.push(Flaw::Differs(field));
        }
    }
}

impl Attestor {
    /// The receipt of an approval, and what is wrong with it.
    pub(super) fn approval(&self, line: &GrantLine) -> (Option<Attestation>, Vec<Flaw>) {
        let (signed, mut flaws) = self.signed(line);
        let Some(signed) = signed else { return (None, flaws) };
        let receipt = &signed.receipt;
        let mut compared = Compared(Vec::new());
        compared.same("step", (Step::Approved, false), (receipt.step, receipt.outcome.is_some()));
        compared.same("not_before", line.not_before.clone(), moment(receipt.matter.not_before));
        let last = receipt.approvals.last();
        let by = last.map_or("", |approval| &approval.by);
        compared.same("by", line.by.as_deref(), Some(by));
        let at = last.map(|approval| approval.at);
        compared.same("time", Some(&line.time), moment(at).as_ref());
        flaws.append(&mut compared.0);
        if receipt.way != Way::Approvals || receipt.matter.request.is_none() {
            flaws.push(Flaw::Way);
        }
        if let Some((last, before)) = receipt.approvals.split_last() {
            self.approvals(receipt, before, &mut flaws);
            self.own(receipt, last, &mut flaws);
        }
        people(receipt, &mut flaws);
        (Some(signed), flaws)
    }

    /// The receipt of a grant, and what is wrong with it.
    pub(super) fn outcome(&self, line: &GrantLine) -> (Option<Attestation>, Vec<Flaw>) {
        let (signed, mut flaws) = self.signed(line);
        let Some(signed) = signed else { return (None, flaws) };
        let receipt = &signed.receipt;
        let mut compared = Compared(Vec::new());
        let outcome = receipt.outcome.as_ref();
        compared.same("step", (Step::Granted, true), (receipt.step, outcome.is_some()));
        compared.same("grant", line.grant, outcome.map(|outcome| outcome.id));
        let begins = outcome.map(|outcome| outcome.begins);
        compared.same("not_before", line.not_before.clone(), moment(begins));
        let ends = outcome.and_then(|outcome| outcome.ends);
        compared.same("expires_at", line.expires_at.clone(), moment(ends));
        // Of a grant, the record says who made it only where nobody had asked.
        let by = match receipt.way {
            Way::Approvals | Way::Policy => None,
            Way::Direct | Way::Standing => Some(receipt.matter.requester.as_str()),
        };
        compared.same("by", line.by.as_deref(), by);
        let approvers = receipt.approvals.iter().map(|approval| approval.by.clone());
        compared.same("approvers", line.approvers.clone(), approvers.collect());
        flaws.append(&mut compared.0);
        if !way_fits(receipt) {
            flaws.push(Flaw::Way);
        }
        match receipt.way {
            Way::Approvals => {
                self.approvals(receipt, &receipt.approvals, &mut flaws);
                people(receipt, &mut flaws);
            }
            // Nobody asked, so nobody can have approved their own request.
            Way::Policy | Way::Direct | Way::Standing => {}
        }
        (Some(signed), flaws)
    }

    /// The receipt, if one of the trusted keys signed it, against what all steps tell.
    fn signed(&self, line: &GrantLine) -> (Option<Attestation>, Vec<Flaw>) {
        let Some(value) = &line.receipt else { return (None, vec![Flaw::Missing]) };
        let read = serde_json::from_value::<Attestation>(value.clone()).ok();
        let whole =
            |signed: &Attestation| serde_json::to_value(signed).is_ok_and(|again| again == *value);
        let Some(signed) = read.filter(whole) else { return (None, vec![Flaw::Receipt]) };
        let mut flaws = Vec::new();
        match self.trust.receipt_keys.iter().find(|key| key.id() == signed.key) {
            None => flaws.push(Flaw::Key(signed.key.clone())),
            Some(key) if !signed.is_signed_by(key) => flaws.push(Flaw::Signature),
            Some(_) => {}
        }
        let (receipt, matter) = (&signed.receipt, &signed.receipt.matter);
        let mut compared = Compared(flaws);
        compared.same("request", line.request, matter.request);
        compared.same("subject", line.subject.as_str(), cut_name(&matter.subject));
        compared.same("database", line.database.as_str(), cut_name(&matter.database));
        compared.same("resources", &line.resources, &vec![matter.resource.clone()]);
        compared.same("actions", &line.actions, &matter.actions);
        compared.same("rows", line.rows.is_some(), matter.rows.is_some());
        compared.same("policy", &line.policy, &receipt.policy);
        let reason = line.reason.as_ref().map(|reason| Digest::of(reason.as_bytes()));
        // An approval that reaches the log at the next start is told without the reason, which
        // the record of the request holds.
        if reason.is_some() || receipt.step == Step::Granted {
            compared.same("reason", reason, Some(matter.reason));
        }
        (Some(signed), compared.0)
    }

    /// Whether earlier approvals have receipts of their own, on the same matter, in the log.
    fn approvals(&self, receipt: &ReceiptBody, approvals: &[Approval], flaws: &mut Vec<Flaw>) {
        for approval in approvals {
            let known = approval.receipt.and_then(|digest| self.approved.get(&digest));
            let same = known.is_some_and(|signed| {
                signed.receipt.matter == receipt.matter
                    && signed.approval().as_ref() == Some(approval)
            });
            if !same {
                flaws.push(Flaw::Approval(approval.by.clone()));
            }
        }
    }

    /// Whether an approver with a known key signed for themselves.
    fn own(&self, receipt: &ReceiptBody, approval: &Approval, flaws: &mut Vec<Flaw>) {
        let Some(key) = self.trust.approver_keys.get(&approval.by) else { return };
        let challenge = receipt.matter.challenge();
        let signed = approval.own.as_ref().is_some_and(|own| {
            own.key == key.id() && key.verifies(challenge.as_str().as_bytes(), &own.signature)
        });
        if !signed {
            flaws.push(Flaw::Own(approval.by.clone()));
        }
    }
}

/// Whether request, policy and approvals are those of the way in which it was granted.
fn way_fits(receipt: &ReceiptBody) -> bool {
    let ReceiptBody { matter, policy, approvals, outcome, .. } = receipt;
    let (asked, named) = (matter.request.is_some(), policy.is_some());
    let ends = outcome.as_ref().is_some_and(|outcome| outcome.ends.is_some());
    match receipt.way {
        Way::Approvals => asked && named && ends && !approvals.is_empty(),
        Way::Policy => asked && named && ends && approvals.is_empty(),
        Way::Direct => {
            let [approval] = approvals.as_slice() else { return false };
            !asked && !named && ends && approval.by == matter.requester
        }
        Way::Standing => !asked && !named && !ends && approvals.is_empty(),
    }
}

/// Each approver once, and none of them who asked.
fn people(receipt: &ReceiptBody, flaws: &mut Vec<Flaw>) {
    let mut seen = BTreeSet::new();
    for Approval { by, .. } in &receipt.approvals {
        if !seen.insert(by) {
            flaws.push(Flaw::Twice(by.clone()));
        }
        if *by == receipt.matter.requester {
            flaws.push(Flaw::OwnRequest(by.clone()));
        }
    }
}

/// A time as records write it.
fn moment(time: Option<Timestamp>) -> Option<String> {
    time.map(|time| format!("{time:.6}"))
}
