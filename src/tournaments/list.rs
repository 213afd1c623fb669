//! Showing tournaments.

use std::rc::Rc;

use hashbrown::HashMap;
use kakera_proto::{Timestamp, api};

use super::{TournamentError, Tournaments};
use crate::{
    cursor,
    leaderboards::{
        Board,
        definitions::TournamentPlace,
        service::{seconds, shown_operator},
    },
    store::leaderboards::definitions,
};

/// Cursors of lists of tournaments.
const TOURNAMENTS: &str = "tournaments";

/// Which tournaments to list. Times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    pub categories: std::ops::RangeInclusive<i32>,
    /// Those that start from here on.
    pub start: Option<i64>,
    /// Those that end until here; 0 is those that never end, and nothing those that have not ended.
    pub end: Option<i64>,
}

impl Filter {
    fn takes(&self, board: &Board, now: i64) -> bool {
        let ends = match self.end {
            None => board.end == 0 || board.end >= now,
            Some(0) => board.end == 0,
            Some(end) => board.end != 0 && board.end <= end,
        };
        ends && self.categories.contains(&board.category)
            && self.start.is_none_or(|start| board.start >= start)
    }
}

impl Tournaments {
    /// Lists tournaments, those that start first coming first.
    pub async fn list(
        &self,
        filter: &Filter,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<api::TournamentList, TournamentError> {
        let after: Option<TournamentPlace> = cursor
            .map(|cursor| cursor::decode(TOURNAMENTS, cursor))
            .transpose()
            .map_err(|_| TournamentError::InvalidCursor)?;
        let now = self.boards.now();
        let (page, more) = {
            let known = self.boards.known().borrow();
            let mut found =
                known.tournaments(after.as_ref()).filter(|board| filter.takes(board, now));
            let page: Vec<Rc<Board>> = found.by_ref().take(limit).cloned().collect();
            (page, found.next().is_some())
        };
        let cursor = page.last().filter(|_| more);
        let cursor = cursor.map(|board| cursor::encode(TOURNAMENTS, &TournamentPlace::of(board)));
        Ok(api::TournamentList {
            tournaments: self.shown(&page).await?,
            cursor: cursor.unwrap_or_default(),
        })
    }

    /// These tournaments, each once; leaderboards and unknown ids are left out.
    pub async fn get(&self, ids: &[String]) -> Result<Vec<api::Tournament>, TournamentError> {
        let mut found: Vec<Rc<Board>> = Vec::with_capacity(ids.len());
        for id in ids {
            match self.find(id).await {
                Ok(board) if found.iter().any(|known| known.id == board.id) => {}
                Ok(board) => found.push(board),
                Err(TournamentError::NotFound) => {}
                Err(other) => return Err(other),
            }
        }
        self.shown(&found).await
    }

    async fn shown(&self, boards: &[Rc<Board>]) -> Result<Vec<api::Tournament>, TournamentError> {
        let counted = boards.iter().filter(|board| board.has_max_size());
        let ids: Vec<String> = counted.map(|board| board.id.to_string()).collect();
        let mut sizes = HashMap::new();
        if !ids.is_empty() {
            sizes.extend(definitions::sizes(self.boards.store(), ids).await?);
        }
        let now = self.boards.now();
        let size = |board: &Board| sizes.get(&*board.id).copied().unwrap_or(0);
        Ok(boards.iter().map(|board| shown(board, size(board), now)).collect())
    }
}

/// A tournament with so many in it, as clients see it at a time.
pub fn shown(board: &Board, size: i32, now: i64) -> api::Tournament {
    let period = board.period(now);
    let runs = period.start <= now && period.end >= now;
    let time = |seconds| Some(Timestamp { seconds, nanos: 0 });
    let number = |value: i32| u32::try_from(value).unwrap_or(0);
    api::Tournament {
        id: board.id.to_string(),
        title: board.title.to_string(),
        description: board.description.to_string(),
        category: number(board.category),
        sort_order: board.sort_order.number() as u32,
        size: number(size),
        max_size: number(board.max_size),
        max_num_score: number(board.max_num_score),
        can_enter: runs && size < board.max_size,
        end_active: seconds(period.end),
        next_reset: seconds(period.expiry),
        metadata: board.metadata.to_string(),
        create_time: time(board.created.unix_sec()),
        start_time: time(board.start),
        end_time: if board.end > 0 { time(board.end) } else { None },
        duration: u32::try_from(board.duration_sec).unwrap_or(u32::MAX),
        start_active: seconds(period.start),
        prev_reset: seconds(board.previous_reset(now)),
        operator: shown_operator(board.operator),
        authoritative: board.authoritative,
        join_required: board.join_required,
    }
}
