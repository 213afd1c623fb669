//! Changing wallets.

use kakera_shards::Rng;
use serde::de::IgnoredAny;
use uuid::Uuid;

use super::{Amounts, WalletError, WalletResult};
use crate::{
    ids::UserId,
    store::{
        Store,
        wallet::{self, WalletChange},
    },
};

/// What is to be added to one player's wallet, and taken away where it is negative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalletUpdate {
    pub user: UserId,
    pub changes: Amounts,
    /// A JSON object, which the ledger keeps.
    pub metadata: String,
}

/// The wallets of one shard. Cheap to clone.
#[derive(Clone)]
pub struct Wallets {
    pub(super) store: Store,
    rng: Rng,
}

impl Wallets {
    pub fn new(store: Store, rng: Rng) -> Self {
        Self { store, rng }
    }

    /// Changes all of the wallets or none; with `ledger`, each change leaves an entry there. Players who
    /// do not exist are left out. The results are in the order of the updates, and of several updates of
    /// one player each begins where the one before it ended.
    pub async fn update(
        &self,
        updates: Vec<WalletUpdate>,
        ledger: bool,
    ) -> Result<Vec<WalletResult>, WalletError> {
        if updates.is_empty() {
            return Ok(Vec::new());
        }
        let changes = self.changes(updates)?;
        Ok(wallet::update(&self.store, changes, ledger).await?)
    }

    /// The updates as the store takes them, each with the id of its entry.
    pub(crate) fn changes(
        &self,
        updates: Vec<WalletUpdate>,
    ) -> Result<Vec<WalletChange>, WalletError> {
        let change = |update: WalletUpdate| {
            let WalletUpdate { user, changes, metadata } = update;
            if !is_json_object(&metadata) {
                return Err(WalletError::Invalid("Metadata must be a JSON object."));
            }
            Ok(WalletChange { user, changes, metadata, entry: self.entry_id() })
        };
        updates.into_iter().map(change).collect()
    }

    fn entry_id(&self) -> Uuid {
        let random = self.rng.bytes_16();
        uuid::Builder::from_random_bytes(random).into_uuid()
    }
}

pub(super) fn is_json_object(text: &str) -> bool {
    text.trim_ascii_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok()
}
