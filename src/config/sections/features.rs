//! Sections of single features: matches, presences, console, leaderboards, matchmaker, parties.

use super::section;
use crate::config::types::Secret;

section! {
    /// Authoritative matches.
    Match at "match." [matches] {
        /// Most messages from clients that wait for a match's next tick.
        input_queue_size: usize = 128, at_least(1), not_built("authoritative matches");
        /// Most calls that wait for a match.
        call_queue_size: usize = 128, at_least(1), not_built("authoritative matches");
        /// Most signals that wait for a match.
        signal_queue_size: usize = 10, at_least(1), not_built("authoritative matches");
        /// Most attempts to join that wait for a match.
        join_attempt_queue_size: usize = 128, at_least(1), not_built("authoritative matches");
        /// Most deferred broadcasts that a match holds until the end of its tick.
        deferred_queue_size: usize = 128, at_least(1), not_built("authoritative matches");
        /// Longest time for a match to acknowledge a join, in milliseconds.
        join_marker_deadline_ms: u32 = 15_000, at_least(1), not_built("authoritative matches");
        /// Seconds that a match may be empty before it ends. 0 sets no bound.
        max_empty_sec: u32 = 0, not_built("authoritative matches");
        /// Time between updates of the label index, in milliseconds.
        label_update_interval_ms: u32 = 1000, at_least(1), not_built("authoritative matches");
    }
}

section! {
    /// Presences in streams.
    Tracker at "tracker." [tracker] {
        /// Most presence events of a shard that wait for their fan-out.
        event_queue_size: usize = 1024, at_least(1), ignored("presence events are bounded by the shards' mailboxes");
        /// Most streams that one shard keeps; more are refused. Counted as `stream_joins_refused`.
        max_streams: u32 = 4_000_000, at_least(1), ours;
        /// Most presences in one stream; more are refused. Counted as `stream_joins_refused`.
        max_presences_per_stream: u32 = 100_000, at_least(1), ours;
    }
}

section! {
    /// The console for operators.
    Console at "console." [console] {
        /// Port of the console; its gRPC listens three below it.
        port: u16 = 7351, at_least(4);
        /// Address to listen on. Empty listens on all.
        address: String = String::new();
        /// Largest request, in bytes.
        max_message_size_bytes: u64 = 4_194_304, at_least(1);
        /// Longest time to read a whole request, in milliseconds.
        read_timeout_ms: u32 = 10_000, at_least(1);
        /// Longest time to write a response, in milliseconds.
        write_timeout_ms: u32 = 60_000, at_least(1), not_built("the console");
        /// Longest time between two requests on a connection, in milliseconds.
        idle_timeout_ms: u32 = 300_000, at_least(1);
        /// Name of the administrator; it begins and ends with a letter or digit.
        username: String = "admin".into(), required, public_default;
        /// Password of the administrator.
        password: Secret = "password".into(), required, public_default;
        /// Life of a console session, in seconds.
        token_expiry_sec: u64 = 86_400;
        /// Key that signs console sessions.
        signing_key: Secret = "defaultsigningkey".into(), required, public_default;
        /// Leaves display names out of account searches.
        disable_display_name_search: bool = false;
    }
    with { mfa: ConsoleMfa }
}

section! {
    /// Second factors of console users, as an older place for `mfa`.
    ConsoleMfa at "console.mfa." [console.mfa] {
        /// Key that encrypts the secrets of second factors at rest. 32 bytes.
        storage_encryption_key: Secret = MFA_KEY.into(), ignored("the console reads mfa.storage_encryption_key");
        /// Demands a second factor of the administrator.
        admin_account_enabled: bool = false, ignored("the console reads mfa.admin_account_enabled");
    }
}

section! {
    /// Second factors of console users.
    Mfa at "mfa." [mfa] {
        /// Key that encrypts the secrets of second factors at rest. 32 bytes, or empty for none.
        storage_encryption_key: Secret = MFA_KEY.into(), public_default, not_built("the console");
        /// Demands a second factor of the administrator.
        admin_account_enabled: bool = false, not_built("the console");
    }
}

const MFA_KEY: &str = "the-key-has-to-be-32-bytes-long!";

section! {
    /// Leaderboards and tournaments.
    Leaderboard at "leaderboard." [leaderboard] {
        /// Leaderboards without ranks, by id; `*` means all.
        blacklist_rank_cache: Vec<String> = Vec::new();
        /// Most ends and resets that wait for their handlers.
        callback_queue_size: usize = 65_536, at_least(1), not_built("server scripts");
        /// Workers that handle ends and resets.
        callback_queue_workers: u32 = 8, at_least(1), ignored("the shard that owns a schedule handles it");
        /// Workers that fill the rank cache.
        rank_cache_workers: u32 = 1, ignored("each shard builds the ranks it owns");
    }
}

section! {
    /// The matchmaker.
    Matchmaker at "matchmaker." [matchmaker] {
        /// Most tickets of a session or party.
        max_tickets: u32 = 3, at_least(1);
        /// Seconds between rounds of matching.
        interval_sec: u32 = 15, at_least(1);
        /// Rounds in which a ticket waits for its full count before its least count is enough.
        max_intervals: u32 = 2, at_least(1);
        /// Demands that tickets match each other's queries both ways.
        rev_precision: bool = false;
        /// Intervals that a round may take before it stops to check `matchmaker.rev_precision`. 0 never stops.
        rev_threshold: u32 = 1;
    }
}

section! {
    /// Storage objects.
    Storage at "storage." [storage] {
        /// Reads listed objects from the database even where the index could answer alone.
        disable_index_only: bool = false, not_built("storage indexes");
    }
}

section! {
    /// Parties.
    Party at "party." [party] {
        /// Time between updates of the label index, in milliseconds.
        label_update_interval_ms: u32 = 1000, at_least(1), ignored("a listing reads labels as they are");
        /// Time between looks for parties without members, in milliseconds. 0 never looks.
        idle_check_interval_ms: u32 = 30_000;
        /// Most members that a party may be created for; as many may ask to join it. Counted as `parties_refused`.
        max_size: u32 = 256, at_least(1), at_most(1024), ours;
        /// Most parties that one shard keeps; more are refused. Counted as `parties_refused`.
        max_parties: u32 = 1_000_000, at_least(1), ours;
    }
}
