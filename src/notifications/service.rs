//! Sending: to the store, then to the sessions.

use std::{cell::Cell, rc::Rc, time::Duration};

use hashbrown::HashMap;
use kakera_proto::{
    Timestamp, api,
    realtime::{self, Envelope, envelope::Message},
};
use kakera_shards::{Clock, Counter, Counters, Rng, runtime};
use uuid::Uuid;

use super::{Live, Notice, NotificationError};
use crate::{
    ids::UserId,
    store::{
        Store, StoreError,
        notifications::{self as table, NewNotification},
    },
};

/// Notices that are stored in one write.
pub const BATCH_LEN: usize = 1000;

/// Deliveries to a shard that takes none before the sessions miss the message.
pub const DELIVERY_TRIES: usize = 5;

/// Deliveries in a row before others have their turn.
const DELIVERIES_PER_TURN: usize = 64;

/// Time between two tries.
const DELIVERY_PAUSE: Duration = Duration::from_millis(2);

/// See the module's description. Clones are the same.
#[derive(Clone)]
pub struct Notifications(pub(super) Rc<Inner>);

pub(super) struct Inner {
    pub(super) store: Store,
    pub(super) live: Rc<dyn Live>,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
    /// Notices to everybody that are on their way.
    pub(super) to_everybody: Cell<usize>,
    pub(super) unfinished: Counter,
    stored: Counter,
    delivered: Counter,
    missed: Counter,
}

impl Notifications {
    pub fn new(
        store: Store,
        live: Rc<dyn Live>,
        (clock, rng): (Clock, Rng),
        counters: &Counters,
    ) -> Self {
        Self(Rc::new(Inner {
            store,
            live,
            clock,
            rng,
            to_everybody: Cell::new(0),
            unfinished: counters.counter(
                "notifications_unfinished",
                "Notifications to everybody that the store kept from some.",
            ),
            stored: counters.counter("notifications_stored", "Notifications stored."),
            delivered: counters
                .counter("notifications_delivered", "Notifications sent on to users' sessions."),
            missed: counters.counter(
                "notifications_missed",
                "Notifications that a busy shard kept from users' sessions.",
            ),
        }))
    }

    pub(super) fn store(&self) -> &Store {
        &self.0.store
    }

    /// Stores the persistent ones, then tells the users' sessions of all. Those of one user arrive, and
    /// are listed, in the order given.
    pub async fn send(&self, to: &[(UserId, Notice)]) -> Result<(), NotificationError> {
        for (_, notice) in to {
            notice.check()?;
        }
        for batch in to.chunks(BATCH_LEN) {
            let ids = self.ids(batch.len());
            self.save(batch, &ids).await?;
            self.deliver(batch, &ids).await;
        }
        Ok(())
    }

    /// Random ids that ascend: notices of one time are listed by their ids.
    pub(super) fn ids(&self, count: usize) -> Vec<Uuid> {
        let random = || uuid::Builder::from_random_bytes(self.0.rng.bytes_16()).into_uuid();
        let mut ids: Vec<Uuid> = std::iter::repeat_with(random).take(count).collect();
        ids.sort_unstable();
        ids
    }

    pub(super) async fn save(
        &self,
        batch: &[(UserId, Notice)],
        ids: &[Uuid],
    ) -> Result<(), NotificationError> {
        let rows = batch.iter().zip(ids).filter(|((_, notice), _)| notice.persistent);
        let rows = rows.map(|((user, notice), id)| {
            let code = i16::try_from(notice.code).map_err(|_| NotificationError::Code)?;
            Ok(NewNotification {
                id: *id,
                user: *user,
                subject: notice.subject.clone(),
                content: notice.content.clone(),
                code,
                sender: notice.sender.unwrap_or(UserId::NIL),
            })
        });
        let rows: Vec<_> = rows.collect::<Result<_, NotificationError>>()?;
        if rows.is_empty() {
            return Ok(());
        }
        let count = rows.len() as u64;
        match table::insert(&self.0.store, rows).await {
            Ok(()) => {
                self.0.stored.add(count);
                Ok(())
            }
            Err(StoreError::ForeignKey(_)) => Err(NotificationError::UnknownUser),
            Err(error) => Err(error.into()),
        }
    }

    /// One envelope to each user, with all that is for that user.
    pub(super) async fn deliver(&self, batch: &[(UserId, Notice)], ids: &[Uuid]) {
        let now_sec = self.0.clock.unix_sec();
        let mut by_user: Vec<(UserId, Vec<(Uuid, &Notice)>)> = Vec::with_capacity(batch.len());
        let mut places: HashMap<UserId, usize> = HashMap::with_capacity(batch.len());
        for ((user, notice), id) in batch.iter().zip(ids) {
            let place = *places.entry(*user).or_insert(by_user.len());
            match by_user.get_mut(place) {
                Some((_, notices)) => notices.push((*id, notice)),
                None => by_user.push((*user, vec![(*id, notice)])),
            }
        }
        for (index, (user, notices)) in by_user.into_iter().enumerate() {
            if index % DELIVERIES_PER_TURN == DELIVERIES_PER_TURN - 1 {
                runtime::yield_now().await;
            }
            let count = notices.len() as u64;
            if self.try_deliver(user, || envelope(&notices, now_sec)).await {
                self.0.delivered.add(count);
            } else {
                self.0.missed.add(count);
            }
        }
    }

    async fn try_deliver(&self, user: UserId, envelope: impl Fn() -> Envelope) -> bool {
        for tried in 1..=DELIVERY_TRIES {
            if self.0.live.deliver(user, envelope()).is_ok() {
                return true;
            }
            if tried < DELIVERY_TRIES {
                runtime::sleep(DELIVERY_PAUSE).await;
            }
        }
        false
    }
}

pub(super) fn envelope(notices: &[(Uuid, &Notice)], now_sec: i64) -> Envelope {
    let notifications = notices.iter().map(|(id, notice)| api::Notification {
        id: id.to_string(),
        subject: notice.subject.clone(),
        content: notice.content.clone(),
        code: notice.code,
        // The server itself is the nil user to live clients, and nobody in a list.
        sender_id: notice.sender.unwrap_or(UserId::NIL).to_string(),
        create_time: Some(Timestamp { seconds: now_sec, nanos: 0 }),
        persistent: notice.persistent,
    });
    let notifications = realtime::Notifications { notifications: notifications.collect() };
    Envelope { cid: String::new(), message: Some(Message::Notifications(notifications)) }
}
