//! Lists of records: pages in the order of the board, the records of named owners, and pages around one.

use std::rc::Rc;

use futures_util::future;
use hashbrown::HashMap;
use kakera_proto::api;
use serde::{Deserialize, Serialize};

use super::{
    Board, LeaderboardError, Leaderboards, SortOrder,
    ranks::{Around, share},
    records::shown,
};
use crate::{
    cursor,
    ids::UserId,
    store::{
        Timestamp,
        leaderboards::{Place, ScoreRecord, listing},
    },
};

/// Cursors of lists of records.
const RECORDS: &str = "leaderboard_records";

/// Which records to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// `None` lists only those of the owners.
    pub limit: Option<u32>,
    pub cursor: Option<String>,
    pub owners: Vec<UserId>,
    /// A period's time of expiry; 0 is the current one.
    pub expiry: i64,
}

/// Where a list goes on, and in which list.
#[derive(Debug, Serialize, Deserialize)]
struct Turn {
    forward: bool,
    board: String,
    expiry: i64,
    score: i64,
    subscore: i64,
    owner: String,
    /// Of the record at the cursor.
    rank: i64,
}

impl Turn {
    fn at(record: &api::LeaderboardRecord, expiry: i64, forward: bool) -> String {
        let turn = Self {
            forward,
            board: record.leaderboard_id.clone(),
            expiry,
            score: record.score,
            subscore: record.subscore,
            owner: record.owner_id.clone(),
            rank: record.rank,
        };
        cursor::encode(RECORDS, &turn)
    }

    /// A cursor of this list; one of another board or period is refused.
    fn read(text: &str, board: &Board, expiry: i64) -> Result<(Self, Place), LeaderboardError> {
        let turn: Self =
            cursor::decode(RECORDS, text).map_err(|_| LeaderboardError::InvalidCursor)?;
        let owner = turn.owner.parse().map_err(|_| LeaderboardError::InvalidCursor)?;
        if turn.board != *board.id || turn.expiry != expiry {
            return Err(LeaderboardError::InvalidCursor);
        }
        let place = Place { score: turn.score, subscore: turn.subscore, owner };
        Ok((turn, place))
    }
}

fn reversed(order: SortOrder) -> SortOrder {
    match order {
        SortOrder::Ascending => SortOrder::Descending,
        SortOrder::Descending => SortOrder::Ascending,
    }
}

/// The page of records without what is asked of the ranks.
#[derive(Default)]
struct Page {
    records: Vec<api::LeaderboardRecord>,
    next: String,
    previous: String,
}

impl Leaderboards {
    /// Lists records of a board, be it a tournament or not.
    pub async fn records(
        &self,
        id: &str,
        listing: Listing,
    ) -> Result<api::LeaderboardRecordList, LeaderboardError> {
        let board = self.find(id).await?.ok_or(LeaderboardError::NotFound)?;
        match self.listed_expiry(&board, listing.expiry) {
            Some(expiry) => self.records_of(&board, expiry, listing).await,
            None => Ok(api::LeaderboardRecordList::default()),
        }
    }

    /// Lists the records of a period.
    pub async fn records_of(
        &self,
        board: &Rc<Board>,
        expiry: i64,
        listing: Listing,
    ) -> Result<api::LeaderboardRecordList, LeaderboardError> {
        let Listing { limit, cursor, owners, .. } = listing;
        let page = async {
            match limit {
                Some(limit) => self.page(board, expiry, limit, cursor.as_deref()).await,
                None => Ok(Page::default()),
            }
        };
        let of_owners = self.of_owners(board, expiry, owners);
        let (page, of_owners) = future::join(page, of_owners).await;
        let (Page { records, next, previous }, (owner_records, count)) = (page?, of_owners?);
        Ok(api::LeaderboardRecordList {
            records,
            owner_records,
            next_cursor: next,
            prev_cursor: previous,
            rank_count: i64::try_from(count).unwrap_or(i64::MAX),
        })
    }

    /// Lists the records around an owner's; none where the owner has none.
    pub async fn around(
        &self,
        id: &str,
        owner: UserId,
        limit: u32,
        listing: Listing,
    ) -> Result<api::LeaderboardRecordList, LeaderboardError> {
        let board = self.find(id).await?.ok_or(LeaderboardError::NotFound)?;
        match self.listed_expiry(&board, listing.expiry) {
            Some(expiry) => self.around_of(&board, expiry, (owner, limit), listing.cursor).await,
            None => Ok(api::LeaderboardRecordList::default()),
        }
    }

