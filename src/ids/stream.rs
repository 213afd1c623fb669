//! The name of a stream: a place where presences gather and messages fan out.

use std::{fmt, sync::Arc};

use uuid::Uuid;

use super::{GroupId, PartyId, UserId};

/// What a stream is for. Modes 0 to 255 are the protocol's (those after [`StreamMode::PARTY`] belong to
/// scripts); higher ones are the server's own and no client or script can name them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamMode(u16);

impl StreamMode {
    pub const NOTIFICATIONS: Self = Self(0);
    pub const STATUS: Self = Self(1);
    /// A chat room.
    pub const ROOM: Self = Self(2);
    /// A group's chat channel.
    pub const GROUP: Self = Self(3);
    /// A direct message between two users.
    pub const DIRECT: Self = Self(4);
    pub const MATCH_RELAYED: Self = Self(5);
    pub const MATCH_AUTHORITATIVE: Self = Self(6);
    pub const PARTY: Self = Self(7);
    /// The sessions that follow a user's status.
    pub const FOLLOWERS: Self = Self(256);

    /// A mode that came from outside.
    pub const fn from_wire(mode: u8) -> Self {
        Self(mode as u16)
    }

    /// The protocol's number of this mode, or `None` where it has none.
    pub fn to_wire(self) -> Option<u8> {
        u8::try_from(self.0).ok()
    }
}

impl fmt::Debug for StreamMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names one stream. Cloning allocates nothing.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct StreamId {
    pub mode: StreamMode,
    /// Nil where the mode has none.
    pub subject: Uuid,
    /// Nil where the mode has none.
    pub subcontext: Uuid,
    // `None` is the empty label, which most streams have; it must not share a counter across cores.
    label: Option<Arc<str>>,
}

impl StreamId {
    pub fn new(mode: StreamMode, subject: Uuid, subcontext: Uuid, label: &str) -> Self {
        let label = (!label.is_empty()).then(|| Arc::from(label));
        Self { mode, subject, subcontext, label }
    }

    const fn of_subject(mode: StreamMode, subject: Uuid) -> Self {
        Self { mode, subject, subcontext: Uuid::nil(), label: None }
    }

    /// Every session of the user, hidden: what is meant for the user's eyes goes here.
    pub fn notifications(user: UserId) -> Self {
        Self::of_subject(StreamMode::NOTIFICATIONS, user.0)
    }

    /// The sessions with which the user appears online.
    pub fn status(user: UserId) -> Self {
        Self::of_subject(StreamMode::STATUS, user.0)
    }

    /// The sessions that follow the user's status.
    pub fn followers(user: UserId) -> Self {
        Self::of_subject(StreamMode::FOLLOWERS, user.0)
    }

    pub fn room(name: &str) -> Self {
        Self::new(StreamMode::ROOM, Uuid::nil(), Uuid::nil(), name)
    }

    pub fn group(group: GroupId) -> Self {
        Self::of_subject(StreamMode::GROUP, group.0)
    }

    /// The channel between two users, the same from either side.
    pub fn direct(one: UserId, two: UserId) -> Self {
        let (subject, subcontext) = if one <= two { (one.0, two.0) } else { (two.0, one.0) };
        Self { mode: StreamMode::DIRECT, subject, subcontext, label: None }
    }

    pub fn relayed_match(id: Uuid) -> Self {
        Self::of_subject(StreamMode::MATCH_RELAYED, id)
    }

    /// `node` is the name of the node that runs the match.
    pub fn authoritative_match(id: Uuid, node: &str) -> Self {
        Self::new(StreamMode::MATCH_AUTHORITATIVE, id, Uuid::nil(), node)
    }

    /// `node` is the name of the node that keeps the party.
    pub fn party(id: PartyId, node: &str) -> Self {
        Self::new(StreamMode::PARTY, id.0, Uuid::nil(), node)
    }

    /// The label; empty where there is none.
    pub fn label(&self) -> &str {
        self.label.as_deref().unwrap_or_default()
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}.{}.{}.{}", self.mode, self.subject, self.subcontext, self.label())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_direct_channel_is_the_same_from_either_side() {
        let (one, two) = (UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        assert_eq!(StreamId::direct(one, two), StreamId::direct(two, one));
        assert_eq!(StreamId::direct(two, one).subject, one.0);
    }

    #[test]
    fn the_servers_own_modes_have_no_wire_number() {
        assert_eq!(StreamMode::PARTY.to_wire(), Some(7));
        assert_eq!(StreamMode::from_wire(200).to_wire(), Some(200));
        assert_eq!(StreamMode::FOLLOWERS.to_wire(), None);
    }
}
