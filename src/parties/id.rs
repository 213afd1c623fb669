//! Which party is meant.

use crate::{
    ids::{PartyId, StreamId},
    presence::wire,
};

/// A party as the wire names it: its id, a dot, and the name of its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartyRef {
    pub id: PartyId,
    pub node: String,
}

impl PartyRef {
    /// `None` where it is no party's id.
    pub fn read(text: &str) -> Option<Self> {
        let (id, node) = text.split_once('.')?;
        Some(Self { id: id.parse().ok()?, node: node.to_owned() })
    }

    /// The stream that the party's members are on.
    pub fn stream(&self) -> StreamId {
        StreamId::party(self.id, &self.node)
    }
}

/// The id of a party as the wire has it.
pub fn wire_id(stream: &StreamId) -> String {
    wire::homed_id(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_uuid_a_dot_and_a_node() {
        let text = "9cf7ac81-b6c1-4eb6-8b9a-2a3ec1dd8d0b.node.one";
        let read = PartyRef::read(text).unwrap();
        assert_eq!(read.node, "node.one");
        assert_eq!(wire_id(&read.stream()), text);
        for wrong in ["", "x", "x.node", "9cf7ac81-b6c1-4eb6-8b9a-2a3ec1dd8d0b"] {
            assert_eq!(PartyRef::read(wrong), None, "{wrong}");
        }
    }
}
