//! Players' accounts, as operators see and change them.

use kakera_proto::console;

use super::{Console, Operator};
use crate::{error::Error, ids::UserId};

impl Console {
    pub(super) async fn get_account(
        &self,
        _: &Operator,
        request: &console::AccountId,
    ) -> Result<console::Account, Error> {
        let user = requested(&request.id)?;
        let account = self.services.accounts.get(user).await?;
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
}

/// The user that a request names.
pub(super) fn requested(id: &str) -> Result<UserId, Error> {
    id.parse().map_err(|_| Error::invalid("Requires a valid user ID."))
}
