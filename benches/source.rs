//! A server that is faster than PostgreSQL, in front of one.
//!
//! A login costs it nothing: it lets everybody in, and only what they ask first opens a connection
//! of their own to the server behind it. A query with `/* replay BYTES */` is run there with
//! `LIMIT 4000` in that place; what came is kept and sent again and again, as often as it takes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional_with_sizes};
use tokio::net::{TcpListener, TcpStream};

use crate::client::Connection;
use crate::{BUFFER_LEN, Failure, say};

const SSL_REQUEST: [u8; 4] = 80_877_103_u32.to_be_bytes();
const GSS_REQUEST: [u8; 4] = 80_877_104_u32.to_be_bytes();

/// Bytes of rows that are sent with one write.
const BLOCK_LEN: usize = 1 << 20;

/// What a query answered.
struct Recorded {
    /// Up to the first row.
    head: Vec<u8>,
    /// Whole rows, some [`BLOCK_LEN`] of them.
    rows: Vec<u8>,
    /// Behind the last row.
    tail: Vec<u8>,
}

struct Source {
    port: u16,
    /// What the server says after AuthenticationOk, up to ReadyForQuery.
    greeting: Vec<u8>,
    recorded: Mutex<HashMap<String, Arc<Recorded>>>,
}

#[tokio::main]
#[expect(clippy::disallowed_methods, reason = "a program of its own, without the server's tasks")]
pub(crate) async fn run(port: u16) -> Result<(), Failure> {
    let greeting = greeting(port)?;
    let source = Arc::new(Source { port, greeting, recorded: Mutex::default() });
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    say(&format!("listening on {}", listener.local_addr()?))?;
    loop {
        let (client, _) = listener.accept().await?;
        let source = Arc::clone(&source);
        tokio::spawn(async move {
            // Who leaves in the middle is no matter.
            let _ = serve(client, &source).await;
        });
    }
}

fn greeting(port: u16) -> Result<Vec<u8>, Failure> {
    let connection = Connection::open(port)?;
    let mut greeting = vec![b'R', 0, 0, 0, 8, 0, 0, 0, 0];
    greeting.extend_from_slice(connection.parameters());
    greeting.extend_from_slice(&[b'K', 0, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0, 1]);
    greeting.extend_from_slice(&[b'Z', 0, 0, 0, 5, b'I']);
    Ok(greeting)
}

async fn serve(mut client: TcpStream, source: &Source) -> Result<(), Failure> {
    client.set_nodelay(true)?;
    loop {
        let mut len = [0; 4];
        client.read_exact(&mut len).await?;
        let mut packet = vec![0; (u32::from_be_bytes(len) as usize).saturating_sub(4)];
        client.read_exact(&mut packet).await?;
        if packet.starts_with(&SSL_REQUEST) || packet.starts_with(&GSS_REQUEST) {
            client.write_all(b"N").await?;
        } else {
            break;
        }
    }
    client.write_all(&source.greeting).await?;
    let mut first = [0; 5];
    client.read_exact(&mut first).await?;
    let port = source.port;
    let opened = tokio::task::spawn_blocking(move || {
        Connection::open(port).map(Connection::into_stream).map_err(|error| error.to_string())
    });
    let server = opened.await??;
    server.set_nonblocking(true)?;
    let mut server = TcpStream::from_std(server)?;
    let mut header = first;
    loop {
        let len = (u32::from_be_bytes([header[1], header[2], header[3], header[4]]) as usize)
            .saturating_sub(4);
        let mut body = vec![0; len];
        client.read_exact(&mut body).await?;
        match (header[0], replayed(&body)) {
            (b'Q', Some((sql, bytes))) => {
                let recorded = source.record(&sql).await?;
                replay(&mut client, &recorded, bytes).await?;
            }
            _ => {
                server.write_all(&header).await?;
                server.write_all(&body).await?;
                return relay(client, server, source).await;
            }
        }
        client.read_exact(&mut header).await?;
    }
}

/// Both ways, as long as nothing is to be replayed.
async fn relay(
    mut client: TcpStream,
    mut server: TcpStream,
    source: &Source,
) -> Result<(), Failure> {
    let (mut from_client, mut from_server) = (vec![0; BUFFER_LEN], vec![0; BUFFER_LEN]);
    loop {
        tokio::select! {
            read = client.read(&mut from_client) => {
                let len = read?;
                if len == 0 {
                    return Ok(());
                }
                let arrived = &from_client[..len];
                let query = (arrived[0] == b'Q').then(|| replayed(&arrived[5.min(len)..])).flatten();
                match query {
                    Some((sql, bytes)) => {
                        let recorded = source.record(&sql).await?;
                        replay(&mut client, &recorded, bytes).await?;
                    }
                    None => server.write_all(arrived).await?,
                }
            }
            read = server.read(&mut from_server) => {
                let len = read?;
                if len == 0 {
                    return Ok(());
                }
                client.write_all(&from_server[..len]).await?;
            }
        }
    }
}

/// The query that is to be run, and how many bytes of rows are wanted.
fn replayed(body: &[u8]) -> Option<(String, usize)> {
    let text = std::str::from_utf8(body).ok()?.trim_end_matches('\0');
    let (before, rest) = text.split_once("/* replay ")?;
    let (bytes, after) = rest.split_once(" */")?;
    Some((format!("{before}LIMIT 4000{after}"), bytes.parse().ok()?))
}

impl Source {
    async fn record(&self, sql: &str) -> Result<Arc<Recorded>, Failure> {
        let known = || self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known().get(sql) {
            return Ok(Arc::clone(found));
        }
        let (port, query) = (self.port, sql.to_owned());
        let answer = tokio::task::spawn_blocking(move || {
            let mut connection = Connection::open(port).map_err(|error| error.to_string())?;
            connection.whole_answer(&query).map_err(|error| error.to_string())
        });
        let recorded = Arc::new(Recorded::of(&answer.await??)?);
        known().insert(sql.to_owned(), Arc::clone(&recorded));
        Ok(recorded)
    }
}

impl Recorded {
    fn of(answer: &[u8]) -> Result<Self, Failure> {
        let (mut head, mut once, mut tail) = (Vec::new(), Vec::new(), Vec::new());
        let mut rest = answer;
        while let [kind, a, b, c, d, ..] = *rest {
            let len = u32::from_be_bytes([a, b, c, d]) as usize + 1;
            let (frame, behind) = rest.split_at_checked(len).ok_or("a message is cut")?;
            match kind {
                b'D' | b'd' => once.extend_from_slice(frame),
                _ if once.is_empty() => head.extend_from_slice(frame),
                _ => tail.extend_from_slice(frame),
            }
            rest = behind;
        }
        if once.is_empty() {
            return Err("nothing to replay".into());
        }
        let times = BLOCK_LEN.div_ceil(once.len());
        Ok(Self { head, rows: once.repeat(times), tail })
    }
}

async fn replay(client: &mut TcpStream, recorded: &Recorded, bytes: usize) -> Result<(), Failure> {
    client.write_all(&recorded.head).await?;
    for _ in 0..bytes.div_ceil(recorded.rows.len()) {
        client.write_all(&recorded.rows).await?;
    }
    client.write_all(&recorded.tail).await?;
    Ok(())
}

/// A relay with the buffers that `tokio` has if nobody asks for others: what most would write.
pub(crate) async fn copy_small(
    client: &mut TcpStream,
    server: &mut TcpStream,
) -> std::io::Result<()> {
    const SMALL_LEN: usize = 8 << 10;
    copy_bidirectional_with_sizes(client, server, SMALL_LEN, SMALL_LEN).await.map(drop)
}
