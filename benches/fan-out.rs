//! What one message to a stream costs, from its owner to the queues of its members on one shard, and what
//! coming and going costs. Sockets are not part of it.
//!
//! Nothing is encoded, allocated or locked for each recipient: the first two are asserted here before
//! anything is measured, the third is a rule of the architecture test.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::{Cell, RefCell},
    collections::{BTreeSet, VecDeque},
    hint::black_box,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kakera::{
    fanout::{Audience, Format, Sink, Slot, Slow},
    ids::{SessionId, StreamId, UserId},
    net::WireFrame,
    presence::{
        JoinOptions, Limits, Member, Moved, Post, PostError, Presences, Reason, Reply, Request,
        Sessions, StreamEvent, Then, wire,
    },
};
use kakera_proto::realtime::{Envelope, MatchData, UserPresence, envelope::Message};
use kakera_shards::{Address, NodeId, ShardId};
use uuid::Uuid;

const ME: Address = Address { node: NodeId(1), shard: ShardId(0) };

/// The system's allocator, counting.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is the system allocator's; the count beside it allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that is ending counts no more.
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on; the pointer came from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// One shard that talks to itself, in order and at once.
#[derive(Default)]
struct Loopback {
    packets: RefCell<VecDeque<(Request, Option<Then>)>>,
}

impl Post for Loopback {
    fn me(&self) -> Address {
        ME
    }
    fn owner_of(&self, _: &StreamId) -> Address {
        ME
    }
    fn owner_of_user(&self, _: UserId) -> Address {
        ME
    }
    fn shards(&self) -> Vec<Address> {
        vec![ME]
    }
    fn cast(&self, _: Address, request: Request) -> Result<(), Request> {
        self.packets.borrow_mut().push_back((request, None));
        Ok(())
    }
    fn call(&self, _: Address, request: Request, then: Then) {
        self.packets.borrow_mut().push_back((request, Some(then)));
    }
    fn deliver(&self, _: Address, request: Request, _: bool) -> bool {
        self.packets.borrow_mut().push_back((request, None));
        true
    }
}

/// The queues of the sessions, emptied after each message as a socket would.
struct Queues {
    queues: RefCell<Vec<VecDeque<WireFrame>>>,
    queued: Cell<usize>,
}

impl Queues {
    fn drain(&self) {
        self.queues.borrow_mut().iter_mut().for_each(VecDeque::clear);
    }
}

impl Sink for Queues {
    fn send(&self, slot: Slot, frame: &WireFrame) -> Result<(), Slow> {
        let mut queues = self.queues.borrow_mut();
        let queue = queues.get_mut(slot.0 as usize).ok_or(Slow)?;
        queue.push_back(frame.clone());
        self.queued.set(self.queued.get() + 1);
        Ok(())
    }
}

impl Sessions for Queues {
    fn slow(&self, _: Slot) {}
    fn changed(&self, _: &StreamEvent) {}
    fn moved(&self, _: &StreamId, _: &Moved, _: usize) {}
}

struct World {
    post: Rc<Loopback>,
    presences: Presences,
    queues: Rc<Queues>,
    stream: StreamId,
}

impl World {
    fn new(members: u32, format_of: impl Fn(u32) -> Format) -> Self {
        let post = Rc::new(Loopback::default());
        let queues = (0..=members).map(|_| VecDeque::with_capacity(16)).collect();
        let queues = Rc::new(Queues { queues: RefCell::new(queues), queued: Cell::new(0) });
        let presences = Presences::new(post.clone(), queues.clone(), Limits::default());
        let stream = StreamId::relayed_match(Uuid::from_u128(1 << 100));
        let world = Self { post, presences, queues, stream };
        for number in 0..=members {
            let member = Member {
                session: SessionId::at(ME, u128::from(number + 1) << 64),
                user: UserId(Uuid::from_u128(u128::from(number) + 1)),
                username: Arc::from("somebody"),
                format: format_of(number),
            };
            world.presences.open(Slot(number), member);
        }
        for number in 0..members {
            world.join(Slot(number));
        }
        world
    }

    fn join(&self, slot: Slot) {
        self.presences.join(slot, &self.stream, JoinOptions::default(), |joined| {
            black_box(joined.is_ok());
        });
        self.turn();
    }

    /// Handles what is under way, then ends the turn and handles that.
    fn turn(&self) {
        self.run();
        self.presences.end_turn();
        self.run();
        self.queues.drain();
    }

