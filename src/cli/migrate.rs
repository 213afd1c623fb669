//! `kakera migrate`: brings the database schema up or down, or shows where it stands.

use kakera::{
    config::Loaded,
    store::{MigrateCommand, migrate},
};
use kakera_shards::runtime::{ExecutorConfig, block_on};

use super::{Failure, command::Direction, store::store_config};

pub(super) fn run(
    direction: Direction,
    limit: Option<u32>,
    loaded: &Loaded,
) -> Result<(), Failure> {
    let config = store_config(&loaded.config);
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    let command = match direction {
        Direction::Up => MigrateCommand::Up { limit },
        Direction::Down => MigrateCommand::Down { limit },
        Direction::Redo => MigrateCommand::Redo,
        Direction::Status => MigrateCommand::Status,
    };
    let report = block_on(&ExecutorConfig::default(), migrate(&config, command))
        .map_err(|error| format!("cannot start an executor: {error}"))?
        .map_err(|error| error.to_string())?;
    print!("{report}");
    Ok(())
}
