//! The calls of both services: what each is, where it is reached, and how its request is read.
//!
//! `build.rs` makes the table from the services' `google.api.http` and `kakera.accepts` options. What
//! routes and reads requests follows grpc-gateway, which the reference runs in front of its calls; one
//! difference: a path's segments are split before they are decoded, so a parameter may hold a slash
//! (`%2F`), where the reference finds no route.

mod matcher;
mod percent;
mod query;
mod request;
mod text;

#[cfg(test)]
mod tests;

use crate::{
    json::Unset,
    table::{Described, Field, Message},
};
pub use matcher::{Matched, Routed};

include!(concat!(env!("OUT_DIR"), "/routes.rs"));

/// A service: an enumeration of its calls. See [`Rpc`] and [`ConsoleRpc`].
pub trait Service: Copy + Eq + 'static {
    /// With its package, as in `nakama.api.Nakama`.
    const NAME: &'static str;
    /// In the order of the `.proto` file; a call's place is its number.
    const ALL: &'static [Self];
    /// What its JSON does with unset fields: the console prints them.
    const UNSET: Unset;

    fn definition(self) -> &'static Definition;

    #[doc(hidden)]
    fn tree() -> &'static Node;

    #[doc(hidden)]
    fn names() -> &'static [(&'static str, u8)];

    /// The call's name, as in `AuthenticateDevice`.
    fn name(self) -> &'static str {
        self.definition().name
    }

    /// The call's path over gRPC, as in `/nakama.api.Nakama/AuthenticateDevice`.
    fn grpc_path(self) -> &'static str {
        self.definition().grpc_path
    }

    /// What a caller may show to be let in; nothing means that everybody is.
    fn accepts(self) -> &'static [Credential] {
        self.definition().accepts
    }

    /// The call of this name.
    fn from_name(name: &str) -> Option<Self> {
        let names = Self::names();
        let at = names.binary_search_by_key(&name, |(candidate, _)| *candidate).ok()?;
        let (_, index) = *names.get(at)?;
        Self::ALL.get(usize::from(index)).copied()
    }

    /// The call of this gRPC path.
    fn from_grpc_path(path: &str) -> Option<Self> {
        Self::from_name(path.strip_prefix('/')?.strip_prefix(Self::NAME)?.strip_prefix('/')?)
    }

    /// The call that an HTTP request asks for. `path` is the request's path as it was sent, still
    /// percent-encoded and without the query.
    fn route<'p>(method: &str, path: &'p str) -> Routed<'p, Self> {
        matcher::route(method, path)
    }
}

/// A call as a type, for code that is generic over calls: see [`calls`] and [`console_calls`].
pub trait Call {
    type Service: Service;
    type Request: Described;
    type Response: Described;
    const RPC: Self::Service;
}

/// What is known of a call.
#[derive(Debug)]
pub struct Definition {
    pub name: &'static str,
    pub grpc_path: &'static str,
    pub request: &'static Message,
    pub response: &'static Message,
    pub accepts: &'static [Credential],
    /// Where HTTP reaches it; never empty.
    pub bindings: &'static [Binding],
}

/// What a caller shows to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Credential {
    /// `Authorization: Basic` with the server key as the user name.
    ServerKey,
    /// `Authorization: Bearer` with a player's session token.
    Bearer,
    /// The runtime's key, as the query parameter or the request's field `http_key`.
    HttpKey,
    /// `Authorization: Bearer` with a console user's token.
    ConsoleBearer,
}

/// A method and a path that reach a call.
#[derive(Debug)]
pub struct Binding {
    pub method: Method,
    /// With its parameters in braces: `/v2/group/{group_id}/add`.
    pub path: &'static str,
    /// The request's fields, by index, that the path's parameters set, in their order.
    pub parameters: &'static [u8],
    pub body: Body,
}

impl Binding {
    /// The fields of [`Binding::parameters`].
    pub fn parameter_fields(
        &self,
        request: &'static Message,
    ) -> impl Iterator<Item = &'static Field> {
        self.parameters.iter().filter_map(|index| request.fields.get(usize::from(*index)))
    }
}

/// What a request's body holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// It is not read; what is not in the path comes from the query.
    None,
    /// The request; the query is not read.
    Whole,
    /// This field of the request, by index; what is neither it nor in the path comes from the query.
    Field(u8),
}

/// A method that a call can be bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Put,
    Post,
    Delete,
    Patch,
}

impl Method {
    /// As it stands in a request.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
            Self::Patch => "PATCH",
        }
    }
}

/// What may follow a prefix of a path.
#[doc(hidden)]
#[derive(Debug)]
pub struct Node {
    /// In the order of their text.
    literals: &'static [(&'static str, Node)],
    parameter: Option<&'static Node>,
    ends: &'static [End],
}

/// A call that is reached where a path ends.
#[derive(Debug)]
struct End {
    method: Method,
    call: u8,
    binding: u8,
}
