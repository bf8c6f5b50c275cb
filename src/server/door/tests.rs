use std::path::Path;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::*;
use crate::auth::login::{self, Arrival};
use crate::auth::rules::Origin;
use crate::config::Config;
use crate::net::Socket;
use crate::relay::tests::world;
use crate::upstream::connect;

const PATIENCE: Duration = Duration::from_secs(60);

/// A house without a database that answers, and the folder of its files.
struct Estate {
    house: Arc<House>,
    dir: TempDir,
}

fn write(dir: &Path, users: &[&str]) -> Config {
    let users: String = users.iter().map(|name| format!("[[user]]\nname = \"{name}\"\n")).collect();
    let text = format!(
        "[data]\nlisten = \"127.0.0.1:0\"\nauth = \"trust\"\n[store]\nurl = \"sqlite:k.db\"\n\
         [audit]\ndir = \"audit\"\n[[database]]\nname = \"shop\"\ncatalog = [\"c.toml\"]\n\
         upstream = \"postgres://app@127.0.0.1:1/shop?sslmode=disable\"\n{users}"
    );
    std::fs::write(dir.join("c.toml"), "").unwrap();
    std::fs::write(dir.join("proxy.toml"), text).unwrap();
    Config::load(&dir.join("proxy.toml")).unwrap()
}

async fn estate() -> Estate {
    let dir = tempfile::tempdir().unwrap();
    let config = write(dir.path(), &["alice", "bob"]);
    let (house, _notes) = crate::server::open(config).await.unwrap();
    Estate { house, dir }
}

/// Alice, who has logged in; and the other ends of her connection and of her database's.
async fn alice(house: &Arc<House>) -> (Guest, Accepted, Admitted, UnixStream, UnixStream) {
    let setup = house.setup.load_full();
    let (mut client, near) = UnixStream::pair().unwrap();
    let mut packet = b"\0\0\0\x22\0\x03\0\0user\0alice\0database\0shop\0\0".to_vec();
    packet[3] = u8::try_from(packet.len()).unwrap();
    client.write_all(&packet).await.unwrap();
    let arrival = login::accept(Socket::from(near), Origin::Local { uid: 0 }, &setup.rules).await;
    let Ok(Arrival::Client(accepted)) = arrival else { panic!("{arrival:?}") };
    let spec = setup.spec("shop").unwrap();
    let target = Arc::clone(&spec.target);
    let site = house.databases.ensure(spec);
    site.database.publish(world(site.database.name()), None);
    let (database, near) = UnixStream::pair().unwrap();
    let address = connect::Address::Socket("/none".into());
    let admitted = Admitted {
        user: setup.person(&accepted.authenticated).unwrap(),
        target,
        connected: Connected {
            stream: Stream::Plain(near.into()),
            way: connect::Way { address, host: String::new() },
            parameters: Vec::new(),
            key: None,
            server: None,
            leftover: Vec::new(),
        },
        attached: site.database.attach(),
        place: Arc::clone(&house.places).try_acquire_owned().unwrap(),
        member: house.users.enter("alice".into()),
        site,
    };
    let (house, newcomer) = (Arc::clone(house), Newcomer::local());
    let deadline = Instant::now() + PATIENCE;
    let guest = Guest { house, setup, newcomer, place: None, deadline };
    (guest, *accepted, admitted, client, database)
}

async fn host(guest: Guest, accepted: Accepted, admitted: Admitted) {
    let Accepted { stream, leftover, authenticated, request, upstream: _ } = accepted;
    let hosting = async {
        let login = Way { authenticated, request };
        if let Some(hosted) = guest.host(admitted, stream, leftover, login).await {
            hosted.run().await;
        }
    };
    timeout(PATIENCE, hosting).await.expect("it ends");
}

/// All that a connection says until it ends.
async fn heard(stream: &mut UnixStream) -> String {
    let mut bytes = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("it ends").unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn a_login_that_cannot_be_put_on_record_ends_there() {
    let Estate { house, dir: _dir } = estate().await;
    let (guest, accepted, admitted, mut client, mut database) = alice(&house).await;
    house.audit.shutdown().await.unwrap();
    // The client stays and says nothing: a session would wait for it.
    host(guest, accepted, admitted).await;
    let told = heard(&mut client).await;
    assert!(told.contains("C58030\0") && !told.contains("Z\0\0\0\x05I"), "{told:?}");
    assert_eq!(heard(&mut database).await, "", "the database has its connection back");
    let logins = &house.metrics.logins;
    assert_eq!((logins.of(LoginResult::Ok).get(), logins.of(LoginResult::Audit).get()), (0, 1));
    assert_eq!(house.sessions.len(), 0);
}

#[tokio::test]
async fn who_logs_in_during_a_reload_is_who_the_new_configuration_says() {
    let Estate { house, dir } = estate().await;
    let (guest, accepted, admitted, mut client, _database) = alice(&house).await;
    write(dir.path(), &["bob"]);
    house.reload(None).await.unwrap();
    host(guest, accepted, admitted).await;
    let told = heard(&mut client).await;
    assert!(told.contains("C57P01\0") && told.contains("configured anew"), "{told:?}");
}

/// Of a session that panicked nothing is logged that the panic said.
#[tokio::test]
async fn what_a_session_panicked_about_is_not_logged() {
    let mut tasks = JoinSet::new();
    tasks.spawn(async { panic!("{}", std::hint::black_box("ann@example.com")) });
    let ended = tasks.join_next().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let lines = tracing_subscriber::fmt().with_writer(std::fs::File::create(&path).unwrap());
    tracing::subscriber::with_default(lines.finish(), || note(ended));
    let log = std::fs::read_to_string(&path).unwrap();
    assert!(log.contains("a session") && !log.contains("ann@"), "{log}");
}
