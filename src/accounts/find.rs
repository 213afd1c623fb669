//! Accounts as operators look for them.

use kakera_proto::{Timestamp, api};
use serde::{Deserialize, Serialize};

use super::{AccountError, Accounts, users::shown};
use crate::{
    cursor,
    ids::UserId,
    store::{
        size::{self, Table},
        users::{
            UserRecord,
            find::{self, Filter},
        },
    },
};

/// Accounts that a page lists.
const PAGE_LEN: usize = 50;
/// Letters that a pattern has to hold.
const PATTERN_PART_MIN: usize = 3;
const CURSOR: &str = "accounts";

/// Where a page begins.
#[derive(Serialize, Deserialize)]
struct Place {
    after: String,
}

/// A page of accounts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AccountPage {
    pub users: Vec<api::User>,
    /// About how many there are in all, whatever is looked for.
    pub total: i64,
    /// Empty at the end.
    pub cursor: String,
}

impl Accounts {
    /// A page of the accounts that an operator looks for: everybody where the filter is empty; else all
    /// whom an identifier, an id or a part of a display name fits, and with a `%` at either end those with
    /// such a username, up to the length of a page.
    pub async fn find(
        &self,
        filter: &str,
        display_names: bool,
        cursor: &str,
    ) -> Result<AccountPage, AccountError> {
        let (records, next) = if filter.is_empty() {
            self.everybody(cursor).await?
        } else {
            let name = filter.to_owned();
            let named = Filter::Named { name, display_names };
            let mut records = find::find(&self.store, named, PAGE_LEN).await?;
            let room = PAGE_LEN.saturating_sub(records.len());
            if is_pattern(filter) && room > 0 {
                let like = find::find(&self.store, Filter::Like(filter.to_owned()), room).await?;
                let known: Vec<UserId> = records.iter().map(|record| record.id).collect();
                records.extend(like.into_iter().filter(|record| !known.contains(&record.id)));
            }
            (records, String::new())
        };
        let online = self.live.online(records.iter().map(|record| record.id).collect()).await;
        let mut online = online.into_iter();
        let users = records
            .into_iter()
            .map(|record| shown(record, online.next().unwrap_or_default()))
            .collect();
        let total = size::about(&self.store, Table::Users).await;
        Ok(AccountPage { users, total, cursor: next })
    }

    /// A page in the order of ids, and the cursor of the next.
    async fn everybody(&self, cursor: &str) -> Result<(Vec<UserRecord>, String), AccountError> {
        // The first page begins with the system's own account, whose id is the lowest.
        let (mut records, after) = if cursor.is_empty() {
            (find::find(&self.store, Filter::Id(UserId::NIL), 1).await?, UserId::NIL)
        } else {
            (Vec::new(), page(cursor)?)
        };
        let room = (PAGE_LEN + 1).saturating_sub(records.len());
        records.extend(find::find(&self.store, Filter::After(after), room).await?);
        let more = records.len() > PAGE_LEN;
        records.truncate(PAGE_LEN);
        let last = records.last().filter(|_| more);
        let next = last.map(|last| cursor::encode(CURSOR, &Place { after: last.id.to_string() }));
        Ok((records, next.unwrap_or_default()))
    }

    /// What remains of deleted accounts: ids, and when they were deleted as the time of update.
    pub async fn tombstones(&self, filter: &str) -> Result<AccountPage, AccountError> {
        let named = match (filter, filter.parse()) {
            ("", _) => None,
            (_, Ok(user)) => Some(user),
            // Names are not remembered.
            (_, Err(_)) => return Ok(AccountPage::default()),
        };
        let found = find::tombstones(&self.store, named, PAGE_LEN).await?;
        let total = match named {
            Some(_) => found.len() as i64,
            None => size::about(&self.store, Table::Tombstones).await,
        };
        let users = found.into_iter().map(|(user, time)| api::User {
            id: user.to_string(),
            update_time: Some(Timestamp { seconds: time.unix_sec(), nanos: 0 }),
            ..api::User::default()
        });
        Ok(AccountPage { users: users.collect(), total, cursor: String::new() })
    }
}

/// Whether a filter is a pattern: one that names something, with a `%` at an end or at both.
fn is_pattern(filter: &str) -> bool {
    let named = filter.strip_prefix('%').unwrap_or(filter);
    let named = named.strip_suffix('%').unwrap_or(named);
    named.len() < filter.len() && !named.contains('%') && named.chars().count() >= PATTERN_PART_MIN
}

fn page(cursor: &str) -> Result<UserId, AccountError> {
    let bad = || AccountError::Invalid("Malformed cursor was used.");
    let place: Place = cursor::decode(CURSOR, cursor).map_err(|_| bad())?;
    place.after.parse().map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_holds_three_letters_and_is_open_at_an_end() {
        for good in ["abc%", "%abc", "%abc%", "%äöü%"] {
            assert!(is_pattern(good), "{good}");
        }
        for bad in ["", "%", "abc", "ab%", "%ab%", "a%bc%", "%%abc"] {
            assert!(!is_pattern(bad), "{bad}");
        }
    }
}
