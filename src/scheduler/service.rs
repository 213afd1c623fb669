//! The loop that carries events out.

use std::{rc::Rc, time::Duration};

use hashbrown::{HashMap, HashSet};
use kakera_shards::{Counter, Counters, runtime};

use super::{
    Effects, Event,
    agenda::{Agenda, Due, kinds, next},
};
use crate::{
    error::ErrorKind,
    leaderboards::{Board, Leaderboards, service::shown},
    store::{
        StoreError, Timestamp,
        leaderboards::{
            definitions,
            fences::{self, Kind},
        },
    },
    tournaments,
};

/// How long a change of the boards, or of the clock, may go unnoticed; and how long after a failure of the
/// store an event is tried again.
const TURN: Duration = Duration::from_secs(1);

/// Turns after which a shard looks again which schedules are its own.
const LOOKS_APART: u64 = 60;

/// The schedules that a shard keeps.
pub struct Scheduler {
    boards: Leaderboards,
    effects: Option<Rc<dyn Effects>>,
    agenda: Agenda,
    /// The version of the boards that the agenda follows.
    version: Option<u64>,
    turns: u64,
    kept: Counter,
    carried_out: Counter,
    skipped: Counter,
    failed: Counter,
}

impl Scheduler {
    /// Without `effects`, events change the boards and nobody is told.
    pub fn new(
        boards: Leaderboards,
        effects: Option<Rc<dyn Effects>>,
        counters: &Counters,
    ) -> Self {
        let counter = |name, help| counters.counter(name, help);
        Self {
            boards,
            effects,
            agenda: Agenda::default(),
            version: None,
            turns: 0,
            kept: counters.gauge("schedules", "Boards whose schedules the shard keeps."),
            carried_out: counter("schedule_events", "Resets and ends carried out."),
            skipped: counter("schedule_gaps", "Gaps in which missed resets and ends were skipped."),
            failed: counter("schedule_failures", "Resets and ends that the store refused."),
        }
    }

    /// Carries out what is due, now and from now on.
    pub async fn run(mut self) {
        loop {
            self.turn().await;
            runtime::sleep(self.pause()).await;
        }
    }

    /// Carries out what is due now.
    pub async fn turn(&mut self) {
        let done = self.try_turn().await;
        self.turns += 1;
        self.kept.set(self.agenda.len() as u64);
        self.skipped.add(std::mem::take(&mut self.agenda.skipped));
        if let Err(error) = done {
            self.failed.increment();
            tracing::warn!(%error, "A reset or an end of a board has to wait.");
        }
    }

    fn pause(&self) -> Duration {
        let until = self.agenda.first().map(|due| self.boards.until(due.time));
        // What is overdue has failed, and waits like everything else.
        until.filter(|until| !until.is_zero()).map_or(TURN, |until| until.min(TURN))
    }

    /// What fails stands aside until the next turn, so that it blocks nothing else; only where nothing can
    /// be written at all is the rest left for later.
    async fn try_turn(&mut self) -> Result<(), StoreError> {
        if let Err(error) = self.follow().await {
            self.put_off(None, error)?;
        }
        let mut aside = HashSet::new();
        loop {
            let now = self.boards.now();
            let due = self.agenda.first_beside(&aside).filter(|due| due.time <= now).cloned();
            let Some(due) = due else { return Ok(()) };
            if let Err(error) = self.carry_out(&due).await {
                self.put_off(Some(&due.board), error)?;
                aside.insert(due.board);
            }
        }
    }

    fn put_off(&self, board: Option<&str>, error: StoreError) -> Result<(), StoreError> {
        if error.kind() == ErrorKind::Unavailable {
            return Err(error);
        }
        self.failed.increment();
        tracing::error!(board, %error, "A reset or an end of a board has to wait.");
        Ok(())
    }

