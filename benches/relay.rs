//! What `benches/run.py` measures with, in one small program:
//!
//! ```text
//! relay forward PORT               a plain TCP relay to 127.0.0.1:PORT: the least a proxy costs
//! relay small PORT                 the same with buffers of 8 KiB, as most would write it
//! relay source PORT                a server faster than PostgreSQL, in front of it: see `source`
//! relay idle PORT COUNT            logs in so often, says so, and stays until its input ends
//! relay drain PORT SQL             runs SQL once and throws the answer away
//! relay latency SECONDS SQL PORT…  runs a prepared SQL ($1: a small integer) in turns at each port
//! ```
//!
//! `drain` and `latency` log in as `bench` to the database `bench`, the password in PGPASSWORD, and
//! print one JSON object.

mod client;
mod source;

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use client::Connection;
use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{TcpListener, TcpStream};

type Failure = Box<dyn Error>;

const BUFFER_LEN: usize = 64 << 10;

/// Statements before it is the next port's turn.
const TURN: u32 = 50;

/// Statements at each port before measuring begins.
const WARM_UP: u32 = 200;

/// Values of `$1` are 1 to this.
const KEYS: u32 = 100_000;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["forward", port] => forward(port.parse()?, Buffers::Large),
        ["small", port] => forward(port.parse()?, Buffers::Small),
        ["source", port] => source::run(port.parse()?),
        ["idle", port, count] => idle(port.parse()?, count.parse()?),
        ["drain", port, sql] => drain(port.parse()?, sql),
        ["latency", seconds, sql, ports @ ..] => {
            let ports = ports.iter().map(|port| port.parse()).collect::<Result<Vec<u16>, _>>()?;
            latency(Duration::try_from_secs_f64(seconds.parse()?)?, sql, &ports)
        }
        _ => Err("usage: relay forward PORT | small PORT | source PORT | idle PORT COUNT | \
                  drain PORT SQL | latency SECONDS SQL PORT…"
            .into()),
    }
}

#[derive(Clone, Copy)]
enum Buffers {
    Small,
    Large,
}

#[tokio::main]
#[expect(clippy::disallowed_methods, reason = "a program of its own, without the server's tasks")]
async fn forward(port: u16, buffers: Buffers) -> Result<(), Failure> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    say(&format!("listening on {}", listener.local_addr()?))?;
    loop {
        let (mut client, _) = listener.accept().await?;
        tokio::spawn(async move {
            let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
            client.set_nodelay(true)?;
            server.set_nodelay(true)?;
            let (client, server) = (&mut client, &mut server);
            match buffers {
                Buffers::Small => source::copy_small(client, server).await,
                Buffers::Large => {
                    let copied =
                        copy_bidirectional_with_sizes(client, server, BUFFER_LEN, BUFFER_LEN);
                    copied.await.map(drop)
                }
            }
        });
    }
}

/// Logs in `count` times, from several threads, and holds what it has.
fn idle(port: u16, count: usize) -> Result<(), Failure> {
    const THREADS: usize = 8;
    let opened: Result<Vec<_>, String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn(move || {
                    let share = count / THREADS + usize::from(thread < count % THREADS);
                    let open = |_| Connection::open(port).map(Connection::into_stream);
                    (0..share).map(open).collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| "a thread died")?).collect()
    });
    let opened = opened?;
    say(&format!("open {}", opened.iter().map(Vec::len).sum::<usize>()))?;
    io::copy(&mut io::stdin(), &mut io::sink())?;
    drop(opened);
    Ok(())
}

fn drain(port: u16, sql: &str) -> Result<(), Failure> {
    let mut connection = Connection::open(port)?;
    let start = now();
    let answer = connection.simple_query(sql)?;
    let seconds = start.elapsed().as_secs_f64();
    let client::Answer { bytes, rows } = answer;
    say(&format!(r#"{{"bytes": {bytes}, "rows": {rows}, "seconds": {seconds:.6}}}"#))
}

fn latency(length: Duration, sql: &str, ports: &[u16]) -> Result<(), Failure> {
    let mut connections = BTreeMap::new();
    for port in ports {
        let mut connection = Connection::open(*port)?;
        connection.prepare(sql)?;
        connections.insert(*port, (connection, Vec::new()));
    }
    let mut key = 0;
    for (connection, _) in connections.values_mut() {
        for _ in 0..WARM_UP {
            key = key % KEYS + 1;
            connection.execute(key)?;
        }
    }
    let end = now() + length;
    while now() < end {
        for (connection, times) in connections.values_mut() {
            for _ in 0..TURN {
                key = key % KEYS + 7;
                let start = now();
                connection.execute(key % KEYS + 1)?;
                times.push(start.elapsed().as_nanos());
            }
        }
    }
    let parts = connections.into_iter().map(|(port, (_, mut times))| {
        times.sort_unstable();
        let at = |percent: usize| times[(times.len() - 1) * percent / 100] as f64 / 1000.0;
        let (count, p50, p99) = (times.len(), at(50), at(99));
        format!(r#""{port}": {{"count": {count}, "p50_us": {p50:.2}, "p99_us": {p99:.2}}}"#)
    });
    say(&format!("{{{}}}", parts.collect::<Vec<_>>().join(", ")))
}

#[expect(clippy::disallowed_methods, reason = "measuring time is what this program is for")]
fn now() -> Instant {
    Instant::now()
}

fn say(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
