//! Writing and deleting objects.

use super::{Authority, Condition, ObjectDelete, ObjectId, ObjectWrite, StorageFailure, WriteAck};
use crate::{
    params,
    store::{
        FromRow, Param, Reader, Row, Store, StoreError, Tx,
        gathered::{Many, RowLock, Statement},
    },
};

/// An object that is the same already keeps its update time.
macro_rules! upsert {
    ($values:literal, $permitted:literal, $key:literal) => {
        concat!(
            "insert into storage (collection, key, user_id, value, version, read, write, \
             create_time, update_time) ",
            $values,
            " on conflict (collection, key, user_id) do update set value = excluded.value, \
             version = excluded.version, read = excluded.read, write = excluded.write, \
             update_time = case when storage.version = excluded.version \
             and storage.read = excluded.read and storage.write = excluded.write \
             then storage.update_time else excluded.update_time end ",
            $permitted,
            " returning version, create_time, update_time",
            $key
        )
    };
    ($permitted:literal) => {
        upsert!("values ($1, $2, $3, $4, $5, $6, $7, {now}, {now})", $permitted, "")
    };
    (many $permitted:literal) => {
        upsert!(
            "select t.*, {now}, {now} from unnest($1::varchar[], $2::varchar[], $3::uuid[], \
             $4::jsonb[], $5::varchar[], $6::smallint[], $7::smallint[]) t",
            $permitted,
            ", collection, key, user_id"
        )
    };
}

macro_rules! update {
    ($permitted:literal) => {
        concat!(
            "update storage set value = $4, version = $5, read = $6, write = $7, \
             update_time = {now} where collection = $1 and key = $2 and user_id = $3 \
             and version = $8",
            $permitted,
            " returning version, create_time, update_time"
        )
    };
}

const INSERT: &str = "insert into storage (collection, key, user_id, value, version, read, write, \
                      create_time, update_time) values ($1, $2, $3, $4, $5, $6, $7, {now}, {now}) \
                      on conflict (collection, key, user_id) do nothing \
                      returning version, create_time, update_time";

fn statement(write: &ObjectWrite, by: Authority) -> (&'static str, Vec<Param<'_>>) {
    let ObjectWrite { id, value, version, .. } = write;
    let mut values = vec![
        Param::from(&id.collection),
        Param::from(&id.key),
        Param::from(id.owner),
        Param::json(value),
        Param::from(version),
        Param::from(write.read),
        Param::from(write.write),
    ];
    let sql = match (&write.condition, by) {
        (Condition::None, Authority::Server) => upsert!(""),
        (Condition::None, Authority::Player(_)) => upsert!("where storage.write = 1"),
        (Condition::Absent, _) => INSERT,
        (Condition::Version(wanted), by) => {
            values.push(Param::from(wanted));
            match by {
                Authority::Server => update!(""),
                Authority::Player(_) => update!(" and write = 1"),
            }
        }
    };
    (sql, values)
}

/// Writes all of the objects or none; yields as many acknowledgements, in their order.
pub async fn write(
    store: &Store,
    by: Authority,
    writes: Vec<ObjectWrite>,
) -> Result<Vec<WriteAck>, StorageFailure> {
    if let [write] = writes.as_slice() {
        // By itself it needs no transaction: a statement that changes nothing leaves nothing behind.
        let (sql, values) = statement(write, by);
        let params = values.into_iter().map(Param::into_owned).collect();
        let many = match (&write.condition, by) {
            (Condition::None, Authority::Server) => Some(upsert!(many "")),
            (Condition::None, Authority::Player(_)) => {
                Some(upsert!(many "where storage.write = 1"))
            }
            (Condition::Absent | Condition::Version(_), _) => None,
        };
        let many = many.map(|sql| Many { sql, row: written });
        let lock = RowLock::Object(write.id.clone());
        let mut acks: Vec<WriteAck> =
            store.write_row(lock, Statement { sql, params, many }).await?;
        if acks.is_empty() {
            let write = write.clone();
            return Err(store
                .read(async move |reader: &mut Reader<'_>| {
                    Ok::<_, StorageFailure>(refusal(reader, &write, by).await)
                })
                .await?);
        }
        acks.truncate(1);
        return Ok(acks);
    }
    store.write(async move |tx: &mut Tx<'_>| write_in(tx, by, &writes).await).await
}

