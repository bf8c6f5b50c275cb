//! `keyhole user totp`: a second factor for an approver.

use std::process::ExitCode;

use crate::cli::{report, say};
use crate::grant::factor::{RECOVERY_DIGITS, STEP_SECS, base32, recovery_digest};

/// Bytes of a new secret: as many as its HMAC-SHA-1 has.
const SECRET_LEN: usize = 20;

/// Codes to be kept on paper.
const RECOVERY_CODES: usize = 10;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The user, as `[[user]]` names them
    #[arg(value_name = "NAME")]
    name: String,
    /// What the device shows beside the name
    #[arg(long, value_name = "NAME", default_value = "Keyhole")]
    issuer: String,
}

pub(in crate::cli) fn run(arguments: &Arguments) -> ExitCode {
    let secret = base32(&rand::random::<[u8; SECRET_LEN]>());
    let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| recovery_code()).collect();
    // What the user gets, then what the configuration gets.
    report(format_args!("For the device of {}:", arguments.name));
    report(uri(&arguments.issuer, &arguments.name, &secret));
    report("Recovery codes, each good for once, to be kept on paper:");
    for code in &codes {
        report(format_args!("  {code}"));
    }
    report(format_args!(
        "The secret, for the file of totp_file or the variable of totp_env:\n  {secret}"
    ));
    report("For the configuration:");
    say(format_args!("totp_file = \"{}.totp\"", arguments.name));
    say("recovery_codes = [");
    for code in &codes {
        say(format_args!("    \"sha256:{}\",", recovery_digest(code)));
    }
    say("]");
    ExitCode::SUCCESS
}

/// Four groups of Base32.
fn recovery_code() -> String {
    let digits = base32(&rand::random::<[u8; RECOVERY_DIGITS * 5 / 8]>());
    let groups: Vec<_> = digits.as_bytes().chunks(4).map(String::from_utf8_lossy).collect();
    groups.join("-")
}

/// As devices read it off a QR code.
fn uri(issuer: &str, name: &str, secret: &str) -> String {
    let (issuer, name) = (escaped(issuer), escaped(name));
    format!(
        "otpauth://totp/{issuer}:{name}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits=6\
         &period={STEP_SECS}"
    )
}

/// Percent-encoded but for what RFC 3986 calls unreserved.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let escape = |byte: u8| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_read_the_uri() {
        assert_eq!(
            uri("Keyhole at Shop & Co", "dora@example.com", "GEZDGNBV"),
            "otpauth://totp/Keyhole%20at%20Shop%20%26%20Co:dora%40example.com?secret=GEZDGNBV\
             &issuer=Keyhole%20at%20Shop%20%26%20Co&algorithm=SHA1&digits=6&period=30"
        );
    }

    #[test]
    fn recovery_codes_are_four_groups_and_never_the_same() {
        let (one, other) = (recovery_code(), recovery_code());
        assert_ne!(one, other);
        let groups: Vec<_> = one.split('-').map(str::len).collect();
        assert_eq!(groups, [4, 4, 4, 4], "{one}");
    }
}
