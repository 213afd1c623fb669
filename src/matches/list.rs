//! Listing the matches of all shards.

use std::{cell::RefCell, rc::Rc};

use futures_channel::oneshot;
use futures_util::future::{FutureExt, LocalBoxFuture, join_all, ready};
use kakera_proto::api;
use kakera_shards::{Counter, Counters};
use thiserror::Error;
use uuid::Uuid;

use super::{Filter, Index, Reply, Request, SharedPost};
use crate::{
    error::{Error, ErrorKind},
    ids::{StreamId, StreamMode},
    presence::wire,
};

/// Most matches of one listing.
pub const LIST_LIMIT_MAX: i32 = 100;
const LIST_LIMIT_DEFAULT: i32 = 10;

/// Why matches are not listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ListError {
    #[error("Invalid limit - limit must be between 1 and 100.")]
    Limit,
    #[error("Label filtering is not supported for non-authoritative matches.")]
    Label,
    #[error("Query filtering is not supported for non-authoritative matches.")]
    Query,
    #[error("Minimum size must be 0 or above.")]
    SizeMin,
    #[error("Maximum size must be 0 or above.")]
    SizeMax,
    #[error("Maximum size must be greater than or equal to minimum size when both are specified.")]
    Sizes,
    #[error("Searching matches is not built yet in this server: a query is *.")]
    NotBuilt,
    #[error("The server is too busy to list matches.")]
    Busy,
}

impl From<ListError> for Error {
    fn from(error: ListError) -> Self {
        let kind = match error {
            ListError::Limit
            | ListError::Label
            | ListError::Query
            | ListError::SizeMin
            | ListError::SizeMax
            | ListError::Sizes => ErrorKind::InvalidArgument,
            ListError::NotBuilt => ErrorKind::Unimplemented,
            ListError::Busy => ErrorKind::Unavailable,
        };
        Self::new(kind, error.to_string())
    }
}

/// The matches of the server, as those who are in none look for one.
pub trait MatchLists {
    /// Lists matches that fit the request.
    fn list(
        &self,
        request: &api::ListMatchesRequest,
    ) -> LocalBoxFuture<'static, Result<api::MatchList, ListError>>;
}

/// A server without a realtime side: tools, and tests of the request side.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMatches;

impl MatchLists for NoMatches {
    fn list(
        &self,
        request: &api::ListMatchesRequest,
    ) -> LocalBoxFuture<'static, Result<api::MatchList, ListError>> {
        ready(read(request).map(|_| api::MatchList::default())).boxed_local()
    }
}

/// The relayed matches that this shard keeps. Clones are the same.
#[derive(Clone)]
pub struct MatchIndex(Rc<Inner>);

struct Inner {
    post: SharedPost,
    index: RefCell<Index>,
    matches: Counter,
}

impl MatchIndex {
    pub fn new(post: SharedPost, counters: &Counters) -> Self {
        let matches = counters.gauge("relayed_matches", "Relayed matches that the shard keeps.");
        Self(Rc::new(Inner { post, index: RefCell::default(), matches }))
    }

    /// On a stream of this shard are so many sessions now.
    pub fn moved(&self, stream: &StreamId, count: usize) {
        if stream.mode == StreamMode::MATCH_RELAYED {
            let mut index = self.0.index.borrow_mut();
            index.set(stream.subject, u32::try_from(count).unwrap_or(u32::MAX));
            self.0.matches.set(index.len() as u64);
        }
    }

    /// A message of another shard, or of this one to itself.
    pub fn handle(&self, request: Request, answer: impl FnOnce(Reply)) {
        match request {
            Request::List(filter) => answer(Reply::Matches(self.0.index.borrow().list(filter))),
        }
    }
}

