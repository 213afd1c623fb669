//! What a message between shards costs as shards grow to 64: everybody sends to everybody at random,
//! through real executors and mailboxes. On fewer cores than shards the kernel switches between threads and
//! wakes them all the time, which a machine with a core for each shard is spared: the part in user mode,
//! which the second figure tells, is what it pays at least.
//!
//! `cargo bench --bench many_shards [-- shards…]`

#[path = "asked/mod.rs"]
mod asked;

use std::{
    fs,
    rc::Rc,
    sync::{Arc, Barrier, mpsc},
    time::Duration,
};

use kakera_shards::{
    Address, NodeId, Protocol, ReplyTo, Rng, ShardContext, ShardId,
    boot::{self, BootConfig},
    runtime,
};

struct Words;
impl Protocol for Words {
    /// The size of a realistic message: an id, a shared payload, a kind.
    type Request = [u64; 5];
    type Reply = u64;
}
type Context = ShardContext<Words>;

const NODE: NodeId = NodeId(1);
/// All shards together, a run.
const MESSAGES: u64 = 4 << 20;
const ROUNDS: usize = 3;
const HANDLED: &str = "handled";

fn main() {
    let asked: Vec<u16> = asked::words().iter().filter_map(|word| word.parse().ok()).collect();
    let counts = if asked.is_empty() { vec![2, 4, 8, 16, 32, 64] } else { asked };
    println!(
        "CPU of a one-way message, both ends together (of it in user mode), by what a shard sends in a turn"
    );
    println!("{:>6} {:>18} {:>18} {:>18}", "shards", "1", "16", "256");
    for shards in counts {
        let cells = [1, 16, 256].map(|a_turn| {
            let (all, user) = lowest(shards, a_turn);
            format!("{:>18}", format!("{all:.0} ns ({user:.0})"))
        });
        println!("{shards:>6} {}", cells.join(" "));
    }
}

/// The quietest round: neighbours on the machine only ever add.
fn lowest(shards: u16, a_turn: u64) -> (f64, f64) {
    let rounds = (0..ROUNDS).map(|_| nanos_each(shards, a_turn));
    rounds.reduce(|least, round| if round.0 < least.0 { round } else { least }).unwrap_or_default()
}

/// Nanoseconds of CPU for each of the messages, and of those in user mode.
fn nanos_each(shards: u16, a_turn: u64) -> (f64, f64) {
    let config = BootConfig {
        shards,
        // Nobody waits for a shard that sleeps: the sending itself is measured.
        spin_before_park: Duration::ZERO,
        ..BootConfig::new(NODE).expect("the CPUs are known")
    };
    let (tell, spent) = mpsc::sync_channel(1);
    let begin = Arc::new(Barrier::new(usize::from(shards)));
    boot::run(&config, move |context: Context| {
        let (tell, begin) = (tell.clone(), Arc::clone(&begin));
        async move {
            let handled = context.counters().counter(HANDLED, "Messages that came in.");
            let count = handled.clone();
            context.serve(Rc::new(move |_, words: [u64; 5], _: ReplyTo<Words>| {
                std::hint::black_box(words);
                count.increment();
            }));
            begin.wait();
            let before = cpu_nanos();
            let share = MESSAGES / u64::from(shards);
            send(&context, shards, share, a_turn).await;
            if context.me().shard == ShardId(0) {
                let all = share * u64::from(shards);
                while context.counters().board().sum(HANDLED) < all {
                    runtime::sleep(Duration::from_millis(1)).await;
                }
                let (spent, user) = cpu_nanos();
                let each = |after: u64, before: u64| (after - before) as f64 / all as f64;
                tell.send((each(spent, before.0), each(user, before.1)))?;
                context.drain_node();
            }
            context.draining().await;
            Ok(())
        }
    })
    .expect("the node runs and stops");
    spent.recv().expect("the first shard has measured")
}

async fn send(context: &Context, shards: u16, share: u64, a_turn: u64) {
    let me = context.me().shard.0;
    let mut choice = Rng::from_seed(u64::from(me)).next_u64();
    for sent in 1..=share {
        choice ^= choice << 13;
        choice ^= choice >> 7;
        choice ^= choice << 17;
        // Everybody but the sender.
        let shard = (me + 1 + (choice % u64::from(shards - 1)) as u16) % shards;
        let to = Address { node: NODE, shard: ShardId(shard) };
        while context.mesh.cast(to, [1, sent, sent, sent, sent]).is_err() {
            runtime::yield_now().await;
        }
        if sent.is_multiple_of(a_turn) {
            runtime::yield_now().await;
        }
    }
}

/// CPU time of all threads of this process, and of it what was spent in user mode.
fn cpu_nanos() -> (u64, u64) {
    /// `USER_HZ` is 100 on every Linux that this runs on.
    const TICK_NANOS: u64 = 10_000_000;

    let stat = fs::read_to_string("/proc/self/stat").expect("procfs");
    // The second field is the program's name in parentheses, which may hold spaces.
    let fields = stat.rsplit_once(") ").expect("procfs").1.split(' ').skip(11);
    let ticks: Vec<u64> = fields.take(2).filter_map(|field| field.parse().ok()).collect();
    let nanos = |ticks: &[u64]| ticks.iter().sum::<u64>() * TICK_NANOS;
    (nanos(&ticks), nanos(ticks.get(..1).unwrap_or_default()))
}
