mod fetching;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
};
use serde_json::{Value, json};

use super::*;
use crate::config::{Algorithm, SessionEnd};

/// A key of an issuer that signs in this process.
enum Signer {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Signer {
    fn ec(algorithm: &'static EcdsaSigningAlgorithm) -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self::Ec(EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap())
    }

    fn p256() -> Self {
        Self::ec(&ECDSA_P256_SHA256_FIXED_SIGNING)
    }

    fn ed() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed(Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap())
    }

    /// Its public half, as an issuer publishes it.
    fn jwk(&self, id: &str) -> Value {
        match self {
            Self::Ec(pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let crv = if x.len() == 32 { "P-256" } else { "P-384" };
                let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
                json!({ "kty": "EC", "crv": crv, "kid": id, "x": x, "y": y, "use": "sig" })
            }
            Self::Ed(pair) => {
                let x = URL_SAFE_NO_PAD.encode(pair.public_key());
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "x": x })
            }
        }
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = match self {
            Self::Ec(pair) => {
                let signature = pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
                URL_SAFE_NO_PAD.encode(signature)
            }
            Self::Ed(pair) => URL_SAFE_NO_PAD.encode(pair.sign(signed.as_bytes())),
        };
        format!("{signed}.{signature}")
    }
}

const ISSUER: &str = "https://login.example.com";

fn config() -> OidcConfig {
    OidcConfig {
        issuer: ISSUER.to_owned(),
        audience: vec!["keyhole".to_owned()],
        jwks_url: None,
        ca_file: None,
        algorithms: Algorithm::ALL.to_vec(),
        user_claim: "sub".to_owned(),
        user_map: None,
        groups_claim: Some("groups".to_owned()),
        scope: "openid".to_owned(),
        client: None,
        leeway: Duration::from_secs(30),
        refresh: Duration::from_secs(300),
        refresh_min: Duration::from_secs(10),
        stale_max: Duration::from_secs(3600),
        timeout: Duration::from_secs(5),
        session_end: SessionEnd::WithToken,
    }
}

/// A token of these claims, beside which it is one like any other, read at second 1000.
fn verdict(config: &OidcConfig, claims: &Value) -> Result<Proven, OidcError> {
    let mut all = json!({ "iss": ISSUER, "aud": "keyhole", "sub": "alice", "exp": 1100 });
    for (name, value) in claims.as_object().unwrap() {
        all[name] = value.clone();
    }
    if let Some(all) = all.as_object_mut() {
        all.retain(|_, value| *value != json!("absent"));
    }
    let signer = Signer::p256();
    let token = signer.sign(&json!({ "alg": "ES256", "kid": "a" }), &all);
    let keys = read(&[signer.jwk("a")]);
    let claims = Sealed::cut(&token, &config.algorithms)?.open(&keys)?;
    let now = Timestamp::from_second(1000).unwrap();
    let named = claims::check(&claims, config, &config.audience, now)?;
    if named.user == "alice" { Ok(named.proven) } else { Err(OidcError::OtherUser) }
}