impl MatchLists for MatchIndex {
    fn list(
        &self,
        request: &api::ListMatchesRequest,
    ) -> LocalBoxFuture<'static, Result<api::MatchList, ListError>> {
        let filter = match read(request) {
            Ok(Some(filter)) => filter,
            // Only authoritative matches would do, of which there are none.
            Ok(None) => return ready(Ok(api::MatchList::default())).boxed_local(),
            Err(error) => return ready(Err(error)).boxed_local(),
        };
        let shards = self.0.post.shards();
        let asked = shards.into_iter().map(|shard| {
            let (answer, answered) = oneshot::channel();
            let then = move |reply| {
                // Nobody waits for the answer when the call was given up.
                let _ = answer.send(reply);
            };
            self.0.post.call(shard, Request::List(filter), Box::new(then));
            answered
        });
        let asked = join_all(asked);
        async move {
            let mut matches = Vec::new();
            for answer in asked.await {
                let Ok(Ok(Reply::Matches(found))) = answer else { return Err(ListError::Busy) };
                matches.extend(found.into_iter().map(listed));
            }
            matches.truncate(filter.limit);
            Ok(api::MatchList { matches })
        }
        .boxed_local()
    }
}

/// What every shard is asked, or nothing where only authoritative matches would do.
fn read(request: &api::ListMatchesRequest) -> Result<Option<Filter>, ListError> {
    let limit = request.limit.unwrap_or(LIST_LIMIT_DEFAULT);
    if !(1..=LIST_LIMIT_MAX).contains(&limit) {
        return Err(ListError::Limit);
    }
    if request.label.is_some() && request.authoritative == Some(false) {
        return Err(ListError::Label);
    }
    if request.query.is_some() && request.authoritative == Some(false) {
        return Err(ListError::Query);
    }
    let min = request.min_size.map(u32::try_from).transpose().map_err(|_| ListError::SizeMin)?;
    let max = request.max_size.map(u32::try_from).transpose().map_err(|_| ListError::SizeMax)?;
    let (min, max) = (min.unwrap_or(0), max.unwrap_or(u32::MAX));
    if min > max {
        return Err(ListError::Sizes);
    }
    if request.query.as_deref().is_some_and(|query| !matches!(query, "" | "*")) {
        return Err(ListError::NotBuilt);
    }
    let relayed =
        request.authoritative != Some(true) && request.label.is_none() && request.query.is_none();
    Ok(relayed.then_some(Filter { min, max, limit: limit as usize }))
}

fn listed((id, size): (Uuid, u32)) -> api::Match {
    api::Match {
        match_id: wire::homed_id(&StreamId::relayed_match(id)),
        size: i32::try_from(size).unwrap_or(i32::MAX),
        ..api::Match::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_refused_where_the_reference_refuses_it() {
        let request = api::ListMatchesRequest::default;
        let refused = |request: api::ListMatchesRequest| read(&request).unwrap_err();
        for limit in [0, 101] {
            let request = api::ListMatchesRequest { limit: Some(limit), ..request() };
            assert_eq!(refused(request), ListError::Limit);
        }
        let relayed = || api::ListMatchesRequest { authoritative: Some(false), ..request() };
        let label = Some("x".to_owned());
        let labelled = api::ListMatchesRequest { label: label.clone(), ..relayed() };
        assert_eq!(refused(labelled), ListError::Label);
        let searched = api::ListMatchesRequest { query: label.clone(), ..relayed() };
        assert_eq!(refused(searched), ListError::Query);
        let sized =
            |min_size, max_size| api::ListMatchesRequest { min_size, max_size, ..request() };
        assert_eq!(refused(sized(Some(-1), None)), ListError::SizeMin);
        assert_eq!(refused(sized(None, Some(-1))), ListError::SizeMax);
        assert_eq!(refused(sized(Some(3), Some(2))), ListError::Sizes);
        assert_eq!(
            refused(api::ListMatchesRequest { query: label, ..request() }),
            ListError::NotBuilt
        );
    }

    #[test]
    fn labels_queries_and_the_word_authoritative_leave_relayed_matches_out() {
        let request = api::ListMatchesRequest::default;
        let all = Some(Filter { min: 0, max: u32::MAX, limit: 10 });
        assert_eq!(read(&request()), Ok(all));
        let relayed = api::ListMatchesRequest { authoritative: Some(false), ..request() };
        assert_eq!(read(&relayed), Ok(all));
        for other in [
            api::ListMatchesRequest { authoritative: Some(true), ..request() },
            api::ListMatchesRequest { label: Some("x".into()), ..request() },
            api::ListMatchesRequest { query: Some("*".into()), ..request() },
        ] {
            assert_eq!(read(&other), Ok(None));
        }
    }
}
