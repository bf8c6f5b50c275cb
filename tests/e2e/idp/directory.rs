//! Passwords that slapd checks.

use super::{config, console, data, last_login, refused};
use crate::support::Keyhole;
use crate::support::directory::{Directory, SERVICE_PASSWORD};
use crate::support::keyhole::Config;
use crate::support::postgres::free_port;

const PEOPLE: &str = "dc=example,dc=com";

/// Searches as the service account over `ldaps://`, groups by `memberOf` below `ou=groups`.
fn searching(directory: &Directory) -> Config {
    let config = config();
    std::fs::write(config.path().join("ldap.password"), SERVICE_PASSWORD).expect("writable");
    config
        .set("data", "auth", "ldap")
        .set("ldap", "servers", vec![directory.tls_url()])
        .set("ldap", "ca_file", directory.authority())
        .set("ldap", "base", PEOPLE)
        .set("ldap", "filter", "(uid={user})")
        .set("ldap", "service_dn", "cn=keyhole,ou=services,dc=example,dc=com")
        .set("ldap", "password_file", "ldap.password")
        .set("ldap", "member_of", "memberOf")
        .set("ldap", "group_base", "ou=groups,dc=example,dc=com")
}

#[test]
fn a_directory_knows_people_and_their_groups() {
    let mut directory = Directory::start();
    let proxy = Keyhole::start(searching(&directory));
    let ada = data(&proxy, "ada", "ada-secret");
    assert_eq!(ada.connect().query("SELECT 1").scalar(), "1");
    let record = last_login(&proxy, "ada");
    assert_eq!(record["method"], "ldap");
    assert!(record.to_string().contains("[\"dba\",\"staff\"]"), "{record}");
    // A configured user is somebody else's name only if the directory says so, too.
    assert_eq!(refused(&data(&proxy, "alice", "alice-secret")), "28P01");
    for (user, password) in [
        ("ada", "wrong"),
        ("ada", ""),
        ("ada", "ben-secret"),
        ("zoe", "ada-secret"),
        // The directory would find ada by these.
        ("ADA", "ada-secret"),
        ("ada ", "ada-secret"),
        ("*", "ada-secret"),
        ("a*", "ada-secret"),
        ("ada)(objectClass=*", "ada-secret"),
        // Two names of one person, who would be two persons here.
        ("cleo", "cleo-secret"),
        ("kleopatra", "cleo-secret"),
    ] {
        assert_eq!(refused(&data(&proxy, user, password)), "28P01", "{user} {password}");
    }
    // `cn=dba,ou=clubs` is no group that counts.
    assert_eq!(refused(&console(&proxy, "ada", "ada-secret")), "");
    let ben = console(&proxy, "ben", "ben-secret");
    assert_eq!(refused(&ben), "28000");
    // What changes there counts at the next login.
    let group = "cn=dba,ou=groups";
    let member = "uid=ben,ou=people,dc=example,dc=com";
    directory.modify(group, &format!("changetype: modify\nadd: member\nmember: {member}"));
    assert_eq!(refused(&ben), "");
    let member = "uid=ada,ou=people,dc=example,dc=com";
    directory.modify(group, &format!("changetype: modify\ndelete: member\nmember: {member}"));
    assert_eq!(refused(&console(&proxy, "ada", "ada-secret")), "28000");
    let person = "uid=ben,ou=people";
    directory.modify(person, "changetype: modify\ndelete: userPassword");
    assert_eq!(refused(&data(&proxy, "ben", "ben-secret")), "28P01");
    directory.modify(person, "changetype: modify\nadd: userPassword\nuserPassword: new-secret");
    assert_eq!(refused(&data(&proxy, "ben", "ben-secret")), "28P01");
    assert_eq!(refused(&data(&proxy, "ben", "new-secret")), "");
    directory.modify("uid=ben,ou=people", "changetype: delete");
    assert_eq!(refused(&data(&proxy, "ben", "new-secret")), "28P01");
    // Nobody is let in, or called a liar, when nobody can say.
    directory.stop();
    assert_eq!(refused(&ada), "08006");
    directory.start_again();
    assert_eq!(refused(&ada), "");
    let (_, metrics) = proxy.http("/metrics");
    assert!(metrics.contains("keyhole_logins_total{result=\"unavailable\"} 1"), "{metrics}");
    for secret in ["ada-secret", "new-secret", SERVICE_PASSWORD] {
        assert!(!proxy.log().contains(secret) && !proxy.audit_text().contains(secret));
    }
}

#[test]
fn a_password_is_tried_on_a_name_made_of_the_users() {
    let directory = Directory::start();
    let nobody = format!("ldap://127.0.0.1:{}", free_port());
    let config = config()
        .set("data", "auth", "ldap")
        .set("ldap", "servers", vec![nobody, directory.url()])
        .set("ldap", "starttls", true)
        .set("ldap", "ca_file", directory.authority())
        .set("ldap", "bind_dn", "uid={user},ou=people,dc=example,dc=com");
    let proxy = Keyhole::start(config);
    assert_eq!(refused(&data(&proxy, "ada", "ada-secret")), "");
    for (user, password) in [
        ("ada", "wrong"),
        ("ada", ""),
        ("Ada", "ada-secret"),
        ("ada ", "ada-secret"),
        ("cleo", "cleo-secret"),
        ("cleo,ou=guests,dc=example,dc=com", "cleo-secret"),
        ("", "ada-secret"),
    ] {
        let code = refused(&data(&proxy, user, password));
        assert_eq!(code, if user.is_empty() { "28000" } else { "28P01" }, "{user} {password}");
    }
    assert!(proxy.log().contains("of no help"), "{}", proxy.log());
}

#[test]
fn groups_are_searched_for_and_one_is_required() {
    let directory = Directory::start();
    let config = searching(&directory).set("ldap", "group_filter", "(member={dn})").set(
        "ldap",
        "require_group",
        "dba",
    );
    let proxy = Keyhole::start(config);
    assert_eq!(refused(&data(&proxy, "ada", "ada-secret")), "");
    assert_eq!(refused(&data(&proxy, "ben", "ben-secret")), "28000");
    assert_eq!(refused(&data(&proxy, "ben", "wrong")), "28P01");
}

#[test]
fn nobody_is_found_where_two_are() {
    let directory = Directory::start();
    let config = searching(&directory).set("ldap", "filter", "(mail={user})").set(
        "ldap",
        "user_attribute",
        "mail",
    );
    let proxy = Keyhole::start(config);
    for password in ["ada-secret", "ben-secret"] {
        assert_eq!(refused(&data(&proxy, "twin@example.com", password)), "28P01");
    }
    assert!(proxy.log().contains("more than one entry"), "{}", proxy.log());
}

#[test]
fn a_server_that_proves_nothing_gets_no_password() {
    let (directory, other) = (Directory::start(), Directory::start());
    let config = searching(&directory).set("ldap", "ca_file", other.authority());
    let proxy = Keyhole::start(config);
    assert_eq!(refused(&data(&proxy, "ada", "ada-secret")), "08006");
    let config = searching(&directory)
        .set("ldap", "servers", vec![directory.url()])
        .set("ldap", "starttls", true)
        .set("ldap", "ca_file", other.authority());
    let proxy = Keyhole::start(config);
    assert_eq!(refused(&data(&proxy, "ada", "ada-secret")), "08006");
    // A service account that may not search is no wrong password of the user's either.
    let config = searching(&directory);
    std::fs::write(config.path().join("ldap.password"), "wrong").expect("writable");
    let proxy = Keyhole::start(config);
    assert_eq!(refused(&data(&proxy, "ada", "ada-secret")), "08006");
}
