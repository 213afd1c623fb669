//! A shard's way to the others.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use crate::{
    Address, CallError, Clock, Counter, Counters, Deadline, NodeId, Ring, ShardId, Timers,
    call::{Answer, CallId, Calls, Settled, Then},
    envelope::{Ask, Protocol, Tell},
    mailbox::{Inbox, MailboxLimits, Outlet},
    owner::{Handler, pump},
    runtime, timers,
};

/// How much may be under way.
#[derive(Clone, Copy, Debug)]
pub struct MeshLimits {
    pub mailbox: MailboxLimits,
    /// Answers that a shard may wait for; a call more fails with [`CallError::TooManyCalls`]. Below
    /// 32,767, so that one task may wait for all of them.
    pub calls_len_max: usize,
}

impl Default for MeshLimits {
    fn default() -> Self {
        Self { mailbox: MailboxLimits::default(), calls_len_max: 16_384 }
    }
}

/// Whether an event may be lost when its receiver does not keep up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It always fits: what ends something, or what a later message cannot repair.
    Never,
    /// It is dropped, and counted, when the lane is long.
    Droppable,
}

/// A request that was not sent, given back.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused<R> {
    pub request: R,
    /// [`CallError::Full`] or [`CallError::Unreachable`].
    pub reason: CallError,
}

pub(crate) struct MeshCounters {
    requests_sent: Counter,
    requests_refused: Counter,
    events_sent: Counter,
    events_dropped: Counter,
    events_waiting_max: Counter,
    replies_sent: Counter,
    replies_late: Counter,
    requests_late: Counter,
    messages_handled: Counter,
    turns: Counter,
    calls_waiting: Counter,
    calls_expired: Counter,
    calls_refused: Counter,
}

impl MeshCounters {
    fn new(counters: &Counters) -> Self {
        let counter = |name, help| counters.counter(name, help);
        Self {
            requests_sent: counter("mesh_requests_sent", "Requests sent to shards."),
            requests_refused: counter("mesh_requests_refused", "Requests that found a full lane."),
            events_sent: counter("mesh_events_sent", "Events sent to shards."),
            events_dropped: counter("mesh_events_dropped", "Droppable events lost to a long lane."),
            events_waiting_max: counters
                .gauge("mesh_events_waiting_max", "The longest lane of events seen so far."),
            replies_sent: counter("mesh_replies_sent", "Answers sent to shards."),
            replies_late: counter("mesh_replies_late", "Answers that nobody waited for any more."),
            requests_late: counter("mesh_requests_late", "Requests skipped: past their deadline."),
            messages_handled: counter("mesh_messages_handled", "Messages taken from the mailbox."),
            turns: counter("mesh_turns", "Batches in which messages were taken."),
            calls_waiting: counters.gauge("mesh_calls_waiting", "Calls that wait for an answer."),
            calls_expired: counter("mesh_calls_expired", "Calls that got no answer in time."),
            calls_refused: counter("mesh_calls_refused", "Calls refused: too many are waiting."),
        }
    }

    pub(crate) fn count_turn(&self, handled: u64, late: u64) {
        if handled > 0 {
            self.turns.increment();
            self.messages_handled.add(handled);
            self.requests_late.add(late);
        }
    }
}

struct Inner<P: Protocol> {
    me: Address,
    /// To the shards of this node, this one among them.
    outlets: Box<[Outlet<P>]>,
    /// To shards of other nodes: none until a link to their node is up.
    foreign: RefCell<BTreeMap<Address, Outlet<P>>>,
    calls: Calls<P>,
    /// Callbacks of calls that failed at once; they run in the next turn, not inside `call_then`.
    deferred: RefCell<VecDeque<Box<dyn FnOnce()>>>,
    ring: RefCell<Rc<Ring>>,
    inbox: RefCell<Option<Inbox<P>>>,
    timers: Timers,
    counters: MeshCounters,
}

/// A shard's way to all shards, itself among them. Clones are cheap and stay on the shard's thread.
///
/// For each ordered pair of shards, requests arrive in the order they were sent; so do events and
/// replies, among each other. Between the two there is no order.
pub struct Mesh<P: Protocol>(Rc<Inner<P>>);

impl<P: Protocol> Clone for Mesh<P> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

/// What a mesh is made of; see [`Mesh::new`].
pub(crate) struct MeshParts<P: Protocol> {
    pub(crate) me: Address,
    pub(crate) outlets: Vec<Outlet<P>>,
    pub(crate) foreign: BTreeMap<Address, Outlet<P>>,
    pub(crate) inbox: Inbox<P>,
    pub(crate) ring: Ring,
    pub(crate) limits: MeshLimits,
    pub(crate) first_generation: u32,
}

