//! One attack on one database: what was said, what was heard.

use std::time::Duration;

use super::corpus::{Attack, Step, bytes, replies};
use crate::support::client::{bind, describe, execute, frame, parse, query, sync};
use crate::support::message::{Format, Message};
use crate::support::wait::now;
use crate::support::{Client, Target};

/// How steps that are plain SQL travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Simple,
    Text,
    Binary,
    /// Everything in one segment, one Sync at the end.
    Pipelined,
    /// Queries are declared as cursors and fetched.
    Cursor,
    /// What returns rows is copied out.
    Copy,
}

impl Form {
    pub(super) fn of(attack: &Attack) -> Vec<Self> {
        let free = attack.steps.iter().any(|step| matches!(step, Step::Sql(_)));
        let mut forms = match (free, attack.timed) {
            (true, false) => vec![Self::Simple, Self::Text, Self::Binary, Self::Pipelined],
            (true, true) => vec![Self::Simple, Self::Text],
            (false, _) => vec![Self::Simple],
        };
        let wrapped = [Self::Cursor, Self::Copy].into_iter().filter(|form| form.changes(attack));
        forms.extend(wrapped);
        forms
    }

    /// Whether any step travels otherwise than in a simple query.
    fn changes(self, attack: &Attack) -> bool {
        let wrapped = |sql| super::wrap::wrapped(self, sql, b'I').is_some();
        attack.steps.iter().any(|step| matches!(step, Step::Sql(sql) if wrapped(sql)))
    }
}

/// What an attacker can see of one run.
#[derive(Default)]
pub(super) struct Transcript {
    pub(super) said: Vec<u8>,
    pub(super) heard: Vec<u8>,
    pub(super) messages: Vec<Message>,
    pub(super) took: Duration,
}

pub(super) struct Session<'a> {
    target: &'a Target,
    victim: &'a Target,
    clients: Vec<Client>,
    /// They stay connected: what they ran last stays on display.
    victims: Vec<Client>,
    transcript: Transcript,
    /// Of the first client: `I`, `T` or `E`, as the server said last.
    status: u8,
}

impl<'a> Session<'a> {
    pub(super) fn run(
        attack: &Attack,
        form: Form,
        target: &'a Target,
        victim: &'a Target,
    ) -> Transcript {
        let clients = vec![target.connect()];
        let mut session = Self {
            target,
            victim,
            clients,
            victims: Vec::new(),
            transcript: Transcript::default(),
            status: b'I',
        };
        let began = now();
        let mut waiting = Vec::new();
        for step in &attack.steps {
            if let (Step::Sql(sql), Form::Pipelined) = (step, form) {
                waiting.extend(extended(sql, form));
            } else {
                session.flush(&mut waiting);
                session.step(step, form);
            }
        }
        session.flush(&mut waiting);
        session.transcript.took = now() - began;
        session.close()
    }

    fn flush(&mut self, waiting: &mut Vec<u8>) {
        if !waiting.is_empty() {
            waiting.extend(sync());
            self.send(0, waiting, 1);
            waiting.clear();
        }
    }

    fn step(&mut self, step: &Step, form: Form) {
        match step {
            Step::Sql(sql) if matches!(form, Form::Simple | Form::Cursor | Form::Copy) => {
                match super::wrap::wrapped(form, sql, self.status) {
                    Some(statements) => statements.iter().for_each(|sql| self.simple(0, sql)),
                    None => self.simple(0, sql),
                }
            }
            Step::Sql(sql) => self.send(0, &[extended(sql, form), sync()].concat(), 1),
            Step::Frames { frames, wait } => {
                let count = wait.unwrap_or_else(|| replies(frames));
                let bytes: Vec<u8> = frames.iter().flat_map(|words| bytes(words)).collect();
                self.send(0, &bytes, count);
            }
            Step::On { c, q, options } => {
                while self.clients.len() < *c {
                    let target = self.target.clone();
                    let target = options.iter().fold(target, |to, (k, v)| to.option(k, v));
                    self.clients.push(target.connect());
                }
                self.simple(c - 1, q);
            }
            Step::Victim { victim } => {
                let mut other = self.victim.connect();
                for sql in victim {
                    other.query(sql);
                }
                self.victims.push(other);
            }
        }
    }

    fn simple(&mut self, client: usize, sql: &str) {
        self.send(client, &query(sql), 1);
    }

    fn send(&mut self, number: usize, bytes: &[u8], replies: usize) {
        self.transcript.said.extend_from_slice(bytes);
        let client = &mut self.clients[number];
        if client.send(bytes).is_err() {
            return;
        }
        let mut ready = 0;
        while ready < replies {
            let Ok(Some(message)) = client.read() else { return };
            match message.tag {
                b'Z' => {
                    ready += 1;
                    self.status = if number == 0 { message.body[0] } else { self.status };
                }
                // Nobody here has rows to copy in; an extended COPY ate the Sync.
                b'G' => {
                    client.send(&[frame(b'c', b""), sync()].concat()).ok();
                    ready -= usize::from(bytes[0] == b'Q' && ready > 0);
                }
                _ => {}
            }
            self.transcript.messages.push(message);
        }
    }

    fn close(mut self) -> Transcript {
        for client in &mut self.clients {
            // Whatever still comes belongs to the transcript too.
            let late = client.drain(Duration::from_millis(10));
            self.transcript.messages.extend(late.messages);
            client.send(&frame(b'X', b"")).ok();
            self.transcript.heard.extend_from_slice(&client.heard);
        }
        self.transcript
    }
}

fn extended(sql: &str, form: Form) -> Vec<u8> {
    let format = if form == Form::Binary { Format::Binary } else { Format::Text };
    [
        parse("", sql),
        describe(b'S', ""),
        bind("", "", &[], format),
        describe(b'P', ""),
        execute("", 0),
    ]
    .concat()
}
