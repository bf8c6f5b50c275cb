use proptest::prelude::*;

use super::*;
use crate::audit::query::ClassColumn;

fn asked() -> Asked {
    let column = |database: Option<&str>, column: &str| ClassColumn {
        database: database.map(str::to_owned),
        column: column.to_owned(),
    };
    let class = |name: &str, columns| Class { name: name.to_owned(), columns };
    Asked::new(
        None,
        None,
        [
            class("email", vec![column(None, "public.c.email")]),
            class("ids", vec![column(None, "public.c.ssn"), column(Some("shop"), "public.c.no")]),
        ],
    )
}

fn sums(lines: &[String], asked: &Asked, keys_max: usize) -> Sums {
    let mut sums = Sums::with_keys_max(keys_max);
    lines.iter().for_each(|line| sums.take(asked, line.as_bytes()));
    sums
}

fn line(seq: usize, rest: &str) -> String {
    let (day, hour) = (1 + seq / 24 % 28, seq % 24);
    format!(r#"{{"seq":{seq},"time":"2026-03-{day:02}T{hour:02}:00:00.000001Z",{rest}}}"#)
}

fn statement(user: u8, session: u8, decision: &str, column: &str, grant: u8) -> String {
    let list = |name: &str, is: bool| {
        if is { format!(r#""{name}":["public.c.{column}"],"#) } else { String::new() }
    };
    let (raw, masked) = (decision == "raw" || decision == "cut", decision == "shown");
    let grants = if raw { format!(r#""grants":[{grant}],"#) } else { String::new() };
    format!(
        r#""kind":"statement","session":{session},"statement":1,"user":"u{user}","database":"shop",{}{}{}{grants}"decision":"{decision}","rows":3,"bytes":1,"duration_us":1"#,
        list("pii_columns", decision != "clear"),
        list("raw_columns", raw),
        list("masked_columns", masked),
    )
}

/// What may stand behind number and time.
fn rest() -> impl Strategy<Value = String> {
    let decision =
        prop::sample::select(vec!["clear", "shown", "raw", "refused", "cut", "observed"]);
    let column = prop::sample::select(vec!["email", "ssn", "no", "other"]);
    let step = prop::sample::select(vec![
        "requested",
        "approved",
        "denied",
        "granted",
        "extended",
        "revoked",
        "expired",
        "reviewed",
    ]);
    let other = prop::sample::select(vec![
        r#""kind":"started","version":"1","mode":"enforce""#,
        r#""kind":"stopped","reason":"asked""#,
        r#""kind":"repaired","file":"a","bytes":7"#,
        r#""kind":"lost","records":3"#,
        r#""kind":"retired","file":"a","through":2"#,
        r#""kind":"configuration","step":"reloaded","by":"dora","digest":"d","changed":["a.b"]"#,
        r#""kind":"signal","rule":"burst","severity":"high","user":"u1","trigger":1"#,
        r#""kind":"dream""#,
        r#""kind":"statement","rows":"many""#,
    ]);
    prop_oneof![
        6 => (0..4_u8, 0..5_u8, decision, column, 0..6_u8)
            .prop_map(|(user, session, word, column, grant)| {
                statement(user, session, word, column, grant)
            }),
        1 => (0..4_u8, 0..5_u8, prop::bool::ANY).prop_map(|(user, session, failed)| {
            let kind = if failed { "login_failed" } else { "login" };
            format!(r#""kind":"{kind}","session":{session},"user":"u{user}","database":"shop""#)
        }),
        2 => (step, 0..6_u8, 0..4_u8, prop::bool::ANY).prop_map(|(step, grant, by, emergency)| {
            let urgency = if emergency { "break_glass" } else { "ordinary" };
            format!(
                r#""kind":"grant","step":"{step}","request":{grant},"grant":{grant},"subject":"u{by}","by":"d{by}","urgency":"{urgency}""#
            )
        }),
        2 => other.prop_map(str::to_owned),
    ]
}

proptest! {
    #[test]
    fn wherever_a_log_is_cut_its_parts_make_up_the_whole(
        rests in prop::collection::vec(rest(), 0..120),
        cuts in prop::collection::vec(0..120_usize, 0..4),
    ) {
        let asked = asked();
        let lines: Vec<String> = rests.iter().enumerate().map(|(seq, rest)| line(seq, rest)).collect();
        let whole = sums(&lines, &asked, 1_000);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(lines.len())).collect();
        cuts.extend([0, lines.len()]);
        cuts.sort_unstable();
        let parts: Vec<Sums> =
            cuts.windows(2).map(|part| sums(&lines[part[0]..part[1]], &asked, 1_000)).collect();
        let mut from_left = Sums::with_keys_max(1_000);
        parts.iter().for_each(|part| from_left.merge(part.clone()));
        prop_assert_eq!(&from_left, &whole);
        let from_right = parts.into_iter().rev().reduce(|later, mut part| {
            part.merge(later);
            part
        });
        prop_assert_eq!(from_right.unwrap(), whole);
    }
}

#[test]
fn a_statement_counts_for_whoever_and_whatever_it_was() {
    let lines = [
        line(1, &statement(1, 1, "raw", "email", 7)),
        line(2, &statement(1, 1, "shown", "ssn", 7)),
        line(3, r#""kind":"started","version":"1","mode":"enforce""#),
        line(4, &statement(1, 1, "refused", "no", 7)),
        line(5, &statement(2, 2, "raw", "other", 8)),
    ];
    let sums = sums(&lines, &asked(), 10);
    let told = |table: &Table, key: &str| {
        let row = table.get(key).unwrap();
        let Tally { statements, raw, rows_raw, masked, refused, .. } = row.tally;
        (statements, raw, rows_raw, masked, refused, row.sessions.count())
    };
    // The proxy counted sessions anew: the third statement's is another.
    assert_eq!(told(&sums.people, "u1"), (3, 1, 3, 1, 1, 2));
    assert_eq!(told(&sums.columns, "shop\0public.c.email"), (1, 1, 3, 0, 0, 1));
    assert_eq!(told(&sums.classes, "ids"), (2, 0, 0, 1, 1, 2));
    assert_eq!(told(&sums.grants, "7"), (1, 1, 3, 0, 0, 1));
    assert_eq!(told(&sums.days, "2026-03-01"), (4, 2, 6, 1, 1, 3));
    // A Sunday.
    assert_eq!(sums.hours[6][4].refused, 1);
    assert_eq!((sums.records, sums.unreadable), (5, 0));
}

#[test]
fn only_the_period_counts_and_grants_are_known_from_before() {
    let lines = [
        line(
            1,
            r#""kind":"grant","step":"granted","grant":7,"subject":"u1","by":"configuration","urgency":"ordinary""#,
        ),
        line(2, &statement(1, 1, "raw", "email", 7)),
        line(9, &statement(1, 1, "raw", "email", 7)),
        line(12, &statement(1, 1, "raw", "email", 7)),
    ];
    let time = |hour: &str| Some(format!("2026-03-01T{hour}:00:00Z").parse().unwrap());
    let asked = Asked::new(time("09"), time("12"), []);
    let sums = sums(&lines, &asked, 10);
    assert_eq!((sums.records, sums.all.tally.raw), (1, 1));
    assert_eq!(sums.grants.get("7").unwrap().tally.raw, 1);
    assert!(sums.book.get(7).unwrap().is_standing());
}

#[test]
fn too_many_keys_are_summed_up_and_nothing_is_lost() {
    let of = |user: u8| if user == 200 { "raw" } else { "clear" };
    let lines: Vec<String> = (0..=250_u8)
        .map(|user| line(user.into(), &statement(user, user, of(user), "email", 1)))
        .collect();
    let sums = sums(&lines, &asked(), 10);
    let Ranked { rows, others } = sums.people.ranked();
    assert!(rows.len() <= 20, "{}", rows.len());
    assert_eq!(rows[0].0, "u200");
    let told: u64 = rows.iter().map(|(_, row)| row.tally.statements).sum();
    let others = others.unwrap();
    assert_eq!(told + others.tally.statements, 251);
    // Of those that weigh the same u0, u1 and u10 come first, so that u2 is the oldest of the rest.
    assert_eq!(others.first, Some("2026-03-01T02:00:00.000001Z".parse().unwrap()));
}
