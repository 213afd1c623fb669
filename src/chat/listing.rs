//! Pages of a history: what is asked for, and the cursors that lead from one page to the next.
//!
//! A listing has a direction; its cursors are good for that direction only. Within it a cursor leads on
//! (`next`) or back (`prev`). The cacheable one always leads forward from the page's last message: with it
//! a client asks later for what has come since.

use kakera_proto::api;
use serde::{Deserialize, Serialize};

use super::{HistoryError, draft::written, old_cursor, stream_of};
use crate::{
    cursor,
    ids::StreamId,
    presence::wire::channel_id,
    store::{
        Timestamp,
        messages::{MessageRecord, Place},
    },
};

/// Messages that one page may hold.
pub const HISTORY_LIMIT_MAX: i32 = 100;

const CURSOR_KIND: &str = "channel_messages";

/// What a client asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    pub channel_id: String,
    /// Absent is 1.
    pub limit: Option<i32>,
    /// From the oldest message on, or from the newest back. Absent is forward.
    pub forward: Option<bool>,
    /// Empty for the first page.
    pub cursor: String,
}

/// A listing that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub stream: StreamId,
    pub limit: usize,
    pub from: Option<Place>,
    forward: bool,
    /// Whether the cursor leads on in the listing's direction; where there is none, it does.
    onward: bool,
}

/// What a cursor holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    pub(super) channel: String,
    pub(super) micros: i64,
    pub(super) id: String,
    pub(super) forward: bool,
    pub(super) onward: bool,
}

impl Page {
    pub(super) fn of(listing: &Listing) -> Result<Self, HistoryError> {
        let limit = match listing.limit {
            None => 1,
            Some(limit @ 1..=HISTORY_LIMIT_MAX) => limit as usize,
            Some(_) if listing.channel_id.is_empty() => return Err(HistoryError::ChannelId),
            Some(_) => return Err(HistoryError::Limit),
        };
        let stream = stream_of(&listing.channel_id).map_err(|_| HistoryError::ChannelId)?;
        let forward = listing.forward.unwrap_or(true);
        let mut page = Self { stream, limit, from: None, forward, onward: true };
        if !listing.cursor.is_empty() {
            let mark = cursor::decode(CURSOR_KIND, &listing.cursor).ok();
            let mark: Mark =
                mark.or_else(|| old_cursor::decode(&listing.cursor)).ok_or(HistoryError::Cursor)?;
            let id = mark.id.parse().map_err(|_| HistoryError::Cursor)?;
            if mark.forward != forward || mark.channel != channel_id(&page.stream) {
                return Err(HistoryError::Cursor);
            }
            page.from = Some(Place { create_time: Timestamp(mark.micros), id });
            page.onward = mark.onward;
        }
        Ok(page)
    }

    /// Whether the oldest messages come first out of the store: forward and on, or backward and back.
    pub(super) fn ascending(&self) -> bool {
        self.forward == self.onward
    }

    /// The page as a client reads it. `rows` are in the order of [`Self::ascending`], one more than the
    /// limit where there are more.
    pub(super) fn written(&self, mut rows: Vec<MessageRecord>) -> api::ChannelMessageList {
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        if !self.onward {
            rows.reverse();
        }
        let place = |row: &MessageRecord| Place { create_time: row.create_time, id: row.id };
        let (first, last) = (rows.first().map(place), rows.last().map(place));
        // Where the page came by a cursor, there is something on the side that it came from.
        let came = self.from.is_some();
        let (after, before) = if self.onward { (more, came) } else { (came, more) };
        let cursor = |wanted: bool, place: Option<Place>, forward, onward| match place {
            Some(place) if wanted => self.cursor(place, forward, onward),
            Some(_) | None => String::new(),
        };
        let next_cursor = cursor(after, last, self.forward, true);
        let prev_cursor = cursor(before, first, self.forward, false);
        let cacheable_cursor = match (last, self.from) {
            (Some(last), _) => self.cursor(last, true, true),
            // Nothing has come since: the same place is good for asking again.
            (None, Some(from)) => self.cursor(from, true, self.onward || !self.forward),
            (None, None) => String::new(),
        };
        let messages = rows.into_iter().map(|row| written(&self.stream, true, row)).collect();
        api::ChannelMessageList { messages, next_cursor, prev_cursor, cacheable_cursor }
    }

