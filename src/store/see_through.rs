//! Writes that something has to follow.

use std::panic::AssertUnwindSafe;

use futures_channel::oneshot;
use futures_util::FutureExt;
use kakera_shards::runtime;

use super::StoreError;

/// Runs a write and what follows from it in a task of their own, so that a caller that goes away takes
/// neither with it: sockets are closed and others told, whoever still waits for the answer. They end by the
/// deadlines of the store and of what they call.
pub async fn see_through<T, E>(
    task: &'static str,
    work: impl Future<Output = Result<T, E>> + 'static,
) -> Result<T, E>
where
    T: 'static,
    E: From<StoreError> + 'static,
{
    let (sender, receiver) = oneshot::channel();
    runtime::spawn(task, async move {
        let done = AssertUnwindSafe(work).catch_unwind().await;
        let done = done.unwrap_or_else(|_| Err(StoreError::statement("a task panicked").into()));
        // A caller that went away has no use for it.
        let _ = sender.send(done);
    });
    receiver.await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, rc::Rc, time::Duration};

    use kakera_shards::runtime::ExecutorConfig;

    use super::*;

    #[test]
    fn work_whose_caller_is_gone_goes_on_and_a_panic_is_the_callers_error() {
        let ran = runtime::block_on(&ExecutorConfig::default(), async {
            let done = Rc::new(Cell::new(false));
            let tells = Rc::clone(&done);
            let mut call = Box::pin(see_through("test", async move {
                runtime::sleep(Duration::from_millis(1)).await;
                tells.set(true);
                Ok::<_, StoreError>(())
            }));
            assert!(futures_util::poll!(&mut call).is_pending());
            drop(call);
            while !done.get() {
                runtime::sleep(Duration::from_millis(1)).await;
            }
            let panics = see_through::<(), StoreError>("test", async { panic!("on purpose") });
            assert!(matches!(panics.await, Err(StoreError::Statement(_))));
        });
        ran.unwrap();
    }
}
