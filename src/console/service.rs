//! The console of one shard: what it is made of, and the entry for every request.

use std::{net::IpAddr, rc::Rc, time::Duration};

use ::http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        CACHE_CONTROL, CONTENT_TYPE, ORIGIN, WWW_AUTHENTICATE,
    },
};
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use kakera_proto::routes::{ConsoleRpc, Routed, Service};
use kakera_shards::{Clock, Rng, runtime};
use serde::Serialize;

use super::sign_in::SignIn;
use crate::{
    accounts::Accounts,
    api::{ClientAddress, authorize::Shown},
    auth::{AuthError, attempts::AskAttempts, revocation::SessionCache},
    chat::History,
    config::Config,
    error::{Error, ErrorKind},
    friends::Friends,
    groups::Groups,
    leaderboards::Leaderboards,
    net::{HttpService, Request, Response},
    notifications::Notifications,
    storage::Storage,
    store::Store,
    tournaments::Tournaments,
    wallet::Wallets,
};

const ANY_ORIGIN: HeaderValue = HeaderValue::from_static("*");

/// What the configuration says of the console.
pub struct ConsoleSettings {
    /// Longest time for a call to be answered.
    deadline: Duration,
    /// Whether accounts are found by their display names.
    pub(super) display_names: bool,
    /// Proxies whose X-Forwarded-For entries are believed.
    proxy_count: u32,
}

impl ConsoleSettings {
    pub fn new(config: &Config) -> Self {
        Self {
            deadline: Duration::from_millis(config.console.idle_timeout_ms.into()),
            display_names: !config.console.disable_display_name_search,
            proxy_count: config.socket.proxy_count,
        }
    }
}

/// The domain services that the calls end at, all of one shard.
pub struct ConsoleServices {
    pub sign_in: SignIn,
    pub accounts: Accounts,
    pub leaderboards: Leaderboards,
    pub tournaments: Tournaments,
    pub storage: Storage,
    pub notifications: Notifications,
    pub wallets: Wallets,
    pub history: History,
    pub friends: Friends,
    pub groups: Groups,
}

impl ConsoleServices {
    /// # Errors
    /// Only where the JWT library cannot sign, to be reported while starting up.
    pub fn new(
        config: &Config,
        (store, clock, rng): (Store, Clock, Rng),
        (revoked, attempts): (SessionCache, Rc<dyn AskAttempts>),
        (accounts, notifications): (Accounts, Notifications),
        (friends, groups): (Friends, Groups),
        leaderboards: Leaderboards,
    ) -> Result<Self, AuthError> {
        Ok(Self {
            storage: Storage::new(store.clone()),
            wallets: Wallets::new(store.clone(), rng),
            history: History::new(store.clone()),
            friends,
            groups,
            sign_in: SignIn::new(config, (store, clock), (revoked, attempts))?,
            accounts,
            notifications,
            tournaments: Tournaments::new(leaderboards.clone()),
            leaderboards,
        })
    }
}

/// The console of one shard.
pub struct Console {
    pub(super) settings: ConsoleSettings,
    pub(super) services: ConsoleServices,
}

impl Console {
    pub fn new(settings: ConsoleSettings, services: ConsoleServices) -> Self {
        Self { settings, services }
    }

    async fn answer(&self, request: &Request) -> Result<Bytes, Error> {
        let path = request.uri.path();
        let matched = match ConsoleRpc::route(request.method.as_str(), path) {
            Routed::Call(matched) => matched,
            Routed::WrongMethod => {
                return Err(Error::new(ErrorKind::Unimplemented, "Method Not Allowed"));
            }
            Routed::Malformed => return Err(Error::invalid("Bad Request")),
            Routed::Unknown if path == "/" => {
                return Err(Error::unimplemented("The console's page"));
            }
            Routed::Unknown => return Err(Error::not_found("Not Found")),
        };
        let from = self.client_ip(request);
        let call = async {
            let shown = Shown::of(&request.headers);
            let operator = self.services.sign_in.authorize(matched.rpc, shown, from).await?;
            self.dispatch(&matched, &operator, request).await
        };
        let late = || Err(Error::new(ErrorKind::DeadlineExceeded, "context deadline exceeded"));
        runtime::timeout(self.settings.deadline, call).await.unwrap_or_else(late)
    }

    fn client_ip(&self, request: &Request) -> IpAddr {
        ClientAddress::of(&request.headers, request.peer, self.settings.proxy_count).ip
    }
}

impl HttpService for Console {
    fn call(&self, request: Request) -> LocalBoxFuture<'_, Response> {
        Box::pin(async move {
            let from_browser = request.headers.contains_key(ORIGIN);
            let mut response = if from_browser && request.method == Method::OPTIONS {
                preflight()
            } else {
                match self.answer(&request).await {
                    Ok(body) => reply(StatusCode::OK, body),
                    Err(error) => failure(&error),
                }
            };
            if from_browser {
                response.headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANY_ORIGIN);
            }
            response
        })
    }

    fn refuse(&self, _: &Request, error: &Error) -> Response {
        failure(error)
    }
}

fn reply(status: StatusCode, body: Bytes) -> Response {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store, no-cache, must-revalidate"));
    Response { status, headers, body, trailers: None }
}

fn failure(error: &Error) -> Response {
    #[derive(Serialize)]
    struct Body<'a> {
        code: u8,
        message: &'a str,
        details: [(); 0],
    }
    let body = Body { code: error.kind.grpc_code(), message: &error.message, details: [] };
    // Texts and small numbers always have a JSON form.
    let body = serde_json::to_vec(&body).unwrap_or_default();
    let mut response = reply(error.kind.http_status(), body.into());
    if response.status == StatusCode::UNAUTHORIZED
        && let Ok(message) = HeaderValue::try_from(error.message.as_ref())
    {
        response.headers.insert(WWW_AUTHENTICATE, message);
    }
    response
}

/// Browsers may ask from any page: nothing here rests on cookies.
fn preflight() -> Response {
    let mut response = reply(StatusCode::OK, Bytes::new());
    let headers = &mut response.headers;
    headers.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE, PATCH"),
    );
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("Authorization, Content-Type, User-Agent"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_its_details_and_who_is_not_let_in_is_told_so_in_the_head() {
        let response = failure(&Error::unauthenticated("Token invalid."));
        assert_eq!(response.status, 401);
        assert_eq!(response.headers[WWW_AUTHENTICATE], "Token invalid.");
        assert_eq!(response.body, r#"{"code":16,"message":"Token invalid.","details":[]}"#);
    }
}