    /// The same for a period. With a cursor it is a list like any other.
    pub async fn around_of(
        &self,
        board: &Rc<Board>,
        expiry: i64,
        (owner, limit): (UserId, u32),
        cursor: Option<String>,
    ) -> Result<api::LeaderboardRecordList, LeaderboardError> {
        if cursor.is_some() {
            let listing = Listing { limit: Some(limit), cursor, ..Listing::default() };
            return self.records_of(board, expiry, listing).await;
        }
        if let Some(around) = self.ranked_around(board, expiry, owner, limit).await {
            return self.ranked_page(board, expiry, *around).await;
        }
        self.unranked_page(board, expiry, (owner, limit)).await
    }

    /// A cursor with which a list begins at a rank; empty for the first.
    pub async fn cursor_from_rank(
        &self,
        id: &str,
        rank: u64,
        expiry: i64,
    ) -> Result<String, LeaderboardError> {
        let board = self.find(id).await?.ok_or(LeaderboardError::NotFound)?;
        let invalid = |why: &'static str| LeaderboardError::Invalid(why.into());
        let expiry = self.listed_expiry(&board, expiry).ok_or_else(|| invalid("invalid expiry"))?;
        let before = match rank {
            0 => return Err(invalid("invalid rank - must be > 1")),
            1 => return Ok(String::new()),
            rank => rank - 1,
        };
        let score = self.ranked_at(&board, expiry, before).await;
        let score = score.ok_or_else(|| invalid("there is no such rank"))?;
        let turn = Turn {
            forward: true,
            board: board.id.to_string(),
            expiry,
            score: score.score,
            subscore: score.subscore,
            owner: score.owner.to_string(),
            rank: i64::try_from(before).unwrap_or(i64::MAX),
        };
        Ok(cursor::encode(RECORDS, &turn))
    }

    /// All records of an owner, of every board and period, without ranks: for the export of its account.
    pub async fn all_of_owner(
        &self,
        owner: UserId,
    ) -> Result<Vec<api::LeaderboardRecord>, LeaderboardError> {
        let found = listing::all_of_owner(self.store(), owner).await?;
        let shown = |(id, expiry, record): (String, Timestamp, ScoreRecord)| {
            shown(&id, expiry.unix_sec(), record, 0)
        };
        Ok(found.into_iter().map(shown).collect())
    }

    /// Which period is meant: the named one, or the current one. `None` where that can have no records.
    fn listed_expiry(&self, board: &Board, named: i64) -> Option<i64> {
        if named != 0 {
            return Some(named);
        }
        let now = self.now();
        let expiry = board.expiry(now);
        (expiry == 0 || expiry > now).then_some(expiry)
    }

