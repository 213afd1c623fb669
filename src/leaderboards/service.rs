//! The leaderboards of one shard, and what is asked of boards as such.

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use kakera_proto::api;
use kakera_shards::{Clock, Counter, Counters};
use serde_json::Value;

use super::{Board, Change, Cron, Definitions, LeaderboardError, Operator, Peers, SortOrder};
use crate::{
    config::Config,
    cursor,
    leaderboards::definitions::BoardPlace,
    store::{
        Store, StoreError,
        leaderboards::{BoardRecord, NewBoard, definitions, fences},
        see_through,
    },
};

/// Longest id of a board, in characters.
const ID_LEN_MAX: usize = 128;

/// Cursors of lists of boards.
const BOARDS: &str = "leaderboards";

/// Cursors of lists that begin with the newest board.
const NEWEST: &str = "leaderboards_newest";

/// Which boards have no ranks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unranked {
    all: bool,
    ids: Vec<String>,
}

impl Unranked {
    pub fn new(config: &Config) -> Self {
        let ids = &config.leaderboard.blacklist_rank_cache;
        Self { all: matches!(ids.as_slice(), [id] if id == "*"), ids: ids.clone() }
    }

    pub(super) fn covers(&self, board: &Board) -> bool {
        self.all || !board.enable_ranks || self.ids.iter().any(|id| **id == *board.id)
    }
}

/// See the module's description. Clones are the same.
#[derive(Clone)]
pub struct Leaderboards(pub(super) Rc<Inner>);

pub(super) struct Inner {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) peers: Rc<dyn Peers>,
    pub(super) known: Rc<RefCell<Definitions>>,
    pub(super) unranked: Unranked,
    written: Counter,
    untold: Counter,
}

/// A leaderboard to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLeaderboard {
    pub id: String,
    pub authoritative: bool,
    pub sort_order: SortOrder,
    pub operator: Operator,
    /// Empty for none.
    pub reset_schedule: String,
    /// A JSON object, or empty.
    pub metadata: String,
    pub enable_ranks: bool,
}

impl Leaderboards {
    pub fn new(
        store: Store,
        clock: Clock,
        peers: Rc<dyn Peers>,
        (known, unranked): (Rc<RefCell<Definitions>>, Unranked),
        counters: &Counters,
    ) -> Self {
        let written = counters.counter("leaderboard_records_written", "Scores written.");
        let untold = counters
            .counter("leaderboard_changes_untold", "Changes of boards that not all shards took.");
        Self(Rc::new(Inner { store, clock, peers, known, unranked, written, untold }))
    }

    /// Reads all boards. To be done once, before the shard takes requests.
    pub async fn load(&self) -> Result<usize, StoreError> {
        let boards = definitions::all(&self.0.store).await?;
        let mut known = self.0.known.borrow_mut();
        for board in boards {
            known.apply(&Change::Is(board));
        }
        Ok(known.len())
    }

    pub fn store(&self) -> &Store {
        &self.0.store
    }

    pub fn peers(&self) -> &Rc<dyn Peers> {
        &self.0.peers
    }

    /// The boards that this shard knows.
    pub fn known(&self) -> &Rc<RefCell<Definitions>> {
        &self.0.known
    }

    /// Unix seconds.
    pub fn now(&self) -> i64 {
        self.0.clock.unix_sec()
    }

    /// How long it is until a second.
    pub fn until(&self, second: i64) -> Duration {
        let micros = second.saturating_mul(1_000_000).saturating_sub(self.0.clock.unix_micros());
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }

    pub(super) fn count_written(&self) {
        self.0.written.increment();
    }

    /// The board of this id. One that this shard does not know, as it came into the database by another
    /// way, is looked up, and told to all.
    pub async fn find(&self, id: &str) -> Result<Option<Rc<Board>>, StoreError> {
        let known = self.0.known.borrow().get(id);
        if known.is_some() {
            return Ok(known);
        }
        match definitions::one(&self.0.store, id).await? {
            Some(record) => self.tell_of(record).await,
            None => Ok(None),
        }
    }

