//! A day of a game: players arrive when they like, look around, save, chat, play and go.

use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use clap::Args;
use kakera_proto::realtime::envelope::Message;

use super::{
    Clock, Stage, Story,
    cast::{Tasks, accounts_of, new_device},
    leaderboard::post_score,
    requests::{Answer, answer},
    storage::write,
};
use crate::{
    client::{
        envelopes,
        http::{Http, Request},
        player::{Account, Player, refusal},
    },
    options::{rate, seconds},
    pace::Pace,
};

/// Players arrive at random: sign in, read the account and the save, go online, follow whoever came before,
/// tell their status, chat in a room, play a relayed match, post a score, save, and leave. Everything they do is timed by its kind.
#[derive(Clone, Debug, Args)]
pub struct GameDay {
    /// Arrivals a second.
    #[arg(long, default_value = "50", value_parser = rate)]
    arrivals: f64,
    /// Of every 100 arrivals, how many are new players.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(0..=100))]
    new: u8,
    /// Players who exist already.
    #[arg(long, default_value_t = 1_000)]
    players: usize,
    /// Seconds that a player stays in its match.
    #[arg(long, default_value = "2", value_parser = seconds)]
    stay: Duration,
    /// Match messages a second of each player.
    #[arg(long, default_value = "10", value_parser = rate)]
    hz: f64,
    /// Chat rooms.
    #[arg(long, default_value_t = 20)]
    rooms: usize,
    /// A leaderboard that exists, for a score after each match; absent: no scores.
    #[arg(long)]
    leaderboard: Option<String>,
}

/// Players of a match at most.
const MATCH_PLAYERS_MAX: usize = 8;

impl Story for GameDay {
    type Cast = Vec<String>;

    async fn set_up(&self, stage: &Stage) -> Result<Vec<String>> {
        let devices: Vec<String> =
            (0..stage.share(self.players).max(1)).map(|_| new_device()).collect();
        accounts_of(stage, &devices).await?;
        Ok(devices)
    }

    async fn play(&self, cast: Vec<String>, stage: &Stage, clock: Clock) {
        let mut chance = stage.chance(0);
        let rate = stage.rate(Some(self.arrivals)).unwrap_or_default();
        let mut arrivals = Pace::random(clock.start, rate, chance.u64(..));
        let lobby = Lobby::default();
        let mut tasks = Tasks::new(stage);
        while arrivals.peek() < clock.end {
            let is_on_time = arrivals.peek() > Instant::now();
            let due = arrivals.due().await;
            if is_on_time {
                stage.sends_due(due);
            }
            let device = if chance.u8(0..100) < self.new {
                new_device()
            } else {
                chance.choice(&cast).cloned().unwrap_or_else(new_device)
            };
            let day = Day {
                stage: stage.clone(),
                lobby: Rc::clone(&lobby),
                clock,
                plan: self.clone(),
                chance: chance.fork(),
            };
            tasks.start(day.live(device, due));
        }
        clock.wait_until(clock.end).await;
        tasks.finish(clock).await;
    }
}

/// Where players of a thread find each other.
#[derive(Default)]
struct Meeting {
    /// The match that takes players, and how many it has taken.
    open: Option<(String, usize)>,
    /// Who came online last.
    newest: Option<String>,
}

type Lobby = Rc<RefCell<Meeting>>;

struct Day {
    stage: Stage,
    lobby: Lobby,
    clock: Clock,
    plan: GameDay,
    chance: fastrand::Rng,
}

impl Day {
    async fn live(mut self, device: String, due: Instant) -> Result<()> {
        let options = &self.stage.options;
        let mut http = Http::open(options.target.address(), &options.key).await?;
        let account = Account::of(&device, http.token(&device).await?)?;
        self.stage.done("sign-in", due.elapsed());
        self.look_around(&mut http, &account).await?;
        let start = Instant::now();
        let mut player = account.connect(&self.stage.options, true).await?;
        self.stage.done("connect", start.elapsed());
        self.meet(&mut player, account.user_id.clone()).await?;
        self.chat(&mut player).await?;
        let id = self.enter_match(&mut player).await?;
        self.play_match(&mut player, &id).await?;
        if self.clock.is_over() {
            // All who are still here would leave at the same moment, which no day brings.
            return player.socket.close().await;
        }
        self.act("match leave", &mut player, envelopes::leave_match(&id)).await?;
        if let Some(board) = &self.plan.leaderboard {
            let (start, score) = (Instant::now(), self.chance.u64(1..10_000));
            let posted = post_score(&mut http, &account, board, score).await?;
            self.answered(posted, start);
        }
        let start = Instant::now();
        let written = write(&mut http, &account.bearer(), 0..1, 256).await?;
        self.answered(written, start);
        player.socket.close().await
    }

