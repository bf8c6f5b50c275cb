//! Encrypted from the first byte, or after asking; cancelling the same way.

use std::io::Read;
use std::path::Path;

use toml::{Table, Value};

use crate::desk::Shop;
use crate::support::client::Client;
use crate::support::programs::{self, run};

fn shop(name: &str) -> Shop {
    Shop::open_with(name, |config| {
        let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/auth/login/tests");
        let file = |name: &str| Value::from(keys.join(name).to_str().expect("UTF-8"));
        let mut tls = Table::new();
        tls.insert("cert".to_owned(), file("localhost.crt"));
        tls.insert("key".to_owned(), file("localhost.key"));
        config.set("data", "tls", tls)
    })
}

#[test]
fn libpq_18_connects_directly_and_cancels_encrypted() {
    let shop = shop("tls_libpq");
    for negotiation in ["postgres", "direct"] {
        let mut python = programs::python("tls_cancel.py", &shop.alice());
        python.env("PGSSLMODE", "require").env("PGSSLNEGOTIATION", negotiation);
        let ran = run(python, "").ok();
        assert_eq!(ran.out, "encrypted\ncancelled\n7\n", "{negotiation}: {}", ran.err);
    }
    let mut session = shop.alice().connect();
    assert_eq!(session.query("SELECT 1").ok().scalar(), "1", "and plain, as before");
}

#[test]
fn encryption_by_gssapi_is_not_offered() {
    let shop = shop("tls_gssapi");
    let mut client = Client::open(shop.proxy.data_port()).expect("open");
    client.send(&[0, 0, 0, 8, 4, 210, 22, 48]).expect("open");
    let mut answer = [0];
    client.stream().read_exact(&mut answer).expect("an answer");
    assert_eq!(answer, *b"N");
}