fn read(keys: &[Value]) -> Vec<Key> {
    keys::read_set(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn groups(config: &OidcConfig, claims: &Value) -> Vec<String> {
    verdict(config, claims).unwrap().groups
}

#[test]
fn a_token_counts_for_us_and_now() {
    let until = Some(Timestamp::from_second(1130).unwrap());
    assert_eq!(verdict(&config(), &json!({})), Ok(Proven { groups: vec![], until }));
    let open = OidcConfig { session_end: SessionEnd::Open, ..config() };
    assert_eq!(verdict(&open, &json!({})), Ok(Proven { groups: vec![], until: None }));
    for (claims, error) in [
        (json!({ "iss": "https://login.example.com/" }), OidcError::Issuer),
        (json!({ "iss": "absent" }), OidcError::Issuer),
        (json!({ "iss": [ISSUER] }), OidcError::Issuer),
        (json!({ "aud": "absent" }), OidcError::Audience),
        (json!({ "aud": "keyhole2" }), OidcError::Audience),
        (json!({ "aud": [] }), OidcError::Audience),
        (json!({ "aud": [["keyhole"], 1] }), OidcError::Audience),
        (json!({ "exp": "absent" }), OidcError::Expired),
        (json!({ "exp": 970 }), OidcError::Expired),
        (json!({ "exp": 0 }), OidcError::Expired),
        (json!({ "exp": "1100" }), OidcError::Malformed),
        (json!({ "exp": -1 }), OidcError::Malformed),
        (json!({ "nbf": 1031 }), OidcError::NotYet),
        (json!({ "iat": 1031 }), OidcError::NotYet),
        (json!({ "iat": "now" }), OidcError::Malformed),
        (json!({ "cnf": { "jkt": "x" } }), OidcError::Bound),
        (json!({ "sub": "absent" }), OidcError::NoUser),
        (json!({ "sub": 7 }), OidcError::NoUser),
        (json!({ "sub": "Alice" }), OidcError::OtherUser),
        (json!({ "sub": "alice\u{0}" }), OidcError::OtherUser),
        (json!({ "sub": "" }), OidcError::OtherUser),
    ] {
        assert_eq!(verdict(&config(), &claims), Err(error), "{claims}");
    }
    for claims in [
        json!({ "aud": ["other", "keyhole"] }),
        json!({ "exp": 971 }),
        json!({ "exp": 1e30 }),
        json!({ "exp": 1100.5 }),
        json!({ "nbf": 1030, "iat": 1029.5 }),
    ] {
        assert!(verdict(&config(), &claims).is_ok(), "{claims}");
    }
}

#[test]
fn names_and_groups_come_from_where_the_configuration_says() {
    let deep = OidcConfig {
        user_claim: "person.login".to_owned(),
        groups_claim: Some("realm_access.roles".to_owned()),
        ..config()
    };
    let claims = json!({
        "person": { "login": "alice" },
        "realm_access": { "roles": ["dba", "support", 7] },
    });
    assert_eq!(groups(&deep, &claims), ["dba", "support"]);
    let namespaced =
        OidcConfig { groups_claim: Some("https://example.com/groups".to_owned()), ..config() };
    let claims = json!({ "https://example.com/groups": ["dba", "support"] });
    assert_eq!(groups(&namespaced, &claims), ["dba", "support"]);
    let scope = OidcConfig { groups_claim: Some("scope".to_owned()), ..config() };
    assert_eq!(groups(&scope, &json!({ "scope": "dba  support" })), ["dba", "support"]);
    for (claims, expected) in [
        (json!({}), vec![]),
        (json!({ "groups": {} }), vec![]),
        (json!({ "groups": null }), vec![]),
        (json!({ "groups": ["two words"] }), vec!["two words"]),
        // Whoever may call a group "friends of dba" makes nobody a DBA.
        (json!({ "groups": "friends of dba" }), vec!["friends of dba"]),
        (json!({ "groups": "" }), vec![]),
    ] {
        assert_eq!(groups(&config(), &claims), expected, "{claims}");
    }
    let many: Vec<String> = (0..1001).map(|number| number.to_string()).collect();
    assert_eq!(verdict(&config(), &json!({ "groups": many })), Err(OidcError::Malformed));
}

#[test]
fn an_address_that_nobody_has_verified_is_nobodys_name() {
    let by_email = OidcConfig { user_claim: "email".to_owned(), ..config() };
    let with = |verified: Value| {
        let claims = json!({ "email": "alice", "email_verified": verified });
        verdict(&by_email, &claims).map(|_| ())
    };
    for verified in [json!(true), json!("true")] {
        assert_eq!(with(verified), Ok(()));
    }
    for unverified in [json!(false), json!("false"), json!(null), json!(1), json!(["true"])] {
        assert_eq!(with(unverified), Err(OidcError::Unverified));
    }
    assert_eq!(verdict(&by_email, &json!({ "email": "alice" })).map(|_| ()), Ok(()));
    // It is about the address only.
    assert_eq!(verdict(&config(), &json!({ "email_verified": false })).map(|_| ()), Ok(()));
}

#[test]
fn a_pattern_maps_the_whole_claim_or_nothing() {
    let mapped = |pattern: &str, sub: &str| {
        let user_map = Some(regex::Regex::new(&format!("^(?:{pattern})$")).unwrap());
        verdict(&OidcConfig { user_map, ..config() }, &json!({ "sub": sub })).map(|_| ())
    };
    let mail = "([a-z]+)@example\\.com";
    assert_eq!(mapped(mail, "alice@example.com"), Ok(()));
    assert_eq!(mapped(mail, "bob@example.com"), Err(OidcError::OtherUser));
    for sub in ["alice@example.com.evil.org", "alice@example.com\n", "x:alice@example.com", "alice"]
    {
        assert_eq!(mapped(mail, sub), Err(OidcError::OtherUser), "{sub}");
    }
    assert_eq!(mapped("(alice)|x", "alice"), Ok(()));
    assert_eq!(mapped("x|(alice)?y", "y"), Err(OidcError::OtherUser));
}

#[test]
fn each_algorithm_goes_with_its_own_kind_of_key() {
    let claims = json!({});
    for (name, signer) in [
        ("ES256", Signer::p256()),
        ("ES384", Signer::ec(&ECDSA_P384_SHA384_FIXED_SIGNING)),
        ("EdDSA", Signer::ed()),
    ] {
        let keys = read(&[signer.jwk("a")]);
        for algorithm in Algorithm::ALL {
            let header = json!({ "alg": algorithm.as_str(), "kid": "a" });
            let token = signer.sign(&header, &claims);
            let sealed = Sealed::cut(&token, &Algorithm::ALL).unwrap();
            let opened = sealed.open(&keys).map(|_| ());
            let right = algorithm.as_str() == name;
            let expected = if right { Ok(()) } else { Err(OidcError::Signature) };
            assert_eq!(opened, expected, "{name} {algorithm:?}");
        }
    }
}

#[test]
fn a_key_is_for_what_its_issuer_says() {
    let signer = Signer::p256();
    let with = |name: &str, value: Value| {
        let mut jwk = signer.jwk("a");
        jwk[name] = value;
        read(&[jwk]).first().is_some_and(|key| key.fits(Algorithm::Es256))
    };
    assert!(with("alg", json!("ES256")) && with("key_ops", json!(["verify"])));
    assert!(!with("alg", json!("ES384")) && !with("use", json!("enc")));
    assert!(!with("key_ops", json!(["sign"])) && !with("crv", json!("secp256k1")));
    assert!(!with("x", json!("AA")) && !with("y", json!("?")) && !with("kty", json!("oct")));
    let secret = json!({ "kty": "oct", "k": "c2VjcmV0", "kid": "a", "alg": "HS256" });
    assert_eq!(read(&[secret, json!("no key"), json!({})]), []);
    assert!(keys::read_set(b"{}").is_err() && keys::read_set(b"").is_err());
}

/// RFC 7515, A.2: RS256 with a key of 2048 bits.
#[test]
fn the_example_of_the_rfc_opens() {
    let key = json!({ "kty": "RSA", "e": "AQAB", "n":
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm\
         4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5r\
         exMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyx\
         XFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ" });
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leG\
         FtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5\
         RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyT\
         yWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZE\
         Sc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUP\
         QGe77Rw";
    let sealed = Sealed::cut(token, &Algorithm::ALL).unwrap();
    let keys = read(&[key]);
    let claims = sealed.open(&keys).unwrap();
    assert_eq!(claims.0["iss"], "joe");
    let mut ps = sealed;
    ps.algorithm = Algorithm::Ps256;
    assert_eq!(ps.open(&keys).map(|_| ()), Err(OidcError::Signature));
}

#[test]
fn forged_headers_are_turned_down_before_any_key_is_used() {
    let signer = Signer::p256();
    let cut = |header: Value| {
        let token = signer.sign(&header, &json!({}));
        Sealed::cut(&token, &Algorithm::ALL).map(|_| ())
    };
    assert_eq!(cut(json!({ "alg": "ES256", "typ": "at+JWT" })), Ok(()));
    for alg in ["none", "None", "HS256", "HS512", "es256", "ES256K", "RSA-OAEP", "ES512", ""] {
        assert_eq!(cut(json!({ "alg": alg })), Err(OidcError::Algorithm), "{alg}");
    }
    let only = [Algorithm::Rs256];
    let token = signer.sign(&json!({ "alg": "ES256" }), &json!({}));
    assert!(matches!(Sealed::cut(&token, &only), Err(OidcError::Algorithm)));
    assert_eq!(cut(json!({ "alg": "ES256", "crit": ["exp"] })), Err(OidcError::Kind));
    assert_eq!(cut(json!({ "alg": "ES256", "typ": "logout+jwt" })), Err(OidcError::Kind));
    assert_eq!(cut(json!({ "alg": ["ES256"] })), Err(OidcError::Malformed));
    assert_eq!(cut(json!({})), Err(OidcError::Malformed));
}

#[test]
fn any_change_to_a_token_breaks_it() {
    let signer = Signer::p256();
    let keys = read(&[signer.jwk("a")]);
    let token = signer.sign(&json!({ "alg": "ES256", "kid": "a" }), &json!({ "sub": "alice" }));
    let opens = |token: &str| {
        let sealed = Sealed::cut(token, &Algorithm::ALL);
        sealed.and_then(|sealed| sealed.open(&keys)).is_ok()
    };
    assert!(opens(&token));
    for at in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert!(!opens(std::str::from_utf8(&changed).unwrap()), "{at}");
    }
    for changed in [format!("{token}."), format!("{token}="), format!(".{token}"), token + "A"] {
        assert!(!opens(&changed), "{changed}");
    }
}

#[test]
fn without_a_name_only_a_single_key_can_be_meant() {
    let (one, two) = (Signer::p256(), Signer::ed());
    let token = one.sign(&json!({ "alg": "ES256" }), &json!({}));
    let sealed = Sealed::cut(&token, &Algorithm::ALL).unwrap();
    let count =
        |jwks: &[Value]| KeySet { keys: read(jwks), read_at: None }.candidates(&sealed).count();
    assert_eq!(count(&[one.jwk("a"), two.jwk("b")]), 1);
    assert_eq!(count(&[one.jwk("a"), Signer::p256().jwk("b")]), 0);
    let token = one.sign(&json!({ "alg": "ES256", "kid": "b" }), &json!({}));
    let sealed = Sealed::cut(&token, &Algorithm::ALL).unwrap();
    let set = KeySet { keys: read(&[one.jwk("a"), two.jwk("b")]), read_at: None };
    assert_eq!(set.candidates(&sealed).count(), 0, "of that name, but of another kind");
}

#[test]
fn an_issuer_with_a_path_keeps_it() {
    for issuer in ["https://a.example/realms/x", "https://a.example/realms/x/"] {
        let expected = "https://a.example/realms/x/.well-known/openid-configuration";
        assert_eq!(discovery_address(issuer), expected);
    }
}

proptest! {
    #[test]
    fn no_token_panics(token in "[A-Za-z0-9_.=-]{0,60}|.{0,40}") {
        let keys = [];
        if let Ok(sealed) = Sealed::cut(&token, &Algorithm::ALL) {
            prop_assert!(sealed.open(&keys).is_err());
        }
    }

    #[test]
    fn no_header_and_no_claims_panic(header in ".{0,60}", body in proptest::collection::vec(any::<u8>(), 0..60)) {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let token = format!("{}.{}.{}", encode(header.as_bytes()), encode(&body), encode(&body));
        let _ = Sealed::cut(&token, &Algorithm::ALL);
        let _ = keys::read_set(&body);
    }
}

#[test]
fn who_signed_in_is_said_to_one_client_and_once() {
    let signer = Signer::p256();
    let keys = read(&[signer.jwk("a")]);
    let is_for = |claims: Value, nonce: Option<&str>| {
        let token = signer.sign(&json!({ "alg": "ES256", "kid": "a" }), &claims);
        let claims = Sealed::cut(&token, &Algorithm::ALL).unwrap().open(&keys).unwrap();
        claims::is_for(&claims, "console", nonce)
    };
    let both = json!(["console", "other"]);
    for (claims, nonce, fits) in [
        (json!({ "aud": "console" }), None, true),
        (json!({ "aud": "console", "nonce": "n" }), Some("n"), true),
        (json!({ "aud": "console", "nonce": "n" }), None, false),
        (json!({ "aud": "console", "nonce": "n" }), Some("m"), false),
        (json!({ "aud": "console", "nonce": 1 }), Some(""), false),
        (json!({ "aud": "console" }), Some("n"), false),
        (json!({ "aud": both }), None, false),
        (json!({ "aud": both, "azp": "console" }), None, true),
        (json!({ "aud": "console", "azp": "other" }), None, false),
        (json!({ "aud": "console", "azp": null }), None, false),
    ] {
        assert_eq!(is_for(claims.clone(), nonce), fits, "{claims} {nonce:?}");
    }
}