    async fn look_around(&self, http: &mut Http, account: &Account) -> Result<()> {
        let start = Instant::now();
        let read = answer("account read", &http.account(&account.bearer()).await?);
        self.answered(read, start);
        let body = format!(
            "{{\"object_ids\":[{{\"collection\":\"load\",\"key\":\"save-0\",\"user_id\":\"{}\"}}]}}",
            account.user_id
        );
        let start = Instant::now();
        let request = Request { method: "POST", path: "/v2/storage", body: &body };
        let read = answer("storage read", &http.send(&account.bearer(), request).await?);
        self.answered(read, start);
        Ok(())
    }

    /// Follows whoever came online last, and tells its own status, which later ones will hear.
    async fn meet(&self, player: &mut Player, user: String) -> Result<()> {
        let before = self.lobby.borrow_mut().newest.replace(user.clone());
        if let Some(other) = before.filter(|other| *other != user) {
            self.act("follow", player, envelopes::follow(&other)).await?;
        }
        let status = envelopes::status(Some("looking for a match".to_owned()));
        self.act("status update", player, status).await?;
        Ok(())
    }

    async fn chat(&mut self, player: &mut Player) -> Result<()> {
        let room = format!("game-day-{}", self.chance.usize(0..self.plan.rooms.max(1)));
        let joined = self.act("room join", player, envelopes::join_room(&room)).await?;
        let Some(Message::Channel(channel)) = joined else { return Ok(()) };
        for word in ["hello", "anyone", "for a match?"] {
            let content = format!("{{\"text\":\"{word}\"}}");
            let message = envelopes::channel_message(&channel.id, content);
            self.act("chat message", player, message).await?;
        }
        self.act("room leave", player, envelopes::leave_channel(&channel.id)).await?;
        Ok(())
    }

    async fn play_match(&mut self, player: &mut Player, id: &str) -> Result<()> {
        let end = (Instant::now() + self.plan.stay).min(self.clock.end);
        let mut pace = Pace::even(Instant::now(), self.plan.hz, self.chance.f64());
        while pace.peek() < end {
            let due = pace.advance();
            player.listen_until_due(due, |_| self.stage.count("match data heard")).await?;
            player.socket.send("", envelopes::match_data(id, vec![b'm'; 32])).await?;
        }
        Ok(())
    }

    /// Joins the match that takes players, or opens one.
    async fn enter_match(&self, player: &mut Player) -> Result<String> {
        let open = self.lobby.borrow_mut().open.as_mut().and_then(|(id, taken)| {
            *taken += 1;
            (*taken <= MATCH_PLAYERS_MAX).then(|| id.clone())
        });
        if let Some(id) = open {
            let start = Instant::now();
            if player.ask(envelopes::join_match(&id)).await?.is_ok() {
                self.stage.done("match join", start.elapsed());
                return Ok(id);
            }
            self.stage.note("matches gone before they were joined");
        }
        match self.act("match create", player, envelopes::create_match()).await? {
            Some(Message::Match(created)) => {
                self.lobby.borrow_mut().open = Some((created.match_id.clone(), 1));
                Ok(created.match_id)
            }
            other => Err(anyhow!("creating a match answered {other:?}")),
        }
    }

    async fn act(
        &self,
        kind: &'static str,
        player: &mut Player,
        message: Message,
    ) -> Result<Option<Message>> {
        let start = Instant::now();
        let answer =
            player.ask(message).await?.map_err(|error| anyhow!("{kind}: {}", refusal(&error)))?;
        self.stage.done(kind, start.elapsed());
        Ok(answer)
    }

    fn answered(&self, answer: Answer, start: Instant) {
        match answer {
            Ok(kind) => self.stage.done(kind, start.elapsed()),
            Err(refusal) => self.stage.error(refusal.to_string()),
        }
    }
}