/// Which object a statement for many has written.
fn written(row: &Row) -> Result<RowLock, StoreError> {
    let (collection, key, owner) = (row.get(3)?, row.get(4)?, row.get(5)?);
    Ok(RowLock::Object(ObjectId { collection, key, owner }))
}

/// The same within a transaction, which must be rolled back on any failure.
pub async fn write_in(
    tx: &mut Tx<'_>,
    by: Authority,
    writes: &[ObjectWrite],
) -> Result<Vec<WriteAck>, StorageFailure> {
    let mut order: Vec<usize> = (0..writes.len()).collect();
    order.sort_by_key(|at| writes.get(*at).map(|write| &write.id));
    let sorted: Vec<(usize, &ObjectWrite)> =
        order.into_iter().filter_map(|at| Some((at, writes.get(at)?))).collect();
    let statements: Vec<_> = sorted.iter().map(|(_, write)| statement(write, by)).collect();
    let results = tx.pipeline(&statements).await?;
    let mut acks = Vec::with_capacity(writes.len());
    for ((at, write), rows) in sorted.iter().zip(results) {
        match rows.first() {
            Some(row) => acks.push((*at, acknowledged(row)?)),
            None => return Err(refusal(tx, write, by).await),
        }
    }
    acks.sort_by_key(|(at, _)| *at);
    Ok(acks.into_iter().map(|(_, ack)| ack).collect())
}

fn acknowledged(row: &Row) -> Result<WriteAck, StoreError> {
    WriteAck::from_row(&mut row.columns())
}

/// Why a write changed nothing.
async fn refusal(reader: &mut Reader<'_>, write: &ObjectWrite, by: Authority) -> StorageFailure {
    if write.condition == Condition::Absent {
        return StorageFailure::Version;
    }
    let ObjectId { collection, key, owner } = &write.id;
    let sql = "select write from storage where collection = $1 and key = $2 and user_id = $3";
    let found: Result<Option<(i32,)>, _> =
        reader.optional(sql, params![collection, key, *owner]).await;
    match (found, by) {
        (Err(error), _) => error.into(),
        (Ok(Some((write,))), Authority::Player(_)) if write != 1 => StorageFailure::Permission,
        (Ok(_), _) => StorageFailure::Version,
    }
}

macro_rules! delete_where {
    ($more:literal) => {
        concat!("delete from storage where collection = $1 and key = $2 and user_id = $3", $more)
    };
}

fn deletion(delete: &ObjectDelete, by: Authority) -> (&'static str, Vec<Param<'_>>) {
    let ObjectDelete { id, version } = delete;
    let mut values = vec![Param::from(&id.collection), Param::from(&id.key), Param::from(id.owner)];
    values.extend(version.as_deref().map(Param::from));
    let sql = match (by, version) {
        (Authority::Server, None) => delete_where!(""),
        (Authority::Server, Some(_)) => delete_where!(" and version = $4"),
        (Authority::Player(_), None) => delete_where!(" and write > 0"),
        (Authority::Player(_), Some(_)) => delete_where!(" and write > 0 and version = $4"),
    };
    (sql, values)
}

/// A server that deletes what is not there has nothing to complain of, unless it named a version.
fn must_delete(delete: &ObjectDelete, by: Authority) -> bool {
    by != Authority::Server || delete.version.is_some()
}

/// Deletes all of the objects or none.
pub async fn delete(
    store: &Store,
    by: Authority,
    deletes: Vec<ObjectDelete>,
) -> Result<(), StorageFailure> {
    if let [delete] = deletes.as_slice() {
        let (sql, values) = deletion(delete, by);
        let deleted = store.execute(sql, &values).await?;
        return if deleted == 0 && must_delete(delete, by) {
            Err(StorageFailure::NotDeleted)
        } else {
            Ok(())
        };
    }
    store.write(async move |tx: &mut Tx<'_>| delete_in(tx, by, &deletes).await).await
}

/// The same within a transaction, which must be rolled back on any failure.
pub async fn delete_in(
    tx: &mut Tx<'_>,
    by: Authority,
    deletes: &[ObjectDelete],
) -> Result<(), StorageFailure> {
    let mut sorted: Vec<&ObjectDelete> = deletes.iter().collect();
    sorted.sort_by_key(|delete| &delete.id);
    for delete in sorted {
        let (sql, values) = deletion(delete, by);
        if tx.execute(sql, &values).await? == 0 && must_delete(delete, by) {
            return Err(StorageFailure::NotDeleted);
        }
    }
    Ok(())
}
