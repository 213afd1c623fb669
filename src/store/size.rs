//! About how many rows a table has: what operators are shown beside a page.

use super::{Reader, Store, StoreError};

/// Where PostgreSQL knows of fewer rows than this, they are counted: what it knows may be old.
const COUNTED_MAX: i64 = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    Storage,
    Users,
    Tombstones,
}

/// The statements: what PostgreSQL knows of the table since it last looked through it, and a count.
struct Statements {
    known: &'static str,
    count: &'static str,
}

macro_rules! statements {
    ($table:literal) => {
        Statements {
            known: concat!(
                "select reltuples::bigint from pg_class where oid = '",
                $table,
                "'::regclass"
            ),
            count: concat!("select count(*) from ", $table),
        }
    };
}

impl Table {
    fn statements(self) -> &'static Statements {
        match self {
            Self::Storage => const { &statements!("storage") },
            Self::Users => const { &statements!("users") },
            Self::Tombstones => const { &statements!("user_tombstone") },
        }
    }
}

/// On PostgreSQL what it knows of a long table; else all rows are counted. 0 where neither works: nobody
/// misses a page for its number.
pub async fn about(store: &Store, table: Table) -> i64 {
    match rows(store, table).await {
        Ok(rows) => rows,
        Err(error) => {
            tracing::warn!(?table, %error, "The rows of a table were not counted.");
            0
        }
    }
}

async fn rows(store: &Store, table: Table) -> Result<i64, StoreError> {
    let Statements { known, count } = table.statements();
    let knows = matches!(store, Store::Postgres(_));
    let steps = async move |reader: &mut Reader<'_>| {
        if knows
            && let Some((rows,)) = reader.optional::<(i64,)>(known, &[]).await?
            && rows > COUNTED_MAX
        {
            return Ok(rows);
        }
        let (rows,): (i64,) = reader.one(count, &[]).await?;
        Ok(rows)
    };
    store.scan(steps).await
}
