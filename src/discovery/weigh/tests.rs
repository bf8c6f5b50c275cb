use super::*;
use crate::discovery::Observer;
use crate::model::RelationName;

/// A column in a sentence: its table, its name, its type, values again and again.
struct Case<'a> {
    table: &'a str,
    column: &'a str,
    data_type: &'a str,
    siblings: &'a [&'a str],
    values: &'a [&'a str],
}

fn facts(table: &str, column: &str, data_type: &str) -> ColumnFacts {
    ColumnFacts {
        table: RelationName::new("public", table),
        column: column.into(),
        data_type: data_type.into(),
        comment: None,
        table_comment: None,
        checks: Vec::new(),
        labels: Vec::new(),
        unique: false,
        primary_key: false,
        references: None,
    }
}

fn first(facts: ColumnFacts, siblings: &[&str], values: &[&str]) -> Option<Finding> {
    let mut observer = Observer::new(facts);
    for value in values.iter().cycle().take(if values.is_empty() { 0 } else { 60 }) {
        observer.see(Some(value));
    }
    observer.findings(siblings).into_iter().next()
}

fn kind(case: &Case<'_>) -> Option<Kind> {
    first(facts(case.table, case.column, case.data_type), case.siblings, case.values)
        .filter(|finding| finding.confidence.0 >= 60)
        .map(|finding| finding.kind)
}

const PEOPLE: &[&str] = &[
    "Anna Schmidt",
    "Piotr Nowak",
    "Jean Dupont",
    "Maria Rossi",
    "Wei Zhang",
    "Mehmet Demir",
    "Ingrid Larsson",
    "Paul Walker",
    "Lucia Torres",
    "Olga Ivanova",
];
const GOODS: &[&str] = &[
    "Table lamp",
    "Desk",
    "Blue chair",
    "Pen",
    "Mercedes",
    "Notebook A5",
    "Alexa",
    "Desk mat",
    "Ruby ring",
    "Cable",
];

#[test]
fn a_name_is_a_persons_where_the_table_says_so() {
    for (table, column, siblings, values, expected) in [
        ("customers", "name", &["id"][..], PEOPLE, true),
        ("customers", "name", &["id"], &[][..], true),
        ("xyz", "name", &["id", "email", "dob"], &[], true),
        ("xyz", "name", &["id", "sku"], &[], false),
        ("products", "name", &["id"], GOODS, false),
        ("genres", "name", &["id"], &["Rock", "Jazz", "Grace", "Soul", "Chase"], false),
        ("countries", "name", &[], &["Jordan", "Chad", "France", "Israel", "Georgia"], false),
        ("orders", "contact_name", &[], PEOPLE, true),
        ("orders", "product_name", &["email"], GOODS, false),
        ("stores", "manager_name", &[], &[], true),
        ("company", "company_name", &[], &["Miller GmbH", "Smith Ltd", "Acme Inc"], false),
    ] {
        let case = Case { table, column, data_type: "text", siblings, values };
        let person = kind(&case) == Some(Kind::PersonName);
        assert_eq!(person, expected, "{table}.{column}");
    }
}

#[test]
fn a_name_may_say_which_part_behind_the_word_for_one() {
    for (column, expected) in [
        ("name_given", true),
        ("nameLast", true),
        ("raw_inventor_name_first", true),
        ("assignee_individual_name_last", true),
        ("file_name_last", false),
        ("name_last_changed", false),
        ("inventor_name_format", false),
    ] {
        let case = Case { table: "t", column, data_type: "text", siblings: &["id"], values: &[] };
        assert_eq!(kind(&case) == Some(Kind::PersonName), expected, "{column}");
    }
}

#[test]
fn surnames_that_come_first_are_many() {
    let letters: Vec<char> = ('a'..='h').collect();
    let families: Vec<String> = letters
        .iter()
        .flat_map(|one| letters.iter().map(move |two| format!("Qu{one}{two}mond Annette")))
        .collect();
    let families: Vec<&str> = families.iter().map(String::as_str).collect();
    let storms = ["Orkaan Annette", "Orkaan Andreas", "Orkaan Brigitte", "Orkaan Ursula"];
    for (values, expected) in [(&families[..], true), (&storms, false)] {
        let case = Case { table: "t", column: "c1", data_type: "text", siblings: &[], values };
        assert_eq!(kind(&case) == Some(Kind::PersonName), expected, "{}", values[0]);
    }
}

#[test]
fn things_most_of_which_are_called_after_people_are_for_them() {
    let column = || facts("courses", "name", "text");
    let see = |names: &[String]| {
        let mut observer = Observer::new(column());
        names.iter().for_each(|name| observer.see(Some(name)));
        observer.findings(&["id"]).into_iter().next().map_or(0, |found| found.confidence.0)
    };
    let all: Vec<String> = ('a'..='x').map(|letter| format!("Anna Qu{letter}mond")).collect();
    assert!(see(&all) >= 60);
    let some = [&all[..], &vec!["Pottery".to_owned(); 30]].concat();
    assert!(see(&some) < 60);
}

