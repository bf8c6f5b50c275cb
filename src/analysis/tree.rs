//! PostgreSQL's syntax tree as generic nodes.
//!
//! `pg_query` decodes some 270 message types, each field of which may hide a relation. Rather than
//! naming them, we read every struct through its `serde` form into [`Node`]s with kind and field
//! names: nothing is skipped, whatever a parser upgrade adds. What a kind *means* is decided by
//! closed lists in `analysis::statement`; an unknown kind there is refused.
//!
//! Fields at their default (false, 0, empty) are left out, so an absent field reads as its default.

use serde::ser::{self, Serialize};

/// One field's content.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Nothing,
    True,
    Int(i64),
    Real(f64),
    Text(String),
    List(Vec<Self>),
    Node(Box<Node>),
}

/// One syntax-tree node: PostgreSQL's name for it (`RangeVar`) and its fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub kind: &'static str,
    pub fields: Vec<(&'static str, Value)>,
}

const NOTHING: &Value = &Value::Nothing;

impl Node {
    pub fn get(&self, field: &str) -> &Value {
        self.fields.iter().find(|(name, _)| *name == field).map_or(NOTHING, |(_, value)| value)
    }

    pub fn node(&self, field: &str) -> Option<&Self> {
        self.get(field).as_node()
    }

    pub fn list(&self, field: &str) -> &[Value] {
        match self.get(field) {
            Value::List(items) => items,
            Value::Nothing
            | Value::True
            | Value::Int(_)
            | Value::Real(_)
            | Value::Text(_)
            | Value::Node(_) => &[],
        }
    }

    pub fn nodes(&self, field: &str) -> impl Iterator<Item = &Self> {
        self.list(field).iter().filter_map(Value::as_node)
    }

    pub fn text(&self, field: &str) -> &str {
        self.get(field).as_text().unwrap_or("")
    }

    pub fn int(&self, field: &str) -> i64 {
        match self.get(field) {
            Value::Int(number) => *number,
            Value::Nothing
            | Value::True
            | Value::Real(_)
            | Value::Text(_)
            | Value::List(_)
            | Value::Node(_) => 0,
        }
    }

    pub fn is(&self, field: &str) -> bool {
        matches!(self.get(field), Value::True)
    }

    pub fn has(&self, field: &str) -> bool {
        !matches!(self.get(field), Value::Nothing)
    }

    /// Where the node starts in the statement's text, in bytes; None when the parser does not say.
    pub fn location(&self) -> Option<usize> {
        usize::try_from(self.int("location")).ok()
    }

    /// The strings of a list of `String` nodes: a name and its qualifiers.
    pub fn names(&self, field: &str) -> Vec<&str> {
        self.nodes(field).filter(|n| n.kind == "String").map(|n| n.text("sval")).collect()
    }

    /// Calls `visit` on this node and on every node below it; `visit` answers whether to go deeper.
    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Self) -> Deeper) {
        if visit(self) == Deeper::Yes {
            for (_, value) in &self.fields {
                value.walk(visit);
            }
        }
    }

    /// Every piece of text anywhere below, decoded as PostgreSQL decodes it.
    pub fn texts<'a>(&'a self, visit: &mut impl FnMut(&'a str)) {
        for (_, value) in &self.fields {
            value.texts(visit);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Deeper {
    Yes,
    No,
}

impl Value {
    pub fn as_node(&self) -> Option<&Node> {
        match self {
            Self::Node(node) => Some(node),
            Self::Nothing
            | Self::True
            | Self::Int(_)
            | Self::Real(_)
            | Self::Text(_)
            | Self::List(_) => None,
        }
    }

    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Nothing
            | Self::True
            | Self::Int(_)
            | Self::Real(_)
            | Self::Node(_)
            | Self::List(_) => None,
        }
    }

    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Node) -> Deeper) {
        match self {
            Self::Node(node) => node.walk(visit),
            Self::List(items) => items.iter().for_each(|item| item.walk(visit)),
            Self::Nothing | Self::True | Self::Int(_) | Self::Real(_) | Self::Text(_) => {}
        }
    }

    fn texts<'a>(&'a self, visit: &mut impl FnMut(&'a str)) {
        match self {
            Self::Text(text) => visit(text),
            Self::Node(node) => node.texts(visit),
            Self::List(items) => items.iter().for_each(|item| item.texts(visit)),
            Self::Nothing | Self::True | Self::Int(_) | Self::Real(_) => {}
        }
    }
}

/// The generic form of a decoded syntax tree.
///
/// # Errors
/// [`Unreadable`] if the tree holds something that PostgreSQL's trees never do (maps, byte strings).
pub fn read(tree: &impl Serialize) -> Result<Value, Unreadable> {
    tree.serialize(Reader)
}