impl<P: Protocol> Mesh<P> {
    pub(crate) fn new(parts: MeshParts<P>, timers: Timers, counters: &Counters) -> Self {
        Self(Rc::new(Inner {
            me: parts.me,
            outlets: parts.outlets.into_boxed_slice(),
            foreign: RefCell::new(parts.foreign),
            calls: Calls::new(parts.limits.calls_len_max, parts.first_generation),
            deferred: RefCell::new(VecDeque::new()),
            ring: RefCell::new(Rc::new(parts.ring)),
            inbox: RefCell::new(Some(parts.inbox)),
            timers,
            counters: MeshCounters::new(counters),
        }))
    }

    /// This shard.
    pub fn me(&self) -> Address {
        self.0.me
    }

    /// This node.
    pub fn node(&self) -> NodeId {
        self.0.me.node
    }

    /// The shards of this node, in order.
    pub fn shards(&self) -> impl Iterator<Item = Address> + use<P> {
        let node = self.0.me.node;
        (0..self.0.outlets.len()).map(move |i| Address { node, shard: ShardId(i as u16) })
    }

    /// Who owns what, as this shard knows it. The epoch may move on between two calls.
    pub fn ring(&self) -> Rc<Ring> {
        Rc::clone(&self.0.ring.borrow())
    }

    /// The shard that owns a key, by the key's [`crate::StableHash`].
    pub fn owner(&self, key_hash: u64) -> Address {
        self.0.ring.borrow().owner(key_hash)
    }

    /// Takes a newer ring over; an older one is ignored. For links to other nodes, which tell of rings when
    /// there are any; a node alone keeps its first.
    pub fn set_ring(&self, ring: Ring) {
        let mut known = self.0.ring.borrow_mut();
        if ring.epoch() > known.epoch() {
            *known = Rc::new(ring);
        }
    }

    pub fn clock(&self) -> &Clock {
        self.0.timers.clock()
    }

    pub fn timers(&self) -> &Timers {
        &self.0.timers
    }

    /// Begins to handle messages; those that came before have waited. Once per shard: a second
    /// handler is refused with false.
    pub fn serve(&self, handler: Rc<dyn Handler<P>>) -> bool {
        let Some(inbox) = self.0.inbox.borrow_mut().take() else { return false };
        runtime::spawn_essential("mailbox", pump(self.clone(), inbox, handler));
        true
    }

    /// Sends a request that needs no answer. Refused, and given back, where the lane is full.
    pub fn cast(&self, to: Address, request: P::Request) -> Result<(), Refused<P::Request>> {
        self.ask(to, request, None)
    }

    /// Sends an event. False where it was dropped, or its shard cannot be reached.
    pub fn deliver(&self, to: Address, event: P::Request, loss: Loss) -> bool {
        let message = Tell::Event { from: self.0.me, request: event };
        let delivered = self.with_outlet(to, |outlet| match loss {
            Loss::Never => {
                outlet.tell(message);
                self.0.counters.events_waiting_max.raise_to(outlet.events_len());
                true
            }
            Loss::Droppable => outlet.tell_droppable(message),
        });
        let counters = &self.0.counters;
        let delivered = delivered.unwrap_or(false);
        if delivered { &counters.events_sent } else { &counters.events_dropped }.increment();
        delivered
    }

    /// Asks, and yields the answer. The request leaves at once, not when the future is first polled;
    /// dropping the future forgets the answer, not the request.
    pub fn call(&self, to: Address, request: P::Request, deadline: impl Into<Deadline>) -> Call<P> {
        let started = self.start_call(to, request, deadline.into(), None);
        let state = match started {
            Ok(id) => CallState::Waiting(id),
            Err((_, error)) => CallState::Failed(error),
        };
        Call { mesh: self.clone(), state }
    }

    /// Asks, and runs `then` with the answer, on this shard, in the order of the mailbox. It never runs
    /// inside this call, not even where the request is refused.
    pub fn call_then(
        &self,
        to: Address,
        request: P::Request,
        deadline: impl Into<Deadline>,
        then: impl FnOnce(Result<P::Reply, CallError>) + 'static,
    ) {
        let started = self.start_call(to, request, deadline.into(), Some(Box::new(then)));
        if let Err((Some(then), error)) = started {
            self.0.deferred.borrow_mut().push_back(Box::new(move || then(Err(error))));
            self.with_outlet(self.0.me, Outlet::ring);
        }
    }

    fn start_call(
        &self,
        to: Address,
        request: P::Request,
        deadline: Deadline,
        then: Option<Then<P>>,
    ) -> Result<CallId, (Option<Then<P>>, CallError)> {
        let inner = &self.0;
        let id = inner.calls.insert(then).map_err(|then| {
            inner.counters.calls_refused.increment();
            (then, CallError::TooManyCalls)
        })?;
        let deadline_ms = deadline.at_ms(self.clock());
        if let Err(refused) = self.ask(to, request, Some((id, deadline_ms))) {
            let then = match inner.calls.settle(id, Err(refused.reason)) {
                Settled::Run(then, _, _) => Some(then),
                Settled::Woken(_) | Settled::Late => None,
            };
            inner.calls.forget(id);
            return Err((then, refused.reason));
        }
        let target: Rc<dyn timers::Target> = Rc::<Inner<P>>::clone(inner);
        inner.calls.set_timer(id, inner.timers.notify_at(deadline_ms, target, id.token()));
        inner.gauge();
        Ok(id)
    }

