//! Several kinds of change in one transaction: accounts, storage objects and wallets, all or none.
//!
//! Scripts reach it once they run. The server's authority applies: permissions of objects do not bind
//! it, conditions do.

use kakera_proto::api;

use crate::{
    accounts::{AccountError, Accounts},
    error::Error,
    ids::UserId,
    storage::{Authority, ObjectDelete, ObjectDraft, ObjectId, StorageError, acknowledged},
    store::{
        Store, StoreError, Tx,
        storage::{self, StorageFailure},
        users::{ProfileChange, USERNAME_UNIQUE, profiles},
        wallet::{self, WalletFailure},
    },
    wallet::{WalletError, WalletResult, WalletUpdate, Wallets},
};

/// What is to be done, in this order.
#[derive(Clone, Debug, Default)]
pub struct MultiUpdate {
    pub accounts: Vec<(UserId, ProfileChange)>,
    pub writes: Vec<ObjectDraft>,
    pub deletes: Vec<ObjectDelete>,
    pub wallets: Vec<WalletUpdate>,
    /// Whether changes of wallets leave entries in the ledger.
    pub ledger: bool,
}

/// What was done: one acknowledgement a write, one result a wallet's update.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MultiResult {
    pub acks: Vec<api::StorageObjectAck>,
    pub wallets: Vec<WalletResult>,
}

/// Why nothing was done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MultiError {
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Wallet(#[from] WalletError),
}

impl From<MultiError> for Error {
    fn from(error: MultiError) -> Self {
        match error {
            MultiError::Account(error) => error.into(),
            MultiError::Storage(error) => error.into(),
            MultiError::Wallet(error) => error.into(),
        }
    }
}

/// A failure inside the transaction, by the part that it belongs to.
enum Failure {
    Account(StoreError),
    Storage(StorageFailure),
    Wallet(WalletFailure),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        // A failure of the transaction itself belongs to no part.
        Self::Account(error)
    }
}

impl From<Failure> for MultiError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Account(error) if error.is_unique(USERNAME_UNIQUE) => {
                AccountError::UsernameTaken.into()
            }
            Failure::Account(error) => AccountError::from(error).into(),
            Failure::Storage(failure) => StorageError::from(failure).into(),
            Failure::Wallet(failure) => WalletError::from(failure).into(),
        }
    }
}

/// Does everything or nothing.
pub async fn multi_update(
    store: &Store,
    wallets: &Wallets,
    update: MultiUpdate,
) -> Result<MultiResult, MultiError> {
    let MultiUpdate { accounts, writes, deletes, wallets: updates, ledger } = update;
    for (_, change) in &accounts {
        Accounts::check(change)?;
    }
    let writes: Vec<_> =
        writes.into_iter().map(ObjectDraft::checked).collect::<Result<_, StorageError>>()?;
    let ids: Vec<ObjectId> = writes.iter().map(|write| write.id.clone()).collect();
    let changes = wallets.changes(updates)?;
    let steps = async move |tx: &mut Tx<'_>| {
        let by = Authority::Server;
        // Accounts are locked in the order of their ids, as wallets are.
        let mut accounts: Vec<_> = accounts.iter().collect();
        accounts.sort_by_key(|(user, _)| *user);
        for (user, change) in accounts {
            profiles::change_in(tx, *user, change).await.map_err(Failure::Account)?;
        }
        let acks = storage::write_in(tx, by, &writes).await.map_err(Failure::Storage)?;
        storage::delete_in(tx, by, &deletes).await.map_err(Failure::Storage)?;
        let wallets = wallet::update_in(tx, &changes, ledger).await.map_err(Failure::Wallet)?;
        Ok::<_, Failure>((acks, wallets))
    };
    let (acks, wallets) = store.write(steps).await?;
    let acks = ids.into_iter().zip(acks).map(|(id, ack)| acknowledged(id, ack)).collect();
    Ok(MultiResult { acks, wallets })
}
