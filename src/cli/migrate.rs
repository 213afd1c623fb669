//! `kakera migrate`: brings the database schema up or down, or shows where it stands.

use kakera::config::Loaded;

use super::{Failure, command::Direction};

pub(super) fn run(_: Direction, _: Option<u32>, _: &Loaded) -> Result<(), Failure> {
    Err("migrate is not built yet".to_owned())
}
