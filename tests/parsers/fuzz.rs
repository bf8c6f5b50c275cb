//! The properties as targets: each takes bytes and panics if one is violated, so that any fuzzer
//! can drive it. [`run`] does so with mutants of the corpora and with noise.

use std::sync::OnceLock;
use std::time::Duration;

use keyhole::analysis::mention::Mention;
use keyhole::audit::normalize::TEXT_BYTES_MAX;
use keyhole::audit::{Strings, normalize};
use keyhole::catalog::MaskSpec;
use keyhole::mask::{Format, WireMask};
use keyhole::schema::ValueType;
use keyhole::wire::backend::{self, DataRow, ErrorFields, RowDescription};
use keyhole::wire::startup::StartupPacket;
use keyhole::wire::{FrameHeader, frontend};

use crate::bench::Bench;
use crate::dice::Dice;
use crate::mutants::mutant;
use crate::support::wait::now;
use crate::{corpus, shop};

type Target = fn(&[u8]);

pub(crate) const TARGETS: [(&str, Target); 6] = [
    ("statement", statement),
    ("mention", mention),
    ("normalizer", normalizer),
    ("frames", frames),
    ("startup", startup),
    ("mask", mask),
];

/// Gate 1, gate 2, the decision and the rewrite of a text.
pub(crate) fn statement(bytes: &[u8]) {
    static SHOP: OnceLock<Bench> = OnceLock::new();
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err(why) = SHOP.get_or_init(shop).check(text) {
        panic!("{why}\n  in {text:?}");
    }
}

/// Gate 1 finds whatever stands alone between bytes that no identifier has.
fn mention(bytes: &[u8]) {
    static GATE: OnceLock<Mention> = OnceLock::new();
    let gate = GATE.get_or_init(|| Mention::new(["customers"], []).expect("a gate"));
    gate.scan(bytes);
    let name = [bytes, b" Customers ", bytes].concat();
    assert!(!gate.scan(&name).is_empty(), "missed in {}", name.escape_ascii());
}

/// A canary in a string constant does not survive, whatever stands around the string.
fn normalizer(bytes: &[u8]) {
    for strings in [Strings::Standard, Strings::Escapes] {
        let normal = normalize(bytes, strings);
        assert_eq!(normal.fingerprint.len(), 16);
        assert!(normal.text.len() <= TEXT_BYTES_MAX + "…".len());
        let sql = [b"SELECT 'canary-4711' , ", bytes].concat();
        let text = normalize(&sql, strings).text;
        assert!(!text.contains("canary-4711"), "{text:?} of {}", sql.escape_ascii());
    }
}

/// Readers of messages read what is there or say no.
fn frames(bytes: &[u8]) {
    let _ = FrameHeader::peek(bytes, 64);
    for tag in *b"QPBDECHSXdcfFp" {
        if let Ok(frontend::Frontend::Bind(bind)) = frontend::read(tag, bytes) {
            assert_eq!(bind.parameters.iter().count(), bind.parameters.len());
        }
    }
    if let Ok(row) = DataRow::read(bytes) {
        assert!(row.fields().count() <= row.len());
    }
    if let Ok(columns) = RowDescription::read(bytes) {
        assert_eq!(columns.fields().count(), columns.len());
    }
    let _ = ErrorFields::read(bytes).map(Iterator::count);
    let _ = backend::authentication(bytes);
    let _ = backend::parameter_description(bytes).map(|types| types.iter().count());
    let _ = backend::copy_formats(bytes);
}

fn startup(bytes: &[u8]) {
    if let Ok(StartupPacket::Startup(startup)) = StartupPacket::read(bytes) {
        startup.parameters().count();
    }
}

/// A mask changes text that it is to hide all of, fails without a trace, and is done after once.
fn mask(bytes: &[u8]) {
    static MASKS: OnceLock<Vec<WireMask>> = OnceLock::new();
    let text = ValueType { oid: 25, typmod: -1, sql: "text".to_owned(), category: b'S' };
    let masks = MASKS.get_or_init(|| {
        let specs = [
            MaskSpec::Redact,
            MaskSpec::Email,
            MaskSpec::Partial { keep_first: 0, keep_last: 4 },
            MaskSpec::Partial { keep_first: 2, keep_last: 2 },
        ];
        specs.iter().map(|spec| WireMask::new(spec, &text).expect("a mask of text")).collect()
    });
    for mask in masks {
        let mut once = b"kept".to_vec();
        if mask.apply(Format::Text, bytes, &mut once).is_err() {
            assert_eq!(&once, b"kept");
            continue;
        }
        let once = &once[4..];
        let mut twice = Vec::new();
        mask.apply(Format::Text, once, &mut twice).expect("a mask is a value");
        assert_eq!(once, twice, "of {}", bytes.escape_ascii());
        let letters = std::str::from_utf8(bytes)
            .is_ok_and(|text| text.chars().count() > 4 && text.chars().all(char::is_alphanumeric));
        assert!(!letters || once != bytes, "{} shows itself", bytes.escape_ascii());
    }
}

/// How long to go on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Length {
    Inputs(u64),
    Time(Duration),
}

/// Feeds every target; answers how many inputs each had. Panics with the seed at hand.
pub(crate) fn run(seed: u64, length: Length) -> u64 {
    let texts = corpus::all();
    let mut dice = Dice::new(seed);
    let started = now();
    let mut count = 0;
    let goes_on = |count: u64| match length {
        Length::Inputs(inputs) => count < inputs,
        Length::Time(time) => started.elapsed() < time,
    };
    while goes_on(count) {
        let [one, other] = [(); 2].map(|()| &texts[dice.below(texts.len() as u64) as usize]);
        let text = mutant(one, other, &mut dice);
        let noise = noise(&mut dice);
        for (_, target) in TARGETS {
            target(text.as_bytes());
            target(&noise);
        }
        count += 2;
    }
    count
}

/// Bytes of a few kinds: small ones, which lengths are made of, and any.
fn noise(dice: &mut Dice) -> Vec<u8> {
    let len = dice.below(64);
    let most = [4, 128, 256][dice.below(3) as usize];
    (0..len).map(|_| dice.below(most) as u8).collect()
}
