//! Listing the parties of all shards.

use std::{cell::RefCell, rc::Rc};

use futures_channel::oneshot;
use futures_util::future::{FutureExt, LocalBoxFuture, ready};
use kakera_proto::api;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Filter, Page, Parties, Place, Query, Reply, Request, Unanswered, label::Unsearchable};
use crate::{
    cursor,
    error::{Error, ErrorKind},
};

/// Most parties of one page.
pub const LIST_LIMIT_MAX: i32 = 100;
const LIST_LIMIT_DEFAULT: i32 = 10;

/// Why parties are not listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ListError {
    #[error("Invalid limit - limit must be between 1 and 100.")]
    Limit,
    /// The cursor is not one of this list, or was given for another.
    #[error("Error listing matches.")]
    Cursor,
    #[error(
        "Searching parties is not built yet in this server: a query is *, or +label.field:value terms."
    )]
    Query,
    #[error("The server is too busy to list parties.")]
    Busy,
}

impl From<ListError> for Error {
    fn from(error: ListError) -> Self {
        let kind = match error {
            ListError::Limit => ErrorKind::InvalidArgument,
            // The reference answers so.
            ListError::Cursor => ErrorKind::Internal,
            ListError::Query => ErrorKind::Unimplemented,
            ListError::Busy => ErrorKind::Unavailable,
        };
        Self::new(kind, error.to_string())
    }
}

/// The parties of the server, as those who are in none look for one.
pub trait PartyLists {
    /// Lists parties that fit the request and are not hidden.
    fn list(
        &self,
        request: &api::ListPartiesRequest,
    ) -> LocalBoxFuture<'static, Result<api::PartyList, ListError>>;
}

/// A server without a realtime side: tools, and tests of the request side.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoParties;

impl PartyLists for NoParties {
    fn list(
        &self,
        request: &api::ListPartiesRequest,
    ) -> LocalBoxFuture<'static, Result<api::PartyList, ListError>> {
        ready(read(request, false).map(|_| api::PartyList::default())).boxed_local()
    }
}

impl PartyLists for Parties {
    fn list(
        &self,
        request: &api::ListPartiesRequest,
    ) -> LocalBoxFuture<'static, Result<api::PartyList, ListError>> {
        let (answer, answered) = oneshot::channel();
        self.list_then(request, false, move |listed| {
            // Nobody waits for the answer when the call was given up.
            let _ = answer.send(listed);
        });
        async move { answered.await.unwrap_or(Err(ListError::Busy)) }.boxed_local()
    }
}

/// Where a listing goes on, and what it is a listing of.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Cursor {
    query: String,
    open: Option<bool>,
    limit: usize,
    after: Place,
}

const CURSOR: &str = "parties";

type Come = Box<dyn FnOnce(Result<Vec<Page>, ListError>)>;

/// Pages that have not all come.
struct Gathered {
    waiting: usize,
    pages: Vec<Page>,
    failed: bool,
    then: Option<Come>,
}

impl Parties {
    /// Lists the parties of every shard, oldest first, hidden ones only if asked for. `then` runs when
    /// all shards have answered; with an error it may run before this returns.
    pub fn list_then(
        &self,
        request: &api::ListPartiesRequest,
        hidden: bool,
        then: impl FnOnce(Result<api::PartyList, ListError>) + 'static,
    ) {
        let (filter, limit) = match read(request, hidden) {
            Ok(read) => read,
            Err(error) => return then(Err(error)),
        };
        let (query, open) = (query_text(request), filter.open);
        self.gather(&filter, move |pages| {
            then(pages.map(|pages| {
                let (parties, after) = merge(pages, limit);
                let cursor = after.map(|after| Cursor { query, open, limit, after });
                let cursor = cursor.map(|cursor| cursor::encode(CURSOR, &cursor));
                api::PartyList { parties, cursor: cursor.unwrap_or_default() }
            }));
        });
    }

    fn gather(&self, filter: &Filter, then: impl FnOnce(Result<Vec<Page>, ListError>) + 'static) {
        let shards = self.0.post.shards();
        let gathered = Gathered {
            waiting: shards.len(),
            pages: Vec::with_capacity(shards.len()),
            failed: false,
            then: Some(Box::new(then)),
        };
        let gathered = Rc::new(RefCell::new(gathered));
        for shard in shards {
            let gathered = Rc::clone(&gathered);
            let request = Request::List(Box::new(filter.clone()));
            self.0.post.call(shard, request, Box::new(move |reply| come(&gathered, reply)));
        }
    }
}

fn come(gathered: &RefCell<Gathered>, reply: Result<Reply, Unanswered>) {
    let mut gathering = gathered.borrow_mut();
    gathering.waiting -= 1;
    match reply {
        Ok(Reply::Page(page)) => gathering.pages.push(*page),
        Ok(_) | Err(_) => gathering.failed = true,
    }
    if gathering.waiting > 0 {
        return;
    }
    let pages = std::mem::take(&mut gathering.pages);
    let result = if gathering.failed { Err(ListError::Busy) } else { Ok(pages) };
    let then = gathering.then.take();
    drop(gathering);
    if let Some(then) = then {
        then(result);
    }
}

