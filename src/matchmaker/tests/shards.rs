//! Sessions on several shards, the pool on one of them, and messages that take their time.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use futures_util::FutureExt;
use kakera_proto::realtime::{
    Envelope, MatchmakerMatched, envelope::Message, matchmaker_matched::Id,
};
use kakera_shards::{
    Loss, MailboxLimits, Mesh, MeshLimits, Protocol, ReplyTo, StableHash,
    ring::Member as Node,
    runtime,
    sim::{Faults, SimConfig, Simulation, check},
};

use super::*;
use crate::matches::{MatchRef, MatchTokens};

struct Wire;

impl Protocol for Wire {
    type Request = Request;
    type Reply = Reply;
}

struct Port(Mesh<Wire>);

impl Post for Port {
    fn me(&self) -> Address {
        self.0.me()
    }

    fn pool(&self) -> Address {
        self.0.owner(StableHash::new("pool").finish())
    }

    fn call(&self, to: Address, request: Request, then: Then) {
        self.0.call_then(to, request, Duration::from_secs(5), move |reply| {
            then(reply.map_err(|_| Unanswered));
        });
    }

    fn deliver(&self, to: Address, request: Request) {
        self.0.deliver(to, request, Loss::Never);
    }
}

/// The clients of a shard: who is connected, and what they were told.
#[derive(Default)]
struct Clients {
    open: RefCell<BTreeSet<SessionId>>,
    told: RefCell<BTreeMap<SessionId, Vec<MatchmakerMatched>>>,
}

impl Tell for Clients {
    fn tell(&self, session: SessionId, envelope: &Envelope) {
        if !self.open.borrow().contains(&session) {
            return;
        }
        let Some(Message::MatchmakerMatched(matched)) = &envelope.message else {
            panic!("not sent by the matchmaker: {envelope:?}");
        };
        self.told.borrow_mut().entry(session).or_default().push(matched.clone());
    }
}

#[derive(Clone)]
struct Shard {
    address: Address,
    matchmaker: Matchmaker,
    clients: Rc<Clients>,
}

struct World {
    sim: Simulation<Wire>,
    shards: Vec<Shard>,
}

type Answered = Rc<RefCell<Option<Result<TicketId, MatchmakerError>>>>;

impl World {
    fn new(seed: u64, faults: Faults, limits: MeshLimits) -> Self {
        let members = vec![Node { node: NodeId(1), shards: 3 }];
        let config = SimConfig { members, limits, faults };
        let built: Rc<RefCell<BTreeMap<Address, Shard>>> = Rc::default();
        let made = Rc::clone(&built);
        let mut sim = Simulation::new(seed, config, move |context| {
            let made = Rc::clone(&made);
            async move {
                let clients = Rc::new(Clients::default());
                let tools = Tools {
                    sessions: Rc::clone(&clients) as _,
                    post: Rc::new(Port(context.mesh.clone())),
                    clock: context.clock(),
                    rng: context.rng.clone(),
                    tokens: Rc::new(MatchTokens::new("secret")),
                };
                let settings = Settings { rules: RULES, interval: Duration::from_secs(1) };
                let matchmaker = Matchmaker::new(tools, settings, None);
                let shard = Shard { address: context.me(), matchmaker, clients };
                made.borrow_mut().insert(context.me(), shard.clone());
                context.serve(Rc::new(move |_, request, reply: ReplyTo<Wire>| {
                    shard.matchmaker.handle(request, move |answer| reply.send(answer));
                }));
                Ok(())
            }
        });
        assert!(sim.run_until_quiet(Duration::from_secs(1)));
        let shards = built.borrow().values().cloned().collect();
        Self { sim, shards }
    }

    fn settle(&mut self) {
        assert!(self.sim.run_until_quiet(Duration::from_mins(1)), "the shards come to rest");
    }

    fn on<T>(&self, shard: usize, run: impl FnOnce(&Shard) -> T) -> T {
        let shard = &self.shards[shard];
        self.sim.on(shard.address, |_| run(shard)).expect("the shard is up")
    }

    fn open(&self, shard: usize, number: u64) -> Player {
        let home = &self.shards[shard];
        let session = SessionId::at(home.address, u128::from(number) << 64);
        home.clients.open.borrow_mut().insert(session);
        Player { session, ..player(number) }
    }

    fn add(&self, shard: usize, player: &Player, wanted: Wanted) -> Answered {
        let answered = Answered::default();
        let put = Rc::clone(&answered);
        let then = move |added| *put.borrow_mut() = Some(added);
        self.on(shard, |home| home.matchmaker.add(player.clone(), wanted, then));
        answered
    }

