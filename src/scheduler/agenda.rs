//! What is due when: pure and synchronous.

use std::{collections::BTreeSet, rc::Rc, sync::Arc};

use hashbrown::{HashMap, HashSet};

use crate::{leaderboards::Board, store::leaderboards::fences::Kind};

/// Events of a kind that a board has missed and that are made up for.
pub const MISSED_MAX: u32 = 16;

/// An event of a board. Earlier ones come first, and the end of a period before its reset.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    pub(super) time: i64,
    pub(super) kind: Kind,
    pub(super) board: Arc<str>,
}

struct Entry {
    board: Rc<Board>,
    /// The times at which it is on the list.
    times: Vec<(Kind, i64)>,
    /// Events made up for since it was last up to date.
    made_up: u32,
}

/// The next event of each kind of each board that a shard keeps.
#[derive(Default)]
pub(super) struct Agenda {
    due: BTreeSet<Due>,
    boards: HashMap<Arc<str>, Entry>,
    /// Events that nobody makes up for.
    pub(super) skipped: u64,
}

impl Agenda {
    pub(super) fn len(&self) -> usize {
        self.boards.len()
    }

    pub(super) fn board(&self, id: &str) -> Option<Rc<Board>> {
        self.boards.get(id).map(|entry| Rc::clone(&entry.board))
    }

    /// Those of the boards that are new or have changed.
    pub(super) fn news(&self, boards: &[Rc<Board>]) -> Vec<Rc<Board>> {
        let known =
            |board: &Board| self.boards.get(&board.id).is_some_and(|entry| *entry.board == *board);
        boards.iter().filter(|board| !known(board)).cloned().collect()
    }

    /// Keeps only these boards. Those that are new or have changed are put on the list by
    /// [`Agenda::reached`], which belongs to the same step: nobody looks for them again.
    pub(super) fn follow(&mut self, boards: Vec<Rc<Board>>) {
        let mut old = std::mem::take(&mut self.boards);
        for board in boards {
            match old.remove(&board.id) {
                Some(entry) if *entry.board == *board => {
                    self.boards.insert(Arc::clone(&board.id), entry);
                }
                known => {
                    self.strike(&board.id, known);
                    let entry = Entry { board: Rc::clone(&board), times: Vec::new(), made_up: 0 };
                    self.boards.insert(Arc::clone(&board.id), entry);
                }
            }
        }
        for (id, entry) in old {
            self.strike(&id, Some(entry));
        }
    }

    fn strike(&mut self, id: &Arc<str>, entry: Option<Entry>) {
        for (kind, time) in entry.into_iter().flat_map(|entry| entry.times) {
            self.due.remove(&Due { time, kind, board: Arc::clone(id) });
        }
    }

    /// The events of this kind have been carried out up to a time: puts the next one on the list.
    pub(super) fn reached(&mut self, id: &str, kind: Kind, time: i64, now: i64) {
        let Some((id, entry)) = self.boards.get_key_value(id) else { return };
        let id = Arc::clone(id);
        let mut following = next(&entry.board, kind, time);
        let missed = following.is_some_and(|following| following <= now);
        let made_up = if missed { entry.made_up + 1 } else { 0 };
        if made_up > MISSED_MAX {
            let last = latest(&entry.board, kind, now);
            if last > following {
                self.skipped += 1;
                following = last;
            }
        }
        if let Some(entry) = self.boards.get_mut(&id) {
            entry.made_up = made_up;
            let old = entry.times.iter().position(|(known, _)| *known == kind);
            let old = old.map(|at| entry.times.swap_remove(at));
            entry.times.extend(following.map(|time| (kind, time)));
            if let Some((kind, time)) = old {
                self.due.remove(&Due { time, kind, board: Arc::clone(&id) });
            }
            self.due.extend(following.map(|time| Due { time, kind, board: id }));
        }
    }

    /// The earliest event.
    pub(super) fn first(&self) -> Option<&Due> {
        self.due.first()
    }

    /// The earliest event but those of boards that are set aside.
    pub(super) fn first_beside(&self, aside: &HashSet<Arc<str>>) -> Option<&Due> {
        self.due.iter().find(|due| !aside.contains(&due.board))
    }
}

/// The first event of a kind after a time.
pub(super) fn next(board: &Board, kind: Kind, after: i64) -> Option<i64> {
    if !board.is_tournament() {
        let reset = board.next_reset(after);
        return (kind == Kind::Reset && reset > after).then_some(reset);
    }
    if board.has_ended(after) {
        return None;
    }
    let period = board.period(after);
    match kind {
        Kind::Reset => Some(period.expiry).filter(|expiry| *expiry > after),
        Kind::End if period.end > after => Some(period.end),
        Kind::End if period.expiry > after && !board.has_ended(period.expiry) => {
            Some(board.period(period.expiry).end)
        }
        Kind::End => None,
    }
}

/// The last event of a kind until now.
fn latest(board: &Board, kind: Kind, now: i64) -> Option<i64> {
    let last_reset = || board.schedule.as_ref()?.cron.last(now.checked_add(1)?);
    match kind {
        Kind::Reset if board.is_tournament() && board.has_ended(now) => Some(board.end),
        Kind::Reset => last_reset(),
        Kind::End => {
            let period = board.period(now);
            if period.end <= now {
                return Some(period.end);
            }
            let before = board.schedule.as_ref()?.cron.last(period.start)?;
            Some(board.period(before).end).filter(|end| *end <= now)
        }
    }
}

