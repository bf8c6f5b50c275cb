//! Where clients connect: several addresses, IPv6, Unix sockets.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use toml::Value;

use crate::desk::{EMAIL, Shop, email, masked};
use crate::support::Keyhole;
use crate::support::programs::{self, run};

/// A proxy on IPv4, IPv6 and a Unix socket in the folder of its configuration.
fn everywhere(name: &str) -> Shop {
    Shop::open_with(name, |config| {
        let unix = format!("unix:{}", config.path().display());
        let places = ["127.0.0.1:0", "[::1]:0", &unix].map(Value::from).to_vec();
        config.set("data", "listen", places).set("data", "unix_mode", "0700")
    })
}

/// The address in a psql of alice's, connected to `host`.
fn psql(shop: &Shop, host: &str, port: u16) -> String {
    let mut command = programs::psql(&shop.alice());
    command.env("PGHOST", host).env("PGPORT", port.to_string()).env("PGSSLMODE", "prefer");
    command.args(["-At", "-c", EMAIL]);
    run(command, "").ok().out.trim().to_owned()
}

fn socket(proxy: &Keyhole) -> PathBuf {
    proxy.config.path().join(format!(".s.PGSQL.{}", proxy.data_port()))
}

#[test]
fn psql_gets_in_at_every_address() {
    let mut shop = everywhere("places_everywhere");
    let also = shop.proxy.also();
    let [v6, unix] = &also[..] else { panic!("{also:?}") };
    let v6 = v6.strip_prefix("[::1]:").and_then(|port| port.parse().ok()).expect("an address");
    assert_eq!(*unix, format!("unix:{}", socket(&shop.proxy).display()));
    let dir = shop.proxy.config.path().display().to_string();
    assert_eq!(psql(&shop, "127.0.0.1", shop.proxy.data_port()), masked(&email()));
    assert_eq!(psql(&shop, "::1", v6), masked(&email()));
    assert_eq!(psql(&shop, &dir, shop.proxy.data_port()), masked(&email()));
    assert_eq!(mode(&socket(&shop.proxy)), 0o700);
    let path = socket(&shop.proxy);
    let lock = path.with_file_name(format!(".s.PGSQL.{}.lock", shop.proxy.data_port()));
    assert!(path.exists() && lock.exists());
    assert_eq!(shop.proxy.signal_and_wait("TERM").code(), Some(0));
    assert!(!path.exists() && !lock.exists(), "both are removed");
    let log = shop.proxy.audit_text();
    let logins = log.lines().filter(|line| line.contains(r#""kind":"login""#));
    let logins: Vec<_> = logins.collect();
    assert_eq!(logins.len(), 3, "{logins:?}");
    assert!(logins[0].contains("127.0.0.1") && logins[1].contains("::1"), "{logins:?}");
    assert!(!logins[2].contains("127.0.0.1"), "a Unix socket has no address: {}", logins[2]);
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn a_socket_that_a_crash_left_is_taken_over() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a port");
    let mut shop = Shop::open_with("places_crash", |config| {
        let unix = format!("unix:{}", config.path().display());
        let places = [free.to_string(), unix].map(Value::from).to_vec();
        config.set("data", "listen", places)
    });
    shop.proxy.kill9();
    assert!(socket(&shop.proxy).exists(), "nobody has removed it");
    shop.proxy.restart();
    assert_eq!(shop.proxy.data_port(), free.port());
    let dir = shop.proxy.config.path().display().to_string();
    assert_eq!(psql(&shop, &dir, free.port()), masked(&email()));
    assert_eq!(mode(&socket(&shop.proxy)), 0o770, "the default");
}
