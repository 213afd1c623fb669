//! Tournaments: leaderboards that take scores for a while, from so many owners, so many times.
//!
//! A tournament is a [`Board`] with a duration. Its records, ranks and lists are those of leaderboards; what
//! differs is when scores are taken and who may hand them in. Places and attempts are counted by the
//! database, in the transaction that takes one, so that no concurrent one takes the last twice.

mod create;
mod error;
mod list;
mod records;

use std::rc::Rc;

pub use create::NewTournament;
pub use error::TournamentError;
pub use list::{Filter, shown};

use crate::leaderboards::{Board, Leaderboards};

/// The tournaments of one shard. Clones are the same.
#[derive(Clone)]
pub struct Tournaments {
    boards: Leaderboards,
}

impl Tournaments {
    pub fn new(boards: Leaderboards) -> Self {
        Self { boards }
    }

    /// The board of this id that is a tournament.
    async fn find(&self, id: &str) -> Result<Rc<Board>, TournamentError> {
        let board = self.boards.find(id).await?.filter(|board| board.is_tournament());
        board.ok_or(TournamentError::NotFound)
    }
}
