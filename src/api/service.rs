//! The interface of one shard: what it is made of, and the entry for every request.

use std::{future::poll_fn, pin::pin, rc::Rc, task::Poll, time::Duration};

use ::http::{HeaderName, HeaderValue};
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use kakera_shards::{Clock, Rng, runtime};

use super::{authorize::Keys, flood::FloodGate, reply};
use crate::{
    accounts::{Accounts, LiveUsers},
    auth::{AuthError, Sessions, SharedKey, SignIn, Tokens, revocation::SessionCache},
    chat::History,
    config::Config,
    error::{Error, ErrorKind},
    friends::{DirectChannels, Friends},
    groups::{GroupChannels, Groups},
    leaderboards::Leaderboards,
    log::RequestIds,
    matches::{MatchLists, NoMatches},
    matchmaker::{MatchmakerStats, NoMatchmaker},
    metrics::{self, ShardMetrics, Transport},
    net::{HttpService, Request, Response},
    notifications::Notifications,
    parties::{NoParties, PartyLists},
    storage::Storage,
    store::Store,
    tournaments::Tournaments,
};

/// What the configuration says of the interface.
pub struct ApiSettings {
    pub keys: Keys,
    /// Largest message, in bytes, after unpacking.
    pub request_len_max: usize,
    /// Longest time for a call to be answered.
    pub deadline: Duration,
    /// Proxies whose X-Forwarded-For entries are believed.
    pub proxy_count: u32,
    /// Added to responses that lack them.
    pub extra_headers: Vec<(HeaderName, HeaderValue)>,
}

impl ApiSettings {
    /// A connection outlives the calls on it by this much, so that a late one is still answered.
    const ANSWER_BEFORE_IDLE_MS: u64 = 500;

    /// How long a request may take: those that wait between requests are let go a little later.
    pub fn deadline_of(config: &Config) -> Duration {
        let idle_ms = u64::from(config.socket.idle_timeout_ms);
        Duration::from_millis(match idle_ms.checked_sub(Self::ANSWER_BEFORE_IDLE_MS) {
            Some(ms) if ms > 0 => ms,
            Some(_) | None => idle_ms,
        })
    }

    pub fn new(config: &Config) -> Self {
        let socket = &config.socket;
        Self {
            keys: Keys {
                server: SharedKey::new(socket.server_key.expose()),
                http: SharedKey::new(config.runtime.http_key.expose()),
            },
            request_len_max: usize::try_from(socket.max_request_size_bytes).unwrap_or(usize::MAX),
            deadline: Self::deadline_of(config),
            proxy_count: socket.proxy_count,
            extra_headers: socket
                .response_headers
                .0
                .iter()
                // The configuration has refused what is no header.
                .filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?)))
                .collect(),
        }
    }
}

/// What goes on in the server now, as those who look for company list it.
pub struct Lists {
    pub parties: Rc<dyn PartyLists>,
    pub matches: Rc<dyn MatchLists>,
    pub matchmaker: Rc<dyn MatchmakerStats>,
}

impl Lists {
    /// A server without a realtime side.
    pub fn none() -> Self {
        Self {
            parties: Rc::new(NoParties),
            matches: Rc::new(NoMatches),
            matchmaker: Rc::new(NoMatchmaker),
        }
    }
}

/// How the services reach those who are connected, on any shard.
pub struct Reach {
    pub live: Rc<dyn LiveUsers>,
    pub notifications: Notifications,
    pub direct_channels: Rc<dyn DirectChannels>,
    pub group_channels: Rc<dyn GroupChannels>,
    pub lists: Lists,
}

/// The domain services that the calls end at, all of one shard.
pub struct Services {
    pub sign_in: SignIn,
    pub sessions: Sessions,
    pub accounts: Accounts,
    pub friends: Friends,
    pub groups: Groups,
    pub history: History,
    pub notifications: Notifications,
    pub leaderboards: Leaderboards,
    pub tournaments: Tournaments,
    pub storage: Storage,
    pub lists: Lists,
    pub clock: Clock,
    pub request_ids: RequestIds,
    pub metrics: Rc<ShardMetrics>,
}

