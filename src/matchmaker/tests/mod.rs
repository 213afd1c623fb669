mod pool;
mod property;
mod rules;
mod shards;

use std::{collections::BTreeMap, sync::Arc};

use kakera_shards::{Address, NodeId, ShardId};
use uuid::Uuid;

use super::*;
use crate::ids::{PartyId, SessionId, TicketId, UserId};

const RULES: Rules =
    Rules { seeker_tickets_max: 3, rounds_max: 2, mutual: false, mutual_for_ms: None };

/// A request for so many players, multiples of one, whoever they are.
fn wanted(min: usize, max: usize) -> Wanted {
    let (strings, numbers) = (BTreeMap::new(), BTreeMap::new());
    Wanted { min, max, multiple: 1, query: "*".to_owned(), strings, numbers }
}

impl Wanted {
    fn asking(self, query: &str) -> Self {
        Self { query: query.to_owned(), ..self }
    }

    fn multiple(self, multiple: usize) -> Self {
        Self { multiple, ..self }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.strings.insert(name.to_owned(), value.to_owned());
        self
    }

    fn rank(mut self, rank: f64) -> Self {
        self.numbers.insert("rank".to_owned(), rank);
        self
    }
}

fn session(number: u64) -> SessionId {
    let home = Address { node: NodeId(1), shard: ShardId(0) };
    SessionId::at(home, u128::from(number) << 64)
}

fn player(number: u64) -> Player {
    let user = UserId(Uuid::from_u128(number.into()));
    Player { session: session(number), user, username: Arc::from(format!("player-{number}")) }
}

/// A pool, and players that are told apart by a number.
struct Pool {
    state: State,
    tickets: u128,
    now_micros: i64,
    now_ms: u64,
}

impl Pool {
    fn new(rules: Rules) -> Self {
        Self { state: State::new(rules), tickets: 0, now_micros: 0, now_ms: 0 }
    }

    fn try_add(&mut self, number: u64, wanted: Wanted) -> Result<TicketId, MatchmakerError> {
        self.try_add_all((Seeker::Session(session(number)), ""), &[number], wanted)
    }

    fn try_add_all(
        &mut self,
        seeker: (Seeker, &str),
        numbers: &[u64],
        wanted: Wanted,
    ) -> Result<TicketId, MatchmakerError> {
        self.tickets += 1;
        self.now_micros += 1;
        let ticket = TicketId(Uuid::from_u128(self.tickets));
        let players = numbers.iter().map(|number| player(*number)).collect();
        self.state.add(Entry::new(ticket, seeker, players, wanted)?, self.now_micros)?;
        Ok(ticket)
    }

    fn add(&mut self, number: u64, wanted: Wanted) -> TicketId {
        self.try_add(number, wanted).expect("taken in")
    }

    fn add_party(&mut self, party: u128, numbers: &[u64], wanted: Wanted) -> TicketId {
        let id = PartyId(Uuid::from_u128(party));
        let wire = format!("{id}.node");
        self.try_add_all((Seeker::Party(id), &wire), numbers, wanted).expect("taken in")
    }

    /// A round, in slices of the least cost that gets on; the players of each match, found ones first.
    fn round(&mut self) -> Vec<Vec<u64>> {
        self.round_in(1)
    }

    fn round_in(&mut self, cost: usize) -> Vec<Vec<u64>> {
        let mut round = self.state.begin(self.now_ms);
        let mut matches = Vec::new();
        loop {
            let now = (self.now_ms, self.now_micros);
            let (formed, is_over) = self.state.slice(&mut round, cost, now);
            matches.extend(formed.iter().map(numbers));
            if is_over {
                self.state.end(round);
                return matches;
            }
        }
    }
}

fn numbers(formed: &Formed) -> Vec<u64> {
    let players = formed.entries().iter().flat_map(|entry| &entry.players);
    players.map(|player| player.user.0.as_u128() as u64).collect()
}
