//! What travels between shards.

use crate::{Address, call::CallId};

/// The messages of a program: what its shards ask each other, and what they answer.
///
/// Both cross threads by value, so keep them small (box what is rare, share what is big) and hold them
/// to a size with [`assert_size`].
pub trait Protocol: Sized + 'static {
    type Request: Send + 'static;
    type Reply: Send + 'static;
}

/// Holds a type to a size while compiling: `const _: () = assert_size::<Message, 64>();`
pub const fn assert_size<T, const BYTES_MAX: usize>() {
    assert!(size_of::<T>() <= BYTES_MAX, "a message between shards has outgrown its bound");
}

/// In the lane of requests: something that may be refused.
pub(crate) struct Ask<P: Protocol> {
    pub(crate) from: Address,
    /// Where the answer goes, if one is wanted.
    pub(crate) call: Option<(CallId, u64)>,
    pub(crate) request: P::Request,
}

/// In the lane of events: something that must arrive, or whose loss was counted before it was sent.
pub(crate) enum Tell<P: Protocol> {
    Event { from: Address, request: P::Request },
    Reply { call: CallId, result: Result<P::Reply, crate::CallError> },
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Small;
    impl Protocol for Small {
        type Request = [u64; 4];
        type Reply = u64;
    }

    const _: () = assert_size::<Ask<Small>, 64>();
    const _: () = assert_size::<Tell<Small>, 48>();

    #[test]
    #[should_panic(expected = "outgrown")]
    fn a_message_that_outgrows_its_bound_is_noticed() {
        assert_size::<[u8; 65], 64>();
    }
}
