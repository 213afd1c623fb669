//! Wallets: amounts of the game's currencies that players have, and the ledger of their changes.
//!
//! Stateless services over the store. A set of changes happens as a whole or not at all, no amount falls
//! below zero, and amounts are 64-bit integers. Only scripts and the console change wallets.
//!
//! *Bounds*: a page of the ledger holds [`LEDGER_LIMIT_MAX`] entries.

mod error;
mod ledger;
mod service;

pub use error::WalletError;
pub use ledger::{LEDGER_LIMIT_MAX, LedgerEntries, LedgerFilter};
pub use service::{WalletUpdate, Wallets};

pub use crate::store::wallet::{Amounts, LedgerRecord, WalletResult};
