//! One shard's interface over a database, of either kind.

#[path = "../../store/support/boards.rs"]
mod boards;
pub mod channels;
#[path = "../../store/support/cluster.rs"]
#[allow(dead_code, reason = "the store's own tests also break it")]
mod cluster;
#[path = "../../store/support/databases.rs"]
mod databases;
#[path = "../../store/support/folder.rs"]
mod folder;
pub mod reply;

use std::{cell::RefCell, net::SocketAddr, rc::Rc, sync::Arc, thread};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_util::future::{FutureExt, LocalBoxFuture};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header::AUTHORIZATION};
use kakera::{
    accounts::{LiveUsers, live::Disconnect},
    api::{Api, ApiSettings, FloodGate, Lists, Reach, Services},
    auth::{
        AuthError,
        attempts::{AskAttempts, AttemptRequest, Attempts, Verdict},
        revocation::{Broadcast, Revocations, Revoke, SessionCache},
    },
    config::Config,
    console::{Console, ConsoleServices, ConsoleSettings},
    flood::AddressTable,
    friends::NoChannels,
    ids::UserId,
    leaderboards::Unranked,
    log::RequestIds,
    metrics::Metrics,
    net::{HttpService, Request},
    notifications::{Busy, Live as LiveSessions, Notifications},
    store::{Database, Store, StoreConfig},
    wallet::Wallets,
};
use kakera_proto::realtime::Envelope;
use kakera_shards::{
    Clock, Rng, ShardId,
    counters::Board,
    runtime,
    socket::{SocketConfig, Sockets},
};
use serde_json::Value;

use channels::RecordedChannels;
use databases::{PostgresDatabase, on_shard, sqlite_config};
use folder::Folder;
pub use reply::Reply;

/// A node of one shard: its table is the only one to tell.
struct OneShard(Rc<RefCell<Revocations>>);

impl Broadcast for OneShard {
    fn revoke(&self, revoke: Revoke) -> LocalBoxFuture<'static, Result<(), AuthError>> {
        let now_sec = Clock::system().unix_sec();
        std::future::ready(self.0.borrow_mut().apply(&revoke, now_sec)).boxed_local()
    }
}

/// Its owner of failed sign-ins is the only one as well.
#[derive(Default)]
struct OneOwner(RefCell<Attempts>);

impl AskAttempts for OneOwner {
    fn attempt(&self, request: AttemptRequest) -> LocalBoxFuture<'_, Option<Verdict>> {
        let verdict = self.0.borrow_mut().handle(&request, Clock::system().unix_ms());
        std::future::ready(Some(verdict)).boxed_local()
    }
}

/// Records who was thrown out, and says of some users that they are online.
#[derive(Default)]
pub struct Live {
    pub online: RefCell<Vec<UserId>>,
    pub thrown_out: RefCell<Vec<(UserId, Disconnect)>>,
    /// What went to users' sessions.
    pub delivered: RefCell<Vec<(UserId, Envelope)>>,
}

impl LiveSessions for Live {
    fn deliver(&self, user: UserId, envelope: Envelope) -> Result<(), Busy> {
        self.delivered.borrow_mut().push((user, envelope));
        Ok(())
    }

    fn deliver_to_all(&self, envelope: &Envelope) {
        self.delivered.borrow_mut().push((UserId::NIL, envelope.clone()));
    }
}

impl LiveUsers for Live {
    fn online(&self, users: Vec<UserId>) -> LocalBoxFuture<'_, Vec<bool>> {
        let online = self.online.borrow();
        std::future::ready(users.iter().map(|user| online.contains(user)).collect()).boxed_local()
    }

    fn disconnect(&self, users: Arc<[UserId]>, why: Disconnect) -> LocalBoxFuture<'_, ()> {
        self.thrown_out.borrow_mut().extend(users.iter().map(|user| (*user, why)));
        std::future::ready(()).boxed_local()
    }
}

pub struct Bench {
    pub api: Api,
    pub console: Console,
    pub wallets: Wallets,
    pub services: Services,
    pub live: Rc<Live>,
    /// What went to groups' channels.
    pub channels: RecordedChannels,
    pub metrics: Metrics,
    pub database: Database,
    pub store: Store,
}

/// Tells which database a test failed on.
struct Running(&'static str);

impl Drop for Running {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("it failed on {}", self.0);
        }
    }
}

/// Runs a test body on a shard with the default configuration, on one database after the other.
pub fn run(body: impl AsyncFn(Bench)) {
    run_with(|_| {}, body);
}

/// Runs a test body on a shard with a changed configuration, on one database after the other.
pub fn run_with(change: impl FnOnce(&mut Config), body: impl AsyncFn(Bench)) {
    let mut config = Config::default();
    change(&mut config);
    {
        let _running = Running("SQLite");
        let folder = Folder::new("api");
        run_on(&config, &sqlite_config(&folder), &body);
    }
    let _running = Running("PostgreSQL");
    let database = PostgresDatabase::new();
    run_on(&config, &database.config, &body);
}

