//! What operators do to accounts beyond what players may.

use std::collections::BTreeMap;

use kakera_proto::{Timestamp, api};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::{AccountError, Accounts, users::shown};
use crate::{
    auth::{rules, sign_in::hash_password},
    cursor,
    ids::UserId,
    store::{
        StoreError,
        users::{
            ProfileChange, USERNAME_UNIQUE,
            administer::{self, AccountChange, ChangeFailure, Filter},
        },
    },
};

/// Accounts that a page lists.
const PAGE_LEN: usize = 50;
const CURSOR: &str = "accounts";

/// What to change; `None` leaves it as it is, and empty removes it where it may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountEdit {
    pub profile: ProfileChange,
    pub custom_id: Option<String>,
    pub email: Option<String>,
    pub password: Option<String>,
    /// A JSON object of amounts, none of them negative.
    pub wallet: Option<String>,
    /// Devices by what becomes of them.
    pub devices: BTreeMap<String, String>,
}

/// Where a page begins.
#[derive(Serialize, Deserialize)]
struct Place {
    after: String,
}

/// A page of accounts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AccountPage {
    pub users: Vec<api::User>,
    /// How many there are in all.
    pub total: i64,
    /// Empty at the end.
    pub cursor: String,
}

impl Accounts {
    /// Changes everything that is named or nothing; an account that does not exist is no error.
    pub async fn edit(&self, user: UserId, edit: AccountEdit) -> Result<(), AccountError> {
        if user == UserId::NIL {
            return Err(AccountError::Invalid("Cannot update the system user."));
        }
        let change = checked(edit).await?;
        if change == AccountChange::default() {
            return Ok(());
        }
        administer::change(&self.store, user, change).await.map_err(|failure| match failure {
            ChangeFailure::Store(StoreError::Unique(name)) => match &*name {
                USERNAME_UNIQUE => AccountError::UsernameTaken,
                _ => AccountError::InUse("The identifier is already in use."),
            },
            ChangeFailure::Store(error) => error.into(),
            refused @ (ChangeFailure::Last(_)
            | ChangeFailure::NoDevice
            | ChangeFailure::NoEmail) => AccountError::Refused(refused.to_string()),
        })
    }

    /// A page of the accounts that an operator looks for: everybody where the filter is empty, the owner
    /// of an id or name, or, with a `%`, whoever has such a name.
    pub async fn find(
        &self,
        filter: &str,
        display_names: bool,
        cursor: &str,
    ) -> Result<AccountPage, AccountError> {
        let everybody = filter.is_empty();
        let wanted = match (everybody, filter.parse()) {
            (true, _) if cursor.is_empty() => None,
            (true, _) => Some(Filter::After(page(cursor)?)),
            (false, Ok(user)) => Some(Filter::Id(user)),
            (false, Err(_)) if filter.contains('%') => {
                Some(Filter::Like { pattern: filter.to_owned(), display_names })
            }
            (false, Err(_)) => Some(Filter::Named { name: filter.to_owned(), display_names }),
        };
        // The first page begins with the system's own account, whose id is the lowest.
        let mut records = match &wanted {
            None => administer::find(&self.store, Filter::Id(UserId::NIL), 1).await?,
            Some(_) => Vec::new(),
        };
        let room = (PAGE_LEN + 1).saturating_sub(records.len());
        let rest = wanted.unwrap_or(Filter::After(UserId::NIL));
        records.extend(administer::find(&self.store, rest, room).await?);
        let more = records.len() > PAGE_LEN;
        records.truncate(PAGE_LEN);
        let next = records
            .last()
            .filter(|_| more && everybody)
            .map(|last| cursor::encode(CURSOR, &Place { after: last.id.to_string() }));
        let online = self.live.online(records.iter().map(|record| record.id).collect()).await;
        let mut online = online.into_iter();
        let users: Vec<_> = records
            .into_iter()
            .map(|record| shown(record, online.next().unwrap_or_default()))
            .collect();
        let total =
            if everybody { administer::count(&self.store).await? } else { users.len() as i64 };
        Ok(AccountPage { users, total, cursor: next.unwrap_or_default() })
    }

