//! One shard of a node: its owners and services are built, then it listens, and at the end it drains.

use std::{cell::RefCell, rc::Rc, sync::OnceLock, time::Duration};

use kakera_shards::{
    boot::{ShardContext, ShardError},
    counters::Board,
    runtime,
    socket::{ListenOptions, SocketConfig, Sockets},
};

use super::{
    addresses::Addresses,
    sweep::{Gauges, sweep, sweep_parties},
};
use crate::{
    api::{self, Api, ApiSettings, FloodGate, Lists, Reach},
    auth::revocation::{Revocations, SessionCache},
    chat::Chat,
    config::Config,
    console::{Console, ConsoleServices, ConsoleSettings},
    flood::{self, AddressTable},
    groups::LiveChannels,
    leaderboards::{Definitions, Leaderboards, Unranked, ranks::RankOwner},
    log::RequestIds,
    matches::{MatchIndex, MatchTokens, Matches},
    matchmaker::{self, Matchmaker},
    metrics::Metrics,
    net::{Front, FrontConfig, HttpLimits, Services, WebSocketConfig, tls::Certificates},
    notifications::{LiveSessions, Notifications},
    parties::{Parties, PartySettings},
    presence::{HomeLimits, Limits, OwnerLimits, Presences},
    realtime::{self, Realtime},
    scheduler::Scheduler,
    session::{KeepAlive, Sessions, Settings},
    shard::{Ear, Keepers, Live, Messages, Ports, ShardState},
    status::Statuses,
    store::{Database, Store},
};

/// How much later than a call's own deadline a request is given up.
const REQUEST_GRACE: Duration = Duration::from_millis(250);

/// What every shard of the node is built from.
pub(super) struct Blueprint {
    pub(super) config: Config,
    pub(super) database: Database,
    pub(super) certificates: Option<Certificates>,
    pub(super) addresses: Addresses,
    /// How long a drain may take.
    pub(super) drain_within: Duration,
    /// Made by the first shard that is built, which brings the board along.
    pub(super) metrics: OnceLock<Metrics>,
}

impl Blueprint {
    fn metrics(&self, board: &Board) -> &Metrics {
        self.metrics.get_or_init(|| Metrics::new(&self.config, board.clone()))
    }
}

/// The life of a shard.
pub(super) async fn run(
    context: ShardContext<Messages>,
    blueprint: &Blueprint,
) -> Result<(), ShardError> {
    let shards = context.shards_len();
    let sockets = Sockets::start(socket_config(&blueprint.config))?;
    let store = blueprint.database.attach(shards, &sockets)?;
    store.check_schema().await.map_err(|error| format!("the database cannot be used: {error}"))?;
    let built = build(&context, blueprint, store.clone())?;
    context.serve(Rc::new(Ear(Rc::clone(&built.state))));
    built.leaderboards.load().await?;
    let mut scheduler = Scheduler::new(built.leaderboards.clone(), None, &context.counters());
    // What fell due while nothing ran comes before the first request.
    scheduler.turn().await;
    runtime::spawn_essential("schedules", scheduler.run());
    let gauges = Gauges::new(&context.counters());
    runtime::spawn_essential("sweep", sweep(Rc::clone(&built.state), gauges));
    runtime::spawn_essential("matchmaker", built.state.matchmaker.clone().run());
    let idle_check_ms = blueprint.config.party.idle_check_interval_ms;
    if idle_check_ms > 0 {
        let period = Duration::from_millis(idle_check_ms.into());
        runtime::spawn("sweep parties", sweep_parties(built.state.parties.clone(), period));
    }

    let fronts = listen(&sockets, blueprint, &built, shards)?;
    context.ready();

    context.draining().await;
    let drained = runtime::timeout(blueprint.drain_within, drain(&built, &fronts)).await;
    if drained.is_none() {
        tracing::warn!(
            sessions = built.state.sessions.len(),
            "Cut off at the end of the grace time."
        );
    }
    store.detach();
    sockets.shut_down().await;
    Ok(())
}

