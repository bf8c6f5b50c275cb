use super::*;

#[test]
fn a_stored_view_hides_what_it_holds_of_personal_columns() {
    for (query, holds) in [
        ("SELECT id, email FROM public.customers", &["domain email"][..]),
        ("SELECT email AS id, id AS domain FROM public.customers c", &["id email"]),
        ("SELECT id, upper(email) FROM public.customers", &["domain derived"]),
        (
            "SELECT c.id, o.id FROM public.customers c JOIN public.orders o ON o.customer = c.id",
            &[],
        ),
        ("SELECT id, count(email) FROM public.customers GROUP BY id", &["domain derived"]),
        (
            "SELECT id, id FROM public.customers WHERE email > 'm'",
            &["domain derived", "id derived"],
        ),
        ("SELECT id, id FROM public.customers ORDER BY email", &["domain derived", "id derived"]),
        ("SELECT DISTINCT id, note FROM public.customers", &["domain derived", "id derived"]),
        ("SELECT id, c FROM public.customers c", &["domain derived"]),
        ("SELECT id, (SELECT 1) FROM public.customers", &["domain derived", "id derived"]),
        ("SELECT 1, x FROM public.customers AS c(x)", &["domain derived", "id derived"]),
        (
            "SELECT id, id FROM (SELECT * FROM public.customers) c",
            &["domain derived", "id derived"],
        ),
        ("not a query", &["domain derived", "id derived"]),
    ] {
        let mut relations = relations();
        relations[2].definition = Some(query.to_owned());
        let schema = schema(relations, Vec::new());
        let (sensitive, _, _) =
            bind(&schema, &catalog(&[("customers", "email", "email")]), &Tags::default());
        let stored = tagged(&schema, &sensitive).into_iter();
        let stored: Vec<String> =
            stored.filter_map(|it| it.strip_prefix("stored.").map(str::to_owned)).collect();
        assert_eq!(stored, holds, "{query}");
    }
}

#[test]
fn a_stored_view_that_calls_a_function_over_personal_data_is_hidden_whole() {
    let mut relations = relations();
    relations[2].definition = Some("SELECT id, peek(id) FROM public.orders".to_owned());
    relations[2].calls = vec![900];
    let peek = function(900, "peek", "sql", "SELECT email FROM public.customers");
    let schema = schema(relations, vec![peek]);
    let (sensitive, _, _) =
        bind(&schema, &catalog(&[("customers", "email", "email")]), &Tags::default());
    let stored = tagged(&schema, &sensitive).into_iter().filter(|it| it.starts_with("stored."));
    assert_eq!(stored.collect::<Vec<_>>(), ["stored.domain derived", "stored.id derived"]);
}

#[test]
fn what_a_stored_view_holds_stays_hidden_in_the_same_way() {
    let schema = schema(relations(), Vec::new());
    let catalog = catalog(&[("customers", "email", "email")]);
    let (first, tags, _) = bind(&schema, &catalog, &Tags::default());
    let (again, ..) = bind(&schema, &catalog, &tags);
    assert_eq!(first.columns, again.columns);
    let domain = again.column(ColumnId { relation: STORED, number: 2 }).unwrap();
    assert_eq!(domain.hiding, Hiding::Mask(MaskSpec::Email));
}

#[test]
fn what_is_generated_in_a_child_goes_by_the_name_of_its_parent() {
    let schema = schema(relations(), Vec::new());
    let (sensitive, ..) =
        bind(&schema, &catalog(&[("customers", "email", "email")]), &Tags::default());
    let lower = sensitive.column(ColumnId { relation: ARCHIVE, number: 3 }).unwrap();
    assert_eq!(lower.path.to_string(), "public.customers.lower");
}
