use std::{
    cell::{Cell, RefCell},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Instant,
};

use super::*;
use crate::{CallError, Loss, MailboxLimits, Refused, ReplyTo, runtime};

struct Numbers;
impl Protocol for Numbers {
    type Request = u64;
    type Reply = u64;
}
type Context = ShardContext<Numbers>;

fn config(shards: u16) -> BootConfig {
    BootConfig {
        shards,
        pin: false,
        // Ample: printing a backtrace takes seconds on a busy machine.
        shutdown_grace: Duration::from_mins(1),
        offload: OffloadConfig { threads: 1, queue_len_max: 16 },
        ..BootConfig::new(NodeId(7)).unwrap()
    }
}

fn address(shard: u16) -> Address {
    Address { node: NodeId(7), shard: ShardId(shard) }
}

const SOON: Duration = Duration::from_secs(2);

/// Runs `work` on shard 0 of a node whose shards double what they are asked, and returns what it sent.
fn on_a_node<T: Send + 'static, F: Future<Output = T>>(
    config: &BootConfig,
    work: impl Fn(Context) -> F + Send + Sync + 'static,
) -> T {
    let (results, result) = mpsc::channel();
    let results = Mutex::new(results);
    let work = Arc::new(work);
    run(config, move |context: Context| {
        let (work, results) = (Arc::clone(&work), results.lock().unwrap().clone());
        async move {
            context.serve(std::rc::Rc::new(|_, number: u64, reply: ReplyTo<Numbers>| {
                assert_ne!(number, 666, "on purpose");
                reply.send(number * 2);
            }));
            if context.me().shard == ShardId(0) {
                results.send(work(context.clone()).await).unwrap();
                context.drain_node();
            }
            context.draining().await;
            Ok(())
        }
    })
    .unwrap();
    result.recv().unwrap()
}

#[test]
fn every_shard_answers_every_other_and_itself() {
    let answers = on_a_node(&config(4), |context| async move {
        let mut answers = Vec::new();
        for shard in context.mesh.shards() {
            answers.push(context.mesh.call(shard, u64::from(shard.shard.0) + 1, SOON).await);
        }
        answers
    });
    assert_eq!(answers, [Ok(2), Ok(4), Ok(6), Ok(8)]);
}

#[test]
fn another_node_and_an_unknown_shard_cannot_be_reached() {
    on_a_node(&config(1), |context| async move {
        for to in [Address { node: NodeId(8), shard: ShardId(0) }, address(1)] {
            let refused = Refused { request: 5, reason: CallError::Unreachable };
            assert_eq!(context.mesh.cast(to, 5), Err(refused));
            assert_eq!(context.mesh.call(to, 5, SOON).await, Err(CallError::Unreachable));
            assert!(!context.mesh.deliver(to, 5, Loss::Never));
        }
    });
}

#[test]
fn a_panic_in_a_handler_is_the_callers_error_and_nothing_else() {
    let answers = on_a_node(&config(2), |context| async move {
        let first = context.mesh.call(address(1), 666, SOON).await;
        (first, context.mesh.call(address(1), 3, SOON).await)
    });
    assert_eq!(answers, (Err(CallError::Abandoned), Ok(6)));
}

#[test]
fn callbacks_run_in_the_order_of_the_mailbox_and_never_inside_the_call() {
    let order = on_a_node(&config(2), |context| async move {
        let order = std::rc::Rc::new(RefCell::new(Vec::new()));
        for i in 0..100 {
            let log = std::rc::Rc::clone(&order);
            // A foreign node fails at once; its callback still has to wait for a turn.
            let to = if i == 50 { Address { node: NodeId(1), ..address(0) } } else { address(1) };
            let hold = order.borrow_mut();
            context.mesh.call_then(to, i, SOON, move |answer| log.borrow_mut().push(answer));
            drop(hold);
        }
        while order.borrow().len() < 100 {
            runtime::sleep(Duration::from_millis(1)).await;
        }
        order.take()
    });
    let answered: Vec<u64> = order.iter().filter_map(|answer| answer.ok()).collect();
    assert!(answered.is_sorted() && answered.len() == 99);
    assert_eq!(order.iter().filter(|answer| answer.is_err()).count(), 1);
}

