use std::{cell::RefCell, collections::BTreeMap};

use super::*;
use crate::{CallError, Loss, MailboxLimits, ReplyTo, ShardId, runtime};

/// What was sent, numbered by its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    /// Answered with its number, after a number of ms.
    Echo(u64, u64),
    Cast(u64),
    Terminal(u64),
    Droppable(u64),
}

struct Test;
impl Protocol for Test {
    type Request = Ask;
    type Reply = u64;
}

/// What happened, in the order it happened: the receiver, the sender, the message.
type Log = Rc<RefCell<Vec<(Address, Address, Ask)>>>;

fn config(members: &[(u32, u16)]) -> SimConfig {
    let members = members.iter().map(|&(node, shards)| Member { node: NodeId(node), shards });
    SimConfig {
        members: members.collect(),
        limits: MeshLimits::default(),
        faults: Faults::default(),
    }
}

fn simulation(seed: u64, config: SimConfig) -> (Simulation<Test>, Log) {
    let log = Log::default();
    let shared = Rc::clone(&log);
    let simulation = Simulation::new(seed, config, move |context| {
        let log = Rc::clone(&shared);
        async move {
            let me = context.me();
            context.serve(Rc::new(move |from, ask, reply: ReplyTo<Test>| {
                log.borrow_mut().push((me, from, ask));
                match ask {
                    Ask::Echo(number, 0) => reply.send(number),
                    Ask::Echo(number, ms) => runtime::spawn("echo", async move {
                        runtime::sleep(Duration::from_millis(ms)).await;
                        reply.send(number);
                    }),
                    Ask::Cast(_) | Ask::Terminal(_) | Ask::Droppable(_) => {}
                }
            }));
            Ok(())
        }
    });
    (simulation, log)
}

type Answers = Rc<RefCell<BTreeMap<u64, Vec<(u64, Result<u64, CallError>)>>>>;

/// Calls from everybody to everybody, as futures and as callbacks; what came back, and when.
fn call_around(sim: &Simulation<Test>, calls: u64, deadline: Duration, slow: bool) -> Answers {
    let answers = Answers::default();
    let all = sim.addresses().to_vec();
    for number in 0..calls {
        let from = all[sim.rng().below(all.len() as u64) as usize];
        let to = all[sim.rng().below(all.len() as u64) as usize];
        let ask = Ask::Echo(number, if slow { sim.rng().below(40) } else { 0 });
        let answers = Rc::clone(&answers);
        sim.on(from, |context| {
            let clock = context.clock();
            let note = move |answer| {
                let mut answers = answers.borrow_mut();
                answers.entry(number).or_default().push((clock.monotonic_ms(), answer));
            };
            if number % 2 == 0 {
                context.mesh.call_then(to, ask, deadline, note);
            } else {
                let call = context.mesh.call(to, ask, deadline);
                runtime::spawn("call", async move { note(call.await) });
            }
        });
    }
    answers
}

#[test]
fn no_reply_is_lost_or_doubled_or_given_to_another_call() {
    check(60, |seed| {
        let (mut sim, _) = simulation(seed, config(&[(1, 3), (2, 2)]));
        let answers = call_around(&sim, 300, Duration::from_secs(5), true);
        assert!(sim.run_until_quiet(Duration::from_secs(10)));
        let answers = answers.borrow();
        assert_eq!(answers.len(), 300);
        for (number, got) in answers.iter() {
            assert!(matches!(got[..], [(_, Ok(n))] if n == *number), "{number}: {got:?}");
        }
        assert_eq!((sim.counted("mesh_replies_late"), sim.counted("task_panics")), (0, 0));
    });
}

#[test]
fn a_call_whose_message_was_lost_ends_at_its_deadline_and_each_ends_once() {
    let lost_any = RefCell::new(0);
    check(60, |seed| {
        let mut config = config(&[(1, 2), (2, 2)]);
        config.faults.loss_between_nodes = 0.2;
        let (mut sim, _) = simulation(seed, config);
        // Some answers take longer than their callers wait.
        let answers = call_around(&sim, 200, Duration::from_millis(30), true);
        assert!(sim.run_until_quiet(Duration::from_secs(10)));
        let answers = answers.borrow();
        assert_eq!(answers.len(), 200);
        for (number, got) in answers.iter() {
            match got[..] {
                [(_, Ok(n))] => assert_eq!(n, *number),
                [(at_ms, Err(CallError::DeadlineExceeded))] => assert_eq!(at_ms, 30),
                _ => panic!("{number}: {got:?}"),
            }
        }
        let ended = answers.values().flatten().filter(|(_, answer)| answer.is_err()).count();
        assert_eq!(sim.counted("mesh_calls_expired"), ended as u64);
        *lost_any.borrow_mut() += sim.lost();
        assert_eq!(sim.counted("task_panics"), 0);
    });
    assert!(*lost_any.borrow() > 0);
}

