//! What the owner of a user's sessions can be asked.

use crate::{
    ids::{SessionId, UserId},
    session::CloseCause,
};

/// Sent to ring(user). All but `List` go by the lane of answers: in order, and never refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A session opened. `alone` closes the user's other sessions (`session.single_socket`).
    Opened { user: UserId, session: SessionId, alone: bool },
    /// A session closed.
    Closed { user: UserId, session: SessionId },
    /// End all sessions of the user.
    Disconnect { user: UserId, cause: CloseCause },
    /// Which sessions has the user? Answered with [`Reply::Sessions`].
    List { user: UserId },
}

impl Request {
    /// The user whose owner is asked.
    pub fn user(&self) -> UserId {
        match self {
            Self::Opened { user, .. }
            | Self::Closed { user, .. }
            | Self::Disconnect { user, .. }
            | Self::List { user } => *user,
        }
    }
}

/// The owner's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The user's live sessions, oldest first.
    Sessions(Vec<SessionId>),
}

/// What the owner decides: the session's home is told to close it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    pub session: SessionId,
    pub cause: CloseCause,
}
