//! The store's side of chat: what is kept of a message, and who may read it.

use kakera_proto::api;

use super::{ChatError, Deed, Draft, HistoryError, Listing, draft::written, listing::Page};
use crate::{
    ids::{GroupId, StreamId, StreamMode, UserId},
    store::{Reader, Store, StoreError, messages, relations},
};

/// Pages up to this long are read on the shard itself, longer ones apart from it.
const SHORT_PAGE_LEN: usize = 20;

/// The histories of channels. Stateless; clones are the same.
#[derive(Clone)]
pub struct History {
    store: Store,
}

impl History {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Whether the store has a say in this draft before it is published.
    pub fn concerns(draft: &Draft) -> bool {
        draft.persistent || draft.stream.mode == StreamMode::GROUP
    }

    /// Keeps what is meant for the history, and makes sure that who writes to a group is its member. The
    /// draft comes back when that is durable, with the times that the history has.
    pub async fn keep(&self, mut draft: Draft) -> Result<Draft, ChatError> {
        let deed = draft.deed;
        let failed = |error: StoreError| {
            if let StoreError::Check(_) = error {
                return ChatError::Content;
            }
            tracing::error!(%error, "A channel message could not be kept.");
            ChatError::NotKept(deed)
        };
        let changes = draft.persistent && deed != Deed::Send;
        if self.kept(&mut draft).await.map_err(failed)? {
            Ok(draft)
        } else if changes && self.is_writer(&draft).await.map_err(failed)? {
            Err(ChatError::NoMessage(deed))
        } else {
            Err(ChatError::NotJoined(deed))
        }
    }

    /// False where nothing was kept, because the sender may not write or there is no such message.
    async fn kept(&self, draft: &mut Draft) -> Result<bool, StoreError> {
        if !draft.persistent {
            return self.is_writer(draft).await;
        }
        let Draft { stream, deed, message, .. } = draft;
        match deed {
            Deed::Send => messages::insert(&self.store, stream, message).await,
            Deed::Update => {
                let created = messages::update(&self.store, stream, message).await?;
                message.create_time = created.unwrap_or(message.create_time);
                Ok(created.is_some())
            }
            Deed::Remove => {
                let (id, sender) = (message.id, message.sender);
                let times = messages::remove(&self.store, stream, id, sender).await?;
                if let Some((created, updated)) = times {
                    (message.create_time, message.update_time) = (created, updated);
                }
                Ok(times.is_some())
            }
        }
    }

    async fn is_writer(&self, draft: &Draft) -> Result<bool, StoreError> {
        if draft.stream.mode != StreamMode::GROUP {
            return Ok(true);
        }
        let (group, sender) = (GroupId(draft.stream.subject), draft.message.sender);
        let ask =
            async move |reader: &mut Reader<'_>| relations::is_member(reader, group, sender).await;
        self.store.read(ask).await
    }

    /// A page of a channel's history, as far as `caller` may read it.
    pub async fn list(
        &self,
        caller: UserId,
        listing: Listing,
    ) -> Result<api::ChannelMessageList, HistoryError> {
        let page = Page::of(&listing)?;
        let (stream, from, ascending) = (page.stream.clone(), page.from, page.ascending());
        let rows_max = page.limit as i64 + 1; // One more tells whether there are more.
        let steps = async move |reader: &mut Reader<'_>| {
            may_read(reader, &stream, caller).await?;
            Ok(messages::page(reader, &stream, from, ascending, rows_max).await?)
        };
        let found: Result<_, HistoryError> = if page.limit <= SHORT_PAGE_LEN {
            self.store.read(steps).await
        } else {
            self.store.scan(steps).await
        };
        Ok(page.written(found?))
    }

    /// Everything that a user has sent and that is kept, for the export of its account.
    pub async fn sent_by(&self, user: UserId) -> Result<Vec<api::ChannelMessage>, StoreError> {
        let ask = async move |reader: &mut Reader<'_>| messages::of_sender(reader, user).await;
        let sent: Vec<_> = self.store.scan(ask).await?;
        Ok(sent.into_iter().map(|(stream, message)| written(&stream, true, message)).collect())
    }
}

async fn may_read(
    reader: &mut Reader<'_>,
    stream: &StreamId,
    caller: UserId,
) -> Result<(), HistoryError> {
    match stream.mode {
        StreamMode::GROUP => {
            let member = relations::is_member(reader, GroupId(stream.subject), caller).await?;
            if member { Ok(()) } else { Err(HistoryError::GroupNotFound) }
        }
        StreamMode::DIRECT if stream.subject != caller.0 && stream.subcontext != caller.0 => {
            Err(HistoryError::ChannelNotFound)
        }
        // Rooms are open.
        _ => Ok(()),
    }
}
