//! The column `users.wallet` and the table `wallet_ledger`: what players have, and how they came to it.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{Columns, FromRow, Param, Reader, Store, StoreError, Timestamp, Tx, json_object};
use crate::{ids::UserId, params};

/// Entries that an export reads at once.
const BATCH_LEN: usize = 10_000;

/// Amounts by the names of currencies.
pub type Amounts = BTreeMap<String, i64>;

/// A change of one player's wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalletChange {
    pub user: UserId,
    /// What is added; negative where it is taken away.
    pub changes: Amounts,
    /// A JSON object, for the ledger.
    pub metadata: String,
    /// The id of the ledger's entry.
    pub entry: Uuid,
}

/// A wallet before and after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalletResult {
    pub user: UserId,
    pub previous: Amounts,
    pub updated: Amounts,
}

/// An entry of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRecord {
    pub id: Uuid,
    pub user: UserId,
    /// A JSON object of amounts.
    pub changes: String,
    /// A JSON object.
    pub metadata: String,
    pub create_time: Timestamp,
    pub update_time: Timestamp,
}

/// Why wallets were not changed. Nothing is, of any of them.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WalletFailure {
    #[error("wallet update rejected negative value at path '{path}'")]
    Negative { user: UserId, path: String, current: i64, amount: i64 },
    /// The sum is beyond what 64 bits hold.
    #[error("wallet update rejected value out of range at path '{path}'")]
    TooLarge { user: UserId, path: String },
    /// A wallet holds what is no amount.
    #[error("the wallet of {0} cannot be read")]
    Unreadable(UserId),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl FromRow for LedgerRecord {
    fn from_row(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: columns.take()?,
            user: columns.take()?,
            changes: columns.take()?,
            metadata: columns.take()?,
            create_time: columns.take()?,
            update_time: columns.take()?,
        })
    }
}

/// Changes all of the wallets or none; with `ledger`, each change leaves an entry. Changes of players who
/// do not exist are left out of the results.
pub async fn update(
    store: &Store,
    changes: Vec<WalletChange>,
    ledger: bool,
) -> Result<Vec<WalletResult>, WalletFailure> {
    store.write(async move |tx: &mut Tx<'_>| update_in(tx, &changes, ledger).await).await
}

/// The same within a transaction, which must be rolled back on any failure. The rows are locked in the
/// order of their ids.
pub async fn update_in(
    tx: &mut Tx<'_>,
    changes: &[WalletChange],
    ledger: bool,
) -> Result<Vec<WalletResult>, WalletFailure> {
    let users: Vec<UserId> = changes.iter().map(|change| change.user).collect();
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "select id, wallet from users where id {in $1} order by id {for no key update}";
    let found: Vec<(UserId, String)> = tx.all(sql, params![users.as_slice()]).await?;
    let mut wallets: BTreeMap<UserId, Amounts> = BTreeMap::new();
    for (user, wallet) in found {
        let amounts: Option<Amounts> =
            serde_json::from_str(&wallet).map_err(|_| WalletFailure::Unreadable(user))?;
        wallets.insert(user, amounts.unwrap_or_default());
    }
    let mut results = Vec::with_capacity(changes.len());
    let mut entries = Vec::new();
    for change in changes {
        let Some(wallet) = wallets.get_mut(&change.user) else { continue };
        let previous = wallet.clone();
        apply(wallet, change)?;
        let updated = wallet.clone();
        results.push(WalletResult { user: change.user, previous, updated });
        if ledger {
            entries.push((change, json(&change.changes)));
        }
    }
    let changed: Vec<(UserId, String)> =
        wallets.iter().map(|(user, amounts)| (*user, json(amounts))).collect();
    let mut statements: Vec<(&str, Vec<Param<'_>>)> = Vec::new();
    for (user, wallet) in &changed {
        let sql = "update users set update_time = {now}, wallet = $2 where id = $1";
        statements.push((sql, vec![(*user).into(), Param::json(wallet)]));
    }
    for (change, changes) in &entries {
        let sql = "insert into wallet_ledger (id, user_id, changeset, metadata, create_time, \
                   update_time) values ($1, $2, $3, $4, {now}, {now})";
        let values = vec![
            change.entry.into(),
            change.user.into(),
            Param::json(changes),
            Param::json(&change.metadata),
        ];
        statements.push((sql, values));
    }
    tx.pipeline(&statements).await?;
    Ok(results)
}

fn apply(wallet: &mut Amounts, change: &WalletChange) -> Result<(), WalletFailure> {
    let user = change.user;
    for (path, amount) in &change.changes {
        let current = wallet.get(path).copied().unwrap_or_default();
        match current.checked_add(*amount) {
            Some(sum) if sum >= 0 => {
                wallet.insert(path.clone(), sum);
            }
            None if *amount > 0 => {
                return Err(WalletFailure::TooLarge { user, path: path.clone() });
            }
            Some(_) | None => {
                let (path, amount) = (path.clone(), *amount);
                return Err(WalletFailure::Negative { user, path, current, amount });
            }
        }
    }
    Ok(())
}

fn json(amounts: &Amounts) -> String {
    // Texts and integers always have a JSON form.
    serde_json::to_string(amounts).unwrap_or_default()
}

/// Which entries are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerPage {
    /// Only entries after this time.
    pub after: Option<Timestamp>,
    /// Only entries before this time.
    pub before: Option<Timestamp>,
    /// Beyond this entry.
    pub beyond: Option<(Timestamp, Uuid)>,
    /// From old to new, instead of from new to old.
    pub ascending: bool,
}

const ENTRIES: &str = "select id, user_id, changeset, metadata, create_time, update_time \
                       from wallet_ledger where user_id = $1";

/// At most `limit` entries of a player.
pub async fn entries(
    store: &Store,
    user: UserId,
    page: LedgerPage,
    limit: usize,
) -> Result<Vec<LedgerRecord>, StoreError> {
    store
        .scan(async move |reader: &mut Reader<'_>| {
            let LedgerPage { after, before, beyond, ascending } = &page;
            let mut sql = String::from(ENTRIES);
            let mut values =
                vec![user.into(), Param::from(i64::try_from(limit).unwrap_or(i64::MAX))];
            for (time, holds) in [(after, " and create_time > $"), (before, " and create_time < $")]
            {
                if let Some(time) = time {
                    values.push((*time).into());
                    sql.push_str(holds);
                    sql.push_str(&values.len().to_string());
                }
            }
            if let Some((time, id)) = beyond {
                values.extend([(*time).into(), (*id).into()]);
                let (n, side) = (values.len(), if *ascending { '>' } else { '<' });
                let holds = format!(" and (create_time, id) {side} (${}, ${n})", n - 1);
                sql.push_str(&holds);
            }
            sql.push_str(if *ascending {
                " order by create_time, id limit $2"
            } else {
                " order by create_time desc, id desc limit $2"
            });
            reader.all(&sql, &values).await
        })
        .await
}

