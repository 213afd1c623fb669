//! Migrations on both databases, and databases that others migrated.

use kakera::store::{
    Database, DriverConfig, MigrateCommand, MigrateReport, StoreConfig, StoreError, migrate,
};
use kakera_shards::socket::{SocketConfig, Sockets};

use crate::support::{Bench, cluster, folder::Folder, on_shard, postgres_config, sqlite_config};

const UP: MigrateCommand = MigrateCommand::Up { limit: None };

fn run(config: &StoreConfig, command: MigrateCommand) -> MigrateReport {
    on_shard(migrate(config, command)).unwrap()
}

fn applied(report: &MigrateReport) -> usize {
    report.steps.iter().filter(|(_, at)| at.is_some()).count()
}

/// Up, status, down, redo, all the way down, and up again.
fn walk(config: &StoreConfig) {
    let steps = run(config, MigrateCommand::Status).steps.len();
    assert!(steps > 5);
    let first = run(config, MigrateCommand::Up { limit: Some(2) });
    assert_eq!((first.done.len(), applied(&first)), (2, 2));
    assert!(first.to_string().contains("not applied"));
    let all = run(config, UP);
    assert_eq!((all.done.len(), applied(&all)), (steps - 2, steps));
    assert!(run(config, UP).done.is_empty());
    let last = all.steps[steps - 1].0;
    assert_eq!(run(config, MigrateCommand::Redo).done, [(last, false), (last, true)]);
    let down = run(config, MigrateCommand::Down { limit: None });
    assert_eq!((&down.done[..], applied(&down)), (&[(last, false)][..], steps - 1));
    let bottom = run(config, MigrateCommand::Down { limit: Some(steps) });
    assert_eq!(applied(&bottom), 0);
    assert_eq!(applied(&run(config, UP)), steps);
}

fn open(config: &StoreConfig) -> Result<(), StoreError> {
    on_shard(async {
        let sockets = Sockets::start(SocketConfig::default()).unwrap();
        let database = Database::open(config)?;
        let checked = database.attach(1, &sockets)?.check_schema().await;
        database.close();
        sockets.shut_down().await;
        checked
    })
}

#[test]
fn every_step_goes_up_and_down_on_sqlite() {
    let folder = Folder::new("migrate");
    walk(&sqlite_config(&folder));
}

#[test]
fn every_step_goes_up_and_down_on_postgres() {
    let name = cluster::shared().create_database("template0");
    walk(&postgres_config(cluster::shared().by_socket(&name)));
}

#[test]
fn migrating_up_makes_the_database() {
    let config = postgres_config(cluster::shared().by_socket("made by \"up\""));
    let missing = open(&config).unwrap_err();
    assert!(matches!(missing, StoreError::Schema(_)), "{missing:?}");
    assert!(missing.to_string().contains("kakera migrate up"), "{missing}");
    assert!(on_shard(migrate(&config, MigrateCommand::Status)).is_err());
    run(&config, UP);
    open(&config).unwrap();
}

#[test]
fn an_empty_postgres_database_is_refused_with_advice() {
    let name = cluster::shared().create_database("template0");
    let error = open(&postgres_config(cluster::shared().by_socket(&name))).unwrap_err();
    assert!(matches!(error, StoreError::Schema(_)), "{error:?}");
    assert!(
        error.to_string().contains("no schema yet")
            && error.to_string().contains("kakera migrate up")
    );
}

#[test]
fn a_database_of_an_older_server_names_what_it_lacks_and_can_be_brought_up() {
    let cluster = cluster::shared();
    let name = cluster.create_database("template0");
    let config = postgres_config(cluster.by_socket(&name));
    run(&config, MigrateCommand::Up { limit: Some(16) });
    // What such a server leaves behind.
    cluster.psql(
        &name,
        "insert into console_user (id, username, email, role) values
         (gen_random_uuid(), 'root', 'r@example.com', 1), (gen_random_uuid(), 'eve', 'e@example.com', 3)",
    );
    let error = open(&config).unwrap_err().to_string();
    assert!(error.contains("20260319134532-add-display-name-index.sql"), "{error}");
    assert!(!error.contains("20250703094700-add-console-settings.sql"), "{error}");
    let report = run(&config, UP);
    assert_eq!(report.done.len(), 3);
    open(&config).unwrap();
    let acl = cluster.psql(&name, "select username, acl from console_user order by username");
    assert_eq!(acl, "eve|{\"admin\": false}\nroot|{\"admin\": true}");
    run(&config, MigrateCommand::Down { limit: Some(3) });
    let roles = cluster.psql(&name, "select username, role from console_user order by username");
    assert_eq!(roles, "eve|4\nroot|1");
}

