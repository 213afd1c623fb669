use serde_json::json;

use super::*;
use crate::{
    error::{Error, ErrorKind},
    store::StoreError,
};

fn notice() -> Notice {
    Notice::stored(codes::FRIEND_REQUEST, "hello", &json!({"username": "ann"}), None).unwrap()
}

#[test]
fn a_notice_is_checked_before_anything_is_stored() {
    assert!(notice().check().is_ok());
    let refused = |notice: Notice| notice.check().unwrap_err().to_string();
    let long = Notice { subject: "é".repeat(256), ..notice() };
    assert!(refused(long).contains("255"));
    assert!(Notice { subject: "é".repeat(255), ..notice() }.check().is_ok());
    for content in ["", "[]", "{", "{} {}", "null"] {
        let wrong = Notice { content: content.to_owned(), ..notice() };
        assert!(refused(wrong).contains("JSON object"), "{content}");
    }
    let far = Notice { code: 40_000, ..notice() };
    assert!(refused(far.clone()).contains("out of range"));
    assert!(far.live_only().check().is_ok(), "what is not stored may have any code");
    assert!(matches!(Notice::stored(1, "s", &[1], None), Err(NotificationError::Content)));
}

#[test]
fn an_error_of_the_store_keeps_its_kind() {
    let busy = NotificationError::from(StoreError::Overloaded("write queue"));
    assert_eq!(Error::from(busy).kind, ErrorKind::ResourceExhausted);
    assert_eq!(Error::from(NotificationError::Cursor).kind, ErrorKind::Internal);
}
