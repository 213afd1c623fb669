//! The tables `groups` and `group_edge`: groups and who is in them, asks to be or is banned.
//!
//! A membership and a request are two rows, one from either side; a ban is one, from the group. The
//! edges of members count in `groups.edge_count`. Edges and counts change together, in one transaction
//! that has locked the group ([`super::locks::groups`]).

pub(super) mod account;
mod edges;
mod lists;
mod rows;

pub use edges::{NewEdge, admins, ban, edges_of, insert, members, remove, set_state, usernames};
pub use lists::{
    GroupPlace, GroupSelect, MemberRecord, MembershipRecord, list, list_statement, memberships,
    users_of,
};
pub use rows::{
    GroupChange, GroupRecord, NewGroup, add_to_edge_count, change, create, delete, get,
};

use super::{Column, FromColumn, StoreError};

/// Name of the constraint that keeps the names of groups apart.
pub const NAME_UNIQUE: &str = "groups_name_key";

/// Name of the constraint that keeps the positions of an edge's source apart.
pub const POSITION_UNIQUE: &str = "group_edge_pkey";

/// How a user stands to a group (`group_edge.state`). The lower, the more is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i16)]
pub enum MemberState {
    Superadmin = 0,
    Admin = 1,
    Member = 2,
    /// Asks to join.
    Requested = 3,
    Banned = 4,
}

impl MemberState {
    pub fn from_wire(state: i32) -> Option<Self> {
        Some(match state {
            0 => Self::Superadmin,
            1 => Self::Admin,
            2 => Self::Member,
            3 => Self::Requested,
            4 => Self::Banned,
            _ => return None,
        })
    }

    /// Whether the group counts it.
    pub fn is_member(self) -> bool {
        self <= Self::Member
    }
}

impl FromColumn for MemberState {
    fn from_column(column: Column<'_>) -> Result<Self, StoreError> {
        let state = i32::from_column(column)?;
        Self::from_wire(state)
            .ok_or_else(|| StoreError::statement(format_args!("no member has the state {state}")))
    }
}
