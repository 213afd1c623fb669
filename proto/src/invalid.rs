//! The one error of what arrives from outside.

use std::fmt;

/// Why text is not the message it should be: the caller's mistake, gRPC code 3. It quotes at most a few
/// words of the text. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The innermost field that was being read.
    pub field: Option<&'static str>,
    pub message: String,
}

impl Invalid {
    pub(crate) fn new(field: Option<&'static str>, message: impl Into<String>) -> Self {
        /// In bytes; keeps a hostile value out of replies and logs.
        const MESSAGE_LEN_MAX: usize = 160;

        let mut message = message.into();
        if message.len() > MESSAGE_LEN_MAX {
            message.truncate(message.floor_char_boundary(MESSAGE_LEN_MAX));
            message.push_str("...");
        }
        Self { field, message }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field {
            Some(field) => write!(f, "field \"{field}\": {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Invalid {}
