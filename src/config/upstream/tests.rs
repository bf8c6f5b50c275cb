use super::*;

fn good(text: &str) -> UpstreamUrl {
    UpstreamUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn shown(text: &str) -> String {
    let hosts = good(text).hosts;
    hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn tls(query: &str) -> UpstreamTls {
    good(&format!("postgres://app@db/shop?{query}")).tls
}

#[test]
fn a_url_names_user_servers_and_database() {
    let url = good("postgres://app@db.example:6000/shop?sslmode=require");
    assert_eq!(url.user, "app");
    assert_eq!(url.hosts, [UpstreamHost::Tcp { host: "db.example".to_owned(), port: 6000 }]);
    assert_eq!(url.database, UpstreamDatabase::Named("shop".to_owned()));
    assert_eq!(url.tls.mode, SslMode::Require);
    assert_eq!((url.target, url.balance), (SessionTarget::Any, LoadBalance::Disable));
    assert_eq!(url.connect_timeout, Duration::from_secs(10));
    assert_eq!((url.keepalives_idle, url.tcp_user_timeout), (Duration::from_secs(60), None));
    assert_eq!(url.binding, ChannelBinding::Prefer);

    let url = good(
        "postgresql://a%40b@[::1]/*?target_session_attrs=read-write&load_balance_hosts=random\
         &connect_timeout=3&channel_binding=disable&keepalives_idle=7&tcp_user_timeout=9000",
    );
    assert_eq!(url.user, "a@b");
    assert_eq!(url.database, UpstreamDatabase::AsRequested);
    assert_eq!((url.target, url.balance), (SessionTarget::ReadWrite, LoadBalance::Random));
    assert_eq!(url.connect_timeout, Duration::from_secs(3));
    assert_eq!(url.keepalives_idle, Duration::from_secs(7));
    assert_eq!(url.tcp_user_timeout, Some(Duration::from_secs(9)));
    assert_eq!(url.binding, ChannelBinding::Disable);
}

#[test]
fn hosts_are_names_addresses_and_directories() {
    for (url, expected) in [
        ("postgres://u@h/d", "h:5432"),
        ("postgres://u@h1:1,h2,[::1]:3,10.0.0.1:4/d", "h1:1 h2:5432 [::1]:3 10.0.0.1:4"),
        ("postgres://u@%2Fvar%2Frun%2Fpostgresql/d", "/var/run/postgresql:5432"),
        ("postgres://u@%2Ftmp:6000,h/d", "/tmp:6000 h:5432"),
        ("postgres://u@/d?host=/tmp", "/tmp:5432"),
        ("postgres://u@/d?host=/tmp,h,::1&port=6000", "/tmp:6000 h:6000 [::1]:6000"),
        ("postgres://u@/d?host=h1,h2&port=1,2", "h1:1 h2:2"),
    ] {
        assert_eq!(shown(url), expected, "{url}");
    }
}

#[test]
fn whoever_names_authorities_gets_a_verified_certificate() {
    for (query, mode) in [
        ("", SslMode::Prefer),
        ("sslmode=disable", SslMode::Disable),
        ("sslmode=require", SslMode::Require),
        ("sslrootcert=ca.crt", SslMode::VerifyFull),
        ("sslrootcert=system", SslMode::VerifyFull),
        ("sslmode=require&sslrootcert=ca.crt", SslMode::VerifyCa),
        ("sslmode=verify-ca&sslrootcert=ca.crt", SslMode::VerifyCa),
        ("sslmode=verify-full&sslrootcert=system", SslMode::VerifyFull),
    ] {
        assert_eq!(tls(query).mode, mode, "{query}");
    }
    let all = tls("sslrootcert=a%20b.crt&sslcert=c.crt&sslkey=c.key&sslnegotiation=direct");
    assert_eq!(all.roots, Roots::File("a b.crt".into()));
    let files = CertificateFiles { cert: "c.crt".into(), key: "c.key".into() };
    assert_eq!(all.certificate, Some(files));
    assert_eq!(all.negotiation, SslNegotiation::Direct);
    assert_eq!(tls("sslrootcert=system").roots, Roots::System);
}

#[test]
fn connections_that_nobody_verifies_are_told() {
    for (url, loud) in [
        ("postgres://u@db/d", true),
        ("postgres://u@127.0.0.1,db/d", true),
        ("postgres://u@127.0.0.1:6000,[::1],localhost/d", false),
        ("postgres://u@%2Ftmp/d", false),
        ("postgres://u@db/d?sslmode=disable", false),
        ("postgres://u@127.0.0.1/d?sslmode=require", true),
        ("postgres://u@db/d?sslmode=require&sslrootcert=ca.crt", false),
        ("postgres://u@db/d?sslrootcert=system", false),
    ] {
        assert_eq!(good(url).warning().is_some(), loud, "{url}");
    }
}

#[test]
fn a_password_in_a_url_is_refused_and_not_repeated() {
    for text in ["postgres://app:hunter2@db/shop", "postgres://app@db/shop?password=hunter2"] {
        let error = UpstreamUrl::parse(text).expect_err("a password");
        assert!(error.contains("password_env") && !error.contains("hunter2"), "{error}");
    }
}

#[test]
fn what_is_no_url_is_refused_with_a_reason() {
    for (text, reason) in [
        ("mysql://app@db/shop", "a URL is"),
        ("postgres://db/shop", "no user"),
        ("postgres://@db/shop", "a URL is"),
        ("postgres://app@db", "a URL is"),
        ("postgres://app@db/", "no database"),
        ("postgres://app@db/a/b", "a URL is"),
        ("postgres://app@db:port/shop", "a port is"),
        ("postgres://app@db:0/shop", "a port is"),
        ("postgres://app@db:65536/shop", "a port is"),
        ("postgres://app@[::1/shop", "not closed"),
        ("postgres://app@[::1]x/shop", "a URL is"),
        ("postgres://app@/shop", "no name"),
        ("postgres://app@a,,b/shop", "no name"),
        ("postgres://app@a/shop?host=b", "twice"),
        ("postgres://app@a/shop?port=1", "behind its host"),
        ("postgres://app@/shop?host=a,b,c&port=1,2", "one for each"),
        ("postgres://a%zz@db/shop", "percent"),
        ("postgres://a%+1@db/shop", "percent"),
        ("postgres://a%4@db/shop", "percent"),
        ("postgres://app@db/shop?target=any", "\"target\" is unknown"),
        ("postgres://app@db/shop?application_name=x", "key of [[database]]"),
        ("postgres://app@db/shop?sslmode=allow", "\"allow\" is unknown"),
        ("postgres://app@db/shop?sslmode=", "is empty"),
        ("postgres://app@db/shop?sslmode=disable&sslmode=disable", "twice"),
        ("postgres://app@db/shop?sslmode=verify-full", "take sslrootcert"),
        ("postgres://app@db/shop?sslmode=verify-ca", "take sslrootcert"),
        ("postgres://app@db/shop?sslmode=prefer&sslrootcert=ca.crt", "not looked at"),
        ("postgres://app@db/shop?sslmode=verify-ca&sslrootcert=system", "verify-full"),
        ("postgres://app@db/shop?sslrootcert=ca.crt&sslcert=c.crt", "needs sslkey"),
        ("postgres://app@db/shop?sslrootcert=ca.crt&sslkey=c.key", "needs sslcert"),
        ("postgres://app@db/shop?sslcert=c.crt&sslkey=c.key", "insists on TLS"),
        ("postgres://app@db/shop?sslnegotiation=direct", "insists on TLS"),
        ("postgres://app@db/shop?sslnegotiation=later&sslmode=require", "\"later\""),
        ("postgres://app@db/shop?target_session_attrs=master", "prefer-standby"),
        ("postgres://app@db/shop?load_balance_hosts=yes", "random"),
        ("postgres://app@db/shop?channel_binding=on", "require"),
        ("postgres://app@db/shop?channel_binding=require", "insists on TLS"),
        ("postgres://app@db/shop?connect_timeout=0", "seconds"),
        ("postgres://app@db/shop?connect_timeout=soon", "seconds"),
        ("postgres://app@db/shop?keepalives_idle=0", "seconds"),
        ("postgres://app@db/shop?tcp_user_timeout=2min", "milliseconds"),
    ] {
        let error = UpstreamUrl::parse(text).expect_err(text);
        assert!(error.contains(reason), "{text}: {error}");
    }
}