fn query_text(request: &api::ListPartiesRequest) -> String {
    request.query.clone().filter(|query| !query.is_empty()).unwrap_or_else(|| "*".to_owned())
}

/// What every shard is asked, and how many are wanted: each looks for one more, to know whether more is
/// there.
fn read(request: &api::ListPartiesRequest, hidden: bool) -> Result<(Filter, usize), ListError> {
    let limit = request.limit.unwrap_or(LIST_LIMIT_DEFAULT);
    if !(1..=LIST_LIMIT_MAX).contains(&limit) {
        return Err(ListError::Limit);
    }
    let (limit, open, query) = (limit as usize, request.open, query_text(request));
    let after = match request.cursor.as_deref().filter(|cursor| !cursor.is_empty()) {
        None => None,
        Some(cursor) => {
            let cursor: Cursor = cursor::decode(CURSOR, cursor).map_err(|_| ListError::Cursor)?;
            if (&cursor.query, cursor.open, cursor.limit) != (&query, open, limit) {
                return Err(ListError::Cursor);
            }
            Some(cursor.after)
        }
    };
    let query = Query::read(&query).map_err(|Unsearchable| ListError::Query)?;
    Ok((Filter { open, hidden, query, after, limit: limit + 1 }, limit))
}

/// One page of all shards' pages, and where the next begins.
fn merge(pages: Vec<Page>, limit: usize) -> (Vec<api::Party>, Option<Place>) {
    // Beyond the place where one shard stopped looking, it may have parties that come before others'.
    let known_up_to = pages.iter().filter_map(|page| page.looked_up_to).min();
    let mut found: Vec<_> = pages.into_iter().flat_map(|page| page.parties).collect();
    found.retain(|(place, _)| known_up_to.is_none_or(|known| *place <= known));
    found.sort_by_key(|(place, _)| *place);
    let after = if found.len() > limit {
        found.truncate(limit);
        found.last().map(|(place, _)| *place)
    } else {
        known_up_to
    };
    (found.into_iter().map(|(_, party)| party).collect(), after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(at: i64) -> Place {
        Place { created_micros: at, id: 0 }
    }

    fn page(at: &[i64], looked_up_to: Option<i64>) -> Page {
        let party = |at: &i64| api::Party { party_id: at.to_string(), ..api::Party::default() };
        let parties = at.iter().map(|at| (place(*at), party(at))).collect();
        Page { parties, looked_up_to: looked_up_to.map(place) }
    }

    fn merged(pages: Vec<Page>, limit: usize) -> (Vec<String>, Option<i64>) {
        let (parties, after) = merge(pages, limit);
        let ids = parties.into_iter().map(|party| party.party_id).collect();
        (ids, after.map(|after| after.created_micros))
    }

    #[test]
    fn the_pages_of_shards_merge_by_age() {
        let pages = vec![page(&[2, 5], None), page(&[1, 3], None)];
        assert_eq!(merged(pages.clone(), 9).0, ["1", "2", "3", "5"]);
        assert_eq!(merged(pages.clone(), 9).1, None);
        assert_eq!(merged(pages, 3), (vec!["1".into(), "2".into(), "3".into()], Some(3)));
    }

    #[test]
    fn what_a_shard_has_not_looked_at_is_left_to_the_next_page() {
        let pages = vec![page(&[2], Some(4)), page(&[1, 5], None)];
        assert_eq!(merged(pages, 9), (vec!["1".into(), "2".into()], Some(4)));
    }

    #[test]
    fn a_cursor_of_another_listing_is_refused() {
        let request = api::ListPartiesRequest::default();
        let cursor = Cursor { query: "*".into(), open: None, limit: 10, after: place(7) };
        let cursor = Some(cursor::encode(CURSOR, &cursor));
        let (filter, limit) =
            read(&api::ListPartiesRequest { cursor: cursor.clone(), ..request.clone() }, false)
                .unwrap();
        assert_eq!((filter.after, filter.limit, limit), (Some(place(7)), 11, 10));
        for other in [
            api::ListPartiesRequest { limit: Some(9), ..request.clone() },
            api::ListPartiesRequest { open: Some(true), ..request.clone() },
            api::ListPartiesRequest { query: Some("label.a:b".into()), ..request.clone() },
        ] {
            let other = api::ListPartiesRequest { cursor: cursor.clone(), ..other };
            assert_eq!(read(&other, false).err(), Some(ListError::Cursor));
        }
        let mangled = api::ListPartiesRequest { cursor: Some("x".into()), ..request.clone() };
        assert_eq!(read(&mangled, false).err(), Some(ListError::Cursor));
        for limit in [0, -1, 101] {
            let request = api::ListPartiesRequest { limit: Some(limit), ..request.clone() };
            assert_eq!(read(&request, false).err(), Some(ListError::Limit));
        }
    }
}