    fn cursor(&self, place: Place, forward: bool, onward: bool) -> String {
        let mark = Mark {
            channel: channel_id(&self.stream),
            micros: place.create_time.0,
            id: place.id.to_string(),
            forward,
            onward,
        };
        cursor::encode(CURSOR_KIND, &mark)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::ids::UserId;

    const CHANNEL: &str = "2...lobby";

    fn message(number: usize) -> MessageRecord {
        MessageRecord {
            id: Uuid::from_u128(number as u128),
            code: 0,
            sender: UserId(Uuid::from_u128(1)),
            username: "ann".to_owned(),
            content: "{}".to_owned(),
            // Pairs share their time, so that the id decides.
            create_time: Timestamp(number as i64 / 2),
            update_time: Timestamp(0),
        }
    }

    /// What the store would answer over `count` messages, numbered by age.
    fn rows(page: &Page, count: usize) -> Vec<MessageRecord> {
        let key = |row: &MessageRecord| (row.create_time, row.id);
        let from = page.from.map(|from| (from.create_time, from.id));
        let mut rows: Vec<MessageRecord> = (0..count)
            .map(message)
            .filter(|row| match from {
                None => true,
                Some(from) if page.ascending() => key(row) > from,
                Some(from) => key(row) < from,
            })
            .collect();
        if !page.ascending() {
            rows.reverse();
        }
        rows.truncate(page.limit + 1);
        rows
    }

    fn listed(count: usize, limit: i32, forward: bool, cursor: &str) -> api::ChannelMessageList {
        let listing = Listing {
            channel_id: CHANNEL.to_owned(),
            limit: Some(limit),
            forward: Some(forward),
            cursor: cursor.to_owned(),
        };
        let page = Page::of(&listing).expect("a page");
        page.written(rows(&page, count))
    }

    fn numbers(list: &api::ChannelMessageList) -> Vec<usize> {
        let number = |id: &str| id.parse::<Uuid>().expect("an id").as_u128() as usize;
        list.messages.iter().map(|message| number(&message.message_id)).collect()
    }

    proptest! {
        #[test]
        fn pages_lead_through_the_whole_history_and_back(
            count in 0_usize..40,
            limit in 1_i32..12,
            forward: bool,
        ) {
            let mut all: Vec<usize> = (0..count).collect();
            if !forward {
                all.reverse();
            }
            let mut page = listed(count, limit, forward, "");
            prop_assert_eq!(&page.prev_cursor, "");
            let mut pages = vec![numbers(&page)];
            while !page.next_cursor.is_empty() {
                page = listed(count, limit, forward, &page.next_cursor);
                pages.push(numbers(&page));
            }
            prop_assert_eq!(pages.concat(), all);
            let mut back = vec![numbers(&page)];
            while !page.prev_cursor.is_empty() {
                page = listed(count, limit, forward, &page.prev_cursor);
                back.push(numbers(&page));
            }
            // The way back ends at the start, where a page before it may be empty.
            back.retain(|page| !page.is_empty());
            back.reverse();
            prop_assert_eq!(back.concat(), pages.concat());
        }

        #[test]
        fn the_cacheable_cursor_asks_for_what_has_come_since(count in 1_usize..20, more in 0_usize..20) {
            let list = listed(count, 100, true, "");
            let since = listed(count + more, 100, true, &list.cacheable_cursor);
            let expected: Vec<usize> = (count..count + more).collect();
            prop_assert_eq!(numbers(&since), expected);
            // And again, also where nothing has come.
            let later = listed(count + more + 1, 100, true, &since.cacheable_cursor);
            prop_assert_eq!(numbers(&later), vec![count + more]);
        }
    }

    #[test]
    fn a_listing_is_of_one_message_and_forward_unless_it_says_so() {
        let listing = Listing { channel_id: CHANNEL.to_owned(), ..Listing::default() };
        let page = Page::of(&listing).expect("a page");
        assert_eq!((page.limit, page.ascending(), page.from), (1, true, None));
    }

    #[test]
    fn what_is_wrong_with_a_listing_is_told_in_the_order_of_the_protocol() {
        let wrong = |channel: &str, limit: Option<i32>, cursor: &str| {
            let (channel_id, cursor) = (channel.to_owned(), cursor.to_owned());
            Page::of(&Listing { channel_id, limit, forward: None, cursor })
                .expect_err("refused")
                .to_string()
        };
        let (channel, limit) =
            (HistoryError::ChannelId.to_string(), HistoryError::Limit.to_string());
        assert_eq!(wrong("", Some(0), ""), channel);
        assert_eq!(wrong("5...x", Some(0), ""), limit);
        assert_eq!(wrong("5...x", Some(100), ""), channel);
        assert_eq!(wrong(CHANNEL, Some(101), ""), limit);
        assert_eq!(wrong(CHANNEL, Some(-1), ""), limit);
        assert_eq!(wrong(CHANNEL, None, "nonsense"), HistoryError::Cursor.to_string());
    }

    #[test]
    fn a_cursor_is_good_for_its_channel_and_its_direction() {
        let list = listed(9, 3, false, "");
        let ask = |channel: &str, forward: bool, cursor: &str| {
            Page::of(&Listing {
                channel_id: channel.to_owned(),
                limit: None,
                forward: Some(forward),
                cursor: cursor.to_owned(),
            })
        };
        assert!(ask(CHANNEL, false, &list.next_cursor).is_ok());
        assert!(matches!(ask(CHANNEL, true, &list.next_cursor), Err(HistoryError::Cursor)));
        assert!(matches!(ask("2...other", false, &list.next_cursor), Err(HistoryError::Cursor)));
        assert!(ask(CHANNEL, true, &list.cacheable_cursor).is_ok());
        assert!(matches!(ask(CHANNEL, false, &list.cacheable_cursor), Err(HistoryError::Cursor)));
    }
}
