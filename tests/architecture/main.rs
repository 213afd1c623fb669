//! Holds the source to its shape: layers, and the few places where dangerous things may stand.
//!
//! Each rule is a test over the tokens of all files, without the code for tests. A new module needs a
//! layer; a file that must break a rule needs a line in [`EXCEPTIONS`] that says why. A line that
//! nothing needs any more fails as well.

mod source;
mod source_tests;

use kakera::config::Usage;
use source::{Source, below};

/// The modules of `src`, from the bottom up. A module imports only lower ones.
const LAYERS: &[(u8, &[&str])] = &[
    (0, &["config", "cursor", "error", "flood", "ids", "limits", "log", "metrics"]),
    (1, &["net", "params", "store"]), // `params` is a macro of the store.
    (2, &["fanout", "presence", "session"]),
    (
        3,
        &[
            "accounts",
            "auth",
            "chat",
            "friends",
            "groups",
            "iap",
            "leaderboards",
            "matches",
            "matchmaker",
            "multi_update",
            "notifications",
            "parties",
            "scheduler",
            "search",
            "status",
            "storage",
            "tournaments",
            "wallet",
        ],
    ),
    (4, &["runtime"]),
    (5, &["api", "console", "realtime"]),
    (6, &["cluster", "shard"]),
    (7, &["cli", "main", "serve"]),
];

/// Modules of one layer that may know each other, and what for.
const SIDEWAYS: &[(&str, &str, &str)] = &[
    ("flood", "config", "its keys"),
    ("log", "config", "its keys, and secrets that render as nothing"),
    ("log", "limits", "its bounds"),
    ("metrics", "config", "its keys"),
    ("metrics", "error", "status codes as labels"),
    ("metrics", "limits", "its bounds"),
    ("presence", "fanout", "presence events are fanned out"),
    ("session", "fanout", "a session takes frames, and fans its own out"),
    ("session", "presence", "a session's memberships end with it"),
    ("store", "params", "its own macro"),
    ("realtime", "api", "a socket's address is read behind proxies as a request's is"),
    ("chat", "notifications", "a direct message invites who is not there"),
    ("accounts", "leaderboards", "who is deleted has no rank"),
    ("scheduler", "leaderboards", "schedules are of boards"),
    ("scheduler", "tournaments", "events show tournaments"),
    ("tournaments", "leaderboards", "a tournament is a leaderboard with a duration"),
    ("accounts", "storage", "objects are exported and imported with their account"),
    ("multi_update", "accounts", "one transaction over several kinds of change"),
    ("multi_update", "storage", "one transaction over several kinds of change"),
    ("multi_update", "wallet", "one transaction over several kinds of change"),
    ("console", "api", "a caller's header and address are read as those of players are"),
    ("friends", "accounts", "what anybody sees of an account, and who is online"),
    ("friends", "notifications", "a request and its answer are told"),
    ("groups", "accounts", "what anybody sees of an account, and who is online"),
    ("groups", "chat", "a group's channel tells of its members"),
    ("groups", "notifications", "a request to join and its answer are told"),
    ("accounts", "auth", "deleting and banning ends sessions"),
    ("matchmaker", "matches", "who is matched gets a token for a match"),
    ("matchmaker", "search", "tickets are found by query"),
    ("parties", "matchmaker", "a party looks for others as one"),
];

/// What a layer must not know although it is lower: the domain gives effects back instead.
const NEVER: &[(u8, &str)] = &[(3, "net")];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Clock,
    Randomness,
    UnboundedQueue,
    Unsafe,
    Unwrap,
    Lock,
}

/// Files (or folders) that a rule does not hold for.
const EXCEPTIONS: &[(Rule, &str, &str)] = &[
    (Rule::Clock, "shards/src/clock.rs", "the seam itself"),
    (Rule::Clock, "src/log/render.rs", "log lines carry real time, in the simulator too"),
    (
        Rule::Clock,
        "shards/src/boot/lifecycle.rs",
        "the grace period is real time, on the main thread",
    ),
    (Rule::Clock, "shards/src/socket/ring.rs", "bounds the wait for the kernel at the end"),
    (Rule::Clock, "src/serve/mod.rs", "how long the start took, on the main thread"),
    (Rule::Clock, "src/store/sqlite", "the writer thread stands outside the shards"),
    (
        Rule::Lock,
        "src/fanout/frames.rs",
        "of several shards, the first encodes for all; once a message",
    ),
    (Rule::UnboundedQueue, "shards/src/lane.rs", "the mailbox; it counts what it holds"),
    (Rule::UnboundedQueue, "shards/src/runtime/scheduler.rs", "holds each live task at most once"),
    (Rule::Unwrap, "shards/src/sim/mod.rs", "sets a test up; nothing runs yet"),
    (Rule::Unsafe, "shards/src/runtime", "eventfds and affinity are system calls"),
    (Rule::Unsafe, "shards/src/socket", "io_uring shares memory with the kernel"),
    (Rule::Unsafe, "src/log/rotation.rs", "the time zone of the host is a C call"),
    (Rule::Unwrap, "src/session/table.rs", "connected at start-up, before any socket"),
    (
        Rule::Unwrap,
        "shards/src/runtime/local.rs",
        "being on a shard is up to the caller's code, not to input",
    ),
];