#[test]
fn a_full_lane_refuses_requests_but_takes_what_must_not_be_lost() {
    let mut config = config(1);
    config.limits.mailbox = MailboxLimits { requests_len_max: 4, events_len_max: 4 };
    on_a_node(&config, |context| async move {
        let me = context.me();
        let sent = (0..10).filter(|&i| context.mesh.cast(me, i).is_ok()).count();
        assert_eq!(sent, 4);
        let droppable = (0..10).filter(|&i| context.mesh.deliver(me, i, Loss::Droppable)).count();
        assert_eq!(droppable, 4);
        assert!((0..10).all(|i| context.mesh.deliver(me, i, Loss::Never)));
        assert_eq!(context.mesh.call(me, 1, SOON).await, Err(CallError::Full));
        runtime::sleep(Duration::from_millis(5)).await;
        assert_eq!(context.mesh.call(me, 1, SOON).await, Ok(2));
        let board = context.counters().board().clone();
        assert_eq!(board.sum("mesh_requests_refused"), 7);
        assert_eq!(board.sum("mesh_events_dropped"), 6);
        assert_eq!(board.sum("mesh_messages_handled"), 4 + 4 + 10 + 2);
    });
}

#[test]
fn the_table_of_calls_is_bounded_and_forgets_what_was_dropped() {
    let mut config = config(2);
    config.limits.calls_len_max = 8;
    on_a_node(&config, |context| async move {
        let calls: Vec<_> = (0..9).map(|i| context.mesh.call(address(1), i, SOON)).collect();
        let mut answers = Vec::new();
        for call in calls {
            answers.push(call.await);
        }
        assert_eq!(answers.pop(), Some(Err(CallError::TooManyCalls)));
        assert!(answers.iter().all(Result::is_ok));
        let board = context.counters().board().clone();
        assert_eq!(board.sum("mesh_calls_waiting"), 0);
        for i in 0..100 {
            let call = context.mesh.call(address(1), i, SOON);
            assert_eq!(board.sum("mesh_calls_waiting"), 1);
            drop(call);
        }
        assert!(context.timers().is_empty());
        assert_eq!(board.sum("mesh_calls_waiting"), 0);
    });
}

#[test]
fn a_call_that_nobody_answers_ends_at_its_deadline() {
    let waited = run_pair(|context, started| async move {
        let answer = context.mesh.call(address(1), 1, Duration::from_millis(30)).await;
        assert_eq!(answer, Err(CallError::DeadlineExceeded));
        started.elapsed()
    });
    assert!(waited >= Duration::from_millis(30));
}

/// Shard 1 keeps what it is asked and never answers; shard 0 runs `work`.
fn run_pair<T: Send + 'static, F: Future<Output = T>>(
    work: impl Fn(Context, Instant) -> F + Send + Sync + 'static,
) -> T {
    let (results, result) = mpsc::channel();
    let results = Mutex::new(results);
    let work = Arc::new(work);
    run(&config(2), move |context: Context| {
        let (work, results) = (Arc::clone(&work), results.lock().unwrap().clone());
        async move {
            let kept = RefCell::new(Vec::new());
            context.serve(std::rc::Rc::new(move |_, _, reply: ReplyTo<Numbers>| {
                kept.borrow_mut().push(reply);
            }));
            if context.me().shard == ShardId(0) {
                results.send(work(context.clone(), Instant::now()).await).unwrap();
                context.drain_node();
            }
            Ok(())
        }
    })
    .unwrap();
    result.recv().unwrap()
}

#[test]
fn messages_wait_for_a_shard_that_is_slow_to_serve() {
    let (results, result) = mpsc::channel();
    let results = Mutex::new(results);
    run(&config(2), move |context: Context| {
        let results = results.lock().unwrap().clone();
        async move {
            if context.me().shard == ShardId(1) {
                runtime::sleep(Duration::from_millis(30)).await;
            }
            context.serve(std::rc::Rc::new(|_, n: u64, reply: ReplyTo<Numbers>| reply.send(n)));
            assert!(!context.serve(std::rc::Rc::new(|_, _, _| {})));
            if context.me().shard == ShardId(0) {
                results.send(context.mesh.call(address(1), 9, SOON).await)?;
            }
            Ok(())
        }
    })
    .unwrap();
    assert_eq!(result.recv().unwrap(), Ok(9));
}

#[test]
fn no_code_runs_before_all_shards_are_set_up_and_a_missing_cpu_stops_all() {
    static RAN: AtomicUsize = AtomicUsize::new(0);
    let mut config = config(3);
    config.pin = true;
    config.cpus = vec![config.cpus[0], config.cpus[0], 100_000];
    let result = start(&config, |_: Context| async {
        RAN.fetch_add(1, Ordering::SeqCst);
        Ok(())
    });
    match result.map(drop) {
        Err(BootError::Setup { shard: 2, .. }) => {}
        other => panic!("a shard on a CPU that does not exist was set up: {other:?}"),
    }
    assert_eq!(RAN.load(Ordering::SeqCst), 0);
}