/// What a shard consists of.
struct Built {
    state: Rc<ShardState>,
    api: Rc<Api>,
    realtime: Rc<Realtime>,
    leaderboards: Leaderboards,
    flood: Option<Rc<AddressTable>>,
    console: Rc<Console>,
}

fn build(
    context: &ShardContext<Messages>,
    blueprint: &Blueprint,
    store: Store,
) -> Result<Built, ShardError> {
    let (config, shards) = (&blueprint.config, context.shards_len());
    let (clock, rng) = (context.clock(), context.rng.clone());
    let ports = Rc::new(Ports::new(context.mesh.clone()));

    let counters = context.counters();
    let metrics = blueprint.metrics(counters.board());
    let metrics = Rc::new(metrics.shard(&counters, context.me().shard));

    let settings = session_settings(config, shards);
    let sessions = Sessions::new(ports.clone(), settings, rng.clone(), Rc::clone(&metrics));
    let limits = presence_limits(config);
    let presences = Presences::counted(ports.clone(), Rc::new(sessions.clone()), limits, &counters);

    let match_tokens = Rc::new(MatchTokens::new(config.session.encryption_key.expose()));
    let tokens = Rc::clone(&match_tokens);
    let matchmaker = matchmaker((context, blueprint), &sessions, ports.clone(), tokens);
    let parties = Parties::new(
        (presences.clone(), matchmaker.clone()),
        ports.clone(),
        (clock.clone(), rng.clone()),
        party_settings(config),
        Some(&counters),
    );

    let match_index = MatchIndex::new(ports.clone(), &counters);
    let lists = Lists {
        parties: Rc::new(parties.clone()),
        matches: Rc::new(match_index.clone()),
        matchmaker: Rc::new(matchmaker.clone()),
    };

    let revocations = Rc::new(RefCell::new(revocations(config)));
    let live = Live::new(sessions.clone(), presences.clone());
    let notifications = Notifications::new(
        store.clone(),
        Rc::new(LiveSessions { presences: presences.clone(), sessions: sessions.clone() }),
        (clock.clone(), rng.clone()),
        &counters,
    );
    let chat = Chat::new(presences.clone(), clock.clone(), rng.clone());
    let boards = Rc::new(RefCell::new(Definitions::default()));
    let leaderboards = Leaderboards::new(
        store.clone(),
        clock.clone(),
        ports.clone(),
        (Rc::clone(&boards), Unranked::new(config)),
        &counters,
    );
    let ranks = RankOwner::new(store.clone(), &counters);
    let revoked = SessionCache::new(Rc::clone(&revocations), ports.clone());
    let reach = Reach {
        live,
        notifications: notifications.clone(),
        direct_channels: Rc::new(presences.clone()),
        group_channels: Rc::new(LiveChannels::new(chat.clone(), presences.clone())),
        lists,
    };
    let services = api::Services::new(
        config,
        (store.clone(), clock.clone(), rng.clone()),
        revoked.clone(),
        reach,
        leaderboards.clone(),
        (Rc::clone(&metrics), RequestIds::new(context.me().shard, clock.unix_sec() as u64)),
    )?;
    let auth = services.sessions.clone();
    let flood = AddressTable::of(config, clock.clone(), &counters);
    let gate = flood.as_ref().map(|flood| FloodGate::new(config, Rc::clone(flood)));
    let console = ConsoleServices::new(
        config,
        (store.clone(), clock.clone(), rng.clone()),
        (revoked, ports),
        (services.accounts.clone(), notifications.clone()),
        (services.friends.clone(), services.groups.clone()),
        leaderboards.clone(),
    )?;
    let console = Rc::new(Console::new(ConsoleSettings::new(config), console));
    let api = Api::new(ApiSettings::new(config), services, gate.clone());

    let services = realtime::Services {
        chat,
        notifications,
        matches: Matches::new(presences.clone(), context.me(), rng, config.session.single_match)
            .counted(&counters),
        matchmaker: matchmaker.clone(),
        match_tokens,
        parties: parties.clone(),
        statuses: Statuses::new(presences.clone()),
        auth,
        store,
        flood: gate,
    };
    let realtime = Rc::new(Realtime::new(sessions.clone(), presences.clone(), services, config));
    let keepers = Keepers::new(parties.clone(), match_index.clone(), matchmaker.clone());
    sessions.connect(presences.clone(), realtime.clone(), Rc::new(keepers));
    let keepers = (parties, match_index, matchmaker);
    let state = ShardState::new(sessions, presences, keepers, revocations, (ranks, boards), clock);
    Ok(Built { state, api: Rc::new(api), realtime, console, leaderboards, flood })
}