#[test]
fn messages_of_a_lane_keep_their_order_while_pairs_overtake_each_other() {
    let overtaken = RefCell::new(false);
    check(60, |seed| {
        let (mut sim, log) = simulation(seed, config(&[(1, 3), (2, 1)]));
        let all = sim.addresses().to_vec();
        for number in 0..400 {
            let from = all[sim.rng().below(4) as usize];
            let to = all[sim.rng().below(4) as usize];
            let event = sim.rng().chance(0.5);
            sim.on(from, |context| {
                if event {
                    assert!(context.mesh.deliver(to, Ask::Terminal(number), Loss::Never));
                } else {
                    context.mesh.cast(to, Ask::Cast(number)).unwrap();
                }
            });
            if sim.rng().chance(0.05) {
                sim.run_for(Duration::from_micros(20));
            }
        }
        assert!(sim.run_until_quiet(Duration::from_secs(1)));
        let log = log.borrow();
        assert_eq!(log.len(), 400);
        let mut last: BTreeMap<(Address, Address, bool), u64> = BTreeMap::new();
        let mut highest = BTreeMap::new();
        for &(to, from, ask) in log.iter() {
            let (lane, number) = match ask {
                Ask::Terminal(number) => (true, number),
                Ask::Cast(number) => (false, number),
                other => panic!("{other:?} was not sent"),
            };
            let before = last.insert((to, from, lane), number);
            assert!(before.is_none_or(|before| before < number), "{from} to {to}");
            let highest: &mut u64 = highest.entry(to).or_default();
            *overtaken.borrow_mut() |= *highest > number;
            *highest = number.max(*highest);
        }
    });
    assert!(*overtaken.borrow());
}

#[test]
fn what_must_not_be_lost_arrives_however_long_the_lane_and_the_rest_is_counted() {
    let lost = RefCell::new((0, 0));
    check(40, |seed| {
        let mut config = config(&[(1, 2)]);
        config.limits.mailbox = MailboxLimits { requests_len_max: 8, events_len_max: 8 };
        let (mut sim, log) = simulation(seed, config);
        let (from, to) = (sim.addresses()[0], sim.addresses()[1]);
        let (mut delivered, mut dropped, mut accepted, mut refused) = (0, 0, 0, 0);
        for number in 0..300 {
            let kind = sim.rng().below(3);
            sim.on(from, |context| match kind {
                0 => assert!(context.mesh.deliver(to, Ask::Terminal(number), Loss::Never)),
                1 if context.mesh.deliver(to, Ask::Droppable(number), Loss::Droppable) => {
                    delivered += 1;
                }
                1 => dropped += 1,
                _ if context.mesh.cast(to, Ask::Cast(number)).is_ok() => accepted += 1,
                _ => refused += 1,
            });
            if sim.rng().chance(0.1) {
                sim.run_for(Duration::from_micros(40));
            }
        }
        assert!(sim.run_until_quiet(Duration::from_secs(1)));
        let log = log.borrow();
        let count = |wanted: fn(&Ask) -> bool| log.iter().filter(|entry| wanted(&entry.2)).count();
        assert_eq!(
            count(|ask| matches!(ask, Ask::Terminal(_))),
            300 - delivered - dropped - accepted - refused
        );
        assert_eq!(count(|ask| matches!(ask, Ask::Droppable(_))), delivered);
        assert_eq!(count(|ask| matches!(ask, Ask::Cast(_))), accepted);
        assert_eq!(sim.counted("mesh_events_dropped"), dropped as u64);
        assert_eq!(sim.counted("mesh_requests_refused"), refused as u64);
        let mut lost = lost.borrow_mut();
        *lost = (lost.0 + dropped, lost.1 + refused);
    });
    assert!(lost.borrow().0 > 0 && lost.borrow().1 > 0);
}

