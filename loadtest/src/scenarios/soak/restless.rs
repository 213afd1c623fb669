//! One player of the soak.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use kakera_proto::realtime::envelope::Message;

use crate::{
    client::{
        envelopes,
        player::{Account, Player, refusal},
    },
    pace::Pace,
    scenarios::{Clock, Stage},
};

/// Memberships of one kind that a player keeps at most.
const HELD_MAX: usize = 4;
/// Matches and parties that are known to others at most; the oldest is forgotten.
const KNOWN_MAX: usize = 64;
/// How long a player stays away after a crash, at most.
const AWAY_MAX: Duration = Duration::from_secs(1);

/// What players of a thread know of each other.
pub struct World {
    users: Vec<String>,
    rooms: usize,
    matches: Vec<String>,
    parties: Vec<String>,
}

impl World {
    pub fn new(users: Vec<String>, rooms: usize) -> Self {
        Self { users, rooms: rooms.max(1), matches: Vec::new(), parties: Vec::new() }
    }
}

fn make_known(list: &mut Vec<String>, id: &str) {
    if list.len() == KNOWN_MAX {
        list.remove(0);
    }
    list.push(id.to_owned());
}

/// What a player's socket is in.
#[derive(Default)]
struct Held {
    channels: Vec<String>,
    matches: Vec<String>,
    parties: Vec<Party>,
    /// A ticket of the matchmaker, which may be matched by now.
    ticket: Option<String>,
    followed: Vec<String>,
}

struct Party {
    id: String,
    is_ours: bool,
}

pub struct Restless {
    account: Account,
    stage: Stage,
    chance: fastrand::Rng,
    world: Rc<RefCell<World>>,
    held: Held,
}

impl Restless {
    pub fn new(account: Account, stage: &Stage, index: usize, world: Rc<RefCell<World>>) -> Self {
        let chance = stage.chance(index);
        Self { account, stage: stage.clone(), chance, world, held: Held::default() }
    }

    /// Does `pace` things a second until the end, then leaves: cleanly or by a crash.
    pub async fn live(mut self, pace: f64, clock: Clock, is_clean: bool) -> Result<()> {
        let mut player = self.connect().await?;
        let mut turns = Pace::random(clock.start, pace, self.chance.u64(..));
        while turns.peek() < clock.end {
            player.listen_until(turns.advance(), |_| {}).await?;
            // One in forty ends the connection: that is every eight seconds at the default pace.
            match self.chance.u8(0..80) {
                0 => {
                    self.crash(player).await;
                    player = self.connect().await?;
                }
                1 => {
                    self.timed("close", player.socket.close()).await?;
                    self.held = Held::default();
                    player = self.connect().await?;
                }
                _ => self.act(&mut player).await?,
            }
        }
        player.listen_until(clock.end, |_| {}).await?;
        if is_clean {
            self.leave_everything(&mut player).await?;
            player.socket.close().await
        } else {
            player.socket.crash(self.chance.bool());
            Ok(())
        }
    }

    async fn connect(&mut self) -> Result<Player> {
        self.account.renew(&self.stage.options).await?;
        let appear_online = self.chance.bool();
        self.timed("connect", self.account.connect(&self.stage.options, appear_online)).await
    }

    async fn crash(&mut self, player: Player) {
        player.socket.crash(self.chance.bool());
        self.stage.note("crashes");
        self.held = Held::default();
        tokio::time::sleep(AWAY_MAX.mul_f64(self.chance.f64())).await;
    }

    async fn act(&mut self, player: &mut Player) -> Result<()> {
        match self.chance.u8(0..13) {
            0 | 1 => self.enter_channel(player).await,
            2 => self.leave_channel(player).await,
            3 => self.talk(player).await,
            4 => self.enter_match(player).await,
            5 => self.leave_match(player).await,
            6 => self.move_in_matches(player).await,
            7 => self.enter_party(player).await,
            8 => self.leave_party(player).await,
            9 => self.tell_parties(player).await,
            10 => self.follow_or_unfollow(player).await,
            11 => self.look_for_others(player).await,
            _ => {
                let status = self.chance.bool().then(|| "restless".to_owned());
                self.must(player, "status update", envelopes::status(status)).await?;
                Ok(())
            }
        }
    }

