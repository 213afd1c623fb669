//! Table `user_edge`: friends, requests and blocks. A friendship and a request are two rows, one from either
//! side; a block is one, from who blocks.
//!
//! Every edge counts in its source's `users.edge_count`. Edges and counts change together, in one
//! transaction that has locked both accounts ([`super::locks::accounts`]).

mod edges;
mod lists;

pub use edges::{
    Edge, Request, accept, add_to_edge_counts, block, edges_from, edges_to, insert_block,
    insert_request, remove, set_metadata,
};
pub use lists::{FriendOfFriend, FriendRecord, list, of_friends};

use super::{Column, FromColumn, StoreError};

/// Name of the constraint that keeps the positions of a user's edges apart.
pub const POSITION_UNIQUE: &str = "user_edge_pkey";

/// How a user stands to another one (`user_edge.state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i16)]
pub enum FriendState {
    Friend = 0,
    /// The user has asked.
    Requested = 1,
    /// The other one has asked.
    Invited = 2,
    /// The user does not want to hear of the other one.
    Blocked = 3,
}

impl FriendState {
    pub fn from_wire(state: i32) -> Option<Self> {
        Some(match state {
            0 => Self::Friend,
            1 => Self::Requested,
            2 => Self::Invited,
            3 => Self::Blocked,
            _ => return None,
        })
    }
}

impl FromColumn for FriendState {
    fn from_column(column: Column<'_>) -> Result<Self, StoreError> {
        let state = i32::from_column(column)?;
        Self::from_wire(state)
            .ok_or_else(|| StoreError::statement(format_args!("no friend has the state {state}")))
    }
}
