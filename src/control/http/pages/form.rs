//! What forms say, and which are taken.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};

use super::super::problem::Problem;
use super::super::requests::unreadable;
use super::super::sign_in::{SignedForm, SignedIn};
use crate::control::Desk;

/// The fields of a form, in their order; a name may come again.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

/// A form of one of these pages, and who sent it.
pub(super) struct OwnForm(pub(super) SignedIn, pub(super) Fields);

impl FromRequest<Arc<Desk>> for OwnForm {
    type Rejection = Problem;

    async fn from_request(request: Request, desk: &Arc<Desk>) -> Result<Self, Problem> {
        let SignedForm(who, fields) = SignedForm::from_request(request, desk).await?;
        Ok(Self(who, Fields(fields)))
    }
}

impl Fields {
    /// As forms and queries are encoded.
    pub(super) fn read(encoded: &[u8]) -> Self {
        Self(form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// What the field says, without blanks at its ends; empty if there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// None for nothing.
    pub(super) fn some(&self, name: &str) -> Option<String> {
        Some(self.get(name).to_owned()).filter(|text| !text.is_empty())
    }

    pub(super) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.trim())
    }

    /// The fields whose names begin so: what stands behind, and what each says.
    pub(super) fn behind<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let named = self
            .0
            .iter()
            .filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value.trim())));
        named.filter(|(_, value)| !value.is_empty())
    }

    pub(super) fn has(&self, name: &str, value: &str) -> bool {
        self.all(name).any(|known| known == value)
    }

    /// The same, with that value if nothing is said.
    pub(super) fn or(&self, name: &str, value: &str) -> Self {
        let mut fields = self.clone();
        if self.all(name).next().is_none() {
            fields.0.push((name.to_owned(), value.to_owned()));
        }
        fields
    }

    /// The number of the field.
    ///
    /// # Errors
    /// It is none.
    pub(super) fn id(&self, name: &str) -> Result<u64, Problem> {
        self.get(name).parse().map_err(|_| unreadable(format!("{name} is a number")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_may_come_again_and_need_not_come() {
        let fields = Fields::read(b"pick=a.b&pick=c&code=+12%20&empty=");
        assert_eq!(fields.all("pick").collect::<Vec<_>>(), ["a.b", "c"]);
        assert_eq!((fields.get("code"), fields.some("empty")), ("12", None));
        assert_eq!(fields.behind("pi").collect::<Vec<_>>(), [("ck", "a.b"), ("ck", "c")]);
        assert_eq!(fields.behind("emp").count(), 0, "nothing is said");
        assert!(fields.has("pick", "c") && !fields.has("pick", "d"));
        assert_eq!(fields.id("code").ok(), Some(12));
        assert!(fields.id("none").is_err());
    }
}
