//! Which stream a channel is: from what a client wants to join, and from a channel's id.

use kakera_proto::realtime::channel_join::Type;
use uuid::Uuid;

use super::ChatError;
use crate::ids::{GroupId, StreamId, StreamMode, UserId};

/// The longest name of a room, in bytes.
pub const ROOM_NAME_LEN_MAX: usize = 64;

/// What has to be asked of the store before a channel may be joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing: rooms are open.
    Open,
    /// This user must exist and must not have blocked the one who joins; otherwise
    /// [`ChatError::UserNotFound`].
    User(UserId),
    /// The one who joins must be a member of this group; otherwise [`ChatError::GroupNotFound`].
    Group(GroupId),
}

impl Access {
    /// What is looked up.
    pub fn what(self) -> &'static str {
        match self {
            Self::Open => "nothing",
            Self::User(_) => "user ID",
            Self::Group(_) => "group membership",
        }
    }
}

/// A channel that a client wants to join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub stream: StreamId,
    pub access: Access,
}

impl Target {
    /// Reads the target of a join by `me`. `kind` is the protocol's channel type; 0 means a room.
    pub fn read(me: UserId, target: &str, kind: i32) -> Result<Self, ChatError> {
        if target.is_empty() {
            return Err(ChatError::TargetMissing);
        }
        match Type::try_from(kind).map_err(|_| ChatError::ChannelType)? {
            Type::Unspecified | Type::Room => Self::room(target),
            Type::DirectMessage => {
                let other = Uuid::parse_str(target).ok().filter(|id| !id.is_nil());
                let other = UserId(other.ok_or(ChatError::DirectTarget)?);
                Ok(Self { stream: StreamId::direct(me, other), access: Access::User(other) })
            }
            Type::Group => {
                let group = GroupId(Uuid::parse_str(target).map_err(|_| ChatError::GroupTarget)?);
                Ok(Self { stream: StreamId::group(group), access: Access::Group(group) })
            }
        }
    }

    fn room(name: &str) -> Result<Self, ChatError> {
        if name.len() > ROOM_NAME_LEN_MAX {
            return Err(ChatError::RoomNameLength);
        }
        if name.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(ChatError::RoomNameControl);
        }
        Ok(Self { stream: StreamId::room(name), access: Access::Open })
    }
}

/// Reads a channel's id: mode, subject, subcontext and label, parted by dots. A label may hold dots.
pub fn stream_of(channel_id: &str) -> Result<StreamId, ChatError> {
    let mut parts = channel_id.splitn(4, '.');
    let mut part = || parts.next().ok_or(ChatError::ChannelId);
    let (mode, subject, subcontext, label) = (part()?, part()?, part()?, part()?);
    let id = |text: &str| match text {
        "" => Ok(Uuid::nil()),
        text => Uuid::parse_str(text).map_err(|_| ChatError::ChannelId),
    };
    match mode {
        "2" if subject.is_empty()
            && subcontext.is_empty()
            && (1..=ROOM_NAME_LEN_MAX).contains(&label.len()) =>
        {
            Ok(StreamId::room(label))
        }
        "3" if subcontext.is_empty() && label.is_empty() => {
            Ok(StreamId::group(GroupId(id(subject)?)))
        }
        "4" if label.is_empty() => {
            Ok(StreamId::new(StreamMode::DIRECT, id(subject)?, id(subcontext)?, ""))
        }
        _ => Err(ChatError::ChannelId),
    }
}