#[test]
fn every_module_has_a_layer_and_imports_only_lower_ones() {
    let mut broken = Vec::new();
    for source in below("src") {
        let Some(from) = source.module.first().map(String::as_str) else { continue };
        let Some(layer) = layer_of(from) else {
            broken.push(format!("{}: {from} has no layer; give it one in LAYERS", source.path));
            continue;
        };
        for (to, line) in source.root_names() {
            if let Some(why) = why_not(from, layer, &to) {
                broken.push(format!("{}:{line}: {from} uses {to}, {why}", source.path));
            }
        }
    }
    none(&broken);
}

fn layer_of(module: &str) -> Option<u8> {
    LAYERS.iter().find(|(_, modules)| modules.contains(&module)).map(|(layer, _)| *layer)
}

fn why_not(from: &str, layer: u8, to: &str) -> Option<String> {
    if from == to || layer == 7 {
        return None;
    }
    let Some(lower) = layer_of(to) else {
        return Some("which has no layer".to_owned());
    };
    if NEVER.contains(&(layer, to)) {
        return Some(format!("which layer {layer} must not know"));
    }
    let sideways = SIDEWAYS.iter().any(|(a, b, _)| (*a, *b) == (from, to));
    match lower.cmp(&layer) {
        std::cmp::Ordering::Less => None,
        std::cmp::Ordering::Equal if sideways => None,
        std::cmp::Ordering::Equal => {
            Some("of the same layer; if that is right, SIDEWAYS says so".to_owned())
        }
        std::cmp::Ordering::Greater => {
            Some(format!("which lies above it (layer {lower} over {layer})"))
        }
    }
}

#[test]
fn crates_know_only_those_they_may() {
    let mut broken = Vec::new();
    for (folder, strangers) in [
        ("shards/src", &["kakera", "kakera_proto"][..]),
        ("proto/src", &["kakera", "kakera_shards"]),
        ("loadtest/src", &["kakera", "kakera_shards"]),
        ("tuning/src", &["kakera", "kakera_proto"]),
    ] {
        for source in below(folder) {
            for stranger in strangers {
                broken.extend(places(&source, &[stranger, "::"], "must not be known here"));
            }
        }
    }
    none(&broken);
}

#[test]
fn the_executor_is_named_only_by_the_runtime_module() {
    let mut broken = Vec::new();
    for source in ["src", "shards/src", "loadtest/src", "proto/src"].into_iter().flat_map(below) {
        if !source.path.starts_with("shards/src/runtime") {
            broken.extend(places(&source, &["glommio"], "belongs to shards/src/runtime"));
        }
    }
    none(&broken);
}

#[test]
fn sql_stands_only_in_the_store() {
    let mut broken = Vec::new();
    for source in ["src", "shards/src"].into_iter().flat_map(below) {
        if source.path.starts_with("src/store/") {
            continue;
        }
        for (text, line) in source.strings().filter(|(text, _)| is_sql(text)) {
            broken.push(format!("{}:{line}: SQL outside src/store: {text:.60}", source.path));
        }
    }
    none(&broken);
}

fn is_sql(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let words: Vec<&str> = text.split_whitespace().collect();
    let has = |word: &str| words.contains(&word);
    match words.as_slice() {
        ["select", ..] => has("from"),
        ["update", ..] => has("set"),
        ["insert", "into", ..] | ["delete", "from", ..] | ["pragma", ..] => true,
        ["create" | "alter" | "drop", what, ..] => {
            ["table", "index", "unique", "view"].contains(what)
        }
        _ => false,
    }
}

#[test]
fn every_queue_has_a_bound() {
    check(
        Rule::UnboundedQueue,
        &["src", "shards/src"],
        &[
            &["unbounded", "("],
            &["unbounded_channel", "("],
            &["mpsc", "::", "channel"],
            &["SegQueue"],
        ],
        "grows without bound",
    );
}

#[test]
fn nothing_between_two_sockets_of_a_shard_is_locked() {
    check(
        Rule::Lock,
        &[
            "shards/src/socket",
            "src/fanout",
            "src/matches",
            "src/net/websocket",
            "src/presence",
            "src/realtime",
            "src/session",
        ],
        &[&["Mutex"], &["RwLock"], &["Condvar"], &["OnceLock"], &["LazyLock"]],
        "locks what one shard owns",
    );
}