    /// Creates a leaderboard and says whether it did; one of this id stays as it is.
    pub async fn create(&self, new: NewLeaderboard) -> Result<(Rc<Board>, bool), LeaderboardError> {
        let reset_schedule = schedule(new.reset_schedule)?;
        self.create_board(NewBoard {
            id: new.id,
            authoritative: new.authoritative,
            sort_order: new.sort_order,
            operator: new.operator,
            reset_schedule,
            metadata: metadata(new.metadata)?,
            enable_ranks: new.enable_ranks,
            tournament: None,
        })
        .await
    }

    /// The same for any board whose schedule has been checked.
    pub async fn create_board(&self, new: NewBoard) -> Result<(Rc<Board>, bool), LeaderboardError> {
        if new.id.is_empty() || new.id.chars().count() > ID_LEN_MAX {
            return Err(LeaderboardError::Invalid("The ID must have 1 to 128 characters.".into()));
        }
        if let Some(board) = self.find(&new.id).await? {
            return Ok((board, false));
        }
        let this = self.clone();
        see_through("create a board", async move { this.create_and_tell(new).await }).await
    }

    async fn create_and_tell(&self, new: NewBoard) -> Result<(Rc<Board>, bool), LeaderboardError> {
        let created = definitions::create(&self.0.store, &new).await?;
        let is_new = created.is_some();
        let record = match created {
            Some(record) => Some(record),
            None => definitions::one(&self.0.store, &new.id).await?,
        };
        let record = record.ok_or(LeaderboardError::NotFound)?;
        let board = self.tell_of(record).await?.ok_or(LeaderboardError::NotFound)?;
        Ok((board, is_new))
    }

    /// Deletes a board with all its records. False when there is none.
    pub async fn delete(&self, id: &str) -> Result<bool, LeaderboardError> {
        let Some(board) = self.find(id).await? else { return Ok(false) };
        let this = self.clone();
        see_through("delete a board", async move {
            let deleted = definitions::delete(&this.0.store, &board.id).await?;
            let forgotten = fences::forget(&this.0.store, &board.id).await;
            this.gone(&board).await;
            this.forget_ranks(&board).await;
            forgotten?;
            Ok(deleted)
        })
        .await
    }

    /// Does without ranks from now on.
    pub async fn disable_ranks(&self, id: &str) -> Result<(), LeaderboardError> {
        let board = self.find(id).await?.ok_or(LeaderboardError::NotFound)?;
        let this = self.clone();
        see_through("disable ranks", async move {
            definitions::disable_ranks(&this.0.store, &board.id).await?;
            match definitions::one(&this.0.store, &board.id).await? {
                Some(record) => drop(this.tell_of(record).await?),
                None => this.gone(&board).await,
            }
            this.forget_ranks(&board).await;
            Ok(())
        })
        .await
    }

    /// The database has no such board any more.
    pub async fn gone(&self, board: &Board) {
        self.tell(Change::Gone(Arc::clone(&board.id), board.created)).await;
    }

