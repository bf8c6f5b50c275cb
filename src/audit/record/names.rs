//! Names of relations and columns, as JSON already.

use std::ops::Deref;
use std::sync::Arc;

/// Names, `schema.table` or `schema.table.column`, shared by the records of the statements that
/// touch the same. None at all cost nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(Option<Arc<Rendered>>);

#[derive(Debug, PartialEq, Eq)]
struct Rendered {
    names: Box<[String]>,
    /// Their array.
    json: Box<str>,
}

impl Names {
    pub(in crate::audit) fn json(&self) -> &[u8] {
        self.0.as_ref().map_or(b"[]", |rendered| rendered.json.as_bytes())
    }
}

impl FromIterator<String> for Names {
    fn from_iter<T: IntoIterator<Item = String>>(names: T) -> Self {
        let names: Box<[String]> = names.into_iter().collect();
        if names.is_empty() {
            return Self(None);
        }
        let json = serde_json::Value::from(&*names).to_string().into();
        Self(Some(Arc::new(Rendered { names, json })))
    }
}

impl Deref for Names {
    type Target = [String];

    fn deref(&self) -> &[String] {
        self.0.as_ref().map_or(&[], |rendered| &rendered.names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_once_and_for_all() {
        let names: Names =
            ["public.a\"b.\u{1}".to_owned(), "public.é.c".to_owned()].into_iter().collect();
        let read: Vec<String> = serde_json::from_slice(names.json()).unwrap();
        assert_eq!(read, *names);
        assert_eq!((Names::default().json(), Names::from_iter([])), (&b"[]"[..], Names::default()));
    }
}
