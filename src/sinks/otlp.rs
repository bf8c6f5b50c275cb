//! OpenTelemetry: OTLP/HTTP with logs in JSON, as collectors take them at `/v1/logs`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hyper::header::HeaderMap;
use rustls::ClientConfig;
use serde_json::{Value, json};

use super::facts::Severity;
use super::post::Post;
use super::{Delivered, Failure, PostError, Shipment, Sink};
use crate::audit::Record;
use crate::config::PostConfig;
use crate::model::Timestamp;

#[derive(Clone, Debug)]
pub struct Otlp(Post);

impl Otlp {
    /// # Errors
    /// [`PostError`].
    pub fn new(
        config: &PostConfig,
        tls: Arc<ClientConfig>,
        timeout: Duration,
    ) -> Result<Self, PostError> {
        Post::new(config, "application/json", tls, timeout).map(Self)
    }
}

#[async_trait]
impl Sink for Otlp {
    async fn deliver(&mut self, shipment: &Shipment, now: Timestamp) -> Result<Delivered, Failure> {
        let document = Bytes::from(document(shipment, now).to_string());
        let said = self.0.leave(HeaderMap::new(), document, now).await?;
        Ok(Delivered { refused: refused(&said).min(shipment.len()), cut: 0 })
    }
}

/// What of a request that was taken was not: it must not be sent again (OTLP, "partial success").
fn refused(answer: &[u8]) -> u64 {
    let Ok(answer) = serde_json::from_slice::<Value>(answer) else { return 0 };
    let rejected = &answer["partialSuccess"]["rejectedLogRecords"];
    // 64 bits are text in this JSON; some write them as numbers all the same.
    let text = rejected.as_str().and_then(|text| text.parse().ok());
    text.or(rejected.as_u64()).unwrap_or(0)
}

fn document(shipment: &Shipment, now: Timestamp) -> Value {
    let records: Vec<_> =
        shipment.records().map(|(seq, line)| log_record(seq, line, now)).collect();
    let version = env!("CARGO_PKG_VERSION");
    json!({ "resourceLogs": [{
        "resource": { "attributes": [
            text("service.name", "keyhole"),
            text("service.version", version),
            text("keyhole.log", shipment.log()),
        ]},
        "scopeLogs": [{
            "scope": { "name": "keyhole.audit", "version": version },
            "logRecords": records,
        }],
    }]})
}

fn log_record(seq: u64, line: &[u8], now: Timestamp) -> Value {
    let body = String::from_utf8_lossy(line);
    let mut attributes = vec![integer("keyhole.seq", seq)];
    let mut log = json!({
        "observedTimeUnixNano": now.as_nanosecond().to_string(),
        "body": { "stringValue": body },
    });
    if let Ok(record) = Record::of(line) {
        let (number, name) = Severity::of(&record).otlp();
        log["timeUnixNano"] = record.time.as_nanosecond().to_string().into();
        log["severityNumber"] = number.into();
        log["severityText"] = name.into();
        log["eventName"] = format!("keyhole.{}", record.kind.as_str()).into();
        attributes.push(text("keyhole.kind", record.kind.as_str()));
        attributes.extend(attributes_of(&record));
    }
    log["attributes"] = attributes.into();
    log
}

/// Few: the body has all.
fn attributes_of(record: &Record) -> impl Iterator<Item = Value> {
    let decision = record.decision.and_then(|decision| serde_json::to_value(decision).ok());
    let texts = [
        ("user.name", record.user.clone()),
        ("client.address", record.address.map(|address| address.to_string())),
        ("db.namespace", record.database.clone()),
        ("db.response.status_code", record.sqlstate.clone()),
        ("keyhole.decision", decision.as_ref().and_then(Value::as_str).map(str::to_owned)),
        ("keyhole.step", record.step.clone()),
    ];
    let numbers = [
        ("keyhole.session", record.session),
        ("keyhole.statement", record.statement),
        ("keyhole.grant", record.grant),
        ("keyhole.request", record.request),
    ];
    let texts = texts.into_iter().filter_map(|(key, value)| Some(text(key, &value?)));
    texts.chain(numbers.into_iter().filter_map(|(key, value)| Some(integer(key, value?))))
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// 64 bits are text in this JSON.
fn integer(key: &str, value: u64) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}

#[cfg(test)]
mod tests {
    use super::super::shipment::tests::shipment;
    use super::*;

    const LINE: &str = r#"{"seq":7,"time":"2026-01-02T03:04:05.000006Z","kind":"statement","session":4,"statement":9,"user":"alice","address":"10.0.0.7","database":"shop","text":"SELECT ?","decision":"refused","rows":0,"sqlstate":"42501"}"#;

    #[test]
    fn a_record_is_a_log_record_with_severity_time_and_attributes() {
        let now = "2026-01-02T03:04:06Z".parse().unwrap();
        let document = document(&shipment(&[LINE], None), now);
        let resource = &document["resourceLogs"][0];
        assert_eq!(resource["resource"]["attributes"][0]["value"]["stringValue"], "keyhole");
        assert_eq!(resource["resource"]["attributes"][2]["value"]["stringValue"], "0f");
        let scope = &resource["scopeLogs"][0];
        assert_eq!(scope["scope"]["name"], "keyhole.audit");
        let log = &scope["logRecords"][0];
        assert_eq!(log["timeUnixNano"], "1767323045000006000");
        assert_eq!(log["observedTimeUnixNano"], "1767323046000000000");
        assert_eq!((&log["severityNumber"], &log["severityText"]), (&13.into(), &"WARN".into()));
        assert_eq!(log["eventName"], "keyhole.statement");
        assert_eq!(log["body"]["stringValue"], LINE);
        let attributes: Vec<_> = log["attributes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| {
                let value = entry["value"].as_object().unwrap().values().next().unwrap();
                format!("{}={}", entry["key"].as_str().unwrap(), value.as_str().unwrap())
            })
            .collect();
        assert_eq!(
            attributes,
            [
                "keyhole.seq=7",
                "keyhole.kind=statement",
                "user.name=alice",
                "client.address=10.0.0.7",
                "db.namespace=shop",
                "db.response.status_code=42501",
                "keyhole.decision=refused",
                "keyhole.session=4",
                "keyhole.statement=9"
            ]
        );
        assert!(log["traceId"].is_null() && log["spanId"].is_null());
    }

    #[test]
    fn partial_success_is_read_in_both_spellings() {
        for (answer, rejected) in [
            ("", 0),
            ("{}", 0),
            (r#"{"partialSuccess":{}}"#, 0),
            (r#"{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"too old"}}"#, 3),
            (r#"{"partialSuccess":{"rejectedLogRecords":2}}"#, 2),
            (r#"{"partialSuccess":{"rejectedLogRecords":"many"}}"#, 0),
        ] {
            assert_eq!(refused(answer.as_bytes()), rejected, "{answer}");
        }
    }
}