fn matchmaker(
    (context, blueprint): (&ShardContext<Messages>, &Blueprint),
    sessions: &Sessions,
    post: Rc<Ports>,
    tokens: Rc<MatchTokens>,
) -> Matchmaker {
    let counters = context.counters();
    let round_time = blueprint
        .metrics(counters.board())
        .timer("matchmaker_process_time", "How long a round of the matchmaker takes, in seconds.");
    let tools = matchmaker::Tools {
        sessions: Rc::new(sessions.clone()),
        post,
        clock: context.clock(),
        rng: context.rng.clone(),
        tokens,
    };
    let settings = matchmaker::Settings::new(&blueprint.config);
    Matchmaker::new(tools, settings, Some((&counters, round_time)))
}

fn revocations(config: &Config) -> Revocations {
    let session = &config.session;
    Revocations::new(seconds(session.token_expiry_sec), seconds(session.refresh_token_expiry_sec))
}

fn seconds(configured: u64) -> i64 {
    i64::try_from(configured).unwrap_or(i64::MAX)
}

fn session_settings(config: &Config, shards: usize) -> Settings {
    let socket = &config.socket;
    Settings {
        keep_alive: KeepAlive {
            ping_period_ms: socket.ping_period_ms.into(),
            pong_wait_ms: socket.pong_wait_ms.into(),
            ping_backoff_threshold: socket.ping_backoff_threshold,
        },
        single_socket: config.session.single_socket,
        sessions_max: share(socket.max_connections, shards),
        user_sessions_max: match config.session.max_per_user {
            0 => usize::MAX,
            max => max as usize,
        },
        message_limit: flood::message_limit(config),
    }
}

fn party_settings(config: &Config) -> PartySettings {
    PartySettings {
        node: config.name.as_str().into(),
        single_party: config.session.single_party,
        size_max: i32::try_from(config.party.max_size).unwrap_or(i32::MAX),
        parties_max: config.party.max_parties as usize,
    }
}

fn socket_config(config: &Config) -> SocketConfig {
    SocketConfig {
        flush_window_max: Duration::from_millis(config.socket.flush_window_max_ms.into()),
        write_stall: Duration::from_millis(config.socket.write_wait_ms.max(1).into()),
        linger: Duration::from_millis(config.socket.close_ack_wait_ms.into()),
        ring_entries: config.socket.ring_entries.next_power_of_two(),
        receive_buffers: config.socket.receive_buffers.next_power_of_two(),
        receive_buffer_len: config.socket.receive_buffer_bytes,
        pool_bytes_max: config.socket.output_pool_bytes,
        ..SocketConfig::default()
    }
}

fn presence_limits(config: &Config) -> Limits {
    Limits {
        home: HomeLimits {
            session_streams_max: config.session.max_streams as usize,
            session_follows_max: config.session.max_status_follows as usize,
        },
        owner: OwnerLimits {
            stream_presences_max: config.tracker.max_presences_per_stream as usize,
            streams_max: config.tracker.max_streams as usize,
        },
    }
}

