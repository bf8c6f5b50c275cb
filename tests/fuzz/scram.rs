//! SCRAM exchanges in which one side's messages are broken, swapped or repeated: nobody is let in
//! but by the very bytes of an honest exchange.

use std::collections::HashMap;
use std::sync::OnceLock;

use keyhole::auth::scram::{MECHANISM, MockKey, NONCE_LEN, ScramServer, Verifier};
use keyhole::model::Secret;
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};

use super::bytes::mutate;
use super::choices::Choices;

const PASSWORDS: [&str; 2] = ["secret", "an other"];
const ITERATIONS: u32 = 2;

pub(crate) fn run(choices: &mut Choices<'_>) {
    static VERIFIERS: OnceLock<HashMap<&str, Verifier>> = OnceLock::new();
    let verifiers = VERIFIERS.get_or_init(|| {
        let verifier =
            |password: &str| Verifier::from_password(&Secret::new(password), b"salt", ITERATIONS);
        PASSWORDS.into_iter().map(|password| (password, verifier(password))).collect()
    });
    let password = PASSWORDS[choices.below(2)];
    let (knows, exists) = (!choices.chance(20), !choices.chance(10));
    let claimed = if knows { password } else { "wrong" };
    let nonce: [u8; NONCE_LEN] = std::array::from_fn(|_| choices.byte());
    let verifier = exists.then(|| &verifiers[password]);
    let server = ScramServer::new("alice", verifier, &MockKey::new([7; 32]), nonce);

    let mut client = ScramSha256::new(claimed.as_bytes(), ChannelBinding::unsupported());
    let honest_first = client.message().to_vec();
    let first = maybe_mutated(&honest_first, b"p=tls-server-end-point,a=,m=", choices);
    let Ok((challenge, server)) = server.first(MECHANISM, &first) else {
        assert!(first != honest_first, "an honest beginning is understood");
        return;
    };
    // What the challenge says has to be what a client can go on with.
    if client.update(&challenge).is_err() {
        assert!(first != honest_first, "an honest client understands the challenge");
        let _ = server.finish(&maybe_mutated(&honest_first, &challenge, choices));
        return;
    }
    let honest_last = client.message().to_vec();
    let last = maybe_mutated(&honest_last, &honest_first, choices);
    let honest = first == honest_first && last == honest_last && knows && exists;
    match server.finish(&last) {
        Ok((proof, _)) => {
            assert!(honest, "{} {}", first.escape_ascii(), last.escape_ascii());
            assert!(client.finish(&proof).is_ok(), "the server proves itself");
        }
        Err(error) => assert!(!honest, "{error}"),
    }
}

fn maybe_mutated(honest: &[u8], other: &[u8], choices: &mut Choices<'_>) -> Vec<u8> {
    let mut message = honest.to_vec();
    if choices.chance(60) {
        mutate(&mut message, other, choices);
    }
    message
}
