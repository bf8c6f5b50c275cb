use super::*;
use crate::audit::query::ClassColumn;

const LOG: &[&str] = &[
    r#"{"seq":1,"time":"2026-01-30T08:00:00Z","kind":"started","version":"1.0","mode":"enforce"}"#,
    r#"{"seq":2,"time":"2026-01-30T08:00:00Z","kind":"configuration","step":"loaded","by":"<b>dora</b>","digest":"aa","changed":["listen"]}"#,
    r#"{"seq":3,"time":"2026-01-30T08:00:01Z","kind":"grant","step":"granted","grant":1,"subject":"group:dpo","database":"*","resources":["class:email"],"actions":["read"],"reason":"their work","by":"configuration","urgency":"ordinary"}"#,
    r#"{"seq":4,"time":"2026-01-30T09:00:00Z","kind":"login","session":1,"user":"alice","database":"shop","method":"scram"}"#,
    r#"{"seq":5,"time":"2026-01-30T09:00:01Z","kind":"statement","session":1,"statement":1,"user":"alice","database":"shop","pii_columns":["public.customers.email","public.customers.ssn"],"masked_columns":["public.customers.email","public.customers.ssn"],"decision":"shown","rows":9,"bytes":1,"duration_us":1}"#,
    r#"{"seq":6,"time":"2026-01-30T09:01:00Z","kind":"grant","step":"requested","request":1,"subject":"alice","database":"shop","resources":["public.customers.email"],"actions":["read"],"by":"alice","urgency":"ordinary"}"#,
    r#"{"seq":7,"time":"2026-01-30T09:02:00Z","kind":"grant","step":"approved","request":1,"subject":"alice","database":"shop","resources":["public.customers.email"],"actions":["read"],"by":"dora","urgency":"ordinary"}"#,
    r#"{"seq":8,"time":"2026-01-30T09:02:00Z","kind":"grant","step":"granted","request":1,"grant":2,"subject":"alice","database":"shop","resources":["public.customers.email"],"actions":["read"],"expires_at":"2026-01-30T10:02:00Z","reason":"=INC-42 \"refund\", <i>","approvers":["dora"],"policy":"one","urgency":"ordinary"}"#,
    r#"{"seq":9,"time":"2026-01-30T09:03:00Z","kind":"release","session":1,"statement":2,"user":"alice","database":"shop","columns":["public.customers.email"],"grants":[2]}"#,
    r#"{"seq":10,"time":"2026-01-30T09:03:00Z","kind":"statement","session":1,"statement":2,"user":"alice","database":"shop","pii_columns":["public.customers.email"],"raw_columns":["public.customers.email"],"decision":"raw","grants":[2],"rows":1200,"bytes":1,"duration_us":1}"#,
    r#"{"seq":11,"time":"2026-01-30T10:02:00Z","kind":"grant","step":"expired","grant":2,"request":1,"subject":"alice","database":"shop","resources":["public.customers.email"],"actions":["read"],"urgency":"ordinary"}"#,
    r#"{"seq":12,"time":"2026-01-31T23:59:59Z","kind":"grant","step":"granted","request":2,"grant":3,"subject":"bob","database":"shop","resources":["public.customers"],"actions":["read"],"expires_at":"2026-02-01T00:29:59Z","reason":"fire","urgency":"break_glass"}"#,
    r#"{"seq":13,"time":"2026-01-31T23:59:59Z","kind":"login_failed","session":2,"user":"<script>","database":"shop","method":"scram","reason":"password"}"#,
    r#"{"seq":14,"time":"2026-02-01T00:00:00Z","kind":"statement","session":3,"statement":1,"user":"bob","database":"shop","pii_columns":["public.customers.ssn"],"decision":"refused","rows":0,"bytes":0,"duration_us":1}"#,
    r#"{"seq":15,"time":"2026-02-01T00:00:00Z","kind":"signal","rule":"unusual_hour","severity":"medium","user":"bob","trigger":14,"actions":[]}"#,
    r#"{"seq":16,"time":"2026-02-01T00:00:02Z","kind":"repaired","file":"audit-1","bytes":12}"#,
    r#"{"seq":17,"time":"2026-02-01T00:00:03Z","kind":"lost","records":2,"since":"2026-02-01T00:00:02Z"}"#,
];

fn told<T>(by: Option<By>, tell: impl FnOnce(&Told<'_>, &[Sheet]) -> T) -> T {
    let class = |name: &str, column: &str| Class {
        name: name.to_owned(),
        columns: vec![ClassColumn { database: None, column: column.to_owned() }],
    };
    let classes =
        [class("email", "public.customers.email"), class("national_id", "public.customers.ssn")];
    let asked = Asked::new(None, None, classes);
    let mut sums = Sums::default();
    LOG.iter().for_each(|line| sums.take(&asked, line.as_bytes()));
    let now = "2026-02-02T00:00:00Z".parse().expect("a time");
    let chain = "ok, 17 records";
    let told = Told { sums: &sums, asked: &asked, chain, whole: true, now };
    tell(&told, &sheets(&told, by))
}

#[test]
fn a_report_reads_as_tables() {
    insta::assert_snapshot!(told(None, |_, sheets| text(sheets, None)));
}

#[test]
fn one_table_is_asked_for_by_itself() {
    let names = |by| -> Vec<&str> {
        told(Some(by), |_, sheets| sheets.iter().map(|sheet| sheet.name).collect())
    };
    assert_eq!(names(By::Person), ["person"]);
    assert_eq!(names(By::Column), ["column"]);
    assert_eq!(names(By::Class), ["class"]);
    assert_eq!(names(By::Grant), ["grant", "break_glass", "standing", "approval"]);
    assert_eq!(names(By::Day), ["day", "hour"]);
}

#[test]
fn a_report_reads_as_csv() {
    let csv = told(None, |_, sheets| csv(sheets));
    let lines: Vec<&str> = csv.split_terminator("\r\n").collect();
    assert!(lines.iter().all(|line| !line.contains('\n')), "no other line ends");
    insta::assert_snapshot!(csv.replace("\r\n", "\n"));
}

#[test]
fn a_report_reads_as_a_page() {
    let page = told(None, page::page);
    insta::assert_snapshot!(page);
    for other in ["<script", "<i>", "<b>", "http://", "https://", "javascript:", " on"] {
        let attributes = page.split('<').filter_map(|tag| tag.split('>').next());
        assert!(
            attributes.into_iter().all(|tag| !format!("<{tag}>").contains(&format!("{other}="))),
            "{other}"
        );
    }
    for tag in page.split('<').skip(1) {
        let name: String = tag.chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
        assert!(
            !["script", "i", "b", "link", "img", "iframe", "object"].contains(&&*name),
            "{tag}"
        );
    }
    assert!(!page.contains("url(") && !page.contains("@import"), "nothing is loaded");
}

#[test]
fn a_report_reads_as_json() {
    let all: serde_json::Value =
        told(None, |told, _| serde_json::from_str(&json(told, None)).unwrap());
    insta::assert_snapshot!(serde_json::to_string_pretty(&all).unwrap());
    let one: serde_json::Value =
        told(None, |told, _| serde_json::from_str(&json(told, Some(By::Grant))).unwrap());
    let names: Vec<_> = one.as_object().unwrap().keys().collect();
    assert_eq!(names, ["approvals", "chain", "grants", "made", "since", "totals", "until"]);
}
