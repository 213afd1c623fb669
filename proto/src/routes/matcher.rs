//! From a method and a path to a call.

use std::borrow::Cow;

use super::{
    Binding, Node, PARAMETERS_MAX, SEGMENTS_MAX, Service,
    percent::{Plus, decode},
};

/// What a method and a path lead to.
#[derive(Debug)]
pub enum Routed<'p, S> {
    Call(Matched<'p, S>),
    /// The path leads to calls, but by other methods: gRPC code 12, HTTP 501.
    WrongMethod,
    /// No call has this path: gRPC code 5, HTTP 404.
    Unknown,
    /// No path can look like this: gRPC code 3, HTTP 400.
    Malformed,
}

/// A call that was found, with what the path says of its request.
#[derive(Debug)]
pub struct Matched<'p, S> {
    pub rpc: S,
    pub binding: &'static Binding,
    parameters: [Cow<'p, str>; PARAMETERS_MAX],
}

impl<S> Matched<'_, S> {
    /// The decoded values of the path's parameters, in the order of [`Binding::parameters`].
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().take(self.binding.parameters.len()).map(AsRef::as_ref)
    }
}

const NO_TEXT: Cow<'static, str> = Cow::Borrowed("");

pub(super) fn route<'p, S: Service>(method: &str, path: &'p str) -> Routed<'p, S> {
    let Some(path) = path.strip_prefix('/') else { return Routed::Malformed };
    let mut segments = [NO_TEXT; SEGMENTS_MAX];
    let mut count = 0;
    for segment in path.split('/') {
        let Ok(segment) = decode(segment, Plus::Itself) else { return Routed::Malformed };
        // A longer path than any call has: it is still read to its end, to find out if it is malformed.
        if let Some(slot) = segments.get_mut(count) {
            *slot = segment;
        }
        count += 1;
    }
    let Some(segments) = segments.get_mut(..count) else { return Routed::Unknown };

    let mut search = Search { method, path_known: false, taken: 0 };
    let Some(Found { call, binding, taken }) = search.descend(S::tree(), segments, 0) else {
        return if search.path_known { Routed::WrongMethod } else { Routed::Unknown };
    };
    let Some(&rpc) = S::ALL.get(usize::from(call)) else { return Routed::Unknown };
    let Some(binding) = rpc.definition().bindings.get(usize::from(binding)) else {
        return Routed::Unknown;
    };
    let mut parameters = [NO_TEXT; PARAMETERS_MAX];
    let values = segments
        .iter_mut()
        .enumerate()
        .filter(|(depth, _)| taken & (1 << depth) != 0)
        .map(|(_, segment)| std::mem::take(segment));
    for (slot, value) in parameters.iter_mut().zip(values) {
        *slot = value;
    }
    Routed::Call(Matched { rpc, binding, parameters })
}

struct Search<'m> {
    method: &'m str,
    /// Some path ended where this one does.
    path_known: bool,
    /// One bit for each segment that is a parameter on the way that is being tried.
    taken: u32,
}

struct Found {
    call: u8,
    binding: u8,
    taken: u32,
}

impl Search<'_> {
    /// Tries the literal segment before the parameter, and the parameter too if that led nowhere.
    fn descend(&mut self, node: &Node, rest: &[Cow<'_, str>], depth: u32) -> Option<Found> {
        let Some((segment, rest)) = rest.split_first() else {
            self.path_known |= !node.ends.is_empty();
            let end = node.ends.iter().find(|end| end.method.as_str() == self.method)?;
            return Some(Found { call: end.call, binding: end.binding, taken: self.taken });
        };
        let literals = node.literals;
        if let Ok(at) = literals.binary_search_by(|(literal, _)| (*literal).cmp(segment))
            && let Some((_, next)) = literals.get(at)
            && let Some(found) = self.descend(next, rest, depth + 1)
        {
            return Some(found);
        }
        let next = node.parameter?;
        self.taken |= 1 << depth;
        let found = self.descend(next, rest, depth + 1);
        self.taken &= !(1 << depth);
        found
    }
}