    async fn page(
        &self,
        board: &Board,
        expiry: i64,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<Page, LeaderboardError> {
        let turn = cursor.map(|text| Turn::read(text, board, expiry)).transpose()?;
        let (id, time) = (&*board.id, Timestamp::from_unix_sec(expiry));
        let forward = turn.as_ref().is_none_or(|(turn, _)| turn.forward);
        let walk = if forward { board.sort_order } else { reversed(board.sort_order) };
        // One more tells whether there is another page.
        let most = i64::from(limit) + 1;
        let mut found = match &turn {
            None => listing::first(self.store(), id, time, walk, most).await?,
            Some((_, place)) => {
                listing::beyond(self.store(), id, time, (walk, *place), most).await?
            }
        };
        let more = found.len() as i64 == most;
        found.truncate(limit as usize);
        let from = turn.as_ref().map_or(0, |(turn, _)| turn.rank);
        let step = if forward { 1 } else { -1 };
        let ranks = (1..).map(|n| u64::try_from(from + n * step).unwrap_or(0));
        let mut records: Vec<api::LeaderboardRecord> = found
            .into_iter()
            .zip(ranks)
            .map(|(record, rank)| shown(&board.id, expiry, record, rank))
            .collect();
        if !forward {
            records.reverse();
        }
        let (before, after) = if forward { (turn.is_some(), more) } else { (more, true) };
        let at = |record: Option<&api::LeaderboardRecord>, wanted: bool, forward| {
            record.filter(|_| wanted).map(|record| Turn::at(record, expiry, forward))
        };
        let next = at(records.last(), after, true).unwrap_or_default();
        let previous = at(records.first(), before, false).unwrap_or_default();
        Ok(Page { records, next, previous })
    }

    /// The records of the owners in the order of the board, and how many records are ranked.
    async fn of_owners(
        &self,
        board: &Board,
        expiry: i64,
        owners: Vec<UserId>,
    ) -> Result<(Vec<api::LeaderboardRecord>, u64), LeaderboardError> {
        let mut found = Vec::new();
        if !owners.is_empty() {
            let time = Timestamp::from_unix_sec(expiry);
            found = listing::of_owners(self.store(), &board.id, time, owners).await?;
        }
        found.sort_unstable_by_key(|record| (record.score, record.subscore, record.owner));
        if board.sort_order == SortOrder::Descending {
            found.reverse();
        }
        Ok(self.with_ranks(board, expiry, found).await)
    }

    async fn with_ranks(
        &self,
        board: &Board,
        expiry: i64,
        records: Vec<ScoreRecord>,
    ) -> (Vec<api::LeaderboardRecord>, u64) {
        let owners = records.iter().map(|record| record.owner).collect();
        let (ranks, count) = self.ranks_of(board, expiry, owners).await;
        let mut ranks = ranks.to_vec();
        for (rank, record) in ranks.iter_mut().zip(&records).filter(|(rank, _)| **rank == 0) {
            // The record is there, so its rank was lost: a deletion and a write crossed on their way.
            *rank = self.rank_written(board, expiry, &record.ranked()).await;
        }
        let records = records.into_iter().zip(ranks.into_iter().chain(std::iter::repeat(0)));
        (records.map(|(record, rank)| shown(&board.id, expiry, record, rank)).collect(), count)
    }

    /// A page whose owners the ranks have told.
    async fn ranked_page(
        &self,
        board: &Board,
        expiry: i64,
        around: Around,
    ) -> Result<api::LeaderboardRecordList, LeaderboardError> {
        let Around { first, scores, count } = around;
        let time = Timestamp::from_unix_sec(expiry);
        let owners: Vec<UserId> = scores.iter().map(|score| score.owner).collect();
        let found = listing::of_owners(self.store(), &board.id, time, owners).await?;
        let mut found: HashMap<UserId, ScoreRecord> =
            found.into_iter().map(|record| (record.owner, record)).collect();
        let last = first + scores.len() as u64 - 1;
        for score in scores.iter().filter(|score| !found.contains_key(&score.owner)) {
            // A rank without a record: it was deleted since, or the two crossed on their way.
            self.rank_deleted(board, expiry, score.owner).await;
        }
        let records: Vec<api::LeaderboardRecord> = (first..)
            .zip(scores)
            // One that was deleted since is not there.
            .filter_map(|(rank, score)| Some((rank, found.remove(&score.owner)?)))
            .map(|(rank, record)| shown(&board.id, expiry, record, rank))
            .collect();
        Ok(around_page(records, expiry, (first > 1, last < count), count))
    }

    /// The same without help from the ranks.
    async fn unranked_page(
        &self,
        board: &Board,
        expiry: i64,
        (owner, limit): (UserId, u32),
    ) -> Result<api::LeaderboardRecordList, LeaderboardError> {
        let (store, id, time) = (self.store(), &*board.id, Timestamp::from_unix_sec(expiry));
        let Some(record) = listing::of_owner(store, id, time, owner).await? else {
            return Ok(api::LeaderboardRecordList::default());
        };
        let (place, most) = (record.place(), i64::from(limit) + 1);
        let (up, down) = (reversed(board.sort_order), board.sort_order);
        let (above, below) = future::try_join(
            listing::beyond(store, id, time, (up, place), most),
            listing::beyond(store, id, time, (down, place), most),
        )
        .await?;
        let (above_len, below_len) =
            share(above.len() as u64, below.len() as u64, u64::from(limit));
        let before = above.len() as u64 > above_len;
        let after = below.len() as u64 > below_len;
        let mut page: Vec<ScoreRecord> = above.into_iter().take(above_len as usize).collect();
        page.reverse();
        page.push(record);
        page.extend(below.into_iter().take(below_len as usize));
        let (records, count) = self.with_ranks(board, expiry, page).await;
        Ok(around_page(records, expiry, (before, after), count))
    }
}

fn around_page(
    records: Vec<api::LeaderboardRecord>,
    expiry: i64,
    (before, after): (bool, bool),
    count: u64,
) -> api::LeaderboardRecordList {
    let at = |record: Option<&api::LeaderboardRecord>, wanted: bool, forward| {
        let record = record.filter(|_| wanted);
        record.map(|record| Turn::at(record, expiry, forward)).unwrap_or_default()
    };
    api::LeaderboardRecordList {
        next_cursor: at(records.last(), after, true),
        prev_cursor: at(records.first(), before, false),
        records,
        owner_records: Vec::new(),
        rank_count: i64::try_from(count).unwrap_or(i64::MAX),
    }
}
