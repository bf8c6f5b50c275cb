use super::{Approval, FactorKind, Matter, Outcome, OwnSignature};
use crate::model::Timestamp;

/// Bytes to be signed, under construction. See the module's page for their form.
pub(super) struct Canonical(Vec<u8>);

impl Canonical {
    pub(super) fn new(domain: &str) -> Self {
        let mut bytes = domain.as_bytes().to_vec();
        bytes.push(0);
        Self(bytes)
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        self.0
    }

    fn count(&mut self, count: usize) {
        // Nothing that a store or a line of the log can hold comes near this limit.
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&count.to_be_bytes());
    }

    pub(super) fn text(&mut self, text: impl AsRef<str>) {
        let text = text.as_ref();
        self.count(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    pub(super) fn optional<T>(&mut self, value: Option<T>, put: impl Fn(&mut Self, T)) {
        self.0.push(u8::from(value.is_some()));
        if let Some(value) = value {
            put(self, value);
        }
    }

    pub(super) fn list<'a, T>(&mut self, items: &'a [T], put: impl Fn(&mut Self, &'a T)) {
        self.count(items.len());
        items.iter().for_each(|item| put(self, item));
    }

    fn time(&mut self, time: &Timestamp) {
        self.text(time.as_nanosecond().to_string());
    }

    pub(super) fn matter(&mut self, matter: &Matter) {
        let Matter {
            store,
            request,
            requester,
            subject,
            database,
            resource,
            actions,
            rows,
            reason,
            ticket,
            duration_ms,
            not_before,
            terms,
        } = matter;
        self.text(store);
        self.optional(request.map(|id| id.to_string()), Self::text);
        self.text(requester);
        self.text(subject);
        self.text(database);
        self.text(resource);
        self.list(actions, Self::text);
        self.optional(rows.map(|digest| digest.to_string()), Self::text);
        self.text(reason.to_string());
        self.optional(ticket.map(|digest| digest.to_string()), Self::text);
        self.optional(duration_ms.map(|ms| ms.to_string()), Self::text);
        self.optional(not_before.as_ref(), Self::time);
        self.text(terms.to_string());
    }

    pub(super) fn approval(&mut self, approval: &Approval) {
        let Approval { by, at, factor, own, receipt } = approval;
        self.text(by);
        self.time(at);
        let word = |factor: &FactorKind| match factor {
            FactorKind::Totp => "totp",
            FactorKind::Recovery => "recovery",
        };
        self.optional(factor.as_ref().map(word), Self::text);
        self.optional(own.as_ref(), |out, OwnSignature { key, signature }| {
            out.text(key.to_string());
            out.text(signature.to_string());
        });
        self.optional(receipt.map(|digest| digest.to_string()), Self::text);
    }

    pub(super) fn outcome(&mut self, outcome: &Outcome) {
        let Outcome { id, begins, ends, grant } = outcome;
        self.text(id.to_string());
        self.time(begins);
        self.optional(ends.as_ref(), Self::time);
        self.text(grant.to_string());
    }
}
