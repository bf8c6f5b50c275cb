use proptest::prelude::*;

use super::*;

proptest! {
    /// Whatever a value is, it is looked at without a panic.
    #[test]
    fn any_text_can_be_looked_at(text in any::<String>()) {
        let hits = look(&text);
        prop_assert!(hits.signals().all(|signal| signal < Signal::COUNT));
        prop_assert!(hits.schemes().all(|(number, _)| number < schemes().count()));
    }

    /// The same of texts that come nearer to what detectors read.
    #[test]
    fn any_code_can_be_looked_at(text in "[0-9A-Za-z@:/ .,+()'{}\"=_é李Ж\u{2019}-]{0,60}") {
        let _ = look(&text);
        let _ = look(&text.repeat(100));
    }

    /// A number's detectors meet every length and every place of a separator.
    #[test]
    fn any_number_can_be_looked_at(text in "[0-9]{0,12}[-. /]?[0-9]{0,9}[-. ]?[0-9A-Z]{0,6}") {
        let _ = look(&text);
    }
}

#[test]
fn blank_values_are_nothing() {
    for text in ["", " ", "\n\t", "\u{a0}"] {
        assert_eq!(look(text).signals().count(), 0, "{text:?}");
    }
}
