//! The root of the tree, and what every process has: name, places, logs, metrics, session tokens.

use super::section;
use super::{
    Console, Database, Flood, GoogleAuth, Iap, Leaderboard, Match, Matchmaker, Mfa, Party, Runtime,
    Satori, Social, Socket, Storage, Tracker,
};
use crate::config::types::{LogFormat, LogLevel, Secret};

section! {
    /// The whole configuration, as typed values. `Default` gives what a server without any source runs with.
    Config at "" [] {
        /// Name of the node, unique in its cluster. 1 to 16 characters.
        name: String = "nakama".into();
        /// YAML files to read, in order; a later file wins over an earlier one.
        config: Vec<String> = Vec::new();
        /// Profile of the host to begin with: the name of a bundled one (`kakera tune profiles`) or a file. Every other source wins over it.
        profile: String = String::new(), ours;
        /// Longest time to finish what is in flight after a termination signal, in seconds. 0 stops at once.
        shutdown_grace_sec: u32 = 0;
        /// Folder for data and script modules.
        data_dir: String = data_dir();
        /// Refuses to start with secrets that everyone knows.
        production: bool = false, ours;
        /// Number of shards, each one core and one executor. 0 takes one for each core that the process may use, or fewer where
        /// a quota of processor time is less; then none is pinned.
        shards: u16 = 0, at_most(1024), ours;
        /// Cores to pin the shards to, by number. Empty takes them in order from those the process may use.
        cores: Vec<u16> = Vec::new(), ours;
        /// Takes one hardware thread of each physical core.
        cores_without_smt: bool = false, ours;
        /// Most cores to take of each NUMA node. 0 sets no bound.
        shards_per_numa_node: u16 = 0, at_most(1024), ours;
        /// Requests of one shard that may wait for another; one more is refused. Counted as `mesh_requests_refused`.
        mailbox_requests_max: u32 = 4096, at_least(64), at_most(1_048_576), ours;
        /// Events of one shard that may wait for another; one more is dropped and counted, unless it ends something.
        mailbox_events_max: u32 = 16_384, at_least(256), at_most(1_048_576), ours;
        /// How long a shard without work looks for messages before it sleeps, in microseconds. Costs idle CPU, saves wake-ups.
        spin_before_park_us: u32 = 0, at_most(10_000), ours;
        /// Threads for work that blocks, such as password hashing. 0 takes one for each core, and at least two.
        blocking_threads: u16 = 0, at_most(256), ours;
    }
    with {
        logger: Logger,
        metrics: Metrics,
        session: Session,
        socket: Socket,
        flood: Flood,
        database: Database,
        social: Social,
        runtime: Runtime,
        matches: Match,
        tracker: Tracker,
        console: Console,
        leaderboard: Leaderboard,
        matchmaker: Matchmaker,
        iap: Iap,
        google_auth: GoogleAuth,
        satori: Satori,
        storage: Storage,
        mfa: Mfa,
        party: Party,
    }
}

fn data_dir() -> String {
    // Without a working directory there is nothing better than the relative name.
    std::env::current_dir().unwrap_or_default().join("data").to_string_lossy().into_owned()
}

section! {
    /// Logs: how much, in which shape, and where to.
    Logger at "logger." [logger] {
        /// Least severe events to log.
        level: LogLevel = LogLevel::Info;
        /// Logs to standard output, also when there is a file.
        stdout: bool = true;
        /// File to log to. Empty for none.
        file: String = String::new();
        /// Rotates the log file when it reaches `logger.max_size`.
        rotation: bool = false;
        /// Size at which a log file is rotated, in megabytes. 0 means 100.
        max_size: u32 = 100;
        /// Days to keep rotated files. 0 keeps them whatever their age.
        max_age: u32 = 0;
        /// Rotated files to keep. 0 keeps all.
        max_backups: u32 = 0;
        /// Names rotated files by local time instead of UTC.
        local_time: bool = false;
        /// Compresses rotated files with gzip.
        compress: bool = false;
        /// Shape of log lines.
        format: LogFormat = LogFormat::Json;
    }
}

section! {
    /// Metrics for Prometheus.
    Metrics at "metrics." [metrics] {
        /// Seconds between exports.
        reporting_freq_sec: u32 = 60, ignored("metrics are counted at every scrape");
        /// Value of the label `namespace` on every metric. Empty leaves the label out.
        namespace: String = String::new();
        /// Port to serve metrics on, as text for Prometheus. 0 serves none.
        prometheus_port: u16 = 0;
        /// Address to serve metrics on. Empty listens on all.
        address: String = String::new(), ours;
        /// What metric names begin with. Empty for nothing.
        prefix: String = "nakama".into();
        /// What the names of metrics made by scripts begin with, after `metrics.prefix`.
        custom_prefix: String = "custom".into(), not_built("the script runtime");
        /// Most combinations of labels for metrics made by scripts; more are dropped and counted. 0 sets no bound.
        custom_scope_limit: u32 = 10_000, not_built("the script runtime");
    }
}

section! {
    /// Session tokens, and how many things a user may have open at once.
    Session at "session." [session] {
        /// Key that signs session tokens.
        encryption_key: Secret = "defaultencryptionkey".into(), required, public_default;
        /// Life of a session token, in seconds.
        token_expiry_sec: u64 = 60, at_least(1);
        /// Key that signs refresh tokens; it must differ from the other.
        refresh_encryption_key: Secret = "defaultrefreshencryptionkey".into(), required, public_default;
        /// Life of a refresh token, in seconds.
        refresh_token_expiry_sec: u64 = 3600, at_least(1);
        /// Allows one socket a user; a new one closes the old one.
        single_socket: bool = false;
        /// Allows one match a user; joining another leaves it. Needs `session.single_socket`.
        single_match: bool = false;
        /// Allows one party a user; joining another leaves it. Needs `session.single_socket`.
        single_party: bool = false;
        /// Allows one session token a user; a new one ends the old ones.
        single_session: bool = false;
        /// Most sockets of one user; a new one closes the oldest. 0 sets no bound. Counted as `sessions_over_user_bound`.
        max_per_user: u32 = 0, ours;
        /// Most streams (rooms, groups, matches, parties, status) that one session may be in. Counted as `stream_joins_refused`.
        max_streams: u32 = 1024, at_least(1), ours;
        /// Most users whose status one session may follow. Counted as `stream_joins_refused`.
        max_status_follows: u32 = 10_000, at_least(1), ours;
    }
}
