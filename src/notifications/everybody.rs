//! A notice to every user there is.

use std::{rc::Rc, time::Duration};

use kakera_shards::runtime;
use uuid::Uuid;

use super::{
    Notice, NotificationError, Notifications,
    service::{BATCH_LEN, Inner, envelope},
};
use crate::{
    error::ErrorKind,
    ids::UserId,
    store::{StoreError, notifications as table},
};

/// Notices to everybody that one shard sends at once.
pub const TO_EVERYBODY_MAX: usize = 4;

/// Tries to store a batch before the rest of the users goes without.
const BATCH_TRIES: usize = 20;

/// Time between two tries: a store that refuses has much to do.
const BATCH_PAUSE: Duration = Duration::from_millis(250);

impl Notifications {
    /// Tells everybody. Of a notice that is not persistent those who are online hear at once. A persistent
    /// one is on its way when this returns, user by user in batches, in the order of their ids; who signs
    /// up meanwhile may miss it. What a failing store keeps from the rest is logged and counted.
    pub fn send_to_everybody(&self, notice: Notice) -> Result<(), NotificationError> {
        notice.check()?;
        if !notice.persistent {
            let ids = self.ids(1);
            let notices: Vec<_> = ids.into_iter().map(|id| (id, &notice)).collect();
            self.0.live.deliver_to_all(&envelope(&notices, self.0.clock.unix_sec()));
            return Ok(());
        }
        let place = Place::take(&self.0).ok_or(NotificationError::TooMany)?;
        let this = self.clone();
        runtime::spawn("notify everybody", async move {
            if let Err(error) = this.everybody(&notice).await {
                this.0.unfinished.increment();
                tracing::error!(subject = notice.subject, %error, "Not everybody was notified.");
            }
            drop(place);
        });
        Ok(())
    }

    async fn everybody(&self, notice: &Notice) -> Result<(), StoreError> {
        let mut after = UserId::NIL;
        loop {
            let users = self.next_users(after).await?;
            let Some(last) = users.last() else { return Ok(()) };
            after = *last;
            let batch: Vec<_> = users.iter().map(|user| (*user, notice.clone())).collect();
            let ids = self.ids(batch.len());
            if self.store_patiently(&batch, &ids).await? {
                self.deliver(&batch, &ids).await;
            } else {
                // Somebody's account went meanwhile, which is found out one by one.
                for one in &batch {
                    match self.send(std::slice::from_ref(one)).await {
                        Ok(()) | Err(NotificationError::UnknownUser) => {}
                        Err(NotificationError::Store(error)) => return Err(error),
                        Err(_) => return Err(StoreError::Failed),
                    }
                }
            }
        }
    }

    async fn next_users(&self, after: UserId) -> Result<Vec<UserId>, StoreError> {
        let mut tried = 0;
        loop {
            tried += 1;
            match table::users_after(&self.0.store, after, BATCH_LEN).await {
                Err(error) if tried < BATCH_TRIES && passes(&error) => {
                    runtime::sleep(BATCH_PAUSE).await;
                }
                result => return result,
            }
        }
    }

    /// Whether the batch is stored; it is not where a user is unknown.
    async fn store_patiently(
        &self,
        batch: &[(UserId, Notice)],
        ids: &[Uuid],
    ) -> Result<bool, StoreError> {
        let mut tried = 0;
        loop {
            tried += 1;
            match self.save(batch, ids).await {
                Ok(()) => return Ok(true),
                Err(NotificationError::UnknownUser) => return Ok(false),
                // An earlier try was not answered, and came through.
                Err(NotificationError::Store(StoreError::Unique(_))) if tried > 1 => {
                    return Ok(true);
                }
                Err(NotificationError::Store(error)) if tried < BATCH_TRIES && passes(&error) => {
                    runtime::sleep(BATCH_PAUSE).await;
                }
                Err(NotificationError::Store(error)) => return Err(error),
                // The notice was checked before.
                Err(_) => return Err(StoreError::Failed),
            }
        }
    }
}

/// Whether another try may do.
fn passes(error: &StoreError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ResourceExhausted
            | ErrorKind::Unavailable
            | ErrorKind::DeadlineExceeded
            | ErrorKind::Aborted
    )
}

/// One of the notices to everybody, while it is on its way.
struct Place(Rc<Inner>);

impl Place {
    fn take(inner: &Rc<Inner>) -> Option<Self> {
        let taken = inner.to_everybody.get();
        if taken >= TO_EVERYBODY_MAX {
            return None;
        }
        inner.to_everybody.set(taken + 1);
        Some(Self(Rc::clone(inner)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.to_everybody.set(self.0.to_everybody.get().saturating_sub(1));
    }
}