    /// These leaderboards; tournaments and unknown ids are left out.
    pub async fn get(&self, ids: &[String]) -> Result<Vec<api::Leaderboard>, LeaderboardError> {
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            let board = self.find(id).await?;
            found.extend(board.filter(|board| !board.is_tournament()));
        }
        Ok(found.iter().map(|board| shown(board, self.now())).collect())
    }

    /// Leaderboards that are no tournaments, oldest first.
    pub fn list(
        &self,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<api::LeaderboardList, LeaderboardError> {
        let after: Option<BoardPlace> = cursor
            .map(|cursor| cursor::decode(BOARDS, cursor))
            .transpose()
            .map_err(|_| LeaderboardError::InvalidCursor)?;
        let (known, now) = (self.0.known.borrow(), self.now());
        let mut boards = known.by_age(after.as_ref()).filter(|board| !board.is_tournament());
        let page: Vec<&Rc<Board>> = boards.by_ref().take(limit).collect();
        let last = page.last().filter(|_| boards.next().is_some());
        let cursor = last.map(|board| cursor::encode(BOARDS, &BoardPlace::of(board)));
        Ok(api::LeaderboardList {
            leaderboards: page.into_iter().map(|board| shown(board, now)).collect(),
            cursor: cursor.unwrap_or_default(),
        })
    }

    /// All boards, tournaments too, newest first; and the cursor of the next page, if there is one.
    pub fn newest(
        &self,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<(Vec<Rc<Board>>, String), LeaderboardError> {
        let before: Option<BoardPlace> = cursor
            .map(|cursor| cursor::decode(NEWEST, cursor))
            .transpose()
            .map_err(|_| LeaderboardError::InvalidCursor)?;
        let known = self.0.known.borrow();
        let mut boards = known.newest(before.as_ref());
        let page: Vec<Rc<Board>> = boards.by_ref().take(limit).cloned().collect();
        let last = page.last().filter(|_| boards.next().is_some());
        let cursor = last.map(|board| cursor::encode(NEWEST, &BoardPlace::of(board)));
        Ok((page, cursor.unwrap_or_default()))
    }

    async fn tell_of(&self, record: BoardRecord) -> Result<Option<Rc<Board>>, StoreError> {
        let id = record.id.clone();
        self.tell(Change::Is(record)).await;
        let board = self.0.known.borrow().get(&id);
        if board.is_none() {
            tracing::error!(%id, "A board of the database cannot be used.");
        }
        Ok(board)
    }

    async fn tell(&self, change: Change) {
        // Known here at once, whatever becomes of the others.
        self.0.known.borrow_mut().apply(&change);
        if !self.0.peers.tell(change).await {
            self.0.untold.increment();
        }
    }
}

/// A schedule as it is kept.
pub fn schedule(text: String) -> Result<Option<String>, LeaderboardError> {
    if text.is_empty() {
        return Ok(None);
    }
    match Cron::parse(&text) {
        Ok(_) => Ok(Some(text)),
        Err(error) => {
            let why = format!("could not parse reset schedule: {error}");
            Err(LeaderboardError::Invalid(why.into()))
        }
    }
}

/// Metadata as it is kept.
pub fn metadata(text: String) -> Result<String, LeaderboardError> {
    match serde_json::from_str(&text) {
        _ if text.is_empty() => Ok("{}".to_owned()),
        Ok(Value::Object(_)) => Ok(text),
        Ok(_) | Err(_) => {
            Err(LeaderboardError::Invalid("Metadata must be a JSON object, if provided.".into()))
        }
    }
}

/// An operator as the protocol numbers it.
pub fn shown_operator(operator: Operator) -> i32 {
    match operator {
        Operator::Best => api::Operator::Best,
        Operator::Set => api::Operator::Set,
        Operator::Increment => api::Operator::Increment,
        Operator::Decrement => api::Operator::Decrement,
    }
    .into()
}

/// Times of boards are 32-bit numbers on the wire.
pub fn seconds(time: i64) -> u32 {
    u32::try_from(time.max(0)).unwrap_or(u32::MAX)
}

/// A leaderboard as clients see it at a time.
pub fn shown(board: &Board, now: i64) -> api::Leaderboard {
    api::Leaderboard {
        id: board.id.to_string(),
        sort_order: board.sort_order.number() as u32,
        operator: shown_operator(board.operator),
        prev_reset: seconds(board.previous_reset(now)),
        next_reset: seconds(board.next_reset(now)),
        metadata: board.metadata.to_string(),
        create_time: Some(kakera_proto::Timestamp { seconds: board.created.unix_sec(), nanos: 0 }),
        authoritative: board.authoritative,
    }
}