    fn close(&self, shard: usize, player: &Player) {
        self.on(shard, |home| {
            home.clients.open.borrow_mut().remove(&player.session);
            home.matchmaker.ended(player.session);
        });
    }

    fn start_round(&self) {
        for shard in 0..self.shards.len() {
            self.on(shard, |shard| {
                let matchmaker = shard.matchmaker.clone();
                runtime::spawn("round", async move { matchmaker.round().await });
            });
        }
    }

    fn tickets_len(&self) -> usize {
        self.shards.iter().map(|shard| shard.matchmaker.read(State::len)).sum()
    }

    /// No home knows of a session that looks.
    fn homes_are_empty(&self) -> bool {
        self.shards.iter().all(|shard| shard.matchmaker.0.home.borrow().is_empty())
    }

    fn told(&self, shard: usize, player: &Player) -> Vec<MatchmakerMatched> {
        let told = self.shards[shard].clients.told.borrow_mut().remove(&player.session);
        told.unwrap_or_default()
    }
}

#[test]
fn players_of_several_shards_are_told_of_one_match() {
    let mut world = World::new(5, Faults::default(), MeshLimits::default());
    let players: Vec<_> = (0..3).map(|shard| world.open(shard, shard as u64 + 1)).collect();
    let mut tickets = Vec::new();
    for (shard, player) in players.iter().enumerate() {
        let asked = wanted(3, 3).with("name", &format!("n{shard}")).rank(shard as f64);
        let answered = world.add(shard, player, asked);
        world.settle();
        let ticket = answered.borrow_mut().take().expect("an answer").expect("a ticket");
        tickets.push(ticket);
    }
    assert_eq!(world.tickets_len(), 3);
    world.start_round();
    world.settle();
    assert!(world.tickets_len() == 0 && world.homes_are_empty());
    let mut tokens = BTreeSet::new();
    for (shard, player) in players.iter().enumerate() {
        let [matched] = world.told(shard, player).try_into().expect("told once");
        assert_eq!(matched.ticket, tickets[shard].to_string());
        let me = matched.self_.clone().expect("oneself");
        assert_eq!(me.presence.map(|me| me.user_id), Some(player.user.to_string()));
        assert_eq!(me.string_properties.get("name"), Some(&format!("n{shard}")));
        assert_eq!(me.numeric_properties.get("rank"), Some(&(shard as f64)));
        assert_eq!(me.party_id, "");
        let users: BTreeSet<_> =
            matched.users.iter().flat_map(|user| &user.presence).map(|p| &p.session_id).collect();
        assert_eq!(users.len(), 3);
        let Some(Id::Token(token)) = matched.id else { panic!("no token: {:?}", matched.id) };
        tokens.insert(token);
    }
    let [token] = Vec::from_iter(tokens).try_into().expect("one match");
    // The token is of the simulated time, so it is read without regard to its age.
    let claims = token.split('.').nth(1).expect("claims");
    let claims = base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, claims).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    let id = claims["mid"].as_str().expect("a match");
    assert!(MatchRef::read(id).is_ok_and(|wanted| wanted.is_relayed()), "{id}");
}

#[test]
fn who_ends_leaves_the_pool_however_messages_overtake_each_other() {
    check(60, |seed| {
        let faults = Faults { delay_micros: (0, 20_000), ..Faults::default() };
        let mut world = World::new(seed, faults, MeshLimits::default());
        let players: Vec<_> =
            (0..9).map(|n| (n as usize % 3, world.open(n as usize % 3, n + 1))).collect();
        for (shard, player) in &players {
            world.add(*shard, player, wanted(2, 40).asking("properties.nobody:x"));
            world.add(*shard, player, wanted(2, 40).asking("properties.nobody:y"));
            world.sim.run_for(Duration::from_micros(seed % 7 * 1000));
            world.close(*shard, player);
        }
        world.settle();
        assert_eq!(world.tickets_len(), 0);
        assert!(world.homes_are_empty());
    });
}