#[test]
fn the_loss_of_a_shard_costs_its_own_calls_and_no_answer_reaches_its_next_life() {
    let late = RefCell::new(0);
    check(60, |seed| {
        let (mut sim, _) = simulation(seed, config(&[(1, 3)]));
        let victim = sim.addresses()[sim.rng().below(3) as usize];
        let answers = call_around(&sim, 200, Duration::from_millis(50), true);
        sim.run_for(Duration::from_micros(sim.rng().below(30_000)));
        sim.crash(victim);
        assert!(sim.on(victim, |_| ()).is_none());
        sim.run_for(Duration::from_micros(sim.rng().below(20_000)));
        sim.restart(victim);
        let later = call_around(&sim, 100, Duration::from_secs(2), true);
        assert!(sim.run_until_quiet(Duration::from_secs(10)));
        for (number, got) in answers.borrow().iter() {
            let fine = match got[..] {
                [(_, Ok(n))] => n == *number,
                // `Stopped` is what the victim itself is told as it falls apart.
                [(_, Err(error))] => {
                    matches!(error, CallError::DeadlineExceeded | CallError::Stopped)
                }
                _ => false,
            };
            assert!(fine, "{number}: {got:?}");
        }
        let later = later.borrow();
        assert_eq!(later.len(), 100);
        for (number, got) in later.iter() {
            assert!(matches!(got[..], [(_, Ok(n))] if n == *number), "{number}: {got:?}");
        }
        *late.borrow_mut() += sim.counted("mesh_replies_late");
        assert_eq!(sim.counted("task_panics"), 0);
    });
    // Answers to the earlier life did come, and found nobody.
    assert!(*late.borrow() > 0);
}

#[test]
fn a_partition_cuts_two_nodes_apart_until_it_heals() {
    check(20, |seed| {
        let (mut sim, _) = simulation(seed, config(&[(1, 1), (2, 1), (3, 1)]));
        let ask = |sim: &mut Simulation<Test>, from: usize, to: usize| {
            let answer = Rc::new(RefCell::new(None));
            let (slot, to) = (Rc::clone(&answer), sim.addresses()[to]);
            sim.on(sim.addresses()[from], |context| {
                let wait = Duration::from_millis(100);
                context.mesh.call_then(to, Ask::Echo(1, 0), wait, move |got| {
                    *slot.borrow_mut() = Some(got);
                });
            });
            assert!(sim.run_until_quiet(Duration::from_secs(1)));
            let answer = answer.borrow_mut().take();
            answer.unwrap()
        };
        sim.partition(NodeId(1), NodeId(2));
        assert_eq!(ask(&mut sim, 0, 1), Err(CallError::DeadlineExceeded));
        assert_eq!(ask(&mut sim, 1, 0), Err(CallError::DeadlineExceeded));
        assert_eq!(ask(&mut sim, 0, 2), Ok(1));
        sim.heal();
        assert_eq!(ask(&mut sim, 0, 1), Ok(1));
    });
}

#[test]
fn a_run_follows_from_its_seed_alone() {
    let trace = |seed| {
        let mut config = config(&[(1, 3), (2, 2)]);
        config.faults.loss_between_nodes = 0.1;
        let (mut sim, log) = simulation(seed, config);
        call_around(&sim, 200, Duration::from_millis(30), true);
        assert!(sim.run_until_quiet(Duration::from_secs(10)));
        (log.take(), sim.now_micros(), sim.lost())
    };
    assert_eq!(trace(7), trace(7));
    assert_ne!(trace(7), trace(8));
}

#[test]
fn a_failing_run_names_its_seed_and_stops_there() {
    let ran = RefCell::new(Vec::new());
    let failed = catch_unwind(AssertUnwindSafe(|| {
        check(9, |seed| {
            ran.borrow_mut().push(seed);
            assert!(seed < 3, "on purpose");
        });
    }));
    assert!(failed.is_err());
    assert_eq!(*ran.borrow(), [1, 2, 3]);
}

#[test]
fn a_day_passes_in_no_time() {
    let (mut sim, _) = simulation(1, config(&[(1, 1)]));
    let address = Address { node: NodeId(1), shard: ShardId(0) };
    let slept = Rc::new(RefCell::new(None));
    let note = Rc::clone(&slept);
    sim.on(address, |context| {
        let clock = context.clock();
        runtime::spawn("sleeper", async move {
            runtime::sleep(Duration::from_hours(24)).await;
            *note.borrow_mut() = Some(clock.monotonic_ms());
        });
    });
    sim.run_for(Duration::from_hours(25));
    assert_eq!(*slept.borrow(), Some(24 * 3600 * 1000));
}