/// The tree has a shape that no PostgreSQL tree has.
#[derive(Debug, thiserror::Error)]
#[error("unreadable syntax tree: {0}")]
pub struct Unreadable(String);

impl ser::Error for Unreadable {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

struct Reader;

struct Fields {
    kind: &'static str,
    fields: Vec<(&'static str, Value)>,
}

struct Items(Vec<Value>);

macro_rules! integers {
    ($($method:ident: $type:ty),*) => {$(
        fn $method(self, number: $type) -> Result<Value, Unreadable> {
            let number = i64::try_from(number).map_err(ser::Error::custom)?;
            Ok(if number == 0 { Value::Nothing } else { Value::Int(number) })
        }
    )*};
}

fn never<T>(what: &str) -> Result<T, Unreadable> {
    Err(Unreadable(what.to_owned()))
}

impl ser::Serializer for Reader {
    type Ok = Value;
    type Error = Unreadable;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = ser::Impossible<Value, Unreadable>;
    type SerializeTupleVariant = ser::Impossible<Value, Unreadable>;
    type SerializeMap = ser::Impossible<Value, Unreadable>;
    type SerializeStruct = Fields;
    type SerializeStructVariant = ser::Impossible<Value, Unreadable>;

    integers!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64);

    fn serialize_bool(self, flag: bool) -> Result<Value, Unreadable> {
        Ok(if flag { Value::True } else { Value::Nothing })
    }

    fn serialize_f32(self, number: f32) -> Result<Value, Unreadable> {
        Ok(Value::Real(f64::from(number)))
    }

    fn serialize_f64(self, number: f64) -> Result<Value, Unreadable> {
        Ok(Value::Real(number))
    }

    fn serialize_char(self, c: char) -> Result<Value, Unreadable> {
        Ok(Value::Text(c.to_string()))
    }

    fn serialize_str(self, text: &str) -> Result<Value, Unreadable> {
        Ok(if text.is_empty() { Value::Nothing } else { Value::Text(text.to_owned()) })
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<Value, Unreadable> {
        never("bytes")
    }

    fn serialize_none(self) -> Result<Value, Unreadable> {
        Ok(Value::Nothing)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, Unreadable> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value, Unreadable> {
        Ok(Value::Nothing)
    }

    fn serialize_unit_struct(self, kind: &'static str) -> Result<Value, Unreadable> {
        Ok(Value::Node(Box::new(Node { kind, fields: Vec::new() })))
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Value, Unreadable> {
        Ok(Value::Text(variant.to_owned()))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Value, Unreadable> {
        value.serialize(self)
    }

    /// `Node::RangeVar(RangeVar { … })`: the struct inside carries the same name.
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<Value, Unreadable> {
        value.serialize(self)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Items, Unreadable> {
        Ok(Items(Vec::with_capacity(len.unwrap_or(0))))
    }

    fn serialize_tuple(self, len: usize) -> Result<Items, Unreadable> {
        Ok(Items(Vec::with_capacity(len)))
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Unreadable> {
        never(name)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Unreadable> {
        never(name)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Unreadable> {
        never("map")
    }

    fn serialize_struct(self, kind: &'static str, len: usize) -> Result<Fields, Unreadable> {
        Ok(Fields { kind, fields: Vec::with_capacity(len.min(8)) })
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Unreadable> {
        never(name)
    }
}

impl ser::SerializeStruct for Fields {
    type Ok = Value;
    type Error = Unreadable;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Unreadable> {
        let value = value.serialize(Reader)?;
        let is_default = match &value {
            Value::Nothing => true,
            Value::List(items) => items.is_empty(),
            Value::True | Value::Int(_) | Value::Real(_) | Value::Text(_) | Value::Node(_) => false,
        };
        if !is_default {
            self.fields.push((name, value));
        }
        Ok(())
    }

    /// A `Node` is only the envelope of the one kind inside; an empty one is a NULL in a list.
    fn end(mut self) -> Result<Value, Unreadable> {
        if self.kind == "Node" {
            return Ok(self.fields.pop().map_or(Value::Nothing, |(_, value)| value));
        }
        Ok(Value::Node(Box::new(Node { kind: self.kind, fields: self.fields })))
    }
}

macro_rules! items {
    ($($of:ident: $method:ident),*) => {$(
        impl ser::$of for Items {
            type Ok = Value;
            type Error = Unreadable;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unreadable> {
                self.0.push(value.serialize(Reader)?);
                Ok(())
            }

            fn end(self) -> Result<Value, Unreadable> {
                Ok(Value::List(self.0))
            }
        }
    )*};
}

items!(SerializeSeq: serialize_element, SerializeTuple: serialize_element);
