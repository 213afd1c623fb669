//! What a request wants to write, and whether it may.

use serde::de::IgnoredAny;

use super::{ObjectId, StorageError};
use crate::store::storage::{Condition, ObjectWrite};

const PERMISSION_DEFAULT: i32 = 1;

/// An object as a request has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectDraft {
    pub id: ObjectId,
    /// A JSON object.
    pub value: String,
    /// Empty, `*` where there must be none yet, or the version that the object must have.
    pub version: String,
    /// 0 the server alone, 1 the owner, 2 everybody; 1 if absent.
    pub read: Option<i32>,
    /// 0 the server alone, 1 the owner; 1 if absent.
    pub write: Option<i32>,
}

impl ObjectDraft {
    /// The write, if it keeps the rules.
    pub fn checked(self) -> Result<ObjectWrite, StorageError> {
        let Self { id, value, version, read, write } = self;
        if id.collection.is_empty() || id.key.is_empty() || value.is_empty() {
            return Err(StorageError::Invalid(
                "Invalid collection or key value supplied. They must be set.",
            ));
        }
        let (read, write) =
            (read.unwrap_or(PERMISSION_DEFAULT), write.unwrap_or(PERMISSION_DEFAULT));
        if !(0..=2).contains(&read) {
            return Err(StorageError::Invalid(
                "Invalid Read permission supplied. It must be either 0, 1 or 2.",
            ));
        }
        if !(0..=1).contains(&write) {
            return Err(StorageError::Invalid(
                "Invalid Write permission supplied. It must be either 0 or 1.",
            ));
        }
        if !is_json_object(&value) {
            return Err(StorageError::Invalid("Value must be a JSON object."));
        }
        let new_version = version_of(&value);
        let condition = Condition::of(&version);
        Ok(ObjectWrite { id, value, version: new_version, read, write, condition })
    }
}

/// The version of a value: the MD5 of its bytes, in hexadecimal.
fn version_of(value: &str) -> String {
    format!("{:x}", md5::compute(value))
}

fn is_json_object(text: &str) -> bool {
    text.trim_ascii_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::UserId;

    fn draft(value: &str) -> ObjectDraft {
        let id = ObjectId { collection: "c".into(), key: "k".into(), owner: UserId::NIL };
        ObjectDraft { id, value: value.into(), version: String::new(), read: None, write: None }
    }

    fn refusal(draft: ObjectDraft) -> String {
        draft.checked().unwrap_err().to_string()
    }

    #[test]
    fn the_version_is_the_md5_of_the_value_as_it_was_sent() {
        let write = draft("{}").checked().unwrap();
        assert_eq!(write.version, "99914b932bd37a50b983c5e7c90ae93b");
        assert_ne!(draft("{ }").checked().unwrap().version, write.version);
        assert_eq!((write.read, write.write, write.condition), (1, 1, Condition::None));
    }

    #[test]
    fn a_value_is_a_json_object() {
        for good in [" {\"a\": [1, null]}\n", "{\"a\": {\"b\": \"\\u00e9\"}}"] {
            assert!(draft(good).checked().is_ok(), "{good}");
        }
        for bad in ["[]", "1", "\"{}\"", "{", "{} x", "{a: 1}", "{\"a\": 01}", "null", " "] {
            assert_eq!(refusal(draft(bad)), "Value must be a JSON object.", "{bad}");
        }
    }

    #[test]
    fn names_must_be_set_and_permissions_known() {
        let mut nameless = draft("{}");
        nameless.id.key.clear();
        assert!(refusal(nameless).starts_with("Invalid collection or key"));
        assert!(refusal(draft("")).starts_with("Invalid collection or key"));
        for read in [-1, 3] {
            let draft = ObjectDraft { read: Some(read), ..draft("{}") };
            assert!(refusal(draft).contains("Read permission"));
        }
        for write in [-1, 2] {
            let draft = ObjectDraft { write: Some(write), ..draft("{}") };
            assert!(refusal(draft).contains("Write permission"));
        }
    }

    #[test]
    fn conditions_are_written_as_nothing_a_star_or_a_version() {
        assert_eq!(Condition::of(""), Condition::None);
        assert_eq!(Condition::of("*"), Condition::Absent);
        assert_eq!(Condition::of("ab"), Condition::Version("ab".into()));
    }
}
