//! What a call does to the two edges between a user and another one.

use crate::store::friends::FriendState::{self, Blocked, Friend, Invited, Requested};

/// The edges between two users: the caller's, and the other one's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pair {
    pub mine: Option<FriendState>,
    pub theirs: Option<FriendState>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Add {
    /// Both edges of a request are to be inserted.
    Ask,
    /// Both become friends.
    Accept,
    /// They are friends, there is a request, or one of them blocks the other.
    Nothing,
}

pub(super) fn add(pair: Pair) -> Add {
    match (pair.mine, pair.theirs) {
        (None, None) => Add::Ask,
        (Some(Invited), Some(Requested)) => Add::Accept,
        (None, Some(_)) | (Some(Friend | Requested | Invited | Blocked), _) => Add::Nothing,
    }
}

/// Which edges are to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delete {
    pub mine: bool,
    pub theirs: bool,
}

/// A friend, a request of either side and one's own block go; the other one's block stays.
pub(super) fn delete(pair: Pair) -> Delete {
    Delete {
        mine: pair.mine.is_some(),
        theirs: pair.theirs.is_some_and(|theirs| theirs != Blocked),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Whether there is an edge that becomes the block, or one has to be inserted.
    pub edge_exists: bool,
    /// Whether the other one's edge is to be removed.
    pub remove_theirs: bool,
}

/// Two may block each other: a block is all that stays of the other one's side.
pub(super) fn block(pair: Pair) -> Block {
    Block { edge_exists: pair.mine.is_some(), remove_theirs: delete(pair).theirs }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(mine: impl Into<Option<FriendState>>, theirs: impl Into<Option<FriendState>>) -> Pair {
        Pair { mine: mine.into(), theirs: theirs.into() }
    }

    #[test]
    fn only_strangers_are_asked_and_only_a_request_is_accepted() {
        assert_eq!(add(pair(None, None)), Add::Ask);
        assert_eq!(add(pair(Invited, Requested)), Add::Accept);
        for other in [
            pair(Requested, Invited),
            pair(Friend, Friend),
            pair(Blocked, None),
            pair(None, Blocked),
            pair(Blocked, Blocked),
        ] {
            assert_eq!(add(other), Add::Nothing, "{other:?}");
        }
    }

    #[test]
    fn the_block_of_the_other_one_survives_a_removal_and_a_block() {
        assert_eq!(delete(pair(Blocked, Blocked)), Delete { mine: true, theirs: false });
        assert_eq!(delete(pair(None, Blocked)), Delete { mine: false, theirs: false });
        assert_eq!(delete(pair(Friend, Friend)), Delete { mine: true, theirs: true });
        let both = block(pair(None, Blocked));
        assert_eq!(both, Block { edge_exists: false, remove_theirs: false });
        let friend = block(pair(Friend, Friend));
        assert_eq!(friend, Block { edge_exists: true, remove_theirs: true });
    }
}
