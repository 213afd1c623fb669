//! Signals that ask the process for something.

use std::{io, thread, thread::JoinHandle};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::{Handle, Signals},
};

/// What the operator or the system asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: drain and end.
    Terminate,
    /// SIGINT: likewise, from a terminal.
    Interrupt,
    /// SIGHUP: read certificates again.
    Reload,
}

/// A thread that waits for signals. Start it before the shards; it ends when dropped.
pub struct SignalWatch {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl SignalWatch {
    /// Calls back on a thread of its own for each signal. A second SIGINT or SIGTERM is told as well,
    /// so that an impatient operator can be heard.
    pub fn start(mut on_signal: impl FnMut(Signal) + Send + 'static) -> io::Result<Self> {
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
        let handle = signals.handle();
        let thread = thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                match signal {
                    SIGTERM => on_signal(Signal::Terminate),
                    SIGINT => on_signal(Signal::Interrupt),
                    SIGHUP => on_signal(Signal::Reload),
                    _ => {}
                }
            }
        })?;
        Ok(Self { handle, thread: Some(thread) })
    }
}

impl Drop for SignalWatch {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            // The callback may itself be what drops the watch.
            if thread.thread().id() != thread::current().id() {
                drop(thread.join());
            }
        }
    }
}
