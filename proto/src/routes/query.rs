//! A request's fields from its query: `limit=10&ids=a&ids=b&search.name.exact=x&vars[key]=value`.

use super::{
    percent::{Plus, decode},
    text,
};
use crate::{
    Invalid,
    table::{Field, Kind, Message, Shape},
    wire::{self, LENGTH},
};

/// Appends every field that the query names. Names that are no field are somebody else's parameters and
/// are passed over, and so are the fields of `taken`, which the path or the body sets.
pub(super) fn append(
    out: &mut Vec<u8>,
    request: &'static Message,
    query: &str,
    taken: &[&'static Field],
) -> Result<(), Invalid> {
    let mut singular = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if pair.contains(';') {
            return Err(Invalid::new(None, "the query holds a semicolon that is not encoded"));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let broken = |_| Invalid::new(None, "the query is not percent-encoded UTF-8");
        let name = decode(name, Plus::Space).map_err(broken)?;
        let value = decode(value, Plus::Space).map_err(broken)?;
        let (name, key) = match name.strip_suffix(']').and_then(|name| name.rsplit_once('[')) {
            Some((name, key)) => (name, Some(key)),
            None => (name.as_ref(), None),
        };

        let Some(target) = Target::resolve(request, name)? else { continue };
        if taken.iter().any(|field| std::ptr::eq(*field, target.outermost())) {
            continue;
        }
        if target.field.shape == Shape::One {
            if key.is_some() || singular.contains(&target) {
                return Err(Invalid::new(Some(target.field.name), "there is more than one value"));
            }
            append_nested(out, &target.parents, target.field, key, &value)?;
            singular.push(target);
        } else {
            append_nested(out, &target.parents, target.field, key, &value)?;
        }
    }
    Ok(())
}

/// Appends a value inside of its parents, which prost merges with what they already hold.
fn append_nested(
    out: &mut Vec<u8>,
    parents: &[&'static Field],
    field: &'static Field,
    key: Option<&str>,
    value: &str,
) -> Result<(), Invalid> {
    match parents.split_first() {
        Some((parent, parents)) => {
            wire::put_tag(out, parent.number, LENGTH);
            wire::put_nested(out, |out| append_nested(out, parents, field, key, value))
        }
        None => append_value(out, field, key, value),
    }
}

fn append_value(
    out: &mut Vec<u8>,
    field: &'static Field,
    key: Option<&str>,
    value: &str,
) -> Result<(), Invalid> {
    match (field.shape, key) {
        (Shape::One | Shape::Many, None) => text::append(out, field, value),
        // grpc-gateway takes the key for one more value.
        (Shape::One | Shape::Many, Some(key)) => {
            text::append(out, field, key)?;
            text::append(out, field, value)
        }
        (Shape::Map(kind), Some(key)) => {
            let wrong = |expected| {
                Invalid::new(Some(field.name), format!("{key:?}={value:?} is not {expected}"))
            };
            wire::put_tag(out, field.number, LENGTH);
            wire::put_nested(out, |out| {
                text::append_scalar(out, 1, kind, key).map_err(wrong)?;
                text::append_kind(out, 2, field.kind, value).map_err(wrong)
            })
        }
        (Shape::Map(_), None) => {
            Err(Invalid::new(Some(field.name), "a map is written as field[key]=value"))
        }
    }
}

/// The field that a dotted name means, and the messages on the way to it. Fields are compared by
/// identity: each is one static.
struct Target {
    parents: Vec<&'static Field>,
    field: &'static Field,
}

impl Target {
    fn resolve(request: &'static Message, name: &str) -> Result<Option<Self>, Invalid> {
        let mut parents = Vec::new();
        let mut message = request;
        let mut parts = name.split('.').peekable();
        while let Some(part) = parts.next() {
            let Some((_, field)) = message.field_named(part) else { return Ok(None) };
            if parts.peek().is_none() {
                return Ok(Some(Self { parents, field }));
            }
            match (field.shape, field.kind) {
                (Shape::One, Kind::Message(inner)) => message = inner,
                _ => return Err(Invalid::new(Some(field.name), "it is not a message")),
            }
            parents.push(field);
        }
        Ok(None)
    }

    fn outermost(&self) -> &'static Field {
        self.parents.first().unwrap_or(&self.field)
    }
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.field, other.field)
            && self.parents.len() == other.parents.len()
            && self
                .parents
                .iter()
                .zip(&other.parents)
                .all(|(left, right)| std::ptr::eq(*left, *right))
    }
}