#[test]
fn who_ends_during_a_round_is_matched_at_most_once_and_nothing_is_left() {
    check(60, |seed| {
        let faults = Faults { delay_micros: (0, 2_000), ..Faults::default() };
        let mut world = World::new(seed, faults, MeshLimits::default());
        let players: Vec<_> =
            (0..12).map(|n| (n as usize % 3, world.open(n as usize % 3, n + 1))).collect();
        for (shard, player) in &players {
            world.add(*shard, player, wanted(2, 2));
        }
        world.settle();
        world.start_round();
        let (shard, gone) = &players[(seed % 12) as usize];
        world.sim.run_for(Duration::from_micros(seed % 5 * 700));
        world.close(*shard, gone);
        world.settle();
        let mut told = 0;
        for (shard, player) in &players {
            let matched = world.told(*shard, player);
            assert!(matched.len() <= 1, "matched twice");
            told += matched.len();
        }
        // The one who left took nobody along but the one it was matched with already.
        assert!((10..=12).contains(&told), "{told}");
        assert!(world.tickets_len() <= 1);
        for (shard, player) in &players {
            world.close(*shard, player);
        }
        world.settle();
        assert_eq!(world.tickets_len(), 0);
        assert!(world.homes_are_empty());
    });
}

#[test]
fn a_pool_that_cannot_be_asked_keeps_exactly_what_it_said_it_would() {
    let mailbox = MailboxLimits { requests_len_max: 4, ..MailboxLimits::default() };
    let limits = MeshLimits { mailbox, ..MeshLimits::default() };
    let mut world = World::new(3, Faults::default(), limits);
    let players: Vec<_> =
        (0..60).map(|n| (n as usize % 3, world.open(n as usize % 3, n + 1))).collect();
    let answered: Vec<_> =
        players.iter().map(|(shard, player)| world.add(*shard, player, wanted(2, 2))).collect();
    world.settle();
    let answers: Vec<_> = answered.iter().map(|answer| answer.borrow_mut().take()).collect();
    let taken = answers.iter().filter(|answer| matches!(answer, Some(Ok(_)))).count();
    let refused = answers
        .iter()
        .filter(|answer| matches!(answer, Some(Err(MatchmakerError::NotAvailable))))
        .count();
    assert_eq!(taken + refused, players.len());
    assert!(taken > 0 && refused > 0, "{taken} taken, {refused} refused");
    assert_eq!(world.tickets_len(), taken);
}

#[test]
fn a_ticket_is_taken_back_from_any_shard_and_every_shard_tells_the_same() {
    let mut world = World::new(8, Faults::default(), MeshLimits::default());
    let players: Vec<_> = (0..3).map(|shard| world.open(shard, shard as u64 + 1)).collect();
    for (shard, player) in players.iter().enumerate() {
        let answered = world.add(shard, player, wanted(4, 4));
        world.settle();
        let ticket = answered.borrow_mut().take().unwrap().unwrap().to_string();
        let removed = Rc::new(RefCell::new(Vec::new()));
        for (text, as_player) in
            [(&*ticket, (shard + 1) % 3), ("none", shard), (&*ticket, shard), (&*ticket, shard)]
        {
            let put = Rc::clone(&removed);
            let seeker = Seeker::Session(players[as_player].session);
            world.on(as_player, |home| {
                home.matchmaker.remove(seeker, text, move |removed| put.borrow_mut().push(removed));
            });
            world.settle();
        }
        let missing = Err(MatchmakerError::TicketNotFound);
        assert_eq!(*removed.borrow(), [missing, missing, Ok(()), missing]);
    }
    assert!(world.tickets_len() == 0 && world.homes_are_empty());
    world.add(1, &players[1], wanted(2, 2));
    world.settle();
    world.start_round();
    world.settle();
    for shard in 0..3 {
        let asked = world.on(shard, |home| home.matchmaker.stats());
        world.settle();
        let stats = asked.now_or_never().expect("an answer").expect("numbers");
        assert_eq!(stats.ticket_count, 1);
    }
}

#[test]
fn rounds_come_by_themselves() {
    let mut world = World::new(4, Faults::default(), MeshLimits::default());
    for shard in 0..3 {
        world.on(shard, |shard| runtime::spawn("matchmaker", shard.matchmaker.clone().run()));
    }
    let players = [world.open(0, 1), world.open(1, 2)];
    for (shard, player) in players.iter().enumerate() {
        world.add(shard, player, wanted(2, 4));
    }
    world.sim.run_for(Duration::from_millis(1500));
    assert!(world.told(0, &players[0]).is_empty(), "they wait for others in their first round");
    world.sim.run_for(Duration::from_secs(1));
    assert_eq!(world.told(0, &players[0]).len(), 1);
    assert_eq!(world.told(1, &players[1]).len(), 1);
}
