//! Accounts: reading, changing, linking, banning and deleting them. Stateless services over the store;
//! nobody owns an account.
//!
//! What happens beyond the store, ending sessions and closing sockets, is asked of [`LiveUsers`] and
//! the session cache after the store has committed.

pub mod account;
pub mod administer;
pub mod error;
mod find;
pub mod identities;
pub mod lifecycle;
pub mod live;
pub mod transfer;
pub mod users;

use std::rc::Rc;

pub use administer::AccountEdit;
pub(crate) use administer::is_json_object;
pub use error::AccountError;
pub use find::AccountPage;
pub use identities::Held;
pub use live::{LiveUsers, NobodyLive};

use crate::{auth::Sessions, leaderboards::Leaderboards, store::Store};

/// The account services of one shard. Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    store: Store,
    sessions: Sessions,
    live: Rc<dyn LiveUsers>,
    leaderboards: Leaderboards,
}

impl Accounts {
    pub fn new(
        store: Store,
        sessions: Sessions,
        live: Rc<dyn LiveUsers>,
        leaderboards: Leaderboards,
    ) -> Self {
        Self { store, sessions, live, leaderboards }
    }
}