/// All entries of a player, newest first, for an export.
pub async fn all_entries(store: &Store, user: UserId) -> Result<Vec<LedgerRecord>, StoreError> {
    let mut found: Vec<LedgerRecord> = Vec::new();
    loop {
        let beyond = found.last().map(|last| (last.create_time, last.id));
        let page = LedgerPage { beyond, ..LedgerPage::default() };
        let batch = entries(store, user, page, BATCH_LEN).await?;
        let whole = batch.len() == BATCH_LEN;
        found.extend(batch);
        if !whole {
            return Ok(found);
        }
    }
}

/// Adds to an entry's metadata, of both the names at the top; `None` when there is no such entry. An error
/// where it holds something else than an object, which would be lost.
pub async fn update_metadata(
    store: &Store,
    entry: Uuid,
    added: String,
) -> Result<Option<LedgerRecord>, StoreError> {
    store
        .write(async move |tx: &mut Tx<'_>| {
            let sql = "select metadata from wallet_ledger where id = $1 {for update}";
            let found: Option<(String,)> = tx.optional(sql, params![entry]).await?;
            let Some((metadata,)) = found else { return Ok(None) };
            let metadata = json_object::merged(&metadata, &added)
                .ok_or_else(|| StoreError::statement("metadata of the ledger is no object"))?;
            let sql = "update wallet_ledger set metadata = $2, update_time = {now} where id = $1 \
                       returning id, user_id, changeset, metadata, create_time, update_time";
            tx.optional(sql, params![entry, Param::json(&metadata)]).await
        })
        .await
}

/// Deletes an entry of a player; one that is not there is no error.
pub async fn delete_entry(store: &Store, user: UserId, entry: Uuid) -> Result<(), StoreError> {
    let sql = "delete from wallet_ledger where id = $1 and user_id = $2";
    store.execute(sql, params![entry, user]).await.map(drop)
}
