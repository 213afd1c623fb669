//! The order in which transactions lock rows that several of them change: accounts, then groups, each by
//! ascending id, then whatever hangs on them. Who keeps to it never waits in a circle.
//!
//! On SQLite there is one writer, and these statements only look.

use uuid::Uuid;

use super::{StoreError, Tx};
use crate::{
    ids::{GroupId, UserId},
    params,
};

/// Locks accounts whose rows are going to change. Yields those that exist, ascending.
pub async fn accounts(tx: &mut Tx<'_>, ids: &[UserId]) -> Result<Vec<UserId>, StoreError> {
    // Rows may go on naming a locked account; that it is deleted has to wait.
    let sql = "select id from users where id {in $1} order by id {for no key update}";
    ids_of(tx.all(sql, params![ids]).await)
}

/// Keeps accounts from being deleted. Yields those that exist, ascending.
pub async fn accounts_stay(tx: &mut Tx<'_>, ids: &[UserId]) -> Result<Vec<UserId>, StoreError> {
    let sql = "select id from users where id {in $1} order by id {for key share}";
    ids_of(tx.all(sql, params![ids]).await)
}

/// Locks an account that is going to be deleted, and those with an edge to it. False where somebody became
/// one of those while this waited and is not locked: who waited for them now would wait in a circle. From
/// here on nobody else can become one.
pub(super) async fn account_and_friends(tx: &mut Tx<'_>, user: UserId) -> Result<bool, StoreError> {
    macro_rules! count {
        ($lock:literal) => {
            // Counted by the database, for they may be many.
            concat!(
                "select count(*) from (select id from users where id in \
                 (select source_id from user_edge where destination_id = $1 \
                 union select id from users where id = $1) order by id ",
                $lock,
                ") counted"
            )
        };
    }
    let mut counts = [0; 3];
    let each = [count!("{for update}"), count!("{for update skip locked}"), count!("")];
    for (count, sql) in counts.iter_mut().zip(each) {
        *count = tx.optional::<(i64,)>(sql, params![user]).await?.map_or(0, |(count,)| count);
    }
    let [_, locked, all] = counts;
    Ok(locked == all)
}

/// Locks groups, whose edges change only under this lock. Yields those that exist, ascending.
pub async fn groups(tx: &mut Tx<'_>, ids: &[GroupId]) -> Result<Vec<GroupId>, StoreError> {
    let sql = "select id from groups where id {in $1} order by id {for update}";
    let found: Vec<(Uuid,)> = tx.all(sql, params![ids]).await?;
    Ok(found.into_iter().map(|(id,)| GroupId(id)).collect())
}

fn ids_of(found: Result<Vec<(UserId,)>, StoreError>) -> Result<Vec<UserId>, StoreError> {
    Ok(found?.into_iter().map(|(id,)| id).collect())
}