#[test]
fn the_failure_of_one_shard_drains_the_others_and_is_told() {
    for panics in [false, true] {
        let result = run(&config(3), move |context: Context| async move {
            if context.me().shard == ShardId(1) {
                assert!(!panics, "on purpose");
                return Err("no port left".into());
            }
            context.draining().await;
            Ok(())
        });
        let told = result.unwrap_err().to_string();
        let expected = if panics { "shard 1 panicked" } else { "shard 1 failed: no port left" };
        assert_eq!(told, expected);
    }
}

#[test]
fn the_end_of_a_task_that_its_shard_needs_is_the_end_of_the_node() {
    for (panics, how) in [(false, "ended"), (true, "panicked")] {
        let result = run(&config(2), move |context: Context| async move {
            if context.me().shard == ShardId(1) {
                runtime::spawn_essential("keeper", async move {
                    assert!(!panics, "on purpose");
                });
            }
            context.draining().await;
            Ok(())
        });
        let told = result.unwrap_err().to_string();
        assert_eq!(told, format!("shard 1 failed: its task `keeper` {how}"));
    }
}

#[test]
fn the_end_of_a_needed_task_while_the_node_drains_is_no_failure() {
    let result = run(&config(1), move |context: Context| async move {
        let of_task = context.clone();
        runtime::spawn_essential("keeper", async move { of_task.draining().await });
        context.drain_node();
        context.draining().await;
        runtime::yield_now().await;
        Ok(())
    });
    result.unwrap();
}

#[test]
fn a_node_is_ready_when_every_shard_says_so() {
    let node = start(&config(2), |context: Context| async move {
        runtime::sleep(Duration::from_millis(10)).await;
        context.ready();
        context.draining().await;
        Ok(())
    })
    .unwrap();
    assert!(node.wait_ready());
    assert_eq!(node.handle().phase(), Phase::Running);
    node.handle().drain();
    node.join().unwrap();
}

#[test]
fn a_drain_waits_for_its_guards() {
    let (sender, told) = mpsc::channel();
    let sender = Mutex::new(sender);
    let node = start(&config(2), move |context: Context| {
        let sender = sender.lock().unwrap().clone();
        async move {
            let guard = context.drain_guard();
            let of_task = context.clone();
            runtime::spawn("session", async move {
                of_task.draining().await;
                runtime::sleep(Duration::from_millis(20)).await;
                sender.send("closed").unwrap();
                drop(guard);
            });
            context.ready();
            Ok(())
        }
    })
    .unwrap();
    assert!(node.wait_ready());
    assert!(told.try_recv().is_err());
    node.handle().drain();
    node.join().unwrap();
    assert_eq!(told.iter().collect::<Vec<_>>(), ["closed", "closed"]);
}

#[test]
fn a_drain_ends_with_the_grace_time_and_names_who_did_not_finish() {
    let mut config = config(3);
    config.shutdown_grace = Duration::from_millis(30);
    let node = start(&config, |context: Context| async move {
        let endless = Cell::new(context.me().shard == ShardId(2));
        context.ready();
        context.draining().await;
        while endless.get() {
            runtime::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    })
    .unwrap();
    assert!(node.wait_ready());
    node.handle().drain();
    match node.join() {
        Err(BootError::Abandoned { shards }) => assert_eq!(shards, [2]),
        other => panic!("the drain ended with {other:?}"),
    }
}

#[test]
fn more_shards_than_cores_exchange_many_messages_without_losing_any() {
    const EACH: u64 = 20_000;
    static HANDLED: AtomicUsize = AtomicUsize::new(0);
    run(&config(4), |context: Context| async move {
        context.serve(std::rc::Rc::new(|_, _, reply: ReplyTo<Numbers>| {
            HANDLED.fetch_add(1, Ordering::Relaxed);
            drop(reply);
        }));
        for i in 0..EACH {
            for shard in context.mesh.shards() {
                while context.mesh.cast(shard, i).is_err() {
                    runtime::yield_now().await;
                }
            }
        }
        while HANDLED.load(Ordering::Relaxed) < 16 * EACH as usize {
            runtime::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(HANDLED.load(Ordering::Relaxed), 16 * EACH as usize);
}
