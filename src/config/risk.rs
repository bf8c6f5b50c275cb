//! `[risk]`: the rules over the audit log.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use jiff::tz::TimeZone;
use toml::Spanned;

use super::builder::Builder;
use super::raw::{self, Text, Texts};
use super::values;
use crate::grant::Subject;
use crate::risk::{Key, Reaction, Rule, Rules, Settings, Severity, Use};

/// Behind what the rules remember.
const DAYS_MAX: u64 = 60;
/// Above it, a window would say nothing of a short time.
const WITHIN_MAX: Duration = Duration::from_secs(86_400);

/// Every rule has its defaults; what is written changes them.
pub(super) fn build(builder: &mut Builder<'_>, raw: raw::Risk) -> Rules {
    let mut rules = if raw.enabled == Some(false) { Rules::off() } else { Rules::default() };
    let zone = |text: &str| match text {
        "UTC" => Ok(TimeZone::UTC),
        name => TimeZone::get(name).map_err(|error| error.to_string()),
    };
    rules.zone = builder.parsed("time_zone in [risk]", raw.time_zone, TimeZone::UTC, zone);
    let severities = Severity::ALL.map(|severity| (severity.as_str(), severity));
    rules.severity_min =
        builder.word("severity_min in [risk]", raw.severity_min, &severities, Severity::Low);
    let known = Rule::ALL.map(|rule| (rule.as_str(), rule));
    let mut seen: BTreeMap<Rule, Range<usize>> = BTreeMap::new();
    for entry in raw.rule {
        let span = entry.span();
        let entry = entry.into_inner();
        let named = entry.name.get_ref().clone();
        let problems = builder.problems.0.len();
        let rule = builder.word(
            "name in [[risk.rule]]",
            Some(entry.name.clone()),
            &known,
            Rule::UnusualHour,
        );
        if builder.problems.0.len() > problems {
            continue;
        }
        if seen.insert(rule, span.clone()).is_some() {
            builder.wrong(span, format!("[[risk.rule]] \"{named}\" is there twice"));
            continue;
        }
        let settings = Reading { builder, rule }.settings(entry, rules.of(rule).clone());
        rules.set(rule, settings);
    }
    rules
}

struct Reading<'a, 'b> {
    builder: &'a mut Builder<'b>,
    rule: Rule,
}

impl Reading<'_, '_> {
    fn settings(&mut self, raw: raw::RiskRule, defaults: Settings) -> Settings {
        let severities = Severity::ALL.map(|severity| (severity.as_str(), severity));
        let of = |key: &str, rule: Rule| format!("{key} of rule \"{}\"", rule.as_str());
        let rule = self.rule;
        let state = match raw.enabled {
            Some(false) => Use::Off,
            // None of them, if none is wanted.
            Some(true) | None => defaults.state,
        };
        let actions_span = raw.actions.as_ref().and_then(|texts| Some(texts.first()?.span()));
        let actions = self.actions(raw.actions, &defaults.actions);
        let lasting = [Reaction::Suspend, Reaction::SecondApproval];
        if let Some(lasts) = &raw.lasts
            && !actions.iter().any(|action| lasting.contains(action))
        {
            let message = "is of \"suspend\" and \"second_approval\", which it does not do";
            self.builder.wrong(lasts.span(), format!("{} {message}", of("lasts", rule)));
        }
        if let Some(action) = actions.iter().find(|action| action.is_against_user())
            && !rule.knows_whom()
        {
            let message = "would let anybody have anybody punished, as who fails to log in may \
                           claim any name";
            let said = format!("\"{}\" in {} {message}", action.as_str(), of("actions", rule));
            self.builder.wrong(actions_span.unwrap_or_default(), said);
        }
        Settings {
            state,
            users: self.subjects("users", raw.users),
            except: self.subjects("except", raw.except),
            severity: self.builder.word(
                &of("severity", rule),
                raw.severity,
                &severities,
                defaults.severity,
            ),
            actions,
            lasts: raw.lasts.map(|text| {
                self.builder.duration(&of("lasts", rule), Some(text), Duration::from_secs(3_600))
            }),
            quiet: self.builder.duration(&of("quiet", rule), raw.quiet, defaults.quiet),
            count: self.number(Key::Count, raw.count, defaults.count, 1..=1_000_000_000),
            within: self.within(raw.within, defaults.within),
            factor: self.number(Key::Factor, raw.factor, defaults.factor, 1..=1_000_000),
            learn: self.span(Key::Learn, raw.learn, defaults.learn),
            days: u32::try_from(self.number(
                Key::Days,
                raw.days,
                u64::from(defaults.days),
                1..=DAYS_MAX,
            ))
            .unwrap_or(defaults.days),
            rows: self.number(Key::Rows, raw.rows, defaults.rows, 1..=u64::MAX),
            bytes: self.bytes(raw.bytes, defaults.bytes),
            subjects: self.number(
                Key::Subjects,
                raw.subjects,
                defaults.subjects,
                1..=1_000_000_000,
            ),
            margin: u8::try_from(self.number(
                Key::Margin,
                raw.margin,
                u64::from(defaults.margin),
                0..=12,
            ))
            .unwrap_or(defaults.margin),
        }
    }

