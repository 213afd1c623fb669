//! Other people's accounts.

use kakera_proto::api;

use super::{AccountError, Accounts, account::seconds};
use crate::{
    ids::UserId,
    store::users::{UserRecord, profiles},
};

impl Accounts {
    /// The accounts that any of the lists names, each once; unknown ones are left out.
    pub async fn users(
        &self,
        ids: Vec<String>,
        usernames: Vec<String>,
        facebook_ids: Vec<String>,
    ) -> Result<Vec<api::User>, AccountError> {
        if ids.is_empty() && usernames.is_empty() && facebook_ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids = ids
            .into_iter()
            .map(|id| id.parse().map_err(|_| AccountError::InvalidId(id)))
            .collect::<Result<Vec<UserId>, _>>()?;
        let records = profiles::users(&self.store, ids, usernames, facebook_ids).await?;
        let online = self.live.online(records.iter().map(|record| record.id).collect()).await;
        let mut online = online.into_iter();
        Ok(records
            .into_iter()
            .map(|record| shown(record, online.next().unwrap_or_default()))
            .collect())
    }
}

/// What anybody sees of an account.
pub(crate) fn shown(record: UserRecord, online: bool) -> api::User {
    let UserRecord {
        id,
        username,
        display_name,
        avatar_url,
        lang_tag,
        location,
        timezone,
        metadata,
        apple_id,
        facebook_id,
        facebook_instant_game_id,
        google_id,
        gamecenter_id,
        steam_id,
        edge_count,
        create_time,
        update_time,
    } = record;
    api::User {
        id: id.to_string(),
        username,
        display_name: display_name.unwrap_or_default(),
        avatar_url: avatar_url.unwrap_or_default(),
        lang_tag,
        location: location.unwrap_or_default(),
        timezone: timezone.unwrap_or_default(),
        metadata,
        facebook_id: facebook_id.unwrap_or_default(),
        google_id: google_id.unwrap_or_default(),
        gamecenter_id: gamecenter_id.unwrap_or_default(),
        steam_id: steam_id.unwrap_or_default(),
        online,
        edge_count,
        create_time: Some(seconds(create_time)),
        update_time: Some(seconds(update_time)),
        facebook_instant_game_id: facebook_instant_game_id.unwrap_or_default(),
        apple_id: apple_id.unwrap_or_default(),
    }
}
