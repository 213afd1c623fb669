mod property;

use std::{cell::RefCell, rc::Rc};

use bytes::Bytes;
use kakera_proto::realtime::{
    Envelope, Match, MatchData, MatchDataSend, UserPresence, envelope::Message,
};
use kakera_shards::{Address, NodeId, Rng, ShardId};
use uuid::Uuid;

use super::*;
use crate::{
    error::RealtimeCode,
    fanout::{Format, Slot},
    ids::{MatchId, SessionId, UserId},
    presence::{
        Reason,
        tests::net::{Faults, Net},
        wire::homed_id,
    },
};

/// Three users, each on a shard of its own.
struct Arena {
    net: Net,
    matches: Vec<Matches>,
    slots: Vec<Slot>,
}

impl Arena {
    fn new(single_match: bool) -> Self {
        let net = Net::new(3, 5, Faults::default());
        let (mut matches, mut slots) = (Vec::new(), Vec::new());
        for (number, shard) in net.shards.iter().enumerate() {
            let rng = Rng::from_seed(number as u64);
            matches.push(Matches::new(shard.presences.clone(), shard.address, rng, single_match));
            let session = SessionId::at(shard.address, (number as u128 + 1) << 64);
            let user = UserId(Uuid::from_u128(number as u128 + 1));
            let format = if number == 1 { Format::Json } else { Format::Protobuf };
            slots.push(shard.clients.open(session, user, format));
        }
        Self { net, matches, slots }
    }

    fn session(&self, player: usize) -> SessionId {
        self.net.shards[player].clients.with(self.slots[player], |client| client.session)
    }

    fn asked(
        &self,
        player: usize,
        ask: impl FnOnce(&Matches, Slot, Box<dyn FnOnce(Result<Match, MatchError>)>),
    ) -> Result<Match, MatchError> {
        let got: Rc<RefCell<Option<Result<Match, MatchError>>>> = Rc::default();
        let put = Rc::clone(&got);
        let clients = Rc::clone(&self.net.shards[player].clients);
        let slot = self.slots[player];
        let then = move |reply: Result<Match, MatchError>| {
            if let Ok(reply) = &reply {
                let view = reply.presences.iter();
                let view = view.map(|p| (p.session_id.clone(), String::new())).collect();
                clients.with(slot, |client| client.views.insert(reply.match_id.clone(), view));
            }
            *put.borrow_mut() = Some(reply);
        };
        ask(&self.matches[player], slot, Box::new(then));
        self.net.settle();
        got.borrow_mut().take().expect("was answered")
    }

    fn create(&self, player: usize, name: &str) -> Match {
        self.asked(player, |matches, slot, then| matches.create(slot, name, then)).expect("creates")
    }

    fn join(&self, player: usize, id: &str, allow_empty: bool) -> Result<Match, MatchError> {
        self.asked(player, |matches, slot, then| matches.join(slot, id.into(), allow_empty, then))
    }

    fn send(
        &self,
        player: usize,
        id: &str,
        to: Vec<UserPresence>,
    ) -> Result<Option<Relay>, MatchError> {
        let sent = MatchDataSend {
            match_id: id.to_owned(),
            op_code: 9,
            data: Bytes::from_static(b"move"),
            presences: to,
            reliable: true,
        };
        let data = self.matches[player].data(self.slots[player], sent)?;
        self.matches[player].relay(data.clone())?;
        self.net.settle();
        Ok(data)
    }

    /// The data that each player got since it was last asked.
    fn data(&self) -> Vec<Vec<MatchData>> {
        let take = |player: usize| {
            let clients = &self.net.shards[player].clients;
            let received =
                clients.with(self.slots[player], |client| std::mem::take(&mut client.received));
            let data =
                received.into_iter().filter_map(|envelope: Envelope| match envelope.message {
                    Some(Message::MatchData(data)) => Some(data),
                    _ => None,
                });
            data.collect()
        };
        (0..3).map(take).collect()
    }

    fn presence(&self, player: usize) -> UserPresence {
        UserPresence {
            user_id: Uuid::from_u128(player as u128 + 1).to_string(),
            session_id: self.session(player).to_string(),
            ..UserPresence::default()
        }
    }
}

#[test]
fn a_named_match_has_the_id_of_its_name() {
    // RFC 9562, version 5 in the DNS namespace.
    let stream = named("www.example.com");
    assert_eq!(homed_id(&stream), "2ed6657d-e927-568b-95e1-2665a8aea6a2.");
}

#[test]
fn an_unnamed_match_tells_its_home() {
    let home = Address { node: NodeId(4), shard: ShardId(2) };
    assert_eq!(MatchId(unnamed(home, 17).subject).home(), home);
}

#[test]
fn an_id_without_a_uuid_or_a_dot_is_refused() {
    let id = Uuid::from_u128(1).to_string();
    for wrong in ["", ".", "x.", id.as_str()] {
        assert_eq!(MatchRef::read(wrong), Err(MatchError::Id), "{wrong}");
    }
    assert!(MatchRef::read(&format!("{id}.")).is_ok_and(|wanted| wanted.is_relayed()));
    assert!(MatchRef::read(&format!("{id}.node")).is_ok_and(|wanted| !wanted.is_relayed()));
}