    /// `log` may be said; a signal is on record in any case.
    fn actions(&mut self, raw: Option<Texts>, defaults: &[Reaction]) -> Vec<Reaction> {
        let Some(texts) = raw else { return defaults.to_vec() };
        let mut known = vec![("log", None)];
        known.extend(Reaction::ALL.map(|reaction| (reaction.as_str(), Some(reaction))));
        let key = format!("actions of rule \"{}\"", self.rule.as_str());
        let mut actions: Vec<_> =
            self.builder.words(&key, texts, &known).into_iter().flatten().collect();
        actions.sort();
        actions.dedup();
        actions
    }

    fn subjects(&mut self, key: &str, raw: Option<Texts>) -> Vec<Subject> {
        let key = format!("{key} of rule \"{}\"", self.rule.as_str());
        let parse = |text: &str| Subject::parse(text).map_err(|error| error.to_string());
        let texts = raw.unwrap_or_default();
        texts
            .into_iter()
            .map(|text| self.builder.parsed(&key, Some(text), Subject::Anyone, parse))
            .collect()
    }

    /// Whether the rule goes by the key; a key that changes nothing is a mistake.
    fn takes(&mut self, key: Key, span: Range<usize>) {
        if !Settings::keys(self.rule).contains(&key) {
            let (key, rule) = (key.as_str(), self.rule.as_str());
            self.builder.wrong(span, format!("rule \"{rule}\" does not go by \"{key}\""));
        }
    }

    fn number(
        &mut self,
        key: Key,
        raw: Option<Spanned<u64>>,
        default: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> u64 {
        let Some(value) = raw else { return default };
        self.takes(key, value.span());
        if !range.contains(value.get_ref()) {
            let (least, most) = (range.start(), range.end());
            let (key, rule) = (key.as_str(), self.rule.as_str());
            let message = format!("{key} of rule \"{rule}\" lies between {least} and {most}");
            self.builder.wrong(value.span(), message);
        }
        value.into_inner()
    }

    fn span(&mut self, key: Key, raw: Option<Text>, default: Duration) -> Duration {
        if let Some(text) = &raw {
            self.takes(key, text.span());
        }
        let name = format!("{} of rule \"{}\"", key.as_str(), self.rule.as_str());
        self.builder.duration(&name, raw, default)
    }

    fn within(&mut self, raw: Option<Text>, default: Duration) -> Duration {
        let span = raw.as_ref().map(Spanned::span).unwrap_or_default();
        let within = self.span(Key::Within, raw, default);
        if within > WITHIN_MAX || within.is_zero() {
            let rule = self.rule.as_str();
            self.builder.wrong(span, format!("within of rule \"{rule}\" is at most 24h"));
        }
        within
    }

    fn bytes(&mut self, raw: Option<Text>, default: u64) -> u64 {
        if let Some(text) = &raw {
            self.takes(Key::Bytes, text.span());
        }
        let name = format!("bytes of rule \"{}\"", self.rule.as_str());
        self.builder.parsed(&name, raw, default, values::size)
    }
}
