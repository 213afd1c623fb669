//! The mesh as the layers below know it: each sees only messages of its own.

use std::{rc::Rc, sync::Arc, time::Duration};

use futures_util::future::{FutureExt, LocalBoxFuture, join_all};
use kakera_shards::{Address, CallError, Loss, Mesh, StableHash};

use super::{Messages, Reply, Request};
use crate::{
    accounts::live::{Disconnect, LiveUsers},
    auth::{
        AuthError,
        attempts::{AskAttempts, AttemptKey, AttemptRequest, Verdict},
        revocation::{Broadcast, Revoke},
    },
    ids::{MatchId, PartyId, StreamId, StreamMode, UserId},
    matches, matchmaker, parties,
    presence::{self, PostError, Presences},
    session::{self, CloseCause, Sessions, Unanswered},
};

/// How long an owner may take to answer before its caller gives up.
const CALL_DEADLINE: Duration = Duration::from_secs(5);

/// One shard's way to the owners of everything. Clones are the same.
#[derive(Clone)]
pub struct Ports(pub(super) Mesh<Messages>);

impl Ports {
    pub fn new(mesh: Mesh<Messages>) -> Self {
        Self(mesh)
    }

    fn owner_of_user(&self, user: UserId) -> Address {
        self.0.owner(StableHash::new("user").bytes_16(user.0.as_bytes()).finish())
    }

    fn owner_of_stream(&self, stream: &StreamId) -> Address {
        match stream.mode {
            StreamMode::NOTIFICATIONS | StreamMode::STATUS | StreamMode::FOLLOWERS => {
                self.owner_of_user(UserId(stream.subject))
            }
            StreamMode::MATCH_RELAYED | StreamMode::MATCH_AUTHORITATIVE => {
                self.home_or_ring(MatchId(stream.subject).home(), stream)
            }
            StreamMode::PARTY => self.home_or_ring(PartyId(stream.subject).home(), stream),
            _ => self.ring(stream),
        }
    }

    /// The home inside an id of ours; the ring where the id is derived from a name, or from elsewhere.
    fn home_or_ring(&self, home: Address, stream: &StreamId) -> Address {
        let ours = stream.subject.get_version_num() == 4 && self.0.ring().has(home);
        if ours { home } else { self.ring(stream) }
    }

    fn ring(&self, stream: &StreamId) -> Address {
        let mode = stream.mode.to_wire().map_or(u64::MAX, u64::from);
        let key = StableHash::new("stream")
            .u64(mode)
            .bytes_16(stream.subject.as_bytes())
            .bytes_16(stream.subcontext.as_bytes())
            .bytes(stream.label().as_bytes());
        self.0.owner(key.finish())
    }
}

impl presence::Post for Ports {
    fn me(&self) -> Address {
        self.0.me()
    }

    fn owner_of(&self, stream: &StreamId) -> Address {
        self.owner_of_stream(stream)
    }

    fn owner_of_user(&self, user: UserId) -> Address {
        Ports::owner_of_user(self, user)
    }

    fn shards(&self) -> Vec<Address> {
        self.0.ring().shards().collect()
    }

    fn cast(&self, to: Address, request: presence::Request) -> Result<(), presence::Request> {
        self.0.cast(to, Request::Presence(request)).map_err(|refused| match refused.request {
            Request::Presence(request) => request,
            Request::Session(_)
            | Request::Party(_)
            | Request::Match(_)
            | Request::Matchmaker(_)
            | Request::Revoke(_)
            | Request::Attempt(_)
            | Request::Rank(_)
            | Request::Board(_) => {
                unreachable!("the mesh gives back what it was given")
            }
        })
    }

    fn call(&self, to: Address, request: presence::Request, then: presence::Then) {
        let then = move |reply| {
            then(match reply {
                Ok(Reply::Presence(reply)) => Ok(reply),
                Err(CallError::Full | CallError::TooManyCalls | CallError::Unreachable) => {
                    Err(PostError::Refused)
                }
                Ok(_) | Err(_) => Err(PostError::Lost),
            });
        };
        self.0.call_then(to, Request::Presence(request), CALL_DEADLINE, then);
    }

    fn deliver(&self, to: Address, request: presence::Request, droppable: bool) -> bool {
        let loss = if droppable { Loss::Droppable } else { Loss::Never };
        self.0.deliver(to, Request::Presence(request), loss)
    }
}

impl session::Post for Ports {
    fn me(&self) -> Address {
        self.0.me()
    }

    fn owner_of_user(&self, user: UserId) -> Address {
        Ports::owner_of_user(self, user)
    }

    fn shards(&self) -> Vec<Address> {
        self.0.ring().shards().collect()
    }

    fn deliver(&self, to: Address, request: session::Request) {
        self.0.deliver(to, Request::Session(request), Loss::Never);
    }

    fn call(&self, to: Address, request: session::Request, then: session::Then) {
        let then = move |reply| {
            then(match reply {
                Ok(Reply::Session(reply)) => Ok(reply),
                Ok(_) | Err(_) => Err(Unanswered),
            });
        };
        self.0.call_then(to, Request::Session(request), CALL_DEADLINE, then);
    }
}

