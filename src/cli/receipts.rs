//! `keyhole receipts …` and `keyhole approvals …`: the keys that sign, and signing.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{FromConfig, failed, report, say};
use crate::config::Config;
use crate::model::receipt::Challenge;
use crate::store::signing_key::{create, load, public_path};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Receipts {
    /// Print the public key that receipts of this configuration are checked by
    ///
    /// The first start of the proxy makes the key. Exits 2 if there is none yet.
    PublicKey(FromConfig),
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum Approvals {
    /// Make a key of an approver's own, and print the line for their `[[user]]`
    ///
    /// It belongs on the approver's machine; the configuration gets the public key only.
    Key(OwnKey),
    /// Sign a challenge of SHOW CHALLENGE, and print the signature for APPROVE … SIGNATURE
    Sign(Sign),
}

#[derive(Debug, clap::Args)]
pub(super) struct OwnKey {
    /// The file of the key; it must not be there yet
    #[arg(long, value_name = "FILE", default_value = "approver.key")]
    key: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct Sign {
    /// The file of the approver's own key
    #[arg(long, value_name = "FILE", default_value = "approver.key")]
    key: PathBuf,
    /// The challenge, as the console shows it
    #[arg(value_name = "CHALLENGE")]
    challenge: String,
}

pub(super) fn receipts(command: &Receipts) -> ExitCode {
    let Receipts::PublicKey(from) = command;
    let config = match Config::load(&from.config) {
        Ok(config) => config,
        Err(problems) => {
            report(&problems);
            return ExitCode::from(2);
        }
    };
    match load(&config.receipts.key_file) {
        Ok(key) => {
            say(key.public());
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error.to_string()),
    }
}

pub(super) fn approvals(command: &Approvals) -> ExitCode {
    match command {
        Approvals::Key(own) => match create(&own.key) {
            Ok(public) => {
                say(format_args!("approval_key = \"{public}\""));
                report(format_args!(
                    "The key is in {}, its public key in {}.",
                    own.key.display(),
                    public_path(&own.key).display()
                ));
                ExitCode::SUCCESS
            }
            Err(error) => failed(&error.to_string()),
        },
        Approvals::Sign(sign) => {
            let challenge = match Challenge::parse(sign.challenge.trim()) {
                Ok(challenge) => challenge,
                Err(error) => return failed(&error.to_string()),
            };
            match load(&sign.key) {
                Ok(key) => {
                    say(key.sign(challenge.as_str().as_bytes()));
                    ExitCode::SUCCESS
                }
                Err(error) => failed(&error.to_string()),
            }
        }
    }
}
