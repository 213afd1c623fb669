//! What the members of a room or match are owed: a message that was sent comes to each of them, or counts as an error.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{Clock, Stage};
use crate::client::player::Player;

/// How long after the end deliveries may come; less than a story's tasks have.
const GRACE: Duration = Duration::from_secs(3);
/// From one look at what is missing to the next.
const STEP: Duration = Duration::from_millis(5);
/// A closed loop whose message is under way for longer at the end was held up.
const STALL: Duration = Duration::from_secs(1);

/// What was sent to one room or match, by all who send to it.
pub struct Ledger {
    sent: Cell<u64>,
    /// Who may still send.
    senders: Cell<usize>,
    grace: Duration,
}

/// One who sends, until it is dropped.
pub struct Sender(Rc<Ledger>);

impl Ledger {
    pub fn new(senders: usize) -> Rc<Self> {
        Self::with_grace(senders, GRACE)
    }

    pub fn with_grace(senders: usize, grace: Duration) -> Rc<Self> {
        Rc::new(Self { sent: Cell::new(0), senders: Cell::new(senders), grace })
    }

    /// One of the senders that the ledger was made for.
    pub fn sender(self: &Rc<Self>) -> Sender {
        Sender(Rc::clone(self))
    }

    /// Takes in what is late, until all have sent and the member has heard what it is owed: what was sent without
    /// its `own` messages. What has not come by the end of the grace never came.
    pub async fn hear_the_rest(
        &self,
        (player, own): (&mut Player, u64),
        heard: &Cell<u64>,
        each: impl Fn(&[u8]),
        (stage, clock): (&Stage, Clock),
    ) -> Result<()> {
        let last = clock.end + self.grace;
        loop {
            let now = Instant::now();
            let missing = self.sent.get().saturating_sub(own).saturating_sub(heard.get());
            if now >= last || (missing == 0 && self.senders.get() == 0) {
                stage.errors("deliveries that never came", missing);
                return Ok(());
            }
            player.listen_until((now + STEP).min(last), &each).await?;
        }
    }
}

impl Sender {
    /// Counts one more message.
    pub fn sends(&self) {
        self.0.sent.set(self.0.sent.get() + 1);
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.senders.set(self.0.senders.get().saturating_sub(1));
    }
}

/// At the end of a closed loop: how long its oldest message is under way. Latencies that were never measured do not
/// tell of a server that stopped answering.
pub fn judge_oldest(stage: &Stage, oldest: Option<&Instant>) {
    if oldest.is_some_and(|sent| sent.elapsed() > STALL) {
        stage.error("held up: a message was under way for over 1 s at the end");
    }
}