    async fn enter_channel(&mut self, player: &mut Player) -> Result<()> {
        if self.held.channels.len() >= HELD_MAX {
            return self.leave_channel(player).await;
        }
        let (kind, join) = if self.chance.u8(0..4) == 0 {
            ("direct message join", envelopes::join_direct(&self.some_user()))
        } else {
            let rooms = self.world.borrow().rooms;
            let room = format!("soak-{}", self.chance.usize(0..rooms));
            ("room join", envelopes::join_room(&room))
        };
        if let Some(Message::Channel(channel)) = self.must(player, kind, join).await?
            && !self.held.channels.contains(&channel.id)
        {
            self.held.channels.push(channel.id);
        }
        Ok(())
    }

    async fn leave_channel(&mut self, player: &mut Player) -> Result<()> {
        if let Some(id) = self.held.channels.pop() {
            self.must(player, "channel leave", envelopes::leave_channel(&id)).await?;
        }
        Ok(())
    }

    async fn talk(&mut self, player: &mut Player) -> Result<()> {
        for id in self.held.channels.clone() {
            let message = envelopes::channel_message(&id, "{\"text\":\"soak\"}".to_owned());
            self.must(player, "chat message", message).await?;
        }
        Ok(())
    }

    async fn enter_match(&mut self, player: &mut Player) -> Result<()> {
        if self.held.matches.len() >= HELD_MAX {
            return self.leave_match(player).await;
        }
        let known = self.chance.choice(&self.world.borrow().matches).cloned();
        let entered = match known {
            Some(id) if self.chance.u8(0..3) > 0 => {
                self.may(player, "match join", envelopes::join_match(&id)).await?
            }
            _ => self.must(player, "match create", envelopes::create_match()).await?,
        };
        if let Some(Message::Match(entered)) = entered {
            let id = entered.match_id;
            make_known(&mut self.world.borrow_mut().matches, &id);
            if !self.held.matches.contains(&id) {
                self.held.matches.push(id);
            }
        }
        Ok(())
    }

    async fn leave_match(&mut self, player: &mut Player) -> Result<()> {
        if let Some(id) = self.held.matches.pop() {
            self.must(player, "match leave", envelopes::leave_match(&id)).await?;
        }
        Ok(())
    }

    async fn move_in_matches(&mut self, player: &mut Player) -> Result<()> {
        for id in &self.held.matches {
            player.socket.send("", envelopes::match_data(id, vec![b's'; 32])).await?;
            self.stage.count("match data");
        }
        Ok(())
    }

    async fn enter_party(&mut self, player: &mut Player) -> Result<()> {
        if self.held.parties.len() >= HELD_MAX {
            return self.leave_party(player).await;
        }
        let known = self.chance.choice(&self.world.borrow().parties).cloned();
        if let Some(id) = known
            && self.chance.u8(0..3) > 0
        {
            let is_in = self.held.parties.iter().any(|party| party.id == id);
            let joined = self.may(player, "party join", envelopes::join_party(&id)).await?;
            // A closed party answers with a bare acknowledgement: the request waits for its leader.
            if matches!(joined, Some(Message::Party(_))) && !is_in {
                self.held.parties.push(Party { id, is_ours: false });
            }
            return Ok(());
        }
        let is_open = self.chance.u8(0..4) > 0;
        let created = self.must(player, "party create", envelopes::create_party(is_open)).await?;
        if let Some(Message::Party(party)) = created {
            make_known(&mut self.world.borrow_mut().parties, &party.party_id);
            self.held.parties.push(Party { id: party.party_id, is_ours: true });
        }
        Ok(())
    }

    /// The leader of a party may close it instead.
    async fn leave_party(&mut self, player: &mut Player) -> Result<()> {
        if let Some(party) = self.held.parties.pop() {
            if party.is_ours && self.chance.bool() {
                self.may(player, "party close", envelopes::close_party(&party.id)).await?;
            } else {
                self.may(player, "party leave", envelopes::leave_party(&party.id)).await?;
            }
        }
        Ok(())
    }

