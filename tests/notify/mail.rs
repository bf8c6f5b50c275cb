//! Mail against a server that speaks SMTP as servers do.

use keyhole::grant::Subject;
use keyhole::notify::{Directory, Route, Smtp};

use crate::story::{Story, alice, ask, config, dirk, dora};
use crate::support::certificates;
use crate::support::mail_server::{MailServer, Taken};
use crate::support::wait::until;

fn route(url: &str, more: &str) -> Route {
    let dir = tempfile::tempdir().expect("a folder");
    let entry = format!(
        "[notify.smtp]\nurl = '{url}'\nfrom = 'Keyhole <keyhole@example.com>'\n\
         to = ['team@example.com']\ntimeout = '5s'\n{more}"
    );
    let config = config(dir.path(), &entry);
    let smtp = config.notify.smtp.as_ref().expect("the table");
    let ca = smtp.ca_file.as_ref().map(|file| std::fs::read(file).expect("it is there"));
    let smtp = Smtp::new(smtp, ca.as_deref(), Directory::new(&config.users));
    Route::Smtp(Box::new(smtp.expect("good authorities")))
}

fn to(server: &MailServer) -> Route {
    route(&format!("smtp://127.0.0.1:{}", server.port()), "")
}

fn recipients(taken: &[Taken]) -> Vec<&str> {
    taken.iter().map(|letter| letter.to.as_str()).collect()
}

#[test]
fn letters_go_to_whom_it_concerns() {
    let (story, server) = (Story::begin(), MailServer::start());
    let channel = story.channel(to(&server));
    let id = story.request(&alice(), ask("customers.email"));
    let filed = server.wait_for(3);
    assert_eq!(recipients(&filed), ["team@example.com", "dora@example.com", "dirk@example.com"]);
    story.deny(&dora(), id);
    let denied = server.wait_for(5).split_off(3);
    assert_eq!(recipients(&denied), ["team@example.com", "alice@example.com"]);
    let grant = story.grant(&dora(), Subject::User("alice".into()), ask("customers.email"));
    let granted = server.wait_for(8).split_off(5);
    let all = ["team@example.com", "alice@example.com", "dora@example.com"];
    assert_eq!(recipients(&granted), all);
    story.revoke(&dirk(), grant);
    server.wait_for(11);
    // A DBA asks: others may approve.
    story.request(&dirk(), ask("customers.email"));
    let asked = server.wait_for(13).split_off(11);
    story.end(channel);
    assert_eq!(recipients(&asked), ["team@example.com", "dora@example.com"]);
    let ids: Vec<_> = filed.iter().filter_map(|letter| letter.header("Message-ID")).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|id| *id == ids[0]) && ids[0].contains(story.approvals().store_id()));
    assert_eq!(filed[0].header("Auto-Submitted").as_deref(), Some("auto-generated"));
}

#[test]
fn starttls_comes_before_the_password() {
    let dir = tempfile::tempdir().expect("a folder");
    certificates::make(dir.path());
    let server = MailServer::start_tls(dir.path());
    let login = format!(
        "user = 'keyhole'\npassword_env = 'P'\nca_file = '{}'",
        dir.path().join("ca.pem").display()
    );
    let story = Story::begin();
    let url = format!("smtp+starttls://127.0.0.1:{}", server.port());
    let channel = story.channel(route(&url, &login));
    story.request(&alice(), ask("customers.email"));
    let taken = server.wait_for(3);
    story.end(channel);
    // base64 of \0keyhole\0secret
    let credentials = Some("AGtleWhvbGUAc2VjcmV0".to_owned());
    assert!(taken.iter().all(|letter| letter.encrypted && letter.login == credentials));
}

#[test]
fn a_server_may_be_encrypted_from_the_first_byte() {
    let dir = tempfile::tempdir().expect("a folder");
    certificates::make(dir.path());
    let server = MailServer::start_wrapped(dir.path());
    let story = Story::begin();
    let ca = format!("ca_file = '{}'", dir.path().join("ca.pem").display());
    let channel = story.channel(route(&format!("smtps://127.0.0.1:{}", server.port()), &ca));
    story.request(&alice(), ask("customers.email"));
    let taken = server.wait_for(3);
    story.end(channel);
    assert!(taken.iter().all(|letter| letter.encrypted && letter.login.is_none()));
}

#[test]
fn a_server_without_starttls_hears_nothing() {
    let (story, server) = (Story::begin(), MailServer::start());
    let url = format!("smtp+starttls://127.0.0.1:{}", server.port());
    let channel = story.channel(route(&url, "user = 'keyhole'\npassword_env = 'P'"));
    story.request(&alice(), ask("customers.email"));
    until("it was tried twice", || (story.metrics.notifications_failed.total() >= 2).then_some(()));
    story.end(channel);
    assert_eq!(server.taken().len(), 0);
    let greetings = |command: &String| command.starts_with("EHLO") || command == "QUIT";
    assert!(server.commands().iter().all(greetings), "{:?}", server.commands());
    assert_eq!(story.metrics.notifications_dropped.total(), 0);
}

#[test]
fn a_certificate_of_somebody_else_is_not_believed() {
    let dir = tempfile::tempdir().expect("a folder");
    certificates::make(dir.path());
    let server = MailServer::start_tls(dir.path());
    let story = Story::begin();
    let url = format!("smtp+starttls://127.0.0.1:{}", server.port());
    let channel = story.channel(route(&url, "user = 'keyhole'\npassword_env = 'P'"));
    story.request(&alice(), ask("customers.email"));
    until("it was tried", || (story.metrics.notifications_failed.total() >= 1).then_some(()));
    story.end(channel);
    assert_eq!(server.taken().len(), 0);
    assert!(!server.commands().iter().any(|command| command.starts_with("AUTH")));
}

#[test]
fn one_address_in_trouble_keeps_no_letter_from_the_others_and_none_comes_twice() {
    let (story, server) = (Story::begin(), MailServer::start());
    server.refuse("team@example.com", 550);
    server.refuse("dora@example.com", 451);
    server.refuse("dora@example.com", 451);
    let channel = story.channel(to(&server));
    let id = story.request(&alice(), ask("customers.email"));
    let taken = server.wait_for(2);
    assert_eq!(recipients(&taken), ["dora@example.com", "dirk@example.com"]);
    story.cancel(&alice(), id);
    let all = server.wait_for(5);
    story.end(channel);
    assert_eq!(all.len(), 5, "{:?}", recipients(&all));
    assert_eq!(story.metrics.notifications_failed.total(), 2);
    assert_eq!(story.metrics.notifications_sent.total(), 2);
}
