//! Logs: structured lines to standard output and a file, by way of a bounded queue.
//!
//! A core never waits for a disk or a pipe: an event is rendered where it happens, and its line handed to
//! the writer thread; when that falls behind by [`crate::limits::LOG_QUEUE_LEN`] lines, further ones are
//! dropped and counted, and the log says so once it flows again. Keys and shapes are those of the
//! reference server's logger.
//!
//! Secrets are [`crate::config::Secret`], which renders as nothing; tokens and passwords are never logged.

mod render;
mod request_id;
mod rotation;
mod writer;

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use tracing::{Event, Level, Metadata, Subscriber, span};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
    registry::{LookupSpan, Registry},
};

use crate::config::{LogFormat, LogLevel, Logger};

use render::{Fields, Line};
use rotation::{RotatingFile, Rotation};
use writer::Queue;

pub use request_id::{RequestId, RequestIds};
pub use writer::LogCounters;

/// Why logging cannot start.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("logger.rotation needs logger.file")]
    RotationWithoutFile,
    #[error("cannot open the log file {path}: {why}")]
    File { path: PathBuf, why: io::Error },
    #[error("cannot start the log's writer thread: {0}")]
    Thread(io::Error),
    #[error("logging was started before")]
    Twice,
}

/// Keeps the log going. Dropping it writes what is queued, for at most
/// [`crate::limits::LOG_DRAIN_TIME_MAX`].
#[derive(Debug)]
pub struct LogGuard {
    queue: Queue,
}

impl LogGuard {
    pub fn counters(&self) -> Arc<LogCounters> {
        self.queue.counters()
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// Starts logging for the whole process, as configured.
pub fn start(config: &Logger) -> Result<LogGuard, LogError> {
    let (queue, subscriber) = prepare(config, outputs(config)?)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::Twice)?;
    Ok(LogGuard { queue })
}

fn prepare(
    config: &Logger,
    outputs: Vec<Output>,
) -> Result<(Queue, impl Subscriber + Send + Sync + use<>), LogError> {
    let queue = Queue::start(outputs).map_err(LogError::Thread)?;
    let level = match config.level {
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Info => Level::INFO,
        LogLevel::Warn => Level::WARN,
        LogLevel::Error => Level::ERROR,
    };
    let layer = ToQueue { level, format: config.format, queue: queue.clone() };
    Ok((queue, Registry::default().with(layer)))
}

/// Somewhere that lines go. Only the writer thread touches it.
type Output = Box<dyn Write + Send>;

fn outputs(config: &Logger) -> Result<Vec<Output>, LogError> {
    let mut outputs: Vec<Output> = Vec::new();
    if config.file.is_empty() {
        if config.rotation {
            return Err(LogError::RotationWithoutFile);
        }
    } else {
        let path = Path::new(&config.file);
        outputs
            .push(file(config, path).map_err(|why| LogError::File { path: path.to_owned(), why })?);
    }
    // Without a file there is nowhere else to log to.
    if config.stdout || outputs.is_empty() {
        outputs.push(Box::new(io::stdout()));
    }
    Ok(outputs)
}

fn file(config: &Logger, path: &Path) -> io::Result<Output> {
    if config.rotation {
        return Ok(Box::new(RotatingFile::open(path, Rotation::from(config))?));
    }
    Ok(Box::new(append_to(path)?))
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// Renders events and hands their lines to the queue.
struct ToQueue {
    level: Level,
    format: LogFormat,
    queue: Queue,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for ToQueue {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        // What libraries say below a warning is about their insides.
        let ours = metadata.target().starts_with("kakera");
        *metadata.level() <= if ours { self.level } else { self.level.min(Level::WARN) }
    }

    fn on_new_span(
        &self,
        attributes: &span::Attributes<'_>,
        id: &span::Id,
        context: Context<'_, S>,
    ) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::new(self.format);
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Line::start(self.format, event.metadata(), render::now());
        let mut fields = Fields::new(self.format);
        event.record(&mut fields);
        line.message(&fields);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(of_span) = span.extensions().get::<Fields>() {
                line.fields(of_span);
            }
        }
        line.fields(&fields);
        self.queue.push(line.finish());
    }
}

#[cfg(test)]
mod tests;
