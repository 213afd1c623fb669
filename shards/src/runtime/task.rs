//! Tasks that cannot take their executor down.

use std::{
    cell::RefCell,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use futures_util::FutureExt;

use super::local::{End, Local, guard, report_panic};

/// Starts a task of its own. It begins at a later turn, never inside this call.
///
/// A panic in it is caught, counted and logged with `name`, and costs nothing but the task.
pub fn spawn(name: &'static str, task: impl Future<Output = ()> + 'static) {
    Local::current().spawn(async move {
        if let Err(panic) = AssertUnwindSafe(task).catch_unwind().await {
            report_panic(name, panic.as_ref());
        }
    });
}

/// Starts a task without which its shard serves nobody. It begins at a later turn.
///
/// A panic in it, or its end before the node drains, is the end of the node: [`crate::boot::Node::join`]
/// tells it. Outside of a node ([`super::block_on`]) it is only logged.
pub fn spawn_essential(name: &'static str, task: impl Future<Output = ()> + 'static) {
    Local::current().spawn(async move {
        let how = match AssertUnwindSafe(task).catch_unwind().await {
            Ok(()) => End::Ended,
            Err(panic) => {
                report_panic(name, panic.as_ref());
                End::Panicked
            }
        };
        Local::current().essential_ended(name, how);
    });
}

/// Starts a task that ends when the returned handle is dropped; the handle yields its result.
pub fn spawn_owned<T: 'static>(
    name: &'static str,
    task: impl Future<Output = T> + 'static,
) -> Task<T> {
    let join = Rc::new(RefCell::new(Join { state: State::Running, task: None, waiter: None }));
    Local::current().spawn(Owned { name, task: Some(Box::pin(task)), join: Rc::clone(&join) });
    Task { join }
}

enum State<T> {
    Running,
    Done(T),
    /// It panicked, was cancelled, or its result was taken.
    Gone,
}

struct Join<T> {
    state: State<T>,
    /// Wakes the task, so that it sees that it was cancelled.
    task: Option<Waker>,
    /// Wakes whoever waits for the result.
    waiter: Option<Waker>,
}

/// A task that its handle owns. Awaiting yields None where the task panicked.
#[must_use = "dropping the handle cancels the task; use `spawn` for one of its own"]
pub struct Task<T> {
    join: Rc<RefCell<Join<T>>>,
}

impl<T> Task<T> {
    /// Whether it has ended, in whatever way.
    pub fn is_finished(&self) -> bool {
        !matches!(self.join.borrow().state, State::Running)
    }
}

impl<T> Future for Task<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut join = self.join.borrow_mut();
        match std::mem::replace(&mut join.state, State::Gone) {
            State::Running => {
                join.state = State::Running;
                join.waiter = Some(cx.waker().clone());
                Poll::Pending
            }
            State::Done(value) => Poll::Ready(Some(value)),
            State::Gone => Poll::Ready(None),
        }
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        let mut join = self.join.borrow_mut();
        let (state, task) = (std::mem::replace(&mut join.state, State::Gone), join.task.take());
        drop(join);
        drop(state);
        if let Some(task) = task {
            task.wake();
        }
    }
}

struct Owned<T, F> {
    name: &'static str,
    task: Option<Pin<Box<F>>>,
    join: Rc<RefCell<Join<T>>>,
}

impl<T, F> Owned<T, F> {
    /// Drops the task's future; a panic of its destructor is the task's panic.
    fn discard(&mut self) {
        let task = self.task.take();
        guard(self.name, || drop(task));
    }

    fn finish(&mut self, state: State<T>) {
        self.discard();
        let mut join = self.join.borrow_mut();
        join.task = None;
        join.state = state;
        let waiter = join.waiter.take();
        drop(join);
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }
}

impl<T, F: Future<Output = T>> Future for Owned<T, F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if matches!(this.join.borrow().state, State::Gone) {
            this.discard();
            return Poll::Ready(());
        }
        let Some(task) = this.task.as_mut() else { return Poll::Ready(()) };
        match catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(cx))) {
            Ok(Poll::Pending) => {
                let mut join = this.join.borrow_mut();
                match join.task.as_mut() {
                    Some(known) => known.clone_from(cx.waker()),
                    None => join.task = Some(cx.waker().clone()),
                }
                // Its own poll may have dropped the handle, before there was a waker to wake.
                if matches!(join.state, State::Gone) {
                    cx.waker().wake_by_ref();
                }
                Poll::Pending
            }
            Ok(Poll::Ready(value)) => {
                // A handle that went while the task ran wants no result.
                let gone = matches!(this.join.borrow().state, State::Gone);
                this.finish(if gone { State::Gone } else { State::Done(value) });
                Poll::Ready(())
            }
            Err(panic) => {
                report_panic(this.name, panic.as_ref());
                this.finish(State::Gone);
                Poll::Ready(())
            }
        }
    }
}

/// Lets the shard's other tasks run once.
pub async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
