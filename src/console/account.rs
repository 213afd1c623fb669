//! Players' accounts, as operators see and change them.

use kakera_proto::{api, console};

use super::{Console, Operator, wallet::entry};
use crate::{
    accounts::{AccountEdit, Held},
    error::Error,
    ids::UserId,
    store::users::{ExternalId, ProfileChange},
};

impl Console {
    pub(super) async fn get_account(
        &self,
        _: &Operator,
        request: &console::AccountId,
    ) -> Result<console::Account, Error> {
        let user = requested(&request.id)?;
        let mut account = self.services.accounts.get(user).await?;
        account.user = account.user.map(harmless);
        let disable_time = account.disable_time;
        Ok(console::Account { account: Some(account), disable_time })
    }

    pub(super) async fn ban_account(
        &self,
        _: &Operator,
        request: &console::AccountId,
    ) -> Result<(), Error> {
        Ok(self.services.accounts.ban(vec![requested(&request.id)?]).await?)
    }

    pub(super) async fn unban_account(
        &self,
        _: &Operator,
        request: &console::AccountId,
    ) -> Result<(), Error> {
        Ok(self.services.accounts.unban(&[requested(&request.id)?]).await?)
    }

    pub(super) async fn delete_account(
        &self,
        _: &Operator,
        request: &console::AccountDeleteRequest,
    ) -> Result<(), Error> {
        let user = requested(&request.id)?;
        if user == UserId::NIL {
            return Err(Error::invalid("Cannot delete the system user."));
        }
        let tombstone = request.record_deletion.unwrap_or_default();
        Ok(self.services.accounts.delete(user, tombstone).await?)
    }

    pub(super) async fn update_account(
        &self,
        _: &Operator,
        request: &console::UpdateAccountRequest,
    ) -> Result<(), Error> {
        let user = requested(&request.id)?;
        let set = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let edit = AccountEdit {
            profile: ProfileChange {
                username: request.username.clone(),
                display_name: request.display_name.clone(),
                timezone: request.timezone.clone(),
                location: request.location.clone(),
                lang_tag: request.lang_tag.clone(),
                avatar_url: request.avatar_url.clone(),
                metadata: set(&request.metadata),
            },
            custom_id: request.custom_id.clone(),
            email: request.email.clone(),
            password: request.password.clone(),
            wallet: set(&request.wallet),
            devices: request.device_ids.clone().into_iter().collect(),
        };
        Ok(self.services.accounts.edit(user, edit).await?)
    }

    pub(super) async fn list_accounts(
        &self,
        _: &Operator,
        request: &console::ListAccountsRequest,
    ) -> Result<console::AccountList, Error> {
        let accounts = &self.services.accounts;
        let page = if request.tombstones {
            accounts.tombstones(&request.filter).await?
        } else {
            let display_names = self.settings.display_names;
            accounts.find(&request.filter, display_names, &request.cursor).await?
        };
        let total_count = i32::try_from(page.total).unwrap_or(i32::MAX);
        let users = page.users.into_iter().map(harmless).collect();
        Ok(console::AccountList { users, total_count, next_cursor: page.cursor })
    }

    pub(super) async fn export_account(
        &self,
        _: &Operator,
        request: &console::AccountId,
    ) -> Result<console::AccountExport, Error> {
        let user = requested(&request.id)?;
        let services = &self.services;
        Ok(console::AccountExport {
            account: Some(services.accounts.get(user).await?),
            objects: services.storage.all_of(user).await?,
            friends: services.friends.all_of(user).await?,
            groups: services.groups.all_of(user).await?,
            messages: services.history.sent_by(user).await?,
            leaderboard_records: services.leaderboards.all_of_owner(user).await?,
            notifications: services.notifications.kept_for(user).await?,
            wallet_ledgers: services.wallets.all_of(user).await?.into_iter().map(entry).collect(),
        })
    }

    pub(super) async fn import_account(
        &self,
        _: &Operator,
        request: &console::AccountImport,
    ) -> Result<(), Error> {
        let user = requested(&request.id)?;
        self.services.accounts.import(Some(user), import_data(request)?).await?;
        Ok(())
    }

    pub(super) async fn import_account_full(
        &self,
        operator: &Operator,
        request: &console::AccountImport,
    ) -> Result<console::Account, Error> {
        let user = self.services.accounts.import(None, import_data(request)?).await?;
        let id = user.to_string();
        self.get_account(operator, &console::AccountId { id }).await
    }

    pub(super) async fn unlink_device(
        &self,
        _: &Operator,
        request: &console::UnlinkDeviceRequest,
    ) -> Result<(), Error> {
        self.unlink(&request.id, Held::Device(&request.device_id)).await
    }

    pub(super) async fn unlink_email(
        &self,
        _: &Operator,
        request: &console::AccountId,
    ) -> Result<(), Error> {
        self.unlink(&request.id, Held::Email).await
    }

    pub(super) async fn unlink_custom(
        &self,
        _: &Operator,
        request: &console::AccountId,
    ) -> Result<(), Error> {
        self.unlink(&request.id, Held::External(ExternalId::Custom)).await
    }

    pub(super) async fn unlink_apple(
        &self,
        _: &Operator,
        request: &console::AccountId,
    ) -> Result<(), Error> {
        self.unlink(&request.id, Held::External(ExternalId::Apple)).await
    }

    pub(super) async fn unlink_facebook(
        &self,
        _: &Operator,
        request: &console::AccountId,
    ) -> Result<(), Error> {
        self.unlink(&request.id, Held::External(ExternalId::Facebook)).await
    }

    pub(super) async fn unlink_facebook_instant_game(
        &self,
        _: &Operator,
        request: &console::AccountId,
    ) -> Result<(), Error> {
        self.unlink(&request.id, Held::External(ExternalId::FacebookInstantGame)).await
    }

    pub(super) async fn unlink_game_center(
        &self,
        _: &Operator,
        request: &console::AccountId,
    ) -> Result<(), Error> {
        self.unlink(&request.id, Held::External(ExternalId::GameCenter)).await
    }

    pub(super) async fn unlink_google(
        &self,
        _: &Operator,
        request: &console::AccountId,
    ) -> Result<(), Error> {
        self.unlink(&request.id, Held::External(ExternalId::Google)).await
    }

    pub(super) async fn unlink_steam(
        &self,
        _: &Operator,
        request: &console::AccountId,
    ) -> Result<(), Error> {
        self.unlink(&request.id, Held::External(ExternalId::Steam)).await
    }

    async fn unlink(&self, id: &str, held: Held<'_>) -> Result<(), Error> {
        Ok(self.services.accounts.unlink_held(requested(id)?, held).await?)
    }
}

/// What players write of themselves, as a page may show it.
fn harmless(mut user: api::User) -> api::User {
    for text in [
        &mut user.display_name,
        &mut user.avatar_url,
        &mut user.lang_tag,
        &mut user.location,
        &mut user.timezone,
    ] {
        if text.contains(['&', '\'', '<', '>', '"']) {
            *text = escaped(text);
        }
    }
    user
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '\'' => out.push_str("&#39;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            other => out.push(other),
        }
    }
    out
}

fn import_data(request: &console::AccountImport) -> Result<&console::AccountExport, Error> {
    request.data.as_ref().ok_or_else(|| Error::invalid("An import needs an account."))
}

/// The user that a request names.
pub(super) fn requested(id: &str) -> Result<UserId, Error> {
    id.parse().map_err(|_| Error::invalid("Requires a valid user ID."))
}