#[test]
fn a_database_of_a_newer_server_is_accepted_and_said_so() {
    let cluster = cluster::shared();
    let name = cluster.create_database("template0");
    let config = postgres_config(cluster.by_socket(&name));
    run(&config, UP);
    cluster.psql(&name, "insert into migration_info (id) values ('20990101000000-later.sql')");
    open(&config).unwrap();
    let report = run(&config, MigrateCommand::Status);
    assert_eq!(report.unknown, ["20990101000000-later.sql"]);
    assert!(report.to_string().contains("newer server"));
    // Going down leaves alone what it does not know.
    assert!(run(&config, MigrateCommand::Down { limit: None }).done[0].0.starts_with("2026"));
}

#[test]
fn nodes_that_migrate_at_once_do_not_trip_over_each_other() {
    let name = cluster::shared().create_database("template0");
    let config = postgres_config(cluster::shared().by_socket(&name));
    let nodes: Vec<_> = (0..4)
        .map(|_| {
            let config = config.clone();
            std::thread::spawn(move || run(&config, UP).done.len())
        })
        .collect();
    let done: usize = nodes.into_iter().map(|node| node.join().unwrap()).sum();
    assert_eq!(done, run(&config, MigrateCommand::Status).steps.len());
}

#[test]
fn an_index_that_was_left_unfinished_is_built_again() {
    let cluster = cluster::shared();
    let name = cluster.create_database("template0");
    let config = postgres_config(cluster.by_socket(&name));
    run(&config, UP);
    cluster.psql(&name, "delete from migration_info where id like '2026%'");
    let index = "indexrelid = 'users_display_name_idx'::regclass";
    cluster.psql(&name, &format!("update pg_index set indisvalid = false where {index}"));
    run(&config, UP);
    let valid = cluster.psql(&name, &format!("select indisvalid from pg_index where {index}"));
    assert_eq!(valid, "t");
}

#[test]
fn a_failing_step_leaves_nothing_of_itself() {
    let cluster = cluster::shared();
    let name = cluster.create_database("template0");
    let config = postgres_config(cluster.by_socket(&name));
    run(&config, MigrateCommand::Up { limit: Some(1) });
    // In the way of the second step's second statement.
    cluster.psql(&name, "alter table leaderboard_record add column max_num_score text");
    let error = on_shard(migrate(&config, UP)).unwrap_err().to_string();
    assert!(error.contains("20180805174141-tournaments.sql"), "{error}");
    let sql = "select count(*) from information_schema.columns
               where table_name = 'leaderboard' and column_name = 'category'";
    assert_eq!(cluster.psql(&name, sql), "0");
    assert_eq!(applied(&run(&config, MigrateCommand::Status)), 1);
}

#[test]
fn the_embedded_database_of_a_newer_server_is_refused() {
    let folder = Folder::new("newer");
    let config = sqlite_config(&folder);
    run(&config, UP);
    let DriverConfig::Sqlite(sqlite) = &config.driver else { unreachable!() };
    let raw = rusqlite::Connection::open(&sqlite.path).unwrap();
    raw.execute("insert into migration_info (id, applied_at) values ('9999-later.sql', 0)", [])
        .unwrap();
    drop(raw);
    let error = open(&config).unwrap_err().to_string();
    assert!(error.contains("9999-later.sql") && error.contains("newer"), "{error}");
}

#[test]
fn both_databases_have_the_same_tables_and_columns() {
    let folder = Folder::new("same");
    let config = sqlite_config(&folder);
    run(&config, UP);
    let DriverConfig::Sqlite(sqlite) = &config.driver else { unreachable!() };
    let raw = rusqlite::Connection::open(&sqlite.path).unwrap();
    let mut statement = raw
        .prepare(
            "select t.name || '.' || c.name from sqlite_schema t, pragma_table_info(t.name) c
             where t.type = 'table' order by 1",
        )
        .unwrap();
    let ours: Vec<String> =
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    let mut indexes = raw
        .prepare(
            "select name from sqlite_schema where type = 'index' and sql is not null order by 1",
        )
        .unwrap();
    let indexes: Vec<String> =
        indexes.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();

    Bench::run_postgres(async |_| {});
    let cluster = cluster::shared();
    let theirs = cluster.psql(
        "migrated",
        "select format('%s.%s', table_name, column_name) as it from information_schema.columns
         where table_schema = 'public' order by it",
    );
    assert_eq!(ours, theirs.lines().collect::<Vec<_>>());
    // Unique indexes share their names, by which conflicts are told apart.
    let theirs = cluster.psql(
        "migrated",
        "select indexrelid::regclass from pg_index join pg_class c on c.oid = indrelid
         where relnamespace = 'public'::regnamespace and indisunique and not indisprimary",
    );
    for name in theirs.lines() {
        assert!(indexes.iter().any(|index| index == name), "{name} is missing on SQLite");
    }
}
