//! How approvers prove themselves beside their login, and what receipts are signed with.

use std::path::{Path, PathBuf};

use super::builder::Builder;
use super::raw::{self, Text, Texts};
use super::{Config, UserConfig};
use crate::grant::factor::TotpSecret;
use crate::grant::{Approver, Approvers};
use crate::model::{Digest, PublicKey, Secret};

/// What hashes of recovery codes begin with.
const HASH_PREFIX: &str = "sha256:";

/// The means of a `[[user]]` to prove an approval.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApproverConfig {
    /// `approval_key`: without its signature, no approval of the user counts.
    pub key: Option<PublicKey>,
    /// A secret that [`TotpSecret`] reads.
    pub totp: Option<Secret>,
    /// SHA-256 of the recovery codes.
    pub recovery: Vec<Digest>,
}

/// The keys of a `[[user]]` that are about approving.
pub(super) struct Means {
    pub(super) approval_key: Option<Text>,
    pub(super) totp_env: Option<Text>,
    pub(super) totp_file: Option<Text>,
    pub(super) recovery_codes: Texts,
}

/// `[receipts]`: what approvals and grants are signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptsConfig {
    /// PKCS#8; made at the first start.
    pub key_file: PathBuf,
}

impl Config {
    /// How the configured users prove their approvals.
    pub fn approvers(&self) -> Approvers {
        let approver = |user: &UserConfig| {
            let ApproverConfig { key, totp, recovery } = &user.approver;
            let means = Approver {
                key: *key,
                // It was read when the configuration was; unreadable, there is none.
                totp: totp.as_ref().and_then(|secret| TotpSecret::parse(secret).ok()),
                recovery: recovery.clone(),
            };
            (user.name.clone(), means)
        };
        Approvers(self.users.iter().map(approver).collect())
    }
}

impl Builder<'_> {
    pub(super) fn receipts(&mut self, raw: raw::Receipts) -> ReceiptsConfig {
        let file = raw.key_file.map_or_else(|| "keyhole.key".to_owned(), toml::Spanned::into_inner);
        ReceiptsConfig { key_file: self.beside(Path::new(&file)) }
    }

    /// `before`: the users above, whose keys are taken.
    pub(super) fn approver(
        &mut self,
        name: &str,
        raw: Means,
        before: &[UserConfig],
    ) -> ApproverConfig {
        let of = |key: &str| format!("{key} of user \"{name}\"");
        let key = raw.approval_key.and_then(|text| match text.get_ref().parse::<PublicKey>() {
            Ok(key) => {
                if let Some(other) = before.iter().find(|user| user.approver.key == Some(key)) {
                    let message =
                        format!("{} is that of user \"{}\"", of("approval_key"), other.name);
                    self.wrong(text.span(), message);
                }
                Some(key)
            }
            Err(error) => {
                self.wrong(text.span(), format!("{}: {error}", of("approval_key")));
                None
            }
        });
        let span = raw.totp_env.as_ref().or(raw.totp_file.as_ref()).map(Text::span);
        let totp = match (raw.totp_env, raw.totp_file) {
            (None, None) => None,
            (Some(variable), None) => self.secret_from_env(&of("totp_env"), &variable),
            (None, Some(file)) => self.secret_from_file(&of("totp_file"), &file),
            (Some(_), Some(file)) => {
                self.wrong(file.span(), format!("{} excludes totp_env", of("totp_file")));
                None
            }
        };
        if let (Some(secret), Some(span)) = (&totp, span.clone())
            && let Err(error) = TotpSecret::parse(secret)
        {
            self.wrong(span, format!("the second factor of user \"{name}\": {error}"));
        }
        let mut recovery = Vec::new();
        for text in raw.recovery_codes {
            let hash = text.get_ref().strip_prefix(HASH_PREFIX).map(str::parse);
            match hash {
                Some(Ok(digest)) => recovery.push(digest),
                Some(Err(_)) | None => {
                    let message = format!(
                        "{}: each is \"{HASH_PREFIX}\" and 64 hexadecimal digits in lower case, \
                         as `keyhole user totp` prints them",
                        of("recovery_codes")
                    );
                    self.wrong(text.span(), message);
                }
            }
            if span.is_none() {
                let message = format!("{} go with totp_env or totp_file", of("recovery_codes"));
                self.wrong(text.span(), message);
            }
        }
        ApproverConfig { key, totp, recovery }
    }
}
