//! The embedded database's own: its file, its queue, and what a kill leaves.

use std::{
    collections::HashSet,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use kakera::{
    error::ErrorKind,
    params,
    store::{Database, DriverConfig, Param, Reader, StoreConfig, StoreError, Tx},
};
use kakera_shards::{
    runtime,
    socket::{SocketConfig, Sockets},
};

use crate::support::{Bench, folder::Folder, on_shard, sqlite_config};

const PUT: &str = "insert into setting (name, value) values ($1, $2)";

fn path(config: &StoreConfig) -> &Path {
    match &config.driver {
        DriverConfig::Sqlite(sqlite) => &sqlite.path,
        DriverConfig::Postgres(_) => unreachable!(),
    }
}

fn refusal(config: &StoreConfig) -> String {
    match Database::open(config) {
        Ok(_) => panic!("it opened"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_full_queue_refuses_and_nothing_else_is_lost() {
    let folder = Folder::new("full");
    let mut config = sqlite_config(&folder);
    let DriverConfig::Sqlite(sqlite) = &mut config.driver else { unreachable!() };
    sqlite.write_queue_len_max = 4;
    Bench::run(&config, async |bench| {
        let store = bench.store;
        let (enter, entered) = mpsc::channel();
        let (go, gate) = mpsc::channel::<()>();
        let gate = std::sync::Mutex::new(gate);
        // Holds the writer thread, as a slow disk would.
        let held = store.clone();
        let slow = runtime::spawn_owned("slow", async move {
            held.write(async move |_: &mut Tx<'_>| {
                enter.send(()).unwrap();
                gate.lock().unwrap().recv().unwrap();
                Ok::<_, StoreError>(())
            })
            .await
        });
        runtime::yield_now().await;
        entered.recv_timeout(Duration::from_secs(10)).unwrap();
        let waiting: Vec<_> = (0..4)
            .map(|n| {
                let store = store.clone();
                runtime::spawn_owned("waiting", async move {
                    store.execute(PUT, params![format!("n{n}"), Param::json("1")]).await
                })
            })
            .collect();
        runtime::sleep(Duration::from_millis(20)).await;
        let refused = store.execute(PUT, params!["refused", Param::json("1")]).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ResourceExhausted, "{refused}");
        assert_eq!(store.counters().refused.get(), 1);
        assert_eq!(bench.database.writer_counters().unwrap().1, 4);
        go.send(()).unwrap();
        slow.await.unwrap().unwrap();
        for write in waiting {
            assert_eq!(write.await.unwrap().unwrap(), 1);
        }
        store.execute(PUT, params!["later", Param::json("1")]).await.unwrap();
    });
}

#[test]
fn closing_makes_durable_what_is_queued_and_refuses_what_comes_later() {
    let folder = Folder::new("close");
    let config = sqlite_config(&folder);
    on_shard(async {
        let sockets = Sockets::start(SocketConfig::default()).unwrap();
        let database = Database::open(&config).unwrap();
        let store = database.attach(1, &sockets).unwrap();
        let queued: Vec<_> = (0..200)
            .map(|n| {
                let store = store.clone();
                runtime::spawn_owned("queued", async move {
                    store.execute(PUT, params![format!("n{n}"), Param::json("1")]).await
                })
            })
            .collect();
        runtime::yield_now().await;
        database.close();
        for write in queued {
            write.await.unwrap().unwrap();
        }
        let late = store.execute(PUT, params!["late", Param::json("1")]).await.unwrap_err();
        assert!(matches!(late, StoreError::Closed), "{late:?}");
        let late = store.scan(async |r: &mut Reader<'_>| r.rows("select 1", &[]).await).await;
        assert!(matches!(late, Err(StoreError::Closed)));
    });
    let leftovers: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| {
            name.ends_with("-wal") && std::fs::metadata(folder.path().join(name)).unwrap().len() > 0
        })
        .collect();
    assert!(leftovers.is_empty(), "{leftovers:?}");
    assert_eq!(count(&config), 200);
}

fn count(config: &StoreConfig) -> i64 {
    let raw = rusqlite::Connection::open(path(config)).unwrap();
    raw.query_row("select count(*) from setting where name like 'n%'", [], |row| row.get(0))
        .unwrap()
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_advice() {
    let folder = Folder::new("bad");
    let config = sqlite_config(&folder);
    let file = path(&config).to_owned();
    let named = file.display().to_string();

    std::fs::write(
        &file,
        "this is not a database, and it is long enough to be looked at ".repeat(40),
    )
    .unwrap();
    let error = refusal(&config);
    assert!(error.contains(&named) && error.contains("not an SQLite database"), "{error}");

    std::fs::remove_file(&file).unwrap();
    let first = Database::open(&config).unwrap();
    let error = refusal(&config);
    assert!(error.contains(&named) && error.contains("in use by another server"), "{error}");
    first.close();
    drop(first);

    // A page of the schema, overwritten.
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100..4000].fill(0xA5);
    std::fs::write(&file, bytes).unwrap();
    let error = refusal(&config);
    assert!(error.contains("damaged"), "{error}");

    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let error = refusal(&config);
    assert!(error.contains(&named) && error.contains("cannot be opened"), "{error}");
}

#[test]
fn a_file_that_another_program_has_locked_is_refused() {
    let folder = Folder::new("locked");
    let config = sqlite_config(&folder);
    Database::open(&config).unwrap().close();
    let other = rusqlite::Connection::open(path(&config)).unwrap();
    other.execute_batch("begin exclusive").unwrap();
    let error = refusal(&config);
    assert!(error.contains("another process has locked it"), "{error}");
    other.execute_batch("rollback").unwrap();
    Database::open(&config).unwrap().close();
}

#[test]
fn a_file_that_another_program_locks_later_refuses_writes_until_it_is_free() {
    let folder = Folder::new("locked later");
    let config = sqlite_config(&folder);
    Bench::run(&config, async |bench| {
        let write = async |name: &str| {
            bench.store.execute(PUT, params![name.to_owned(), Param::json("1")]).await
        };
        write("n1").await.unwrap();
        let other = rusqlite::Connection::open(path(&config)).unwrap();
        other.execute_batch("begin immediate").unwrap();
        let refused = write("n2").await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
        let read = async |reader: &mut Reader<'_>| reader.rows("select 1", &[]).await;
        assert!(bench.store.read(read).await.is_ok(), "reads go on");
        other.execute_batch("rollback").unwrap();
        write("n3").await.unwrap();
    });
    assert_eq!(count(&config), 2);
}

/// The child of the test below, which runs this very program: acknowledges rows on its standard output
/// until it is killed.
#[test]
fn acknowledging_child() {
    let Ok(folder) = std::env::var("KAKERA_TEST_CHILD_FOLDER") else { return };
    let mut config = StoreConfig::default();
    let DriverConfig::Sqlite(sqlite) = &mut config.driver else { unreachable!() };
    sqlite.path = Path::new(&folder).join("store.db");
    Bench::run(&config, async |bench| {
        let workers = (0..16).map(|worker| {
            let store = bench.store.clone();
            async move {
                for n in 0.. {
                    let name = format!("n-{}-{worker}-{n}", std::process::id());
                    let put = name.clone();
                    store
                        .write(async move |tx: &mut Tx<'_>| {
                            tx.execute(PUT, params![&put, Param::json("1")]).await.map(|_| ())
                        })
                        .await
                        .unwrap_or_else(|error: StoreError| panic!("{error}"));
                    println!("ack {name}");
                }
            }
        });
        futures_util::future::join_all(workers).await;
    });
}

#[test]
fn a_kill_at_any_moment_loses_nothing_that_was_acknowledged() {
    let folder = Folder::new("kill");
    let config = sqlite_config(&folder);
    let mut acknowledged = HashSet::new();
    for round in 0..5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["embedded::acknowledging_child", "--exact", "--nocapture", "--test-threads=1"])
            .env("KAKERA_TEST_CHILD_FOLDER", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let enough = acknowledged.len() + 100 + round * 37;
        // Whoever acknowledges stops within the kernel's buffer of a pipe, so that the kill comes in
        // the middle of the work.
        for line in lines.by_ref() {
            if let Some((_, name)) = line.unwrap().split_once("ack ") {
                acknowledged.insert(name.to_owned());
            }
            if acknowledged.len() >= enough {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines.map_while(Result::ok) {
            // Short writes to a pipe are whole or not at all, so no name is cut.
            if let Some((_, name)) = line.split_once("ack ") {
                acknowledged.insert(name.to_owned());
            }
        }
        assert!(acknowledged.len() >= enough, "the child ended early");
    }
    let raw = rusqlite::Connection::open(path(&config)).unwrap();
    let intact: String = raw.query_row("pragma integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(intact, "ok");
    let mut statement = raw.prepare("select name from setting where name like 'n-%'").unwrap();
    let kept: HashSet<String> =
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    let lost: Vec<_> = acknowledged.difference(&kept).collect();
    assert!(lost.is_empty(), "{} of {} lost: {lost:?}", lost.len(), acknowledged.len());
}
