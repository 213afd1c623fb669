//! Identifiers as types. Two bare UUIDs side by side are a bug waiting for its day.
//!
//! Session, match and party ids tell their home: the node and the shard that own the thing stand in
//! the id's last six bytes, so that routing asks no directory. The ids still read as version 4 UUIDs,
//! which is all that old clients look at.
//!
//! ```text
//! xxxxxxxx-xxxx-4xxx-yxxx-nnnnnnnnssss      x random (74 bits), n node (32 bits), s shard (16 bits)
//! ```

mod stream;

use std::{fmt, str::FromStr};

use kakera_shards::{Address, NodeId, ShardId};
use uuid::Uuid;

pub use stream::{StreamId, StreamMode};

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub Uuid);

        impl $name {
            pub const NIL: Self = Self(Uuid::nil());
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0.as_hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

macro_rules! homed_id {
    ($(#[$doc:meta])* $name:ident) => {
        uuid_id!($(#[$doc])* $name);

        impl $name {
            /// A new id whose home is `home`; `random` comes from the shard's own generator.
            pub fn at(home: Address, random: u128) -> Self {
                Self(with_home(home, random))
            }

            /// Where the thing lives. Any UUID yields an address; one that no such node has is unknown.
            pub fn home(self) -> Address {
                home_of(self.0)
            }
        }
    };
}

uuid_id! {
    /// An account.
    UserId
}
uuid_id! {
    /// A group of accounts.
    GroupId
}
uuid_id! {
    /// A ticket of the matchmaker.
    TicketId
}
homed_id! {
    /// A realtime session: one open socket.
    SessionId
}
homed_id! {
    /// A relayed or authoritative match, without the node's name that follows it on the wire.
    MatchId
}
homed_id! {
    /// A party.
    PartyId
}

fn with_home(home: Address, random: u128) -> Uuid {
    let mut bytes = random.to_be_bytes();
    bytes[10..14].copy_from_slice(&home.node.0.to_be_bytes());
    bytes[14..].copy_from_slice(&home.shard.0.to_be_bytes());
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

fn home_of(id: Uuid) -> Address {
    let b = id.as_bytes();
    Address {
        node: NodeId(u32::from_be_bytes([b[10], b[11], b[12], b[13]])),
        shard: ShardId(u16::from_be_bytes([b[14], b[15]])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_its_home_and_reads_as_version_4() {
        let home = Address { node: NodeId(0xdead_beef), shard: ShardId(513) };
        let id = SessionId::at(home, u128::MAX);
        assert_eq!(id.home(), home);
        assert_eq!(id.0.get_version_num(), 4);
        assert_eq!(id.to_string().parse::<SessionId>().unwrap(), id);
    }
}
