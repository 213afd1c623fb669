//! What operators do to accounts beyond what players may.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;

use super::{AccountError, Accounts};
use crate::{
    auth::{rules, sign_in::hash_password},
    ids::UserId,
    store::{
        StoreError,
        users::{
            ProfileChange, USERNAME_UNIQUE,
            administer::{self, AccountChange, ChangeFailure},
        },
    },
};

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
}

async fn checked(edit: AccountEdit) -> Result<AccountChange, AccountError> {
    let AccountEdit { profile, custom_id, email, password, wallet, devices } = edit;
    if let Some(username) = &profile.username {
        if username.is_empty() {
            return Err(AccountError::Invalid("Username cannot be empty."));
        }
        if username.bytes().any(|byte| byte.is_ascii_control()) {
            let why = "Username cannot contain spaces or control characters.";
            return Err(AccountError::Invalid(why));
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
    if let Some(password) = &password {
        rules::password(password)?;
    }
    if let Some(wallet) = &wallet {
        check_wallet(wallet)?;
    }
    for (old, new) in &devices {
        device_id("Old", old)?;
        if !new.is_empty() {
            device_id("New", new)?;
        }
    }
    let password = match password {
        None => None,
        Some(password) => Some(hash_password(&password).await?.into_bytes()),
    };
    let email = email.as_deref().map(rules::in_lower_case);
    Ok(AccountChange { profile, custom_id, email, password, wallet, devices })
}

fn device_id(which: &str, id: &str) -> Result<(), AccountError> {
    match rules::device_id(id) {
        Ok(()) => Ok(()),
        Err(_) if id.bytes().any(|byte| byte.is_ascii_control() || byte == b' ') => {
            let why = "device ID invalid, no spaces or control characters allowed.";
            Err(AccountError::Refused(format!("{which} {why}")))
        }
        Err(_) => {
            let why = "device ID invalid, must be 10-128 bytes.";
            Err(AccountError::Refused(format!("{which} {why}")))
        }
    }
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