/// Which events can happen to a board at all.
pub(super) fn kinds(board: &Board) -> &'static [Kind] {
    match (board.is_tournament(), board.schedule.is_some() || board.end > 0) {
        (true, true) => &[Kind::End, Kind::Reset],
        (true, false) => &[Kind::End],
        (false, _) if board.schedule.is_some() => &[Kind::Reset],
        (false, _) => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        leaderboards::{Operator, SortOrder},
        store::{Timestamp, leaderboards::BoardRecord},
    };

    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;
    /// A midnight.
    const T: i64 = 1_700_006_400;

    fn board(id: &str, schedule: Option<&str>, duration: i64, end: i64) -> Rc<Board> {
        let record = BoardRecord {
            id: id.to_owned(),
            authoritative: false,
            sort_order: SortOrder::Descending,
            operator: Operator::Best,
            reset_schedule: schedule.map(str::to_owned),
            metadata: "{}".to_owned(),
            create_time: Timestamp::from_unix_sec(T),
            category: 0,
            description: String::new(),
            duration_sec: duration as i32,
            end_time: Timestamp::from_unix_sec(end),
            join_required: false,
            max_size: 5,
            max_num_score: 1,
            title: String::new(),
            start_time: Timestamp::from_unix_sec(T),
            enable_ranks: true,
            size: 0,
        };
        Rc::new(Board::read(&record).unwrap())
    }

    /// All events of a board from a time on, as somebody who is always in time sees them.
    fn events(board: &Rc<Board>, from: i64, count: usize) -> Vec<(Kind, i64)> {
        let mut agenda = Agenda::default();
        agenda.follow(vec![Rc::clone(board)]);
        for kind in kinds(board) {
            agenda.reached(&board.id, *kind, from, from);
        }
        let mut seen = Vec::new();
        while seen.len() < count {
            let Some(due) = agenda.first().cloned() else { break };
            seen.push((due.kind, due.time));
            agenda.reached(&due.board, due.kind, due.time, due.time);
        }
        seen
    }

    #[test]
    fn a_tournament_ends_and_is_reset_in_turn_until_it_is_over() {
        use Kind::{End, Reset};
        let daily = board("t", Some("@daily"), HOUR, T + 2 * DAY);
        let expected =
            [(End, T + HOUR), (Reset, T + DAY), (End, T + DAY + HOUR), (Reset, T + 2 * DAY)];
        assert_eq!(events(&daily, T, 9), expected);
        let whole = board("t", Some("@daily"), DAY, 0);
        let expected = [(End, T + DAY), (Reset, T + DAY), (End, T + 2 * DAY), (Reset, T + 2 * DAY)];
        assert_eq!(events(&whole, T, 4), expected);
        assert_eq!(events(&board("t", None, HOUR, 0), T, 9), [(End, T + HOUR)]);
        assert_eq!(events(&board("b", Some("@daily"), 0, 0), T, 1), [(Reset, T + DAY)]);
        assert!(events(&board("b", None, 0, 0), T, 9).is_empty());
    }

    #[test]
    fn what_was_missed_is_made_up_for_and_then_only_the_latest() {
        let hourly = board("b", Some("@hourly"), 0, 0);
        let mut agenda = Agenda::default();
        agenda.follow(vec![Rc::clone(&hourly)]);
        let now = T + 1000 * HOUR + 5;
        agenda.reached("b", Kind::Reset, T, now);
        let mut times = Vec::new();
        while let Some(due) = agenda.first().filter(|due| due.time <= now).cloned() {
            times.push((due.time - T) / HOUR);
            agenda.reached("b", Kind::Reset, due.time, now);
        }
        let expected: Vec<i64> = (1..=i64::from(MISSED_MAX)).chain([1000]).collect();
        assert_eq!((times, agenda.skipped), (expected, 1));
    }

    #[test]
    fn a_board_that_changes_or_goes_is_struck_off() {
        let mut agenda = Agenda::default();
        let old = board("b", Some("@daily"), 0, 0);
        assert_eq!(agenda.news(&[Rc::clone(&old)]).len(), 1);
        agenda.follow(vec![Rc::clone(&old)]);
        agenda.reached("b", Kind::Reset, T, T);
        assert!(agenda.news(&[Rc::clone(&old)]).is_empty(), "it is the same");
        agenda.follow(vec![old]);
        assert!(agenda.first().is_some());
        let new = board("b", Some("@hourly"), 0, 0);
        assert_eq!(agenda.news(&[Rc::clone(&new)]).len(), 1);
        agenda.follow(vec![new]);
        assert!(agenda.first().is_none());
        agenda.reached("b", Kind::Reset, T, T);
        assert_eq!(agenda.first().unwrap().time, T + HOUR);
        agenda.follow(Vec::new());
        assert!(agenda.first().is_none() && agenda.len() == 0);
    }

    #[test]
    fn the_latest_event_of_each_kind_is_found() {
        let daily = board("t", Some("@daily"), HOUR, T + 9 * DAY);
        let at = |kind, now| latest(&daily, kind, now);
        assert_eq!(at(Kind::Reset, T + 2 * DAY), Some(T + 2 * DAY));
        assert_eq!(at(Kind::End, T + 2 * DAY + 60), Some(T + DAY + HOUR));
        assert_eq!(at(Kind::End, T + 2 * DAY + 2 * HOUR), Some(T + 2 * DAY + HOUR));
        assert_eq!(at(Kind::Reset, T + 99 * DAY), Some(T + 9 * DAY));
    }
}
