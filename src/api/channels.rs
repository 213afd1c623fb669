//! The histories of channels.

use kakera_proto::api;

use super::{Api, Context};
use crate::{chat::Listing, error::Error};

impl Api {
    pub(super) async fn list_channel_messages(
        &self,
        context: &Context,
        request: &api::ListChannelMessagesRequest,
    ) -> Result<api::ChannelMessageList, Error> {
        let caller = context.player()?.user_id;
        let listing = Listing {
            channel_id: request.channel_id.clone(),
            limit: request.limit,
            forward: request.forward,
            cursor: request.cursor.clone(),
        };
        Ok(self.services.history.list(caller, listing).await?)
    }
}
