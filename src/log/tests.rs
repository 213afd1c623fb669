//! Lines as they come out at the other end.

use std::{
    io,
    sync::{Arc, Condvar, Mutex},
};

use super::*;
use crate::{config::Config, config::Secret, limits::LOG_QUEUE_LEN};

/// An output in memory, which can be made to block as a stuck pipe does.
#[derive(Clone, Default)]
struct Sink(Arc<Pipe>);

#[derive(Default)]
struct Pipe {
    state: Mutex<PipeState>,
    changed: Condvar,
}

#[derive(Default)]
struct PipeState {
    written: Vec<u8>,
    is_blocked: bool,
}

impl Sink {
    fn block(&self, on: bool) {
        self.0.state.lock().unwrap().is_blocked = on;
        self.0.changed.notify_all();
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.state.lock().unwrap().written.clone()).unwrap()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.0.state.lock().unwrap();
        while state.is_blocked {
            state = self.0.changed.wait(state).unwrap();
        }
        state.written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged(format: LogFormat, level: LogLevel, say: impl FnOnce()) -> String {
    let mut config = Config::default().logger;
    (config.format, config.level) = (format, level);
    let sink = Sink::default();
    let (queue, subscriber) = prepare(&config, vec![Box::new(sink.clone())]).unwrap();
    tracing::subscriber::with_default(subscriber, say);
    queue.close();
    sink.text()
}

#[test]
fn a_json_line_has_the_reference_keys_and_typed_fields() {
    let text = logged(LogFormat::Json, LogLevel::Info, || {
        let _in_span = tracing::info_span!("session", sid = "abc").entered();
        tracing::warn!(count = 3, ok = true, name = "a \"b\"\n", "too many");
    });
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["level"], "warn");
    assert_eq!(line["msg"], "too many");
    assert_eq!(
        (&line["count"], &line["ok"], &line["name"]),
        (&3.into(), &true.into(), &"a \"b\"\n".into())
    );
    assert_eq!(line["sid"], "abc");
    assert!(line["caller"].as_str().unwrap().starts_with("log/tests.rs:"), "{line}");
    let ts = line["ts"].as_str().unwrap();
    assert!(ts.len() == 24 && ts.ends_with('Z'), "{ts}");
    assert!(
        time::OffsetDateTime::parse(ts, &time::format_description::well_known::Rfc3339).is_ok(),
        "{ts}"
    );
}

#[test]
fn stackdriver_lines_have_its_keys() {
    let text = logged(LogFormat::Stackdriver, LogLevel::Info, || tracing::warn!("x"));
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&line["severity"], &line["message"]), (&"WARNING".into(), &"x".into()));
    assert!(line["time"].is_string() && line.get("ts").is_none());
}

#[test]
fn a_text_line_stays_one_line() {
    let text =
        logged(LogFormat::Text, LogLevel::Info, || tracing::info!(user = "u\nv", "first\nsecond"));
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("INFO  first\\nsecond user=\"u\\nv\""), "{text}");
}

#[test]
fn less_severe_events_than_the_level_are_left_out_and_so_is_what_libraries_say() {
    let text = logged(LogFormat::Json, LogLevel::Warn, || {
        tracing::info!("below");
        tracing::error!("above");
    });
    assert!(!text.contains("below") && text.contains("above"));
    let text = logged(LogFormat::Json, LogLevel::Debug, || {
        tracing::debug!("ours");
        tracing::info!(target: "hyper::proto", "theirs");
        tracing::warn!(target: "hyper::proto", "their warning");
    });
    assert!(text.contains("ours") && !text.contains("theirs") && text.contains("their warning"));
}

#[test]
fn secrets_leave_nothing_in_a_line() {
    let secret = Secret::from("hush");
    let text = logged(
        LogFormat::Json,
        LogLevel::Info,
        || tracing::info!(%secret, key = ?secret, "{secret}"),
    );
    assert!(!text.contains("hush"), "{text}");
}

#[test]
fn a_stuck_output_drops_lines_counts_them_and_never_waits() {
    let config = Config::default().logger;
    let sink = Sink::default();
    sink.block(true);
    let (queue, subscriber) = prepare(&config, vec![Box::new(sink.clone())]).unwrap();
    let more = 100;
    tracing::subscriber::with_default(subscriber, || {
        for _ in 0..=LOG_QUEUE_LEN + more {
            tracing::info!("line");
        }
    });
    let dropped = queue.counters().dropped();
    // The writer holds one line in its hands, unless it has not woken yet.
    assert!(dropped == more as u64 || dropped == more as u64 + 1, "{dropped}");
    sink.block(false);
    queue.close();
    assert_eq!(sink.text().lines().count() as u64, (LOG_QUEUE_LEN + more + 1) as u64 - dropped);
}

#[test]
fn an_overlong_field_is_cut_and_the_line_stays_json() {
    let text = logged(LogFormat::Json, LogLevel::Info, || {
        tracing::info!(long = "é".repeat(100_000), "m");
    });
    assert!(text.len() < 2 * crate::limits::LOG_LINE_LEN_MAX, "{}", text.len());
    assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{text}");
}

#[test]
fn a_file_and_standard_output_are_both_written_and_rotation_needs_a_file() {
    let mut config = Config::default().logger;
    assert_eq!(outputs(&config).unwrap().len(), 1);
    config.rotation = true;
    assert!(matches!(outputs(&config), Err(LogError::RotationWithoutFile)));
    config.rotation = false;
    let path = std::env::temp_dir().join(format!("kakera-log-{}.log", std::process::id()));
    config.file = path.to_string_lossy().into_owned();
    assert_eq!(outputs(&config).unwrap().len(), 2);
    config.stdout = false;
    assert_eq!(outputs(&config).unwrap().len(), 1);
    std::fs::remove_file(path).unwrap();
}
