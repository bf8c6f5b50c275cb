//! The proxy's own relations and functions, schema `keyhole`.

use super::facts::{Argument, Given, InBand};
use super::tree::Node;
use super::walk::Walker;

impl Walker<'_> {
    pub(super) fn in_band_call(&mut self, item: &Node, call: &Node, name: &str) {
        let mut arguments = Vec::new();
        for argument in call.nodes("args") {
            match given(argument) {
                Some(argument) => arguments.push(argument),
                None => return self.unsupported("keyhole functions with computed arguments"),
            }
        }
        self.in_band(item, name, Some((call, arguments)));
    }

    pub(super) fn in_band(&mut self, item: &Node, name: &str, call: Option<(&Node, Vec<Given>)>) {
        let at = call.as_ref().map_or(item, |(call, _)| call).location();
        let Some(first) = at.and_then(|at| self.token_at(at)) else {
            return self.unsupported("keyhole reference without a place in the text");
        };
        let mut last = self.name_end(first);
        if call.is_some() {
            let Some(close) = self.closing(last + 1) else {
                return self.unsupported("keyhole function without arguments");
            };
            last = close;
        }
        self.out.in_band.push(InBand {
            name: name.to_owned(),
            arguments: call.map(|(_, arguments)| arguments),
            span: self.tokens[first].start..self.tokens[last].end,
            alias: item.node("alias").map(|a| a.text("aliasname").to_owned()),
        });
    }
}

fn given(node: &Node) -> Option<Given> {
    match node.kind {
        "NamedArgExpr" => Some(Given {
            name: Some(node.text("name").to_owned()),
            value: constant(node.node("arg")?)?,
        }),
        _ => Some(Given { name: None, value: constant(node)? }),
    }
}

/// The argument if it is a constant or a parameter, casts to text aside.
fn constant(node: &Node) -> Option<Argument> {
    match node.kind {
        "TypeCast" => constant(node.node("arg")?),
        "ParamRef" => u16::try_from(node.int("number")).ok().map(Argument::Parameter),
        "AConst" if node.is("isnull") => Some(Argument::Null),
        "AConst" => {
            let value = node.node("val")?;
            match value.kind {
                "String" => Some(Argument::Text(value.text("sval").to_owned())),
                "Integer" => Some(Argument::Text(value.int("ival").to_string())),
                "Boolean" => Some(Argument::Text(value.is("boolval").to_string())),
                _ => None,
            }
        }
        _ => None,
    }
}
