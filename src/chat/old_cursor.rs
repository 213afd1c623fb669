//! Cursors that the reference gave out for the history of a channel. Its cacheable ones are made to be
//! stored.

use uuid::Uuid;

use super::listing::Mark;
use crate::{
    cursor::reference,
    ids::{StreamId, StreamMode},
    presence::wire::channel_id,
};

/// The mark that such a cursor stands for, if it is one.
pub(super) fn decode(cursor: &str) -> Option<Mark> {
    let (mut mode, mut subject, mut subcontext) = (0, Uuid::nil(), Uuid::nil());
    let (mut label, mut id) = (String::new(), String::new());
    let (mut nanos, mut forward, mut onward) = (0, false, false);
    reference::read_fields(cursor, |number, value| {
        // Numbers of the fields of the struct, in its order.
        match number {
            1 => mode = u8::try_from(value.uint()?).ok()?,
            2 => subject = value.text()?.parse().ok()?,
            3 => subcontext = value.text()?.parse().ok()?,
            4 => value.text()?.clone_into(&mut label),
            5 => nanos = value.int()?,
            6 => value.text()?.clone_into(&mut id),
            7 => forward = value.bool()?,
            8 => onward = value.bool()?,
            _ => return None,
        }
        Some(())
    })?;
    let stream = StreamId::new(StreamMode::from_wire(mode), subject, subcontext, &label);
    let (channel, micros) = (channel_id(&stream), nanos.div_euclid(1000));
    Some(Mark { channel, micros, id, forward, onward })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cursor::reference::written::Fields;

    const NIL: &[u8] = b"00000000-0000-0000-0000-000000000000";
    const ID: &str = "01020304-0506-4708-890a-0b0c0d0e0f10";

    #[test]
    fn a_cursor_of_the_reference_names_the_same_place() {
        let room = Fields::default().uint(1, 2).bytes(2, NIL).bytes(3, NIL).bytes(4, b"lobby");
        let cursor = room.int(5, 1_700_000_000_123_456_000).bytes(6, ID.as_bytes());
        let expected = Mark {
            channel: "2...lobby".into(),
            micros: 1_700_000_000_123_456,
            id: ID.into(),
            forward: true,
            onward: true,
        };
        assert_eq!(decode(&cursor.uint(7, 1).uint(8, 1).cursor()), Some(expected));
    }

    #[test]
    fn what_is_left_out_has_no_value() {
        let group = Fields::default().uint(1, 3).bytes(2, ID.as_bytes()).bytes(3, NIL);
        let mark = decode(&group.int(5, 5000).bytes(6, ID.as_bytes()).uint(8, 1).cursor()).unwrap();
        assert_eq!(mark.channel, format!("3.{ID}.."));
        assert_eq!((mark.micros, mark.forward, mark.onward), (5, false, true));
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        assert_eq!(decode(&Fields::default().uint(1, 256).cursor()), None, "no mode");
        assert_eq!(decode(&Fields::default().bytes(2, b"no id").cursor()), None);
        assert_eq!(decode(&Fields::default().uint(9, 1).cursor()), None);
    }
}
