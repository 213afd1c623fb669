//! Friends: requests, friendships and blocks between two users. A stateless service over the store; nobody
//! owns a friendship.
//!
//! `rules` decides what a call does to the two edges; the service carries it out in one transaction that has
//! locked both accounts, so that edges and counts always agree. What a call brings about beyond the
//! store, notifications and the end of a direct message's channel, follows the commit.
//!
//! *Bounds*: [`LIST_LIMIT_MAX`] and [`OF_FRIENDS_LIMIT_MAX`] rows a page; the size of a request bounds how many it
//! names. *On failure*: nothing has changed. Notifications are best effort: the friendship stands without.

mod channels;
mod error;
mod list;
mod rules;
mod service;

pub use channels::{DirectChannels, NoChannels};
pub use error::FriendError;
pub use list::{LIST_LIMIT_MAX, Listing, OF_FRIENDS_LIMIT_MAX};
pub use service::{Caller, Friends, Whom};
