//! One notification before it is sent.

use serde::Serialize;

use super::NotificationError;
use crate::ids::UserId;

/// The longest subject, in characters.
pub const SUBJECT_LEN_MAX: usize = 255;

/// What a user is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// At most [`SUBJECT_LEN_MAX`] characters.
    pub subject: String,
    /// The text of a JSON object.
    pub content: String,
    /// See [`super::codes`]. Of a persistent one it fits 16 bits.
    pub code: i32,
    /// `None` for the server itself.
    pub sender: Option<UserId>,
    /// Kept until its user deletes it. Others reach only who is online.
    pub persistent: bool,
}

impl Notice {
    /// A persistent notice whose content is this value, which must have the form of a JSON object.
    pub fn stored(
        code: i32,
        subject: impl Into<String>,
        content: &impl Serialize,
        sender: Option<UserId>,
    ) -> Result<Self, NotificationError> {
        let content = serde_json::to_string(content).map_err(|_| NotificationError::Content)?;
        let notice = Self { subject: subject.into(), content, code, sender, persistent: true };
        notice.check().map(|()| notice)
    }

    /// The same, kept nowhere.
    #[must_use]
    pub fn live_only(self) -> Self {
        Self { persistent: false, ..self }
    }

    /// Whether it can be sent.
    pub fn check(&self) -> Result<(), NotificationError> {
        if self.subject.chars().count() > SUBJECT_LEN_MAX {
            return Err(NotificationError::Subject);
        }
        let object = self.content.trim_ascii_start().starts_with('{')
            && serde_json::from_str::<serde::de::IgnoredAny>(&self.content).is_ok();
        if !object {
            return Err(NotificationError::Content);
        }
        if self.persistent && i16::try_from(self.code).is_err() {
            return Err(NotificationError::Code);
        }
        Ok(())
    }
}
