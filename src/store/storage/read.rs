//! Reading objects by name.

use std::collections::HashSet;

use super::{Authority, ObjectId, ObjectRecord, object_columns};
use crate::store::{FromRow, Param, Reader, Store, StoreError};

/// Objects that are read on the shard itself, where the store is embedded.
const SHORT_READ_LEN: usize = 16;

const ANY: &str = concat!(
    "select ",
    object_columns!(),
    " from storage where collection = $1 and key = $2 and user_id = $3"
);
const READABLE: &str = concat!(
    "select ",
    object_columns!(),
    " from storage where collection = $1 and key = $2 and user_id = $3 \
     and (read = 2 or (read = 1 and user_id = $4))"
);

/// Those of the objects that exist and may be read, in the order of their names, each once.
pub async fn read(
    store: &Store,
    by: Authority,
    ids: Vec<ObjectId>,
) -> Result<Vec<ObjectRecord>, StoreError> {
    let short = ids.len() <= SHORT_READ_LEN;
    let steps = async move |reader: &mut Reader<'_>| {
        let mut seen = HashSet::with_capacity(ids.len());
        let statements: Vec<_> =
            ids.iter().filter(|id| seen.insert(*id)).map(|id| statement(id, by)).collect();
        let results = match statements.as_slice() {
            [(sql, values)] => vec![reader.rows(sql, values).await?],
            several => reader.pipeline(several).await?,
        };
        results.iter().flatten().map(|row| ObjectRecord::from_row(&mut row.columns())).collect()
    };
    if short { store.read(steps).await } else { store.scan(steps).await }
}

fn statement(id: &ObjectId, by: Authority) -> (&'static str, Vec<Param<'_>>) {
    let mut values = vec![Param::from(&id.collection), Param::from(&id.key), Param::from(id.owner)];
    match by {
        Authority::Server => (ANY, values),
        Authority::Player(user) => {
            values.push(Param::from(user));
            (READABLE, values)
        }
    }
}
