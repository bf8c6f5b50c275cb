use super::*;

fn outcome(way: Way, columns: &[(&str, State, &str)]) -> Outcome {
    let columns = columns.iter().map(|(name, state, hiding)| {
        let fate = Fate { class: "email".to_owned(), state: *state, hiding: (*hiding).into() };
        ((*name).to_owned(), fate)
    });
    Outcome {
        way,
        columns: columns.collect(),
        relations: Vec::new(),
        why: (way == Way::Refused).then(|| "42501 no".to_owned()),
    }
}

fn told(before: Outcome, after: Outcome) -> Vec<String> {
    let told = changes(&Both { before, after });
    told.iter().map(|c| format!("{:?} {} {}", c.kind, c.column, c.detail)).collect()
}

const MAIL: &str = "public.c.email";

#[test]
fn each_kind_of_change_is_told() {
    use State::{Hidden, Partly, Raw};
    let unread = || outcome(Way::Unread, &[]);
    let hidden = |way| outcome(way, &[(MAIL, Hidden, "email")]);
    let raw = || outcome(Way::Raw, &[(MAIL, Raw, "email")]);
    let refused = || outcome(Way::Refused, &[(MAIL, Hidden, "denied")]);
    for (before, after, expected) in [
        (unread(), unread(), &[][..]),
        (unread(), outcome(Way::Analysed, &[]), &["Slower  unread -> analysed"]),
        (unread(), hidden(Way::Shown), &["Masked public.c.email email", "Slower  unread -> shown"]),
        (hidden(Way::Shown), hidden(Way::Computed), &["Slower  shown -> computed"]),
        (hidden(Way::Computed), hidden(Way::Shown), &["Faster  computed -> shown"]),
        (
            raw(),
            outcome(Way::Computed, &[(MAIL, Partly, "email")]),
            &[
                "Masked public.c.email email, where no grant covers the row",
                "Faster  raw -> computed",
            ],
        ),
        (
            hidden(Way::Shown),
            unread(),
            &["Visible public.c.email no longer in the catalog", "Faster  shown -> unread"],
        ),
        (hidden(Way::Shown), raw(), &["Visible public.c.email granted", "Slower  shown -> raw"]),
        (
            hidden(Way::Shown),
            outcome(Way::Shown, &[(MAIL, Hidden, "redact")]),
            &["Remasked public.c.email email -> redact"],
        ),
        (hidden(Way::Shown), refused(), &["Refused public.c.email 42501 no"]),
        (unread(), outcome(Way::Refused, &[]), &["Refused  42501 no"]),
        (refused(), refused(), &[]),
        (refused(), hidden(Way::Shown), &["Allowed  refused -> shown"]),
        (refused(), raw(), &["Visible public.c.email granted", "Allowed  refused -> raw"]),
    ] {
        let said = format!("{before:?} to {after:?}");
        assert_eq!(told(before, after), expected, "{said}");
    }
}

fn record(decision: Decision, touched: &[&str], masked: &[&str]) -> Told {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Told { decision, relations: Vec::new(), touched: list(touched), masked: list(masked) }
}

#[test]
fn the_log_is_held_against_the_configuration_as_it_is() {
    use Agreement::{Different, Same, Unknown};
    let unread = outcome(Way::Unread, &[]);
    let shown = outcome(Way::Shown, &[(MAIL, State::Hidden, "email")]);
    let raw = outcome(Way::Raw, &[(MAIL, State::Raw, "email")]);
    let refused = outcome(Way::Refused, &[(MAIL, State::Hidden, "denied")]);
    let none: &[&str] = &[];
    for (told, now, mode, expected) in [
        (record(Decision::Clear, none, none), &unread, Mode::Enforce, Same),
        (record(Decision::Clear, none, none), &shown, Mode::Enforce, Different),
        (record(Decision::Shown, &[MAIL], &[MAIL]), &shown, Mode::Enforce, Same),
        (record(Decision::Shown, &[MAIL], &[MAIL]), &raw, Mode::Enforce, Different),
        (record(Decision::Raw, &[MAIL], none), &raw, Mode::Enforce, Same),
        (record(Decision::Raw, &[MAIL], none), &refused, Mode::Enforce, Different),
        (record(Decision::Refused, none, none), &refused, Mode::Enforce, Same),
        (record(Decision::Refused, none, none), &unread, Mode::Enforce, Different),
        (record(Decision::Observed, &[MAIL], none), &raw, Mode::Observe, Same),
        (record(Decision::Observed, &[MAIL], none), &refused, Mode::Enforce, Same),
        (record(Decision::Observed, &[MAIL], none), &unread, Mode::Observe, Different),
        (record(Decision::Clear, none, none), &raw, Mode::Observe, Different),
        (record(Decision::Clear, none, none), &unread, Mode::Observe, Same),
        (record(Decision::Cut, &[MAIL], none), &raw, Mode::Enforce, Unknown),
    ] {
        assert_eq!(agreement(&told, now, mode), expected, "{told:?} {now:?} {mode:?}");
    }
}
