//! Groups: who founds, joins, leads and leaves them. A stateless service over the store; nobody owns a
//! group, only its channel, which is chat's.
//!
//! `rules` decides what an act does to a member; the service carries it out in one transaction that has
//! locked the group, so that members and counts always agree, together with the message that the group's
//! channel keeps of it. What goes out, that message, notifications, and who is taken off the channel,
//! follows the commit.
//!
//! *Bounds*: [`LIST_LIMIT_MAX`] rows a page; `max_count` members, of which those who ask are none; the size of a
//! request bounds how many it names. *On failure*: nothing has changed. What goes out is best effort:
//! the change stands without.

mod act;
mod channel;
mod error;
mod list;
mod member;
mod rules;
mod service;

pub use act::Act;
pub use channel::{GroupChannels, LiveChannels};
pub use error::GroupError;
pub use list::{GroupFilter, LIST_LIMIT_MAX, Listing, group as shown};
pub use service::{Caller, Draft, Groups, MAX_COUNT_DEFAULT};
