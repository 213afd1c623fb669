//! Why a party refuses.

use thiserror::Error;

use crate::{
    error::{ErrorKind, RealtimeCode},
    matchmaker::MatchmakerError,
};

/// Whatever the variant, the party is as it was.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PartyError {
    #[error("party not found")]
    NotFound,
    #[error("party closed")]
    Closed,
    #[error("party full")]
    Full,
    #[error("party join requests full")]
    RequestsFull,
    #[error("party join request duplicate")]
    RequestDuplicate,
    #[error("party join request already member")]
    AlreadyMember,
    #[error("party leader only")]
    NotLeader,
    #[error("party member not found")]
    NotMember,
    #[error("party join request not found")]
    NotRequest,
    #[error("party could not accept request")]
    Accept,
    #[error("party cannot remove self")]
    RemoveSelf,
    #[error("party label too long")]
    LabelTooLong,
    #[error("failed to unmarshal party label: {0}")]
    Label(Box<str>),
    #[error("party is hidden and label is not empty, invalid operation")]
    HiddenLabel,
    #[error(transparent)]
    Matchmaker(#[from] MatchmakerError),
    /// The shard keeps as many parties as it may.
    #[error("too many parties on this server")]
    TooMany,
    /// The member could not be put on the party's stream.
    #[error("the server is too busy to join now")]
    Join,
    /// The party's home did not answer, or could not be asked: what was asked may have happened.
    #[error("the server is too busy to ask the party")]
    Busy,
}

impl PartyError {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound | Self::Closed | Self::NotMember | Self::NotRequest => {
                ErrorKind::NotFound
            }
            Self::RequestDuplicate | Self::AlreadyMember => ErrorKind::AlreadyExists,
            Self::NotLeader => ErrorKind::PermissionDenied,
            Self::Full | Self::RequestsFull | Self::Accept => ErrorKind::FailedPrecondition,
            Self::RemoveSelf
            | Self::LabelTooLong
            | Self::Label(_)
            | Self::HiddenLabel
            // Of whatever kind, as the reference answers.
            | Self::Matchmaker(_) => ErrorKind::InvalidArgument,
            Self::TooMany => ErrorKind::ResourceExhausted,
            Self::Join | Self::Busy => ErrorKind::Unavailable,
        }
    }

    /// The code of the realtime error envelope.
    pub fn code(&self) -> RealtimeCode {
        self.kind().into()
    }
}
