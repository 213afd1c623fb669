//! The request message of an HTTP request.

use bytes::Bytes;

use super::{Body, Matched, Service, query, text};
use crate::{
    Invalid,
    json::{self, Unknown},
    table::{Described, Field, Kind},
    wire::{self, LENGTH},
};

impl<S: Service> Matched<'_, S> {
    /// Whether nothing of the request is read from the body: then a form that stands there is a part of the
    /// query, as the gateway has it.
    pub fn takes_form(&self) -> bool {
        self.binding.body == Body::None
    }

    /// Reads the request from the path's parameters, the query (percent-encoded, without its `?`) and
    /// the body, as the binding says. `T` must be the call's request type, or the result is an error.
    ///
    /// An empty body is an empty message. What the path says wins over what the body says.
    pub fn decode<T: Described>(&self, query: &str, body: &[u8]) -> Result<T, Invalid> {
        let request = self.rpc.definition().request;
        if !std::ptr::eq(request, T::MESSAGE) {
            let message =
                format!("{} takes {}, not {}", self.rpc.name(), request.name, T::MESSAGE.name);
            return Err(Invalid::new(None, message));
        }

        // Everything is appended to one encoding of the request: later values win over earlier ones.
        let mut out = Vec::with_capacity(body.len() + query.len() + 64);
        let body_field = match self.binding.body {
            Body::None => None,
            Body::Whole => {
                if !is_blank(body) {
                    json::append_message(&mut out, request, body, Unknown::Ignore)?;
                }
                None
            }
            Body::Field(index) => {
                let field = request.fields.get(usize::from(index));
                if let Some(field) = field {
                    append_body_field(&mut out, field, body)?;
                }
                field
            }
        };
        if self.binding.body != Body::Whole && !query.is_empty() {
            let taken: Vec<&'static Field> =
                self.binding.parameter_fields(request).chain(body_field).collect();
            query::append(&mut out, request, query, &taken)?;
        }
        for (field, value) in self.binding.parameter_fields(request).zip(self.parameters()) {
            text::append(&mut out, field, value)?;
        }
        json::decode(Bytes::from(out))
    }
}

fn append_body_field(out: &mut Vec<u8>, field: &'static Field, body: &[u8]) -> Result<(), Invalid> {
    if !is_blank(body) {
        return json::append_field(out, field, body, Unknown::Ignore);
    }
    // The gateway makes the message before it looks at the body.
    if matches!(field.kind, Kind::Message(_)) {
        wire::put_tag(out, field.number, LENGTH);
        wire::put_bytes(out, &[]);
    }
    Ok(())
}

fn is_blank(body: &[u8]) -> bool {
    body.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}