/// The shard's part of a bound of the node. The kernel does not spread evenly, so each part has a quarter
/// of it for room, and the node that much more at most, however many shards it has.
fn share(max: u32, shards: usize) -> usize {
    match usize::try_from(max) {
        Ok(0) | Err(_) => usize::MAX,
        Ok(max) if shards <= 1 => max,
        Ok(max) => {
            let part = max.div_ceil(shards);
            part + part.div_ceil(4)
        }
    }
}

fn listen(
    sockets: &Sockets,
    blueprint: &Blueprint,
    built: &Built,
    shards: usize,
) -> Result<Vec<Front>, ShardError> {
    let Blueprint { config, certificates, addresses, .. } = blueprint;
    let socket = &config.socket;
    let front = FrontConfig {
        listen: ListenOptions {
            connections_max: share(socket.max_connections, shards),
            per_address_max: socket.max_connections_per_address,
            send_buffer_bytes: socket.send_buffer_size_bytes,
            ..ListenOptions::default()
        },
        http: HttpLimits {
            head_bytes_max: socket.max_header_size_bytes,
            body_bytes_max: socket.max_request_size_bytes as usize,
            decoded_body_bytes_max: socket.max_request_size_bytes as usize,
            read_timeout: Duration::from_millis(socket.read_timeout_ms.into()),
            // The call's own deadline, which says more, has the first word.
            request_timeout: ApiSettings::deadline_of(config) + REQUEST_GRACE,
            idle_timeout: Duration::from_millis(socket.idle_timeout_ms.into()),
            ..HttpLimits::default()
        },
        websocket: WebSocketConfig {
            message_bytes_max: socket.max_message_size_bytes as usize,
            outgoing_queue_len_max: socket.outgoing_queue_size,
            outgoing_queue_bytes_max: socket.outgoing_queue_size_bytes,
            close_ack_wait: Duration::from_millis(socket.close_ack_wait_ms.into()),
        },
    };
    let flood = || built.flood.clone();
    let http =
        Services { http: built.api.clone(), sockets: Some(built.realtime.clone()), flood: flood() };
    let grpc = Services { http: built.api.clone(), sockets: None, flood: flood() };
    let console = Services { http: built.console.clone(), sockets: None, flood: flood() };
    let console_front = FrontConfig { http: console_limits(config), ..front.clone() };
    let fronts = [
        (addresses.http, front.clone(), http),
        (addresses.grpc, front, grpc),
        (addresses.console, console_front, console),
    ];
    let listen = |(address, front, services)| {
        Front::listen(sockets, address, front, certificates.clone(), services)
            .map_err(|why| -> ShardError { format!("cannot listen on {address}: {why}").into() })
    };
    fronts.into_iter().map(listen).collect()
}

fn console_limits(config: &Config) -> HttpLimits {
    let console = &config.console;
    let body_bytes_max = usize::try_from(console.max_message_size_bytes).unwrap_or(usize::MAX);
    HttpLimits {
        head_bytes_max: config.socket.max_header_size_bytes,
        body_bytes_max,
        decoded_body_bytes_max: body_bytes_max,
        read_timeout: Duration::from_millis(console.read_timeout_ms.into()),
        idle_timeout: Duration::from_millis(console.idle_timeout_ms.into()),
        ..HttpLimits::default()
    }
}

/// Ends everything that is open here, in order.
async fn drain(built: &Built, fronts: &[Front]) {
    fronts.iter().for_each(Front::stop);
    built.state.sessions.drain();
    built.state.sessions.drained().await;
    while fronts.iter().any(|front| front.connections() > 0) {
        runtime::sleep(Duration::from_millis(5)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_of_the_node_is_shared_with_some_room_and_zero_is_none() {
        assert_eq!(share(0, 4), usize::MAX);
        assert_eq!(share(100, 1), 100);
        assert_eq!(share(100, 4), 32);
        assert_eq!(share(200_000, 64) * 64, 250_048);
    }
}
