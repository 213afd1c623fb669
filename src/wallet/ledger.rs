//! The history of wallets.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{LedgerRecord, WalletError, Wallets, service::is_json_object};
use crate::{
    cursor,
    ids::UserId,
    store::{
        Timestamp,
        wallet::{self, LedgerPage},
    },
};

/// Entries that a page may list.
pub const LEDGER_LIMIT_MAX: usize = 100;

const CURSOR: &str = "wallet ledger";

/// Times between which entries are listed, both left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerFilter {
    pub after: Option<Timestamp>,
    pub before: Option<Timestamp>,
}

/// A page of the ledger, newest first, and the cursors of its neighbours; an empty one where there is
/// none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerEntries {
    pub entries: Vec<LedgerRecord>,
    pub next_cursor: String,
    pub prev_cursor: String,
}

#[derive(Serialize, Deserialize)]
struct Place {
    user: String,
    time: i64,
    entry: String,
    /// Towards newer entries.
    back: bool,
    after: Option<i64>,
    before: Option<i64>,
}

impl Wallets {
    /// A page of a player's entries. A cursor holds for the player and the filter that it was given for.
    pub async fn ledger(
        &self,
        user: UserId,
        filter: LedgerFilter,
        limit: usize,
        cursor: &str,
    ) -> Result<LedgerEntries, WalletError> {
        let micros = |time: Option<Timestamp>| time.map(|time| time.0);
        let from = match cursor {
            "" => None,
            cursor => {
                let place: Place =
                    cursor::decode(CURSOR, cursor).map_err(|_| WalletError::BadCursor)?;
                let same = place.user == user.to_string()
                    && place.after == micros(filter.after)
                    && place.before == micros(filter.before);
                let entry = Uuid::parse_str(&place.entry).map_err(|_| WalletError::BadCursor)?;
                if !same {
                    return Err(WalletError::BadCursor);
                }
                Some((Timestamp(place.time), entry, place.back))
            }
        };
        let back = from.is_some_and(|(.., back)| back);
        let page = LedgerPage {
            after: filter.after,
            before: filter.before,
            beyond: from.map(|(time, entry, _)| (time, entry)),
            ascending: back,
        };
        let wanted = limit.saturating_add(1);
        let mut entries = wallet::entries(&self.store, user, page, wanted).await?;
        let more = entries.len() > limit;
        entries.truncate(limit);
        if back {
            entries.reverse();
        }
        let place = |entry: Option<&LedgerRecord>, back: bool| {
            let Some(entry) = entry else { return String::new() };
            let place = Place {
                user: user.to_string(),
                time: entry.create_time.0,
                entry: entry.id.to_string(),
                back,
                after: micros(filter.after),
                before: micros(filter.before),
            };
            cursor::encode(CURSOR, &place)
        };
        // Whoever came by a cursor has left a page behind on that side.
        let (older, newer) = if back { (true, more) } else { (more, from.is_some()) };
        let next_cursor = place(entries.last().filter(|_| older), false);
        let prev_cursor = place(entries.first().filter(|_| newer), true);
        Ok(LedgerEntries { entries, next_cursor, prev_cursor })
    }

    /// All entries of a player, newest first: for the export of its account.
    pub async fn all_of(&self, user: UserId) -> Result<Vec<LedgerRecord>, WalletError> {
        Ok(wallet::all_entries(&self.store, user).await?)
    }

    /// Adds to an entry's metadata, a JSON object; names that are there already are replaced. Yields the
    /// entry with what was added alone, as the protocol has it.
    pub async fn update_ledger(
        &self,
        entry: Uuid,
        metadata: &str,
    ) -> Result<LedgerRecord, WalletError> {
        if !is_json_object(metadata) {
            return Err(WalletError::Invalid("Metadata must be a JSON object."));
        }
        let record = wallet::update_metadata(&self.store, entry, metadata.to_owned()).await?;
        let record = record.ok_or(WalletError::NoEntry)?;
        Ok(LedgerRecord { metadata: metadata.to_owned(), ..record })
    }

    /// Deletes an entry of a player; one that is not there is no error.
    pub async fn delete_ledger(&self, user: UserId, entry: Uuid) -> Result<(), WalletError> {
        Ok(wallet::delete_entry(&self.store, user, entry).await?)
    }
}