    fn run(&self) {
        loop {
            let packet = self.post.packets.borrow_mut().pop_front();
            let Some((request, then)) = packet else { return };
            let answer: Rc<Cell<Option<Reply>>> = Rc::default();
            let put = Rc::clone(&answer);
            self.presences.handle(request, move |reply| put.set(Some(reply)));
            if let Some(then) = then {
                then(answer.take().ok_or(PostError::Lost));
            }
        }
    }

    fn send(&self) {
        let message = MatchData {
            match_id: wire::homed_id(&self.stream),
            presence: Some(UserPresence {
                user_id: "00000000-0000-4000-8000-000000000001".to_owned(),
                session_id: "00000000-0000-4000-8000-000000000002".to_owned(),
                username: "somebody".to_owned(),
                ..UserPresence::default()
            }),
            op_code: 1,
            data: Bytes::from_static(&[7; 40]),
            reliable: true,
        };
        let envelope = Envelope { cid: String::new(), message: Some(Message::MatchData(message)) };
        let except = SessionId::at(ME, 1 << 64);
        let sent = self.presences.send(self.stream.clone(), Audience::Except(except), envelope);
        assert!(sent.is_ok(), "the lane has room");
        self.run();
    }

    /// How often memory is allocated, and the distinct encodings that the recipients hold, for a message.
    fn cost_of_a_message(&self) -> (u64, usize) {
        self.send();
        self.queues.drain();
        let before = ALLOCATIONS.get();
        self.send();
        let allocations = ALLOCATIONS.get() - before;
        let queues = self.queues.queues.borrow();
        let frames = queues.iter().flatten().map(|frame| frame.bytes().as_ptr());
        let encodings = frames.collect::<BTreeSet<_>>().len();
        drop(queues);
        self.queues.drain();
        (allocations, encodings)
    }
}

type FormatOf = fn(u32) -> Format;

fn fan_out(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fan-out");
    let mixes: [(&str, FormatOf); 3] = [
        ("protobuf", |_| Format::Protobuf),
        ("json", |_| Format::Json),
        ("mixed", |number| if number % 2 == 0 { Format::Json } else { Format::Protobuf }),
    ];
    for (mix, format_of) in mixes {
        let few = World::new(10, format_of).cost_of_a_message();
        let many = World::new(1000, format_of).cost_of_a_message();
        assert_eq!(few, many, "allocations and encodings do not depend on how many hear it");
        assert_eq!(many.1, if mix == "mixed" { 2 } else { 1 }, "encoded once for each format");
        for members in [10, 100, 1000] {
            let world = World::new(members, format_of);
            group.throughput(Throughput::Elements(u64::from(members) - 1));
            group.bench_function(BenchmarkId::new(mix, members), |bencher| {
                bencher.iter(|| {
                    world.send();
                    world.queues.drain();
                });
            });
            assert!(world.queues.queued.get() > 0, "messages were queued");
        }
    }
    group.finish();
}

fn come_and_go(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("join-and-leave");
    for members in [0, 10, 100, 1000] {
        let world = World::new(members, |_| Format::Protobuf);
        let slot = Slot(members);
        group.bench_function(BenchmarkId::from_parameter(members), |bencher| {
            bencher.iter(|| {
                world.join(slot);
                world.presences.leave(slot, &world.stream, || ());
                world.turn();
            });
        });
    }
    group.finish();
}

fn sessions(criterion: &mut Criterion) {
    let world = World::new(0, |_| Format::Protobuf);
    let user = UserId(Uuid::from_u128(77));
    criterion.bench_function("open-and-close", |bencher| {
        bencher.iter(|| {
            let member = Member {
                session: SessionId::at(ME, 99 << 64),
                user,
                username: Arc::from("somebody"),
                format: Format::Protobuf,
            };
            world.presences.open(Slot(1), member);
            let hidden = JoinOptions { hidden: true, ..JoinOptions::default() };
            world.presences.join(Slot(1), &StreamId::notifications(user), hidden, |_| ());
            world.run();
            world.presences.close(Slot(1), Reason::Disconnect);
            world.run();
        });
    });
}

/// Short, so that `cargo bench` runs all benches within ten minutes.
fn brief() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! { name = benches; config = brief(); targets = fan_out, come_and_go, sessions }
criterion_main!(benches);