fn run_on(config: &Config, store: &StoreConfig, body: &impl AsyncFn(Bench)) {
    on_shard(async {
        let database = Database::open(store).unwrap();
        let live = Rc::new(Live::default());
        let channels = RecordedChannels::default();
        let table = Rc::new(RefCell::new(Revocations::new(
            config.session.token_expiry_sec as i64,
            config.session.refresh_token_expiry_sec as i64,
        )));
        let cache = SessionCache::new(Rc::clone(&table), Rc::new(OneShard(table)));
        let metrics = Metrics::new(config, Board::default());
        let counts = Rc::new(metrics.shard(&runtime::counters(), ShardId(0)));
        let sockets = Sockets::start(SocketConfig::default()).unwrap();
        let store = database.attach(1, &sockets).unwrap();
        store.check_schema().await.unwrap();
        // One for all: ranks have one owner.
        let boards = boards::leaderboards(&store, Clock::system(), Unranked::new(config));
        let services = || {
            let shard = (store.clone(), Clock::system(), Rng::from_os());
            let time_and_chance = (Clock::system(), Rng::from_os());
            let sessions = Rc::clone(&live) as _;
            let notifications =
                Notifications::new(store.clone(), sessions, time_and_chance, &runtime::counters());
            let direct_channels = Rc::new(NoChannels);
            let live = Rc::clone(&live) as _;
            let group_channels = Rc::new(channels.clone());
            let lists = Lists::none();
            let reach = Reach { live, notifications, direct_channels, group_channels, lists };
            let counts = (Rc::clone(&counts), RequestIds::new(ShardId(0), 1));
            Services::new(config, shard, cache.clone(), reach, boards.clone(), counts).unwrap()
        };
        let table = AddressTable::of(config, Clock::system(), &runtime::counters());
        let gate = table.map(|table| FloodGate::new(config, table));
        let console = {
            let store = (store.clone(), Clock::system(), Rng::from_os());
            let asked = (cache.clone(), Rc::new(OneOwner::default()) as _);
            let services = services();
            let players = (services.accounts, services.notifications);
            let social = (services.friends, services.groups);
            ConsoleServices::new(config, store, asked, players, social, boards.clone()).unwrap()
        };
        let bench = Bench {
            wallets: console.wallets.clone(),
            console: Console::new(ConsoleSettings::new(config), console),
            api: Api::new(ApiSettings::new(config), services(), gate),
            services: services(),
            live: Rc::clone(&live),
            channels,
            metrics,
            database: database.clone(),
            store,
        };
        body(bench).await;
        database.close();
        sockets.shut_down().await;
    });
}

pub fn basic(user: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:")))
}

/// A request being written.
pub struct Ask<'a> {
    service: &'a dyn HttpService,
    request: Request,
}

impl Bench {
    /// A request without authorization.
    pub fn ask(&self, method: Method, uri: &str) -> Ask<'_> {
        let request = Request {
            method,
            uri: uri.parse().unwrap(),
            version: Version::HTTP_11,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            peer: SocketAddr::from(([127, 0, 0, 1], 50_000)),
            tls: false,
        };
        Ask { service: &self.api, request }
    }

    /// A request at the console's port, with this authorization.
    pub fn console(&self, authorization: &str, method: Method, uri: &str) -> Ask<'_> {
        let mut ask = self.ask(method, uri);
        ask.service = &self.console;
        if authorization.is_empty() { ask } else { ask.header(AUTHORIZATION, authorization) }
    }

    /// Signs the administrator in and yields what its requests show.
    pub async fn operator(&self) -> String {
        let reply = self
            .console("", Method::POST, "/v2/console/authenticate")
            .json(&serde_json::json!({"username": "admin", "password": "password"}))
            .await;
        format!("Bearer {}", reply.ok()["token"].as_str().unwrap())
    }

    /// A request of the game, with the server key.
    pub fn game(&self, method: Method, uri: &str) -> Ask<'_> {
        self.ask(method, uri).header(AUTHORIZATION, &basic("defaultkey"))
    }

    /// A request of a player.
    pub fn player(&self, token: &str, method: Method, uri: &str) -> Ask<'_> {
        self.ask(method, uri).header(AUTHORIZATION, &format!("Bearer {token}"))
    }

    /// Signs in by device and yields the tokens; the account is made if need be.
    pub async fn device(&self, id: &str) -> Tokens {
        let reply = self
            .game(Method::POST, "/v2/account/authenticate/device")
            .json(&serde_json::json!({ "id": id }))
            .await;
        Tokens::of(&reply.ok())
    }

    /// The account that a token belongs to.
    pub async fn account(&self, token: &str) -> Value {
        self.player(token, Method::GET, "/v2/account").send().await.ok()
    }

    pub async fn user_id(&self, token: &str) -> UserId {
        self.account(token).await["user"]["id"].as_str().unwrap().parse().unwrap()
    }
}

/// What a sign-in answers.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub session: String,
    pub refresh: String,
    pub created: bool,
}

impl Tokens {
    pub fn of(body: &Value) -> Self {
        Self {
            session: body["token"].as_str().unwrap().to_owned(),
            refresh: body["refresh_token"].as_str().unwrap().to_owned(),
            created: body.get("created").is_some_and(|created| created == true),
        }
    }
}

/// The JSON in a text: one database keeps its spaces, the other puts its own.
pub fn json_in(text: &Value) -> Value {
    serde_json::from_str(text.as_str().unwrap()).unwrap()
}

/// The claims of a token, read without any check.
pub fn claims(token: &str) -> Value {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let claims = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

impl Ask<'_> {
    pub fn header(mut self, name: impl TryInto<HeaderName>, value: &str) -> Self {
        let Ok(name) = name.try_into() else { panic!("a header name") };
        self.request.headers.append(name, HeaderValue::from_str(value).unwrap());
        self
    }

    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.request.body = body.into();
        self
    }

    pub fn http2(mut self) -> Self {
        self.request.version = Version::HTTP_2;
        self
    }

    pub async fn send(self) -> Reply {
        Reply(self.service.call(self.request).await)
    }

    pub async fn json(self, body: &Value) -> Reply {
        self.body(body.to_string()).send().await
    }
}