#[test]
fn blood_groups_of_people_are_0_too() {
    for (values, expected) in
        [(&["A+", "B+", "O+", "O-", "AB+", "A-"][..], true), (&["A+", "B-", "B+", "A-"], false)]
    {
        let case = Case { table: "t", column: "c1", data_type: "text", siblings: &[], values };
        assert_eq!(kind(&case) == Some(Kind::Health), expected, "{values:?}");
    }
}

/// Values that come one after the other, again and again.
fn many(column: &str, names: &[&str], count: usize) -> Option<Finding> {
    let mut observer = Observer::new(facts("xyz", column, "text"));
    names.iter().cycle().take(count).for_each(|name| observer.see(Some(name)));
    observer.findings(&["id", "kind"]).into_iter().next()
}

#[test]
fn a_dozen_first_names_again_and_again_are_called_by_them() {
    let storms = [
        "Amy", "Caroline", "Doris", "Eloise", "Gladys", "Hallie", "Blanche", "Anna", "Emmy", "Ella",
    ];
    let found = many("name", &storms, 200).expect("a doubt");
    assert!(found.confidence.0 < 60 && found.reasons.contains(&Reason::Few), "{found:?}");
    assert!(many("name", &storms, 20).expect("a finding").confidence.0 >= 60);
    // Whole names stay: few people do much.
    let found = many("name", PEOPLE, 200).expect("a finding");
    assert!(found.confidence.0 >= 60 && !found.reasons.contains(&Reason::Few), "{found:?}");
    assert!(many("first_name", &storms, 200).expect("a finding").confidence.0 >= 60);
}

#[test]
fn a_word_of_several_languages_means_what_its_neighbours_do() {
    for (siblings, expected) in
        [(&["id", "lat", "lon"][..], Kind::Coordinates), (&["anstalld_id", "lon"], Kind::Pay)]
    {
        let found = first(facts("t", "lon", "numeric"), siblings, &[]).expect("a finding");
        assert_eq!(found.kind, expected);
    }
    let mut observer = Observer::new(facts("t", "place", "jsonb"));
    for number in 0..20 {
        observer.see(Some(&format!(r#"{{"lat": 4{number}.53127, "lon": 1{number}.20113}}"#)));
    }
    let found = observer.findings(&["place"]);
    let lon = found.iter().find(|finding| finding.path.as_deref() == Some("$.lon"));
    assert_eq!(lon.expect("a finding").kind, Kind::Coordinates);
}

#[test]
fn numbers_are_somebodys_where_the_table_says_whose() {
    for (table, column, siblings, expected) in [
        ("crimea", "disease", &["month", "disease", "wounds"][..], false),
        ("wheat", "wages", &["year", "wheat", "wages"], false),
        ("visits", "disease", &["patient_id", "disease"], true),
        ("contracts", "salary", &["emp_no", "salary"], true),
        ("salaries", "salary", &["id", "salary"], true),
        ("t", "employee_salary", &["id", "employee_salary"], true),
        ("t", "salary", &["salary"], true),
    ] {
        let case = Case { table, column, data_type: "integer", siblings, values: &["12", "190"] };
        assert_eq!(kind(&case).is_some(), expected, "{table}.{column}");
    }
}

#[test]
fn italian_codes_and_medicines() {
    let codes = ["20121", "00184", "80133", "50122"];
    let siblings = &["id", "indirizzo", "cap", "citta"][..];
    let case = Case { table: "sedi", column: "cap", data_type: "text", siblings, values: &codes };
    assert_eq!(kind(&case), Some(Kind::PostalCode));
    let limits = ["10", "25", "50"];
    let siblings = &["id", "cap"][..];
    let case = Case { data_type: "integer", siblings, values: &limits, ..case };
    assert_eq!(kind(&case), None);
    let case =
        Case { table: "t", column: "farmaco", data_type: "text", siblings: &[], values: &[] };
    assert_eq!(kind(&case), Some(Kind::Health));
}

#[test]
fn values_that_do_not_fit_take_the_names_word_away() {
    for (column, values) in [
        ("email", &["yes", "no", "maybe"][..]),
        ("phone", &["Galaxy S20", "iPhone 12", "Pixel 7"]),
        ("ip", &["blocked", "allowed"]),
        ("card_number", &["Visa", "Mastercard"]),
        ("iban", &["n/a", "pending"]),
    ] {
        let case = Case { table: "t", column, data_type: "text", siblings: &[], values };
        assert_eq!(kind(&case), None, "{column}");
    }
}

#[test]
fn a_type_that_cannot_hold_it_is_nothing() {
    for (column, data_type) in [
        ("email", "boolean"),
        ("phone", "boolean"),
        ("email", "integer"),
        ("birth_date", "boolean"),
        ("address", "integer"),
        ("first_name", "timestamp with time zone"),
        ("password", "date"),
    ] {
        let case = Case { table: "users", column, data_type, siblings: &[], values: &[] };
        assert_eq!(kind(&case), None, "{column} {data_type}");
    }
}

#[test]
fn a_foreign_key_only_refers() {
    let mut column = facts("orders", "customer_email", "text");
    column.references = Some(RelationName::new("public", "customers"));
    assert!(first(column, &[], &[]).is_none());
}

#[test]
fn types_comments_and_constraints_speak_too() {
    let mut column = facts("t", "c1", "text");
    column.comment = Some("E-Mail des Kunden, date of birth see other".into());
    let found = first(column, &[], &[]).expect("the comment");
    assert!(matches!(found.kind, Kind::Email | Kind::BirthDate));

    let column = facts("t", "c1", "public.email_address");
    assert_eq!(first(column, &[], &[]).map(|found| found.kind), Some(Kind::Email));

    let mut column = facts("t", "c1", "text");
    column.checks = vec![r"CHECK ((c1 ~ '^\d{3}-\d{2}-\d{4}$'::text))".into()];
    let found = first(column, &[], &[]).expect("the constraint");
    assert_eq!(found.kind, Kind::NationalId(Some(super::super::Country("US"))));
}

#[test]
fn the_name_tells_which_country_where_numbers_are_alike() {
    // Nine digits with Luhn's check digit: Canada's and Israel's numbers both.
    let numbers = ["130692544", "193456787", "276543216", "345678909", "456789014"];
    let luhn: Vec<&str> = numbers.into_iter().filter(|n| passes(n)).collect();
    assert!(!luhn.is_empty());
    let found = first(facts("t", "sin_number", "text"), &[], &luhn).expect("a finding");
    assert_eq!(found.kind, Kind::NationalId(Some(super::super::Country("CA"))));
}

fn passes(number: &str) -> bool {
    let sum: u32 = number
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte - b'0') * if place % 2 == 1 { 2 } else { 1 };
            digit / 10 + digit % 10
        })
        .sum();
    sum.is_multiple_of(10)
}

