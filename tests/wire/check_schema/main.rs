//! Compares what `kakera migrate up` makes of an empty PostgreSQL database with the published schema, as
//! machine-readable facts: `cargo run --example check-schema -- FOLDER`, where the folder holds
//! `schema.json`. Starts a private cluster for it.
//!
//! Differences go to standard output, one a line, in both directions. The exit code is 0 without
//! differences, 1 with some, and 2 if the folder cannot be read or the migration fails.

#[path = "../../store/support/cluster.rs"]
#[allow(dead_code)] // The tests need more of it.
mod cluster;
#[path = "../../store/support/folder.rs"]
mod folder;

use std::{collections::BTreeMap, env, fs, path::PathBuf, process::ExitCode};

use cluster::Cluster;
use kakera::store::{DriverConfig, MigrateCommand, PostgresConfig, StoreConfig, migrate};
use kakera_shards::runtime::{ExecutorConfig, block_on};
use serde_json::Value;

fn main() -> ExitCode {
    let Some(folder) = env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: check-schema FOLDER");
        return ExitCode::from(2);
    };
    match check(&folder.join("schema.json")) {
        Ok((compared, differences)) => {
            for difference in &differences {
                println!("{difference}");
            }
            eprintln!("{compared} facts compared, {} differ", differences.len());
            ExitCode::from(u8::from(!differences.is_empty()))
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn check(path: &PathBuf) -> Result<(usize, Vec<String>), String> {
    let text = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let published: Value =
        serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    let cluster = Cluster::start();
    // The database does not exist yet: that too is the migration's.
    let config = StoreConfig {
        driver: DriverConfig::Postgres(PostgresConfig {
            addresses: vec![cluster.by_socket("game")],
            ..PostgresConfig::default()
        }),
        ..StoreConfig::default()
    };
    block_on(&ExecutorConfig::default(), migrate(&config, MigrateCommand::Up { limit: None }))
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())?;
    let catalogue = cluster.psql("game", include_str!("catalogue.sql"));
    let ours = serde_json::from_str(&catalogue).map_err(|error| error.to_string())?;
    compare(&facts(&published), &facts(&ours))
}

/// One line per fact: what it is about, and what it says.
fn facts(schema: &Value) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    for kind in ["extensions", "views", "sequences", "functions", "rows"] {
        for name in list(schema, kind) {
            facts.insert(format!("{kind}: {name}"), "is there".to_owned());
        }
    }
    for table in list(schema, "tables") {
        let name = table["name"].as_str().unwrap_or_default();
        for id in list(table, "rows") {
            facts.insert(format!("rows: {id}"), "is there".to_owned());
        }
        for (position, column) in list(table, "columns").iter().enumerate() {
            let what = format!("column {name}.{}", column["name"]);
            let says = format!(
                "place {position}, type {}, nullable {}, default {}",
                column["type"], column["nullable"], column["default"]
            );
            facts.insert(what, says);
        }
        for kind in ["constraints", "indexes"] {
            for thing in list(table, kind) {
                let what = format!("{kind} {name}.{}", thing["name"]);
                facts.insert(what, format!("{} {}", thing["definition"], thing["unique"]));
            }
        }
    }
    facts
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn compare(
    published: &BTreeMap<String, String>,
    ours: &BTreeMap<String, String>,
) -> Result<(usize, Vec<String>), String> {
    if published.len() < 100 {
        return Err(format!("the published schema holds only {} facts", published.len()));
    }
    let mut differences = Vec::new();
    for (what, says) in published {
        match ours.get(what) {
            None => differences.push(format!("{what}: missing here ({says})")),
            Some(found) if found != says => {
                differences.push(format!("{what}: {says} in the schema, {found} here"));
            }
            Some(_) => {}
        }
    }
    for (what, says) in ours {
        if !published.contains_key(what) {
            differences.push(format!("{what}: not in the schema ({says})"));
        }
    }
    Ok((published.len(), differences))
}