    /// Takes over which boards there are. On an error nothing has changed.
    async fn follow(&mut self) -> Result<(), StoreError> {
        let version = self.boards.known().borrow().version();
        if self.version == Some(version) && !self.turns.is_multiple_of(LOOKS_APART) {
            return Ok(());
        }
        let now = self.boards.now();
        let kept: Vec<Rc<Board>> = {
            let known = self.boards.known().borrow();
            let scheduled = known.by_age(None).filter(|board| !kinds(board).is_empty());
            let peers = self.boards.peers();
            scheduled.filter(|board| peers.keeps_schedule(&board.id)).cloned().collect()
        };
        let new = self.agenda.news(&kept);
        let (ends, resets) = (
            self.reached(Kind::End, &new, now).await?,
            self.reached(Kind::Reset, &new, now).await?,
        );
        self.agenda.follow(kept);
        for board in new {
            for kind in kinds(&board) {
                let reached = if *kind == Kind::End { &ends } else { &resets };
                let reached = reached.get(&*board.id).map_or(now, |time| time.unix_sec());
                // What another board of this name has left behind is not this one's.
                let reached = reached.max(board.created.unix_sec());
                self.agenda.reached(&board.id, *kind, reached, now);
            }
        }
        self.version = Some(version);
        Ok(())
    }

    /// Up to when the events of new boards have been carried out. A board that has none to come, and none
    /// that was ever claimed, leaves no row.
    async fn reached(
        &self,
        kind: Kind,
        new: &[Rc<Board>],
        now: i64,
    ) -> Result<HashMap<String, Timestamp>, StoreError> {
        let store = self.boards.store();
        let ids = |boards: &mut dyn Iterator<Item = &Rc<Board>>| -> Vec<String> {
            boards.map(|board| board.id.to_string()).collect()
        };
        let mut boards = new.iter().filter(|board| kinds(board).contains(&kind));
        let wanted = ids(&mut boards);
        if wanted.is_empty() {
            return Ok(HashMap::new());
        }
        // At the start there are many, and most of them are known.
        let known = if self.version.is_none() {
            fences::all(store, kind).await?
        } else {
            fences::reached(store, kind, &wanted).await?
        };
        let mut known: HashMap<String, Timestamp> = known.into_iter().collect();
        let mut unknown = new.iter().filter(|board| {
            kinds(board).contains(&kind)
                && !known.contains_key(&*board.id)
                && next(board, kind, now).is_some()
        });
        let unknown = ids(&mut unknown);
        known.extend(fences::begin(store, kind, &unknown, Timestamp::from_unix_sec(now)).await?);
        Ok(known)
    }

    async fn carry_out(&mut self, due: &Due) -> Result<(), StoreError> {
        let Some(board) = self.agenda.board(&due.board) else { return Ok(()) };
        let store = self.boards.store().clone();
        // What the event is told with is how things are before it.
        let event = match &self.effects {
            Some(_) => self.event(&board, due).await?,
            None => None,
        };
        let time = Timestamp::from_unix_sec(due.time);
        let next_expiry = Timestamp::from_unix_sec(board.expiry(due.time));
        let claimed = fences::claim(&store, due.kind, &due.board, (time, next_expiry)).await?;
        let reached = if claimed {
            self.carried_out.increment();
            due.time
        } else {
            // Another node was first, and may be further; or the board is gone.
            let known = fences::reached(&store, due.kind, &[due.board.to_string()]).await?;
            known.first().map_or(due.time, |(_, reached)| reached.unix_sec().max(due.time))
        };
        self.agenda.reached(&due.board, due.kind, reached, self.boards.now());
        if let (true, Some(effects), Some(event)) = (claimed, &self.effects, event) {
            effects.happened(event).await;
        }
        Ok(())
    }

    /// The event as it is told. `None` when the board is gone.
    async fn event(&self, board: &Board, due: &Due) -> Result<Option<Event>, StoreError> {
        let before = due.time - 1;
        if !board.is_tournament() {
            let leaderboard = shown(board, before);
            return Ok(Some(Event::LeaderboardReset { leaderboard, reset: due.time }));
        }
        let record = definitions::one(self.boards.store(), &board.id).await?;
        Ok(record.map(|record| {
            let tournament = tournaments::shown(board, record.size, before);
            let period = board.period(before);
            let (end, reset) = (period.end, period.expiry);
            match due.kind {
                Kind::End => Event::TournamentEnd { tournament, end, reset },
                Kind::Reset => Event::TournamentReset { tournament, end, reset },
            }
        }))
    }
}