    fn ask(
        &self,
        to: Address,
        request: P::Request,
        call: Option<(CallId, u64)>,
    ) -> Result<(), Refused<P::Request>> {
        let inner = &self.0;
        let ask = Ask { from: inner.me, call, request };
        let sent = if to.node == inner.me.node {
            ask_through(inner.outlets.get(usize::from(to.shard.0)), ask)
        } else {
            ask_through(inner.foreign.borrow().get(&to), ask)
        };
        match sent {
            Ok(()) => inner.counters.requests_sent.increment(),
            Err(_) => inner.counters.requests_refused.increment(),
        }
        sent
    }

    /// Sends an answer; it is not lost while its shard can be reached.
    pub(crate) fn answer(&self, to: Address, call: CallId, result: Answer<P>) {
        self.0.counters.replies_sent.increment();
        self.with_outlet(to, |outlet| outlet.tell(Tell::Reply { call, result }));
    }

    /// Takes an answer in.
    pub(crate) fn settle(&self, call: CallId, answer: Answer<P>) {
        self.0.settle(call, answer);
    }

    /// Runs the callbacks of calls that failed before they left.
    pub(crate) fn run_deferred(&self) {
        // Those that come in meanwhile wait for the next turn.
        let waiting = self.0.deferred.borrow().len();
        for _ in 0..waiting {
            let deferred = self.0.deferred.borrow_mut().pop_front();
            if let Some(deferred) = deferred {
                runtime::guard("call", deferred);
            }
        }
    }

    /// Ends all calls of this shard, so that nobody waits for an answer that cannot come.
    pub(crate) fn stop(&self) {
        for id in self.0.calls.ids() {
            runtime::guard("call", || self.0.settle(id, Err(CallError::Stopped)));
        }
        self.run_deferred();
    }

    pub(crate) fn counters(&self) -> &MeshCounters {
        &self.0.counters
    }

    /// None where there is no way to the address.
    fn with_outlet<T>(&self, to: Address, use_it: impl FnOnce(&Outlet<P>) -> T) -> Option<T> {
        if to.node == self.0.me.node {
            return self.0.outlets.get(usize::from(to.shard.0)).map(use_it);
        }
        self.0.foreign.borrow().get(&to).map(use_it)
    }
}

fn ask_through<P: Protocol>(
    outlet: Option<&Outlet<P>>,
    ask: Ask<P>,
) -> Result<(), Refused<P::Request>> {
    match outlet {
        Some(outlet) => outlet
            .ask(ask)
            .map_err(|back| Refused { request: back.request, reason: CallError::Full }),
        None => Err(Refused { request: ask.request, reason: CallError::Unreachable }),
    }
}

impl<P: Protocol> Inner<P> {
    /// Tells how many calls wait, or are answered and not yet looked at.
    fn gauge(&self) {
        self.counters.calls_waiting.set(self.calls.len() as u64);
    }

    fn settle(&self, call: CallId, answer: Answer<P>) {
        let cancel = |timer| {
            if let Some(timer) = timer {
                self.timers.cancel(timer);
            }
            self.gauge();
        };
        match self.calls.settle(call, answer) {
            Settled::Run(then, answer, timer) => {
                cancel(timer);
                then(answer);
            }
            Settled::Woken(timer) => cancel(timer),
            Settled::Late => self.counters.replies_late.increment(),
        }
    }
}

impl<P: Protocol> timers::Target for Inner<P> {
    fn fired(&self, token: u64) {
        self.counters.calls_expired.increment();
        self.settle(CallId::from_token(token), Err(CallError::DeadlineExceeded));
    }
}

enum CallState {
    Waiting(CallId),
    Failed(CallError),
    Done,
}

/// An answer under way; see [`Mesh::call`].
#[must_use = "the request is under way, but its answer is lost unless this is awaited"]
pub struct Call<P: Protocol> {
    mesh: Mesh<P>,
    state: CallState,
}

impl<P: Protocol> Future for Call<P> {
    type Output = Result<P::Reply, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = match self.state {
            CallState::Waiting(id) => match self.mesh.0.calls.poll(id, cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(answer) => {
                    self.mesh.0.gauge();
                    answer
                }
            },
            CallState::Failed(error) => Err(error),
            CallState::Done => Err(CallError::Stopped),
        };
        self.state = CallState::Done;
        Poll::Ready(answer)
    }
}

impl<P: Protocol> Drop for Call<P> {
    fn drop(&mut self) {
        let CallState::Waiting(id) = self.state else { return };
        if let Some(timer) = self.mesh.0.calls.forget(id) {
            self.mesh.0.timers.cancel(timer);
        }
        self.mesh.0.gauge();
    }
}
