//! Renders an event as one line: JSON with the reference's keys, JSON with Google Cloud's, or text.

use std::{
    fmt::{self, Write},
    time::SystemTime,
};

use time::OffsetDateTime;
use tracing::{
    Level, Metadata,
    field::{Field, Visit},
};

use crate::{config::LogFormat, limits::LOG_LINE_LEN_MAX};

/// Log lines carry real time, also where the shards run on virtual time.
pub(super) fn now() -> OffsetDateTime {
    SystemTime::now().into()
}

/// Fields of an event or span, rendered; the message apart.
pub(super) struct Fields {
    format: LogFormat,
    message: String,
    rest: String,
}

impl Fields {
    pub(super) fn new(format: LogFormat) -> Self {
        Self { format, message: String::new(), rest: String::new() }
    }

    fn add(&mut self, field: &Field, value: fmt::Arguments<'_>, is_text: bool) {
        if field.name() == "message" {
            let _ = self.message.write_fmt(value);
            return;
        }
        match self.format {
            LogFormat::Json | LogFormat::Stackdriver => {
                let _ = write!(self.rest, ",{}:", Json(field.name()));
                let _ = if is_text {
                    write!(self.rest, "{}", Json(&value.to_string()))
                } else {
                    self.rest.write_fmt(value)
                };
            }
            LogFormat::Text => {
                let _ = write!(self.rest, " {}=", field.name());
                let _ = if is_text {
                    write!(self.rest, "{:?}", value.to_string())
                } else {
                    self.rest.write_fmt(value)
                };
            }
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format_args!("{value:?}"), true);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, format_args!("{value}"), true);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.add(field, format_args!("{value}"), true);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, format_args!("{value}"), false);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, format_args!("{value}"), false);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, format_args!("{value}"), false);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no word for infinity.
        self.add(field, format_args!("{value}"), !value.is_finite());
    }
}

/// A line in the making.
pub(super) struct Line {
    format: LogFormat,
    text: String,
    caller: String,
}

impl Line {
    pub(super) fn start(format: LogFormat, metadata: &Metadata<'_>, now: OffsetDateTime) -> Self {
        let mut text = String::with_capacity(256);
        let time = Time(now);
        let level = metadata.level();
        let _ = match format {
            LogFormat::Json => {
                write!(text, "{{\"level\":\"{}\",\"ts\":\"{time}\"", level_name(*level))
            }
            LogFormat::Stackdriver => {
                let severity = if *level == Level::WARN { "WARNING" } else { level.as_str() };
                write!(text, "{{\"severity\":\"{severity}\",\"time\":\"{time}\"")
            }
            LogFormat::Text => write!(text, "{time} {level:5}"),
        };
        Self { format, text, caller: caller(metadata) }
    }

    pub(super) fn message(&mut self, fields: &Fields) {
        let (caller, message) = (Json(&self.caller), Json(&fields.message));
        let _ = match self.format {
            LogFormat::Json => write!(self.text, ",\"caller\":{caller},\"msg\":{message}"),
            LogFormat::Stackdriver => {
                write!(self.text, ",\"caller\":{caller},\"message\":{message}")
            }
            LogFormat::Text => write!(self.text, " {}", OneLine(&fields.message)),
        };
    }

    pub(super) fn fields(&mut self, fields: &Fields) {
        if self.text.len() + fields.rest.len() <= LOG_LINE_LEN_MAX {
            self.text.push_str(&fields.rest);
        } else {
            let _ = match self.format {
                LogFormat::Json | LogFormat::Stackdriver => {
                    write!(self.text, ",\"cut_bytes\":{}", fields.rest.len())
                }
                LogFormat::Text => write!(self.text, " cut_bytes={}", fields.rest.len()),
            };
        }
    }

    pub(super) fn finish(mut self) -> String {
        match self.format {
            LogFormat::Json | LogFormat::Stackdriver => self.text.push_str("}\n"),
            LogFormat::Text => {
                let _ = writeln!(self.text, "  [{}]", self.caller);
            }
        }
        self.text
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG | Level::TRACE => "debug",
    }
}

/// The last folder, the file and the line: `log/render.rs:12`.
fn caller(metadata: &Metadata<'_>) -> String {
    let file = metadata.file().unwrap_or("");
    let short = file.rmatch_indices('/').nth(1).map_or(file, |(slash, _)| &file[slash + 1..]);
    format!("{short}:{}", metadata.line().unwrap_or(0))
}

/// A time as the reference writes it, in UTC: `2026-01-31T23:59:59.999Z`.
struct Time(OffsetDateTime);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (date, time) = (self.0.date(), self.0.time());
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            date.year(),
            u8::from(date.month()),
            date.day(),
            time.hour(),
            time.minute(),
            time.second(),
            time.millisecond()
        )
    }
}

/// A text without line breaks and other control characters, which could pass for a line of the log.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars().take(LOG_LINE_LEN_MAX / 4) {
            if c.is_control() { write!(f, "{}", c.escape_default())? } else { f.write_char(c)? }
        }
        Ok(())
    }
}

/// A JSON string, cut where it is longer than a line may be.
struct Json<'a>(&'a str);

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0.char_indices().nth(LOG_LINE_LEN_MAX / 4) {
            Some((end, _)) => &self.0[..end],
            None => self.0,
        };
        f.write_str(&serde_json::to_string(text).map_err(|_| fmt::Error)?)
    }
}
