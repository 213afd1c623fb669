//! Listing objects.

use super::{Authority, ObjectRecord, object_columns};
use crate::{
    ids::UserId,
    store::{Param, Reader, Store, StoreError},
};

/// Objects of a page that is read on the shard itself, where the store is embedded.
const SHORT_PAGE_LEN: usize = 10;

/// Which objects of a collection are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everybody's.
    All,
    /// One owner's.
    Owner(UserId),
}

/// Where a page begins: behind this object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub read: i32,
    pub key: String,
    pub owner: UserId,
}

macro_rules! select {
    ($where:literal) => {
        concat!("select ", object_columns!(), " from storage where ", $where)
    };
}

/// At most `limit` objects of a collection that may be read, by permission, key and owner.
pub async fn list(
    store: &Store,
    by: Authority,
    (collection, scope): (&str, Scope),
    limit: usize,
    after: Option<Page>,
) -> Result<Vec<ObjectRecord>, StoreError> {
    let collection = collection.to_owned();
    let steps = async move |reader: &mut Reader<'_>| {
        let (sql, values) = list_statement((&collection, scope), by, limit, after.as_ref());
        reader.all(sql, &values).await
    };
    if limit <= SHORT_PAGE_LEN { store.read(steps).await } else { store.scan(steps).await }
}

/// The statement of [`list`], for those who ask the database how it would go about it.
pub fn list_statement<'a>(
    (collection, scope): (&'a str, Scope),
    by: Authority,
    limit: usize,
    after: Option<&'a Page>,
) -> (&'static str, Vec<Param<'a>>) {
    let mut values =
        vec![Param::from(collection), Param::from(i64::try_from(limit).unwrap_or(i64::MAX))];
    let sql = match (scope, by) {
        (Scope::All, Authority::Server) => match after {
            None => select!("collection = $1 order by read, key, user_id limit $2"),
            Some(page) => {
                values.extend([page.read.into(), (&page.key).into(), page.owner.into()]);
                select!(
                    "collection = $1 and (read, key, user_id) > ($3, $4, $5) \
                     order by read, key, user_id limit $2"
                )
            }
        },
        (Scope::All, Authority::Player(_)) => match after {
            None => select!("collection = $1 and read = 2 order by key, user_id limit $2"),
            Some(page) => {
                values.extend([(&page.key).into(), page.owner.into()]);
                select!(
                    "collection = $1 and read = 2 and (key, user_id) > ($3, $4) \
                     order by key, user_id limit $2"
                )
            }
        },
        (Scope::Owner(owner), by) => {
            values.push(owner.into());
            // Others see what is public; owners all but what only the server reads.
            let least = match by {
                Authority::Server => 0,
                Authority::Player(user) if user == owner => 1,
                Authority::Player(_) => 2,
            };
            // One lower bound, for SQLite seeks by one and looks at all that lie before the other.
            match after.filter(|page| page.read >= least) {
                None => {
                    values.push(least.into());
                    select!(
                        "collection = $1 and user_id = $3 and read >= $4 \
                         order by read, key limit $2"
                    )
                }
                Some(page) => {
                    values.extend([page.read.into(), (&page.key).into()]);
                    select!(
                        "collection = $1 and user_id = $3 and (read, key) > ($4, $5) \
                         order by read, key limit $2"
                    )
                }
            }
        }
    };
    (sql, values)
}