#[test]
fn reasons_are_sentences() {
    let values = ["a@example.com", "b@example.com", "c@example.com", "none"];
    let found = first(facts("users", "courriel", "text"), &[], &values).expect("mail");
    let reasons: Vec<_> = found.reasons.iter().map(ToString::to_string).collect();
    assert_eq!(
        reasons,
        ["the name says e-mail addresses (\"courriel\")", "45 of 60 values are e-mail addresses"]
    );
    assert_eq!((found.seen, found.matched), (60, 45));
}

#[test]
fn one_kind_explains_a_column_and_others_are_doubts() {
    let found = {
        let mut observer = Observer::new(facts("t", "phone", "text"));
        for n in 10..70 {
            observer.see(Some(&format!("88.60.15.{n}")));
        }
        observer.findings(&[])
    };
    assert_eq!(found[0].kind, Kind::Phone);
    assert!(found[1..].iter().all(|finding| finding.confidence.0 < 60), "{found:?}");
}

#[test]
fn dates_of_birth_spread_over_decades() {
    let born: Vec<String> = (0..60).map(|n| format!("{}-05-17", 1940 + n)).collect();
    let born: Vec<&str> = born.iter().map(String::as_str).collect();
    let found = first(facts("t", "c1", "date"), &[], &born).expect("a doubt");
    assert_eq!(found.kind, Kind::BirthDate);
    assert!(found.confidence.0 < 60);
    let found = first(facts("people", "dob", "date"), &[], &born).expect("a finding");
    assert!(found.confidence.0 >= 90);
    let orders: Vec<String> = (0..60).map(|n| format!("2023-05-{:02}", 1 + n % 28)).collect();
    let orders: Vec<&str> = orders.iter().map(String::as_str).collect();
    assert!(first(facts("t", "c1", "date"), &[], &orders).is_none());
}

/// Nothing found is of a class whose mask the catalog would refuse, and each class has one mask.
#[test]
fn kinds_of_one_class_are_hidden_alike() {
    let kinds = [
        Kind::Email,
        Kind::Phone,
        Kind::NationalId(None),
        Kind::PaymentCard,
        Kind::Iban,
        Kind::Bic,
        Kind::BankAccount,
        Kind::PersonName,
        Kind::UserName,
        Kind::PostalAddress,
        Kind::PostalCode,
        Kind::City,
        Kind::BirthDate,
        Kind::IpAddress,
        Kind::MacAddress,
        Kind::DeviceId,
        Kind::UrlWithIdentifier,
        Kind::Coordinates,
        Kind::Secret,
        Kind::Health,
        Kind::SpecialCategory,
        Kind::Gender,
        Kind::Pay,
        Kind::FreeText,
    ];
    for one in kinds {
        for other in kinds.iter().filter(|other| other.class() == one.class()) {
            assert_eq!(one.mask(), other.mask(), "{one} and {other}");
        }
    }
}
