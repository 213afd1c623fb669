//! Table `console_user`: who may use the console besides the configured administrator, and with what.

use uuid::Uuid;

use super::{Reader, Store, StoreError};
use crate::params;

/// Whether the administrator, whose row has the nil id, has set up a second factor.
pub async fn admin_has_second_factor(store: &Store) -> Result<bool, StoreError> {
    let found: Option<(i64,)> = store
        .read(async |reader: &mut Reader<'_>| {
            let sql = "select count(*) from console_user where id = $1 and mfa_secret is not null";
            reader.optional(sql, params![Uuid::nil()]).await
        })
        .await?;
    Ok(found.is_some_and(|(count,)| count > 0))
}