    /// What remains of deleted accounts: ids, and when they were deleted as the time of update.
    pub async fn tombstones(&self, filter: &str) -> Result<AccountPage, AccountError> {
        let named = match (filter, filter.parse()) {
            ("", _) => None,
            (_, Ok(user)) => Some(user),
            // Names are not remembered.
            (_, Err(_)) => return Ok(AccountPage::default()),
        };
        let (found, total) = administer::tombstones(&self.store, named, PAGE_LEN).await?;
        let users = found.into_iter().map(|(user, time)| api::User {
            id: user.to_string(),
            update_time: Some(Timestamp { seconds: time.unix_sec(), nanos: 0 }),
            ..api::User::default()
        });
        Ok(AccountPage { users: users.collect(), total, cursor: String::new() })
    }
}

fn page(cursor: &str) -> Result<UserId, AccountError> {
    let bad = || AccountError::Invalid("Malformed cursor was used.");
    let place: Place = cursor::decode(CURSOR, cursor).map_err(|_| bad())?;
    place.after.parse().map_err(|_| bad())
}

async fn checked(edit: AccountEdit) -> Result<AccountChange, AccountError> {
    let AccountEdit { profile, custom_id, email, password, wallet, devices } = edit;
    if let Some(username) = &profile.username {
        if username.is_empty() {
            return Err(AccountError::Invalid("Username cannot be empty."));
        }
        rules::username(username)?;
    }
    if let Some(metadata) = &profile.metadata
        && !is_json_object(metadata)
    {
        return Err(AccountError::Invalid("Metadata must be a valid JSON object."));
    }
    if let Some(id) = custom_id.as_deref().filter(|id| !id.is_empty()) {
        rules::custom_id(id)?;
    }
    if let Some(address) = email.as_deref().filter(|address| !address.is_empty()) {
        rules::email(address)?;
    }
    if let Some(wallet) = &wallet {
        check_wallet(wallet)?;
    }
    for (old, new) in &devices {
        rules::device_id(old)?;
        if !new.is_empty() {
            rules::device_id(new)?;
        }
    }
    let password = match password {
        None => None,
        Some(password) => {
            rules::password(&password)?;
            Some(hash_password(&password).await?.into_bytes())
        }
    };
    let email = email.map(|address| address.to_lowercase());
    Ok(AccountChange { profile, custom_id, email, password, wallet, devices })
}

/// Whether a text is a wallet: an object of amounts, none of them negative.
pub(crate) fn check_wallet(wallet: &str) -> Result<(), AccountError> {
    let amounts: BTreeMap<String, i64> = serde_json::from_str(wallet).map_err(|_| {
        AccountError::Invalid(
            "Wallet must be a valid JSON object with only string keys and integer values.",
        )
    })?;
    match amounts.into_iter().find(|(_, amount)| *amount < 0) {
        Some((path, _)) => {
            Err(AccountError::Refused(format!("Wallet rejected negative value at path '{path}'.")))
        }
        None => Ok(()),
    }
}

pub(crate) fn is_json_object(text: &str) -> bool {
    text.trim_ascii_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wallet_is_an_object_of_amounts() {
        for good in ["{}", "{\"gold\": 0, \"gem\": 9223372036854775807}"] {
            assert!(check_wallet(good).is_ok(), "{good}");
        }
        for bad in ["[]", "{\"gold\": 1.5}", "{\"gold\": \"1\"}", "{\"gold\": 9223372036854775808}"]
        {
            assert!(check_wallet(bad).unwrap_err().to_string().contains("integer values"), "{bad}");
        }
        let negative = check_wallet("{\"gold\": -1}").unwrap_err();
        assert_eq!(negative.to_string(), "Wallet rejected negative value at path 'gold'.");
    }
}