    async fn tell_parties(&mut self, player: &mut Player) -> Result<()> {
        let ids: Vec<String> = self.held.parties.iter().map(|party| party.id.clone()).collect();
        for id in ids {
            self.may(player, "party data", envelopes::party_data(&id, vec![b'p'; 32])).await?;
        }
        Ok(())
    }

    async fn follow_or_unfollow(&mut self, player: &mut Player) -> Result<()> {
        if self.held.followed.len() >= HELD_MAX || self.chance.u8(0..3) == 0 {
            if let Some(user) = self.held.followed.pop() {
                self.must(player, "unfollow", envelopes::unfollow(&user)).await?;
            }
            return Ok(());
        }
        let user = self.some_user();
        self.must(player, "follow", envelopes::follow(&user)).await?;
        self.held.followed.push(user);
        Ok(())
    }

    /// Alone, or with a party that is ours; or no longer.
    async fn look_for_others(&mut self, player: &mut Player) -> Result<()> {
        if let Some(ticket) = self.held.ticket.take() {
            self.may(player, "ticket remove", envelopes::matchmaker_remove(&ticket)).await?;
            return Ok(());
        }
        let ours = self.held.parties.iter().find(|party| party.is_ours);
        if let Some(id) = ours.map(|party| party.id.clone())
            && self.chance.bool()
        {
            let add = envelopes::party_matchmaker_add(&id, (2, 8));
            self.may(player, "party ticket", add).await?;
            return Ok(());
        }
        let add = envelopes::matchmaker_add("*", (2, 4), BTreeMap::new());
        if let Some(Message::MatchmakerTicket(ticket)) = self.may(player, "ticket", add).await? {
            self.held.ticket = Some(ticket.ticket);
        }
        Ok(())
    }

    async fn leave_everything(&mut self, player: &mut Player) -> Result<()> {
        while !self.held.channels.is_empty() {
            self.leave_channel(player).await?;
        }
        while !self.held.matches.is_empty() {
            self.leave_match(player).await?;
        }
        while !self.held.parties.is_empty() {
            self.leave_party(player).await?;
        }
        Ok(())
    }

    fn some_user(&mut self) -> String {
        self.chance.choice(&self.world.borrow().users).cloned().unwrap_or_default()
    }

    /// Asks what the server has no reason to refuse. A refusal counts as an error and the player goes on.
    async fn must(
        &mut self,
        player: &mut Player,
        kind: &'static str,
        message: Message,
    ) -> Result<Option<Message>> {
        match self.timed(kind, player.ask(message)).await? {
            Ok(answer) => Ok(answer),
            Err(error) => {
                self.stage.error(format!("{kind}: {}", refusal(&error)));
                Ok(None)
            }
        }
    }

    /// Asks for something that others may have ended or filled meanwhile.
    async fn may(
        &mut self,
        player: &mut Player,
        kind: &'static str,
        message: Message,
    ) -> Result<Option<Message>> {
        match self.timed(kind, player.ask(message)).await? {
            Ok(answer) => Ok(answer),
            Err(error) if is_a_race(&error.message) => {
                self.stage.note("refusals that a race explains");
                Ok(None)
            }
            Err(error) => {
                self.stage.error(format!("{kind}: {}", refusal(&error)));
                Ok(None)
            }
        }
    }

    async fn timed<T>(
        &self,
        kind: &'static str,
        doing: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let start = Instant::now();
        let result = doing.await.context(kind)?;
        self.stage.done(kind, start.elapsed());
        Ok(result)
    }
}

/// Gone before we came or while we came in, full, or asked for before, as servers word it. Parties of which
/// we are a member have tickets too, so that we may have too many.
fn is_a_race(message: &str) -> bool {
    let message = message.to_lowercase();
    let races = [
        "not found",
        "full",
        "closed",
        "duplicate",
        "already member",
        "tracking party join",
        "adding to matchmaker",
        "too many tickets",
        "leader only",
    ];
    races.iter().any(|words| message.contains(words))
}