#[test]
fn time_is_read_from_the_shards_clock() {
    check(
        Rule::Clock,
        &["src", "shards/src", "proto/src"],
        &[
            &["SystemTime", "::", "now"],
            &["Instant", "::", "now"],
            &["OffsetDateTime", "::", "now_utc"],
        ],
        "reads a clock of its own, which the simulator cannot set",
    );
}

#[test]
fn randomness_comes_from_the_shards_generator() {
    check(
        Rule::Randomness,
        &["src", "shards/src", "proto/src"],
        &[
            &["thread_rng"],
            &["rand", "::"],
            &["fastrand", "::"],
            &["getrandom"],
            &["Uuid", "::", "new_v4"],
            &["RandomState", "::", "new"],
        ],
        "is random in a way that no seed repeats",
    );
}

#[test]
fn nothing_that_a_client_can_reach_unwraps() {
    check(
        Rule::Unwrap,
        &["src", "shards/src", "proto/src"],
        &[
            &[".", "unwrap", "(", ")"],
            &[".", "expect", "("],
            &["todo", "!"],
            &["unimplemented", "!"],
        ],
        "panics",
    );
}

#[test]
fn unsafe_code_stands_in_few_files_and_says_why_it_is_sound() {
    let folders = ["src", "shards/src", "proto/src", "loadtest/src"];
    check(Rule::Unsafe, &folders, &[&["unsafe"]], "is unsafe");
    let mut broken = Vec::new();
    for source in folders.into_iter().flat_map(below) {
        let blocks =
            source.find(&["unsafe", "{"]).count() + source.find(&["unsafe", "impl"]).count();
        let reasons = source.text.matches("SAFETY:").count();
        if blocks > reasons {
            broken.push(format!(
                "{}: {blocks} unsafe blocks, {reasons} SAFETY comments",
                source.path
            ));
        }
    }
    none(&broken);
}

/// Keys that the configuration itself uses up.
const USED_BY_CONFIG: &[&str] = &["config", "data_dir", "production", "profile"];

#[test]
fn every_key_that_claims_an_effect_is_read_by_somebody() {
    let mut sources = below("src");
    sources.retain(|source| !source.path.starts_with("src/config/"));
    let mut broken = Vec::new();
    for key in kakera::config::keys().filter(|key| key.rule.usage == Usage::Used) {
        let field = key.path.rsplit('.').next().unwrap();
        let is_read = sources.iter().any(|source| source.find(&[".", field]).next().is_some());
        if !is_read && !USED_BY_CONFIG.contains(&key.path) {
            broken.push(format!("{}: nobody reads it; say so in its declaration", key.path));
        }
    }
    none(&broken);
}

#[test]
fn every_exception_is_still_needed_and_names_a_reason() {
    let mut broken = Vec::new();
    for (index, (rule, path, why)) in EXCEPTIONS.iter().enumerate() {
        if why.len() < 8 {
            broken.push(format!("{path}: {why:?} is no reason"));
        }
        if EXCEPTIONS[..index]
            .iter()
            .any(|(other, earlier, _)| other == rule && path.starts_with(earlier))
        {
            broken.push(format!("{path}: {rule:?} is allowed there already"));
        }
    }
    let sources = below("src");
    for (module, other, _) in SIDEWAYS {
        let is_used = sources
            .iter()
            .filter(|source| source.module.first().is_some_and(|first| first == module))
            .any(|source| source.root_names().iter().any(|(name, _)| name == other));
        if !is_used {
            broken.push(format!("{module} does not use {other} any more; remove it from SIDEWAYS"));
        }
    }
    none(&broken);
}

/// Fails on every place of the patterns outside the rule's exceptions, and on exceptions without one.
fn check(rule: Rule, folders: &[&str], patterns: &[&[&str]], what: &str) {
    let mut broken = Vec::new();
    let mut needed = vec![false; EXCEPTIONS.len()];
    for source in folders.iter().flat_map(|folder| below(folder)) {
        let found: Vec<_> =
            patterns.iter().flat_map(|pattern| places(&source, pattern, what)).collect();
        let exception = EXCEPTIONS
            .iter()
            .position(|(of, path, _)| *of == rule && source.path.starts_with(path));
        match exception {
            Some(index) => needed[index] |= !found.is_empty(),
            None => broken.extend(found),
        }
    }
    for ((of, path, _), needed) in EXCEPTIONS.iter().zip(needed) {
        if *of == rule && !needed {
            broken.push(format!("{path} needs its exception from {rule:?} no more"));
        }
    }
    none(&broken);
}

fn places(source: &Source, pattern: &[&str], what: &str) -> Vec<String> {
    source
        .find(pattern)
        .map(|line| format!("{}:{line}: {} {what}", source.path, pattern.concat()))
        .collect()
}

fn none(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}
