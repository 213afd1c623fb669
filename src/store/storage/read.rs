//! Reading objects by name.

use std::collections::{HashMap, HashSet, hash_map::Entry};

use super::{Authority, ObjectId, ObjectRecord, object_columns};
use crate::store::{FromRow, Param, PgShard, Reader, Store, StoreError, gathered::Wanted};

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

macro_rules! of_keys {
    ($reader:literal, $reader_type:literal, $where:literal) => {
        concat!(
            "select s.collection, s.key, s.user_id, s.value, s.version, s.read, s.write, \
             s.create_time, s.update_time, k.n from unnest($1::varchar[], $2::varchar[], \
             $3::uuid[]",
            $reader_type,
            ") with ordinality k (collection, key, owner, ",
            $reader,
            "n) join storage s on s.collection = k.collection and s.key = k.key \
             and s.user_id = k.owner",
            $where
        )
    };
}

pub(in crate::store) const OBJECTS_OF_KEYS: &str = of_keys!("", "", "");
pub(in crate::store) const READABLE_OF_KEYS: &str = of_keys!(
    "reader, ",
    ", $4::uuid[]",
    " where s.read = 2 or (s.read = 1 and s.user_id = k.reader)"
);

/// Those of the objects that exist and may be read, in the order of their names, each once.
pub async fn read(
    store: &Store,
    by: Authority,
    ids: Vec<ObjectId>,
) -> Result<Vec<ObjectRecord>, StoreError> {
    if let Store::Postgres(shard) = store {
        return of_keys(shard, by, &ids).await;
    }
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

/// The same on PostgreSQL, together with what others read.
async fn of_keys(
    shard: &PgShard,
    by: Authority,
    ids: &[ObjectId],
) -> Result<Vec<ObjectRecord>, StoreError> {
    let mut places = HashMap::with_capacity(ids.len());
    let mut keys = Vec::with_capacity(ids.len());
    for (place, id) in ids.iter().enumerate() {
        if let Entry::Vacant(vacant) = places.entry(id.clone()) {
            vacant.insert(place);
            keys.push(statement(id, by).1.into_iter().map(Param::into_owned).collect());
        }
    }
    let wanted = match by {
        Authority::Server => Wanted::Objects,
        Authority::Player(_) => Wanted::ReadableObjects,
    };
    let mut found: Vec<ObjectRecord> = shard.look_up(wanted, keys).await?;
    found.sort_by_key(|record| places.get(&record.id).copied());
    Ok(found)
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
