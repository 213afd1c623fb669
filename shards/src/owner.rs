//! The receiving half of a shard: takes mail out in batches and hands it to the shard's state.

use std::{future::poll_fn, rc::Rc, task::Poll};

use crate::{
    Address, Deadline,
    call::{CallError, CallId},
    envelope::{Protocol, Tell},
    mailbox::{Inbox, Mail},
    mesh::Mesh,
    runtime::{self, Local},
};

/// Messages handled in one go before other tasks of the shard get their turn.
const MESSAGES_PER_TURN_MAX: usize = 512;
/// How often a turn looks whether it has run for too long.
const MESSAGES_PER_LOOK: usize = 16;

/// What a shard does with what it is asked. Synchronous: state changes by one message at a time.
///
/// It is never called from inside itself; what it sends to its own shard is handled at a later turn.
/// A panic in it is caught, counted and logged; the caller gets [`CallError::Abandoned`].
pub trait Handler<P: Protocol> {
    /// An event ([`Mesh::deliver`]) and a cast come with a `reply` that nobody waits for.
    fn handle(&self, from: Address, request: P::Request, reply: ReplyTo<P>);
}

impl<P: Protocol, F: Fn(Address, P::Request, ReplyTo<P>)> Handler<P> for F {
    fn handle(&self, from: Address, request: P::Request, reply: ReplyTo<P>) {
        self(from, request, reply);
    }
}

/// Where an answer goes. It may be kept and answered later; dropping it answers
/// [`CallError::Abandoned`].
#[must_use = "dropping it leaves the caller without an answer"]
pub struct ReplyTo<P: Protocol>(Option<Waiter<P>>);

struct Waiter<P: Protocol> {
    mesh: Mesh<P>,
    caller: Address,
    call: CallId,
    deadline_ms: u64,
}

impl<P: Protocol> ReplyTo<P> {
    fn new(mesh: &Mesh<P>, caller: Address, call: Option<(CallId, u64)>) -> Self {
        Self(call.map(|(call, deadline_ms)| Waiter {
            mesh: mesh.clone(),
            caller,
            call,
            deadline_ms,
        }))
    }

    /// Whether somebody waits.
    pub fn is_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Until when the caller waits, to be passed on to calls made for this one.
    pub fn deadline(&self) -> Option<Deadline> {
        self.0.as_ref().map(|waiter| Deadline::AtMs(waiter.deadline_ms))
    }

    /// Answers. The answer is not lost, however full the lane is.
    pub fn send(mut self, reply: P::Reply) {
        if let Some(Waiter { mesh, caller, call, .. }) = self.0.take() {
            mesh.answer(caller, call, Ok(reply));
        }
    }
}

impl<P: Protocol> Drop for ReplyTo<P> {
    fn drop(&mut self) {
        if let Some(Waiter { mesh, caller, call, .. }) = self.0.take() {
            mesh.answer(caller, call, Err(CallError::Abandoned));
        }
    }
}

/// Handles mail for as long as the shard runs.
pub(crate) async fn pump<P: Protocol>(
    mesh: Mesh<P>,
    mut inbox: Inbox<P>,
    handler: Rc<dyn Handler<P>>,
) {
    let local = Local::current();
    poll_fn(|cx| {
        mesh.run_deferred();
        if turn(&mesh, &mut inbox, handler.as_ref(), &local) || !inbox.sleep(cx) {
            // More is there: let the others of this shard run, then go on.
            cx.waker().wake_by_ref();
        }
        Poll::<()>::Pending
    })
    .await;
}

/// One batch. Returns whether more may be waiting.
fn turn<P: Protocol>(
    mesh: &Mesh<P>,
    inbox: &mut Inbox<P>,
    handler: &dyn Handler<P>,
    local: &Local,
) -> bool {
    let now_ms = local.clock.monotonic_ms();
    let mut count = 0usize;
    let mut late = 0;
    let more = inbox.drain(MESSAGES_PER_TURN_MAX, |mail| {
        count += 1;
        runtime::guard("owner", || match mail {
            Mail::Tell(Tell::Event { from, request }) => {
                handler.handle(from, request, ReplyTo(None));
            }
            Mail::Tell(Tell::Reply { call, result }) => mesh.settle(call, result),
            Mail::Ask(ask) => {
                // Nobody waits for the answer any more: working on it would only add to the overload
                // that delayed it.
                if ask.call.is_some_and(|(_, deadline_ms)| deadline_ms < now_ms) {
                    late += 1;
                    return;
                }
                handler.handle(ask.from, ask.request, ReplyTo::new(mesh, ask.from, ask.call));
            }
        });
        !count.is_multiple_of(MESSAGES_PER_LOOK) || !local.scheduler.should_yield()
    });
    mesh.counters().count_turn(count as u64, late);
    more
}