#[test]
fn players_join_by_id_and_the_size_counts_the_others() {
    let arena = Arena::new(false);
    let created = arena.create(0, "");
    assert_eq!((created.size, created.presences.len(), created.authoritative), (1, 0, false));
    assert_eq!(created.self_.as_ref().map(|me| me.username.as_str()), Some("user-1"));
    let joined = arena.join(1, &created.match_id, false).expect("joins");
    assert_eq!((joined.size, joined.presences.len()), (1, 1));
    assert_eq!(Some(&joined.presences[0]), created.self_.as_ref());
    assert_eq!(joined.match_id, created.match_id);
    // Again, and one counts oneself.
    let again = arena.join(1, &created.match_id, false).expect("joins");
    assert_eq!((again.size, again.presences.len()), (2, 2));
}

#[test]
fn a_named_match_counts_its_creators_too() {
    let arena = Arena::new(false);
    let first = arena.create(0, "arena");
    let second = arena.create(1, "arena");
    assert_eq!(first.match_id, second.match_id);
    assert_eq!((first.size, first.presences.len()), (1, 0));
    assert_eq!((second.size, second.presences.len()), (2, 1));
}

#[test]
fn a_match_without_players_is_not_found_unless_a_token_names_it() {
    let arena = Arena::new(false);
    let id = format!("{}.", Uuid::from_u128(0xfeed));
    let error = arena.join(0, &id, false).expect_err("not found");
    assert_eq!((error, error.code()), (MatchError::NotFound, RealtimeCode::MatchNotFound));
    assert_eq!(arena.join(0, "nonsense", false), Err(MatchError::Id));
    assert_eq!(arena.join(0, &format!("{id}node"), false), Err(MatchError::NotFound));
    assert_eq!(arena.join(0, &id, true).expect("joins").size, 0);
}

#[test]
fn a_match_outlives_its_creator_and_ends_with_its_last_player() {
    let arena = Arena::new(false);
    let id = arena.create(0, "").match_id;
    arena.join(1, &id, false).expect("joins");
    arena.net.shards[0].presences.close(arena.slots[0], Reason::Disconnect);
    arena.net.settle();
    assert_eq!(arena.join(2, &id, false).expect("joins").size, 1);
    for player in [1, 2] {
        arena.matches[player].leave(arena.slots[player], &id, || ()).expect("leaves");
    }
    arena.net.settle();
    assert_eq!(arena.join(1, &id, false), Err(MatchError::NotFound));
    for shard in &arena.net.shards {
        assert_eq!(shard.presences.read_owner(crate::presence::Owner::streams_len), 0);
    }
}

#[test]
fn data_goes_to_all_others_or_to_those_chosen() {
    let arena = Arena::new(false);
    let id = arena.create(0, "").match_id;
    arena.join(1, &id, false).expect("joins");
    arena.join(2, &id, false).expect("joins");
    arena.data();

    arena.send(0, &id, Vec::new()).expect("sent");
    let got = arena.data();
    assert_eq!(got.iter().map(Vec::len).collect::<Vec<_>>(), [0, 1, 1]);
    let data = &got[1][0];
    assert_eq!((data.op_code, &data.data[..], data.reliable), (9, &b"move"[..], true));
    assert_eq!(data.match_id, id);
    let sender = data.presence.as_ref().expect("a sender");
    assert_eq!(sender.session_id, arena.session(0).to_string());

    // The sender too, if it chooses itself; somebody chosen twice gets it once.
    let chosen = vec![arena.presence(0), arena.presence(2), arena.presence(2)];
    arena.send(0, &id, chosen).expect("sent");
    assert_eq!(arena.data().iter().map(Vec::len).collect::<Vec<_>>(), [1, 0, 1]);
}

#[test]
fn data_of_strangers_or_for_nobody_goes_nowhere() {
    let arena = Arena::new(false);
    let id = arena.create(0, "").match_id;
    assert_eq!(arena.send(1, &id, Vec::new()), Ok(None));
    let nobody = UserPresence { user_id: "x".into(), ..arena.presence(1) };
    assert_eq!(arena.send(0, &id, vec![nobody]), Ok(None));
    assert_eq!(arena.send(0, "x", Vec::new()), Err(MatchError::Id));
    // Chosen, but not in the match.
    assert!(arena.send(0, &id, vec![arena.presence(1)]).is_ok_and(|data| data.is_some()));
    assert!(arena.data().iter().all(Vec::is_empty));
}

#[test]
fn one_match_at_a_time_where_the_configuration_says_so() {
    let arena = Arena::new(true);
    let first = arena.create(0, "").match_id;
    let second = arena.create(1, "").match_id;
    arena.join(0, &second, false).expect("joins");
    assert_eq!(arena.join(2, &first, false), Err(MatchError::NotFound));
    assert_eq!(arena.join(2, &second, false).expect("joins").size, 2);
}
