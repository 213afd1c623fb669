//! The ledger of players' wallets, as operators see it.

use kakera_proto::{Timestamp, console};
use uuid::Uuid;

use super::{Console, Operator, account::requested};
use crate::{
    error::Error,
    store,
    wallet::{LEDGER_LIMIT_MAX, LedgerFilter, LedgerRecord},
};

impl Console {
    pub(super) async fn get_wallet_ledger(
        &self,
        _: &Operator,
        request: &console::GetWalletLedgerRequest,
    ) -> Result<console::WalletLedgerList, Error> {
        let user = requested(&request.account_id)?;
        let limit = usize::try_from(request.limit)
            .ok()
            .filter(|limit| (1..=LEDGER_LIMIT_MAX).contains(limit))
            .ok_or_else(|| Error::invalid("expects a limit value between 1 and 100"))?;
        let filter = LedgerFilter { after: time(request.after), before: time(request.before) };
        let page = self.services.wallets.ledger(user, filter, limit, &request.cursor).await?;
        Ok(console::WalletLedgerList {
            items: page.entries.into_iter().map(entry).collect(),
            next_cursor: page.next_cursor,
            prev_cursor: page.prev_cursor,
        })
    }

    pub(super) async fn delete_wallet_ledger(
        &self,
        _: &Operator,
        request: &console::DeleteWalletLedgerRequest,
    ) -> Result<(), Error> {
        let user = requested(&request.id)?;
        let entry = Uuid::parse_str(&request.wallet_id)
            .ok()
            .filter(|entry| !entry.is_nil())
            .ok_or_else(|| Error::invalid("Requires a valid wallet ledger item ID."))?;
        Ok(self.services.wallets.delete_ledger(user, entry).await?)
    }
}

fn time(time: Option<Timestamp>) -> Option<store::Timestamp> {
    time.map(|time| {
        let micros = i64::from(time.nanos / 1000);
        store::Timestamp(time.seconds.saturating_mul(1_000_000).saturating_add(micros))
    })
}

pub(super) fn entry(record: LedgerRecord) -> console::WalletLedger {
    let LedgerRecord { id, user, changes, metadata, create_time, update_time } = record;
    console::WalletLedger {
        id: id.to_string(),
        user_id: user.to_string(),
        changeset: changes,
        metadata,
        create_time: Some(told(create_time)),
        update_time: Some(told(update_time)),
    }
}

fn told(time: store::Timestamp) -> Timestamp {
    Timestamp { seconds: time.unix_sec(), nanos: 0 }
}