impl Services {
    /// The services over this shard's store.
    ///
    /// # Errors
    /// Only where the JWT library cannot sign, to be reported while starting up.
    pub fn new(
        config: &Config,
        (store, clock, rng): (Store, Clock, Rng),
        revoked: SessionCache,
        reach: Reach,
        leaderboards: Leaderboards,
        (metrics, request_ids): (Rc<ShardMetrics>, RequestIds),
    ) -> Result<Self, AuthError> {
        let session = &config.session;
        let seconds = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
        let tokens = Tokens::new(
            (session.encryption_key.expose(), seconds(session.token_expiry_sec)),
            (session.refresh_encryption_key.expose(), seconds(session.refresh_token_expiry_sec)),
        )?;
        let shard = (store.clone(), clock.clone(), rng.clone());
        let sessions = Sessions::new(Rc::new(tokens), revoked, shard, session.single_session);
        let Reach { live, notifications, direct_channels, group_channels, lists } = reach;
        let friends = Friends::new(
            store.clone(),
            Rc::clone(&live),
            direct_channels,
            notifications.clone(),
            (clock.clone(), rng.clone()),
        );
        let groups = Groups::new(
            store.clone(),
            Rc::clone(&live),
            group_channels,
            notifications.clone(),
            (clock.clone(), rng.clone()),
        );
        Ok(Self {
            sign_in: SignIn::new(store.clone(), rng),
            history: History::new(store.clone()),
            storage: Storage::new(store.clone()),
            accounts: Accounts::new(store, sessions.clone(), live, leaderboards.clone()),
            sessions,
            friends,
            groups,
            notifications,
            tournaments: Tournaments::new(leaderboards.clone()),
            leaderboards,
            lists,
            clock,
            request_ids,
            metrics,
        })
    }
}

/// The interface of one shard.
pub struct Api {
    pub(super) settings: ApiSettings,
    pub(super) services: Services,
    /// Whose requests are answered how often; without it all are.
    pub(super) flood: Option<FloodGate>,
}

impl Api {
    pub fn new(settings: ApiSettings, services: Services, flood: Option<FloodGate>) -> Self {
        Self { settings, services, flood }
    }

    fn add_headers(&self, response: &mut Response) {
        for (name, value) in &self.settings.extra_headers {
            if !response.headers.contains_key(name) {
                response.headers.insert(name.clone(), value.clone());
            }
        }
    }

    /// Runs a call to its end, or to its deadline, and counts it.
    pub(super) async fn counted(
        &self,
        (transport, name): (Transport, &str),
        received_len: usize,
        limit: Duration,
        call: impl Future<Output = Result<Bytes, Error>>,
    ) -> Result<Bytes, Error> {
        let Services { clock, metrics, .. } = &self.services;
        let start_micros = clock.monotonic_micros();
        let result = within(limit, call).await;
        let elapsed = Duration::from_micros(clock.monotonic_micros() - start_micros);
        let (error, sent_len) = match &result {
            Ok(body) => (None, body.len()),
            Err(error) => (Some(error.kind), 0),
        };
        let bytes = metrics::Bytes { received: received_len as u64, sent: sent_len as u64 };
        metrics.call(transport, name, error, elapsed, bytes);
        result
    }
}

impl HttpService for Api {
    fn call(&self, request: Request) -> LocalBoxFuture<'_, Response> {
        Box::pin(async move {
            let refused = self.flood.as_ref().and_then(|gate| gate.refusal(&request));
            let mut response = match refused {
                Some(response) => response,
                None if super::grpc::is_grpc(&request) => self.grpc(request).await,
                None => self.http(request).await,
            };
            self.add_headers(&mut response);
            response
        })
    }

    fn refuse(&self, request: &Request, error: &Error) -> Response {
        let mut response = if super::grpc::is_grpc(request) {
            super::grpc::failure(error)
        } else {
            let mut response = reply::error(error);
            super::http::allow_origin(&request.headers, &mut response);
            response
        };
        self.add_headers(&mut response);
        response
    }
}

/// The call's result, or `DEADLINE_EXCEEDED` after `limit`; the call is dropped then.
///
/// A call that is ready at once, as most are that read the embedded store, never sets a timer.
async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let mut call = pin!(call);
    let first = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await;
    match first {
        Poll::Ready(result) => result,
        Poll::Pending => runtime::timeout(limit, call).await.unwrap_or_else(|| {
            Err(Error::new(ErrorKind::DeadlineExceeded, "context deadline exceeded"))
        }),
    }
}