impl parties::Post for Ports {
    fn me(&self) -> Address {
        self.0.me()
    }

    fn shards(&self) -> Vec<Address> {
        self.0.ring().shards().collect()
    }

    fn call(&self, to: Address, request: parties::Request, then: parties::Then) {
        let then = move |reply| {
            then(match reply {
                Ok(Reply::Party(reply)) => Ok(reply),
                Ok(_) | Err(_) => Err(parties::Unanswered),
            });
        };
        self.0.call_then(to, Request::Party(request), CALL_DEADLINE, then);
    }

    fn deliver(&self, to: Address, request: parties::Request) {
        self.0.deliver(to, Request::Party(request), Loss::Never);
    }
}

impl matches::Post for Ports {
    fn shards(&self) -> Vec<Address> {
        self.0.ring().shards().collect()
    }

    fn call(&self, to: Address, request: matches::Request, then: matches::Then) {
        let then = move |reply| {
            then(match reply {
                Ok(Reply::Match(reply)) => Ok(reply),
                Ok(_) | Err(_) => Err(matches::Unanswered),
            });
        };
        self.0.call_then(to, Request::Match(request), CALL_DEADLINE, then);
    }
}

impl matchmaker::Post for Ports {
    fn me(&self) -> Address {
        self.0.me()
    }

    fn pool(&self) -> Address {
        // There is one pool, which has no name.
        self.0.owner(StableHash::new("matchmaker").bytes(b"").finish())
    }

    fn call(&self, to: Address, request: matchmaker::Request, then: matchmaker::Then) {
        let then = move |reply| {
            then(match reply {
                Ok(Reply::Matchmaker(reply)) => Ok(reply),
                Ok(_) | Err(_) => Err(matchmaker::Unanswered),
            });
        };
        self.0.call_then(to, Request::Matchmaker(request), CALL_DEADLINE, then);
    }

    fn deliver(&self, to: Address, request: matchmaker::Request) {
        self.0.deliver(to, Request::Matchmaker(request), Loss::Never);
    }
}

impl Broadcast for Ports {
    fn revoke(&self, revoke: Revoke) -> LocalBoxFuture<'static, Result<(), AuthError>> {
        let revoke = Arc::new(revoke);
        let shards: Vec<Address> = self.0.ring().shards().collect();
        let calls = shards
            .into_iter()
            .map(|shard| self.0.call(shard, Request::Revoke(Arc::clone(&revoke)), CALL_DEADLINE));
        let calls = join_all(calls);
        async move {
            let mut full = false;
            for reply in calls.await {
                match reply {
                    Ok(Reply::Revoked(applied)) => full |= !applied,
                    Ok(_) | Err(_) => return Err(AuthError::NotRevoked),
                }
            }
            if full { Err(AuthError::RevocationsFull) } else { Ok(()) }
        }
        .boxed_local()
    }
}

impl AskAttempts for Ports {
    fn attempt(&self, request: AttemptRequest) -> LocalBoxFuture<'_, Option<Verdict>> {
        let (AttemptRequest::Check(key)
        | AttemptRequest::Failed(key)
        | AttemptRequest::Succeeded(key)) = &request;
        let hash = StableHash::new("attempts");
        let hash = match key {
            AttemptKey::Account(name) => hash.bytes(name.as_bytes()),
            AttemptKey::Address(ip) => hash.bytes(ip.to_string().as_bytes()),
        };
        let owner = self.0.owner(hash.finish());
        let asked = self.0.call(owner, Request::Attempt(Box::new(request)), CALL_DEADLINE);
        async move {
            match asked.await {
                Ok(Reply::Attempt(verdict)) => Some(verdict),
                Ok(_) | Err(_) => None,
            }
        }
        .boxed_local()
    }
}

/// The realtime side as accounts know it.
pub struct Live {
    sessions: Sessions,
    presences: Presences,
}

impl Live {
    pub fn new(sessions: Sessions, presences: Presences) -> Rc<Self> {
        Rc::new(Self { sessions, presences })
    }
}

impl LiveUsers for Live {
    fn online(&self, users: Vec<UserId>) -> LocalBoxFuture<'_, Vec<bool>> {
        let (answer, answered) = futures_channel::oneshot::channel();
        self.presences.online(&users, move |online| {
            // Nobody waits for the answer when the call was given up.
            let _ = answer.send(online);
        });
        async move {
            let online = answered.await.ok().and_then(Result::ok).unwrap_or_default();
            users.iter().map(|user| online.contains(user)).collect()
        }
        .boxed_local()
    }

    fn disconnect(&self, users: Arc<[UserId]>, why: Disconnect) -> LocalBoxFuture<'_, ()> {
        let cause = match why {
            Disconnect::Banned => CloseCause::Banned,
            Disconnect::Deleted => CloseCause::Disconnected,
        };
        for user in users.iter() {
            self.sessions.disconnect_user(*user, cause);
        }
        std::future::ready(()).boxed_local()
    }
}
