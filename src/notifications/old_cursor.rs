//! Cursors that the reference gave out for notifications.

use uuid::Uuid;

use super::page::Place;
use crate::cursor::reference;

/// Fields of the struct, in its order.
const NOTIFICATION_ID: u64 = 1;
const CREATE_TIME_NANOS: u64 = 2;

/// The place that such a cursor names, if it is one.
pub(super) fn decode(cursor: &str) -> Option<Place> {
    let (mut id, mut nanos) = (None, 0);
    reference::read_fields(cursor, |number, value| {
        match number {
            NOTIFICATION_ID => id = Some(Uuid::from_slice(value.bytes()?).ok()?),
            CREATE_TIME_NANOS => nanos = value.int()?,
            _ => return None,
        }
        Some(())
    })?;
    Some(Place::after(id.map(|id| (nanos.div_euclid(1000), id))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cursor::reference::written::Fields;

    #[test]
    fn a_cursor_of_the_reference_names_the_same_place() {
        let id = Uuid::from_u128(0x0102_0304_0506_4708_890a_0b0c_0d0e_0f10);
        let nanos = 1_700_000_000_123_456_000_i64;
        let cursor = Fields::default().bytes(1, id.as_bytes()).int(2, nanos).cursor();
        assert_eq!(decode(&cursor), Some(Place::after(Some((1_700_000_000_123_456, id)))));
    }

    #[test]
    fn the_cursor_of_an_empty_list_names_the_start() {
        assert_eq!(decode(&Fields::default().cursor()), Some(Place::after(None)));
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        assert_eq!(decode(&Fields::default().int(3, 1).cursor()), None);
        assert_eq!(decode(&Fields::default().bytes(1, b"no id").cursor()), None);
    }
}
