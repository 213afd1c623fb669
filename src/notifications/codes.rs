//! What a notification is about, by the protocol's numbers. Codes above zero belong to games.

/// Somebody wants to chat.
pub const DM_REQUEST: i32 = -1;
/// Somebody wants to be a friend.
pub const FRIEND_REQUEST: i32 = -2;
/// Somebody accepted to be a friend.
pub const FRIEND_ACCEPT: i32 = -3;
/// The user was added to a group, or a request to join one was accepted.
pub const GROUP_ADD: i32 = -4;
/// Somebody wants to join a group that the user may let people into.
pub const GROUP_JOIN_REQUEST: i32 = -5;
/// A friend from another platform plays the game now.
pub const FRIEND_JOIN_GAME: i32 = -6;
pub use crate::session::codes::{SINGLE_SOCKET, USER_BANNED};
/// Somebody is a friend no more.
pub const FRIEND_REMOVE: i32 = -9;
