use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use super::*;

fn on_a_shard<T>(main: impl Future<Output = T>) -> T {
    block_on(&ExecutorConfig::default(), main).unwrap()
}

#[test]
fn a_spawned_task_starts_after_the_call_that_spawned_it() {
    on_a_shard(async {
        let ran = Rc::new(Cell::new(false));
        let flag = Rc::clone(&ran);
        spawn("task", async move { flag.set(true) });
        assert!(!ran.get());
        yield_now().await;
        assert!(ran.get());
    });
}

#[test]
fn a_panic_in_a_task_costs_only_that_task() {
    on_a_shard(async {
        spawn("doomed", async { panic!("on purpose") });
        let owned: Task<()> = spawn_owned("doomed too", async { panic!("on purpose") });
        assert_eq!(owned.await, None);
        assert_eq!(spawn_owned("fine", async { 7 }).await, Some(7));
        assert_eq!(counters().board().sum("task_panics"), 2);
    });
}

struct OnDrop(Rc<Cell<bool>>);
impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

#[test]
fn dropping_the_handle_drops_what_its_task_holds() {
    on_a_shard(async {
        let dropped = Rc::new(Cell::new(false));
        let guard = OnDrop(Rc::clone(&dropped));
        let task = spawn_owned("endless", async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        });
        yield_now().await;
        drop(task);
        assert!(!dropped.get());
        yield_now().await;
        assert!(dropped.get());
    });
}

#[test]
fn sleeping_takes_at_least_as_long_as_asked() {
    on_a_shard(async {
        for ms in [0, 1, 3, 20] {
            let start = Instant::now();
            sleep(Duration::from_millis(ms)).await;
            assert!(start.elapsed() >= Duration::from_millis(ms));
        }
    });
}

#[test]
fn a_sleep_that_is_dropped_leaves_no_timer() {
    on_a_shard(async {
        assert_eq!(timeout(Duration::from_millis(5), std::future::pending::<()>()).await, None);
        assert_eq!(timeout(Duration::from_hours(1), async { 3 }).await, Some(3));
        assert!(timers().is_empty());
    });
}

#[test]
fn a_panic_in_a_timer_does_not_stop_the_others() {
    on_a_shard(async {
        timers().run_after(Duration::from_millis(1), || panic!("on purpose"));
        sleep(Duration::from_millis(3)).await;
        assert_eq!(counters().board().sum("task_panics"), 1);
    });
}

#[test]
fn blocking_work_runs_elsewhere_and_wakes_the_shard() {
    on_a_shard(async {
        let here = std::thread::current().id();
        let there = offload(|| std::thread::current().id()).await.unwrap();
        assert_ne!(here, there);
        assert_eq!(offload(|| -> () { panic!("on purpose") }).await, Err(OffloadError::Panicked));
    });
}

#[test]
fn blocking_work_beyond_the_queue_is_refused() {
    on_a_shard(async {
        let (release, gate) = std::sync::mpsc::channel::<()>();
        let (begun, has_begun) = std::sync::mpsc::channel();
        let first = spawn_owned(
            "first",
            offload(move || {
                begun.send(()).unwrap();
                gate.recv().unwrap();
            }),
        );
        while has_begun.try_recv().is_err() {
            sleep(Duration::from_millis(1)).await;
        }
        let waiting: Vec<_> = (0..64).map(|i| spawn_owned("waits", offload(move || i))).collect();
        sleep(Duration::from_millis(1)).await;
        assert_eq!(offload(|| ()).await, Err(OffloadError::Overloaded));
        release.send(()).unwrap();
        assert_eq!(first.await, Some(Ok(())));
        for (i, task) in waiting.into_iter().enumerate() {
            assert_eq!(task.await, Some(Ok(i)));
        }
        assert_eq!(Local::current().pool().unwrap().done(), 65);
    });
}

#[test]
fn an_eventfd_wakes_the_task_that_waits_for_it() {
    on_a_shard(async {
        let event = Rc::new(EventFd::new().unwrap());
        let waiter = {
            let event = Rc::clone(&event);
            spawn_owned("waiter", async move { event.wait().await.unwrap() })
        };
        sleep(Duration::from_millis(2)).await;
        assert!(!waiter.is_finished());
        event.notify().unwrap();
        assert_eq!(waiter.await, Some(1));
    });
}

#[test]
fn ten_thousand_sleepers_wake_in_the_order_of_their_deadlines() {
    on_a_shard(async {
        let order = Rc::new(std::cell::RefCell::new(Vec::new()));
        let tasks: Vec<_> = (0..10_000u64)
            .map(|i| {
                let (order, ms) = (Rc::clone(&order), (i * 7919) % 40);
                let wake = timers().sleep_until(clock().monotonic_ms() + 5 + ms);
                spawn_owned("sleeper", async move {
                    wake.await;
                    order.borrow_mut().push(clock().monotonic_ms());
                })
            })
            .collect();
        for task in tasks {
            task.await;
        }
        assert_eq!(order.borrow().len(), 10_000);
        assert!(order.borrow().is_sorted());
    });
}
