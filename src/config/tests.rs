//! The whole way from sources to a checked tree.

use std::{ffi::OsString, path::PathBuf};

use proptest::prelude::*;

use super::*;

/// A file in the folder for temporary files, gone when dropped.
struct TempFile(PathBuf);

impl TempFile {
    fn new(text: &str) -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "kakera-config-{}-{}.yml",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn flag(&self) -> [String; 2] {
        ["--config".into(), self.0.to_string_lossy().into_owned()]
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn with_flags(args: &[&str]) -> Result<Loaded, ConfigError> {
    load(Sources { args: args.iter().map(ToString::to_string).collect(), variables: Vec::new() })
}

fn with_yaml(text: &str) -> Result<Loaded, ConfigError> {
    let file = TempFile::new(text);
    load(Sources { args: file.flag().into(), variables: Vec::new() })
}

fn with_variable(name: &str, value: &str) -> Result<Loaded, ConfigError> {
    load(Sources {
        args: Vec::new(),
        variables: vec![(OsString::from(name), OsString::from(value))],
    })
}

fn message(result: Result<Loaded, ConfigError>) -> String {
    result.expect_err("it should be refused").to_string()
}

#[test]
fn without_sources_the_defaults_apply_and_secrets_are_warned_about() {
    let loaded = with_flags(&[]).unwrap();
    assert_eq!(loaded.config.name, "nakama");
    assert_eq!(loaded.config.socket.port, 7350);
    assert_eq!(loaded.config.database.driver, DatabaseDriver::Sqlite);
    assert!(loaded.config.database.path.ends_with("data/kakera.db"));
    let warned: Vec<_> = loaded.warnings.iter().map(|warning| warning.key).collect();
    assert_eq!(
        warned,
        [
            "console.password",
            "console.signing_key",
            "console.username",
            "mfa.storage_encryption_key",
            "runtime.http_key",
            "session.encryption_key",
            "session.refresh_encryption_key",
            "socket.server_key",
        ]
    );
}

#[test]
fn flags_win_over_variables_and_those_over_later_files_over_earlier_ones() {
    let first =
        TempFile::new("name: first\nsocket: {port: 1001, address: 1.1.1.1, idle_timeout_ms: 1}");
    let second = TempFile::new("socket:\n  port: 1002\n  address: 2.2.2.2\n  read_timeout_ms: 2\n");
    let variables = vec![
        (OsString::from("KAKERA_SOCKET_PORT"), OsString::from("1003")),
        (OsString::from("KAKERA_SOCKET_WRITE_TIMEOUT_MS"), OsString::from("3")),
    ];
    let mut args: Vec<String> = [first.flag(), second.flag()].concat();
    args.extend(["-socket.port=1004".to_owned()]);
    let loaded = load(Sources { args, variables: variables.clone() }).unwrap();
    let socket = &loaded.config.socket;
    assert_eq!((socket.port, socket.write_timeout_ms), (1004, 3));
    assert_eq!(
        (socket.address.as_str(), socket.read_timeout_ms, socket.idle_timeout_ms),
        ("2.2.2.2", 2, 1)
    );
    assert_eq!(loaded.config.name, "first");
    let origin = |path| loaded.origin(find(path).unwrap()).clone();
    assert_eq!(origin("socket.port"), Source::Flag("socket.port".into()));
    assert_eq!(
        origin("socket.write_timeout_ms"),
        Source::Variable("KAKERA_SOCKET_WRITE_TIMEOUT_MS".into())
    );
    assert_eq!(origin("socket.address"), Source::File(second.0.clone()));
    assert_eq!(origin("socket.protocol"), Source::Default);

    let without_flag = load(Sources { args: second.flag().into(), variables }).unwrap();
    assert_eq!(without_flag.config.socket.port, 1003);
}

#[test]
fn a_profile_comes_before_all_other_sources_whoever_names_it() {
    let file = TempFile::new("profile: small-vm\nsocket: {receive_buffers: 64}");
    let mut args = Vec::from(file.flag());
    args.push("--mailbox_events_max=300".to_owned());
    let loaded = load(Sources { args, variables: Vec::new() }).unwrap();
    let config = &loaded.config;
    assert_eq!((config.mailbox_requests_max, config.mailbox_events_max), (2048, 300));
    assert_eq!((config.socket.receive_buffers, config.socket.ring_entries), (64, 512));
    let origin = |path| loaded.origin(find(path).unwrap()).clone();
    assert_eq!(origin("mailbox_requests_max"), Source::File("small-vm".into()));

    let measured = TempFile::new("shards: 3\n");
    let loaded = with_flags(&["--profile", &measured.0.to_string_lossy()]).unwrap();
    assert_eq!(loaded.config.shards, 3);
}

#[test]
fn every_bundled_profile_is_a_valid_configuration() {
    for (name, _) in kakera_tuning::profile::BUNDLED {
        let loaded = with_flags(&["--profile", name]).unwrap();
        assert!(loaded.config.socket.max_connections > 0, "{name}");
    }
    let unknown = message(with_flags(&["--profile", "no-such-host"]));
    assert!(unknown.contains("no-such-host") && unknown.contains("small-vm"), "{unknown}");
}

#[test]
fn a_variable_names_the_file_unless_a_flag_does() {
    let file = TempFile::new("name: from-file");
    let loaded = with_variable("KAKERA_CONFIG", &file.0.to_string_lossy()).unwrap();
    assert_eq!(loaded.config.name, "from-file");
}

#[test]
fn an_unknown_key_names_its_place_and_the_nearest_key() {
    let yaml = message(with_yaml("socket:\n  port: 7350\n  sever_key: x\n"));
    assert!(yaml.contains("line 3") && yaml.contains("\"socket.sever_key\""), "{yaml}");
    assert!(yaml.contains("nearest one is socket.server_key"), "{yaml}");
    let flag = message(with_flags(&["--socket.prot", "1"]));
    assert!(
        flag.contains("flag --socket.prot") && flag.contains("nearest one is socket.port"),
        "{flag}"
    );
    let section = message(with_yaml("sockets:\n  port: 1\n"));
    assert!(section.contains("line 1") && section.contains("\"sockets\""), "{section}");
    let dotted = message(with_yaml("socket.port: 1\n"));
    assert!(dotted.contains("nested"), "{dotted}");
}

#[test]
fn a_wrong_type_names_its_place_the_key_and_what_it_takes() {
    for (text, expected) in [
        ("name: x\nsocket:\n  port: many\n", ["line 3", "socket.port takes a whole number"]),
        ("socket:\n  port: 1.5\n", ["line 2", "socket.port takes a whole number"]),
        ("socket:\n  port: 70000\n", ["socket.port takes a whole number from 0 to 65535", "70000"]),
        ("socket:\n  port: [1]\n", ["line 2", "socket.port takes a whole number"]),
        ("logger:\n  stdout: maybe\n", ["line 2", "logger.stdout takes a bool"]),
        (
            "logger:\n  level: loud\n",
            ["logger.level takes one of debug, info, warn, error", "loud"],
        ),
        ("logger:\n  file: {a: 1}\n", ["line 2", "logger.file takes a string"]),
        ("database:\n  address: root@h\n", ["line 2", "database.address takes a list"]),
        ("database:\n  address: [[a]]\n", ["line 2", "database.address takes a list"]),
        ("socket: 5\n", ["line 1", "socket takes keys below it"]),
        ("- 1\n", ["line 1", "the file takes keys below it"]),
        ("cores: [a]\n", ["cores takes whole numbers", "a"]),
    ] {
        let message = message(with_yaml(text));
        for part in expected {
            assert!(message.contains(part), "{text:?} gives {message}");
        }
    }
    let flag = message(with_flags(&["--socket.port", "x"]));
    assert_eq!(flag, "flag --socket.port: socket.port takes a whole number, not x");
    let variable = message(with_variable("KAKERA_LOGGER_STDOUT", "2"));
    assert_eq!(
        variable,
        "environment variable KAKERA_LOGGER_STDOUT: logger.stdout takes a bool, not 2"
    );
}

#[test]
fn broken_yaml_duplicates_and_missing_files_are_errors_with_their_place() {
    let broken = message(with_yaml("name: x\nsocket: {port: 1\n"));
    assert!(broken.contains("line"), "{broken}");
    let twice = message(with_yaml("name: x\nname: y\n"));
    assert!(twice.contains("line 2") && twice.contains("name is given twice"), "{twice}");
    let missing = message(with_flags(&["--config", "/nonexistent/kakera.yml"]));
    assert!(missing.contains("/nonexistent/kakera.yml"), "{missing}");
}

#[test]
fn flags_without_value_or_dash_are_errors() {
    assert_eq!(message(with_flags(&["--name"])), "flag --name needs a value");
    assert!(message(with_flags(&["stray"])).contains("\"stray\""));
    assert!(message(with_flags(&["--"])).contains("\"--\""));
}

#[test]
fn a_bool_flag_needs_no_value_and_takes_one() {
    let on = with_flags(&["--session.single_socket", "--name", "n"]).unwrap().config;
    assert!(on.session.single_socket && on.name == "n");
    let off = with_flags(&["-logger.stdout", "false", "-session.single_socket=T"]).unwrap().config;
    assert!(!off.logger.stdout && off.session.single_socket);
}

#[test]
fn yaml_text_is_taken_as_written_and_empty_values_leave_the_default() {
    let config = with_yaml(
        "name: 0123\nlogger:\nsocket:\n  server_key: 1.10\n  address: ~\n  port:\n  response_headers:\nsession:\n  single_socket: yes\n  token_expiry_sec: 0x10\n  refresh_token_expiry_sec: 1e3\ndatabase:\n  max_open_conns: 1_000\n",
    )
    .unwrap()
    .config;
    assert_eq!(config.name, "0123");
    assert_eq!(config.socket.server_key.expose(), "1.10");
    assert_eq!((config.socket.address.as_str(), config.socket.port), ("", 7350));
    assert!(config.session.single_socket);
    assert_eq!(
        (config.session.token_expiry_sec, config.session.refresh_token_expiry_sec),
        (16, 1000)
    );
    assert_eq!(config.database.max_open_conns, 1000);
}

#[test]
fn lists_replace_each_other_but_script_environment_merges() {
    let first =
        TempFile::new("runtime: {env: [A=1, B=2]}\nleaderboard: {blacklist_rank_cache: [x, y]}\n");
    let second = TempFile::new("runtime: {env: [B=3]}\nleaderboard: {blacklist_rank_cache: [z]}\n");
    let mut args = [first.flag(), second.flag()].concat();
    args.extend(["--runtime.env".into(), "C=4".into(), "--runtime.env=A=5=6".into()]);
    let config = load(Sources { args, variables: Vec::new() }).unwrap().config;
    assert_eq!(
        config.runtime.env.iter().collect::<Vec<_>>(),
        [("A", "5=6"), ("B", "3"), ("C", "4")]
    );
    assert_eq!(config.leaderboard.blacklist_rank_cache, ["z"]);
}

#[test]
fn every_start_up_rule_refuses_and_names_key_and_origin() {
    for (args, key) in [
        (&["--name", ""][..], "name"),
        (&["--name", "seventeen-letters"], "name"),
        (&["--session.token_expiry_sec", "0"], "session.token_expiry_sec"),
        (&["--session.refresh_encryption_key", "defaultencryptionkey"], "session.encryption_key"),
        (&["--session.single_match"], "session.single_match"),
        (&["--session.single_party"], "session.single_party"),
        (&["--socket.ping_period_ms", "25000"], "socket.ping_period_ms"),
        (&["--socket.ssl_certificate", "a.pem"], "socket.ssl_private_key"),
        (&["--socket.server_key", ""], "socket.server_key"),
        (&["--runtime.lua_min_count", "49"], "runtime.lua_min_count"),
        (&["--runtime.max_count", "15"], "runtime.lua_max_count"),
        (&["--runtime.js_min_count", "33"], "runtime.js_min_count"),
        (&["--runtime.lua_registry_size", "127"], "runtime.lua_registry_size"),
        (&["--runtime.registry_size", "127"], "runtime.registry_size"),
        (&["--console.username", "-x-"], "console.username"),
        (&["--mfa.storage_encryption_key", "short"], "mfa.storage_encryption_key"),
        (&["--satori.url", "http://x"], "satori.api_key"),
        (&["--satori.retry_count", "4"], "satori.retry_count"),
        (&["--shards", "2", "--cores", "0"], "cores"),
        (&["--flush", "1"], "flush"),
        (&["--socket.flush_window_max_ms", "101"], "socket.flush_window_max_ms"),
        (&["--shutdown_grace_sec", "-1"], "shutdown_grace_sec"),
    ] {
        let message = message(with_flags(args));
        assert!(message.contains(key) && message.contains("flag --"), "{args:?} gives {message}");
    }
    let none = message(with_yaml("database:\n  address: []\n"));
    assert!(none.contains("database.address") && none.contains("must have an entry"), "{none}");
    assert!(message(with_flags(&["--socket.protocol", "udp"])).contains("tcp, tcp4, tcp6"));
}

#[test]
fn all_broken_rules_are_told_at_once() {
    match with_flags(&["--name", "", "--socket.server_key", ""]) {
        Err(ConfigError::Rules(broken)) => assert_eq!(broken.len(), 2),
        other => panic!("{other:?}"),
    }
}

#[test]
fn production_refuses_known_secrets_and_names_each() {
    let message = message(with_flags(&["--production", "--socket.server_key", "mine"]));
    for key in [
        "session.encryption_key",
        "session.refresh_encryption_key",
        "runtime.http_key",
        "console.password",
    ] {
        assert!(message.contains(key), "{message}");
    }
    assert!(!message.contains("socket.server_key"), "{message}");

    let mut args = own_secrets();
    args.push("--production".to_owned());
    let loaded = load(Sources { args, variables: Vec::new() }).unwrap();
    assert!(
        loaded
            .warnings
            .iter()
            .all(|warning| !warning.what.contains("INSECURE") || warning.key == "console.username")
    );
}

#[test]
fn keys_without_effect_are_accepted_with_a_reason() {
    let loaded =
        with_flags(&["--metrics.reporting_freq_sec", "5", "--runtime.min_count", "4"]).unwrap();
    let said = |key| {
        loaded
            .warnings
            .iter()
            .find(|warning| warning.key == key)
            .map(|warning| warning.what.as_str())
    };
    assert_eq!(
        said("metrics.reporting_freq_sec"),
        Some("has no meaning here: metrics are counted at every scrape")
    );
    assert_eq!(said("runtime.min_count"), Some("is deprecated, use runtime.lua_min_count"));
    assert_eq!(said("metrics.prometheus_port"), None);
}

#[test]
fn a_database_address_selects_postgres_unless_the_driver_is_given() {
    let by_address = with_flags(&["--database.address", "u:p@h/db"]).unwrap().config;
    assert_eq!(by_address.database.driver, DatabaseDriver::Postgres);
    let args = ["--database.address", "u:p@h/db", "--database.driver", "sqlite"];
    assert_eq!(with_flags(&args).unwrap().config.database.driver, DatabaseDriver::Sqlite);
}

#[test]
fn paths_follow_the_data_folder_unless_given() {
    let config = with_flags(&["--data_dir", "/srv/k"]).unwrap().config;
    assert_eq!(
        (config.database.path.as_str(), config.runtime.path.as_str()),
        ("/srv/k/kakera.db", "/srv/k/modules")
    );
    let config =
        with_flags(&["--data_dir", "/srv/k", "--database.path", "here.db"]).unwrap().config;
    assert_eq!(config.database.path, "here.db");
}

fn own_secrets() -> Vec<String> {
    let own = |path| match path {
        "mfa.storage_encryption_key" => "x".repeat(32),
        path => format!("own-{path}"),
    };
    keys()
        .filter(|key| key.secret && key.rule.public_default)
        .map(|key| format!("--{}={}", key.path, own(key.path)))
        .collect()
}

/// A value unlike the default that every rule of the key allows.
fn another_value(key: &Key) -> Value {
    match (key.path, key.default_value()) {
        ("console.username", _) => Value::Text("op3rator".into()),
        ("profile", _) => Value::Text("small-vm".into()),
        ("console.mfa.storage_encryption_key" | "mfa.storage_encryption_key", _) => {
            Value::Text("y".repeat(32))
        }
        (_, Value::Bool(value)) => Value::Bool(!value),
        (_, Value::Int(value)) if value < key.rule.max => Value::Int(value + 1),
        (_, Value::Int(value)) => Value::Int(value - 1),
        (_, Value::Text(value)) => match key.choices.iter().find(|word| **word != value) {
            Some(word) => Value::Text((*word).to_owned()),
            None => Value::Text("a \"b\": #c".into()),
        },
        (_, Value::List(_)) if key.kind == Kind::NumberList => {
            Value::List(vec!["3".into(), "5".into()])
        }
        (_, Value::List(_)) => Value::List(vec!["a=b, c".into(), "d=e".into()]),
    }
}

/// What must be set beside a key so that the rules across keys hold.
fn companions(path: &str) -> &'static [&'static str] {
    match path {
        "session.single_match" | "session.single_party" => &["--session.single_socket"],
        "socket.ssl_certificate" => &["--socket.ssl_private_key=k"],
        "socket.ssl_private_key" => &["--socket.ssl_certificate=c"],
        "satori.url" => {
            &["--satori.api_key_name=n", "--satori.api_key=k", "--satori.signing_key=s"]
        }
        "satori.api_key_name" => {
            &["--satori.url=u", "--satori.api_key=k", "--satori.signing_key=s"]
        }
        "satori.api_key" => {
            &["--satori.url=u", "--satori.api_key_name=n", "--satori.signing_key=s"]
        }
        "satori.signing_key" => {
            &["--satori.url=u", "--satori.api_key_name=n", "--satori.api_key=k"]
        }
        "runtime.max_count" => &["--runtime.min_count=1"],
        "runtime.registry_size" => &["--runtime.lua_registry_size=512"],
        _ => &[],
    }
}

#[test]
fn every_key_is_read_the_same_from_yaml_variables_and_flags() {
    for key in keys().filter(|key| key.path != "config") {
        let mut value = another_value(key);
        if key.path == "runtime.registry_size" {
            value = Value::Int(256);
        }
        let companions: Vec<String> = match key.path {
            "production" => own_secrets(),
            path => companions(path).iter().map(ToString::to_string).collect(),
        };
        let json = match &value {
            Value::Bool(value) => value.to_string(),
            Value::Int(value) => value.to_string(),
            Value::Text(text) => serde_json::to_string(text).unwrap(),
            Value::List(list) => serde_json::to_string(list).unwrap(),
        };
        let nested = key.path.rsplit('.').fold(json, |inner, name| format!("{{{name}: {inner}}}"));
        let plain = match &value {
            Value::Bool(value) => value.to_string(),
            Value::Int(value) => value.to_string(),
            Value::Text(text) => text.clone(),
            Value::List(list) => list.join("\n"),
        };
        let flags: Vec<String> = match &value {
            Value::List(list) => {
                list.iter().map(|entry| format!("-{}={entry}", key.path)).collect()
            }
            _ => vec![format!("--{}", key.path), plain.clone()],
        };
        let file = TempFile::new(&nested);
        let from_yaml = [&file.flag()[..], &companions].concat();
        let from_flags = [flags, companions.clone()].concat();
        let variables = vec![(OsString::from(key.env_name()), OsString::from(plain))];
        for sources in [
            Sources { args: from_yaml, variables: Vec::new() },
            Sources { args: companions, variables },
            Sources { args: from_flags, variables: Vec::new() },
        ] {
            let loaded = load(sources).unwrap_or_else(|error| panic!("{}: {error}", key.path));
            assert_eq!((key.value)(&loaded.config), value, "{}", key.path);
            assert_ne!(*loaded.origin(key), Source::Default, "{}", key.path);
        }
    }
}

#[test]
fn no_secret_is_in_what_check_prints_or_in_debug_output() {
    let mut args = Vec::new();
    for key in keys().filter(|key| key.secret) {
        let value = match key.path {
            "mfa.storage_encryption_key" => "hush0123456789012345678901234567".to_owned(),
            "runtime.env" => "TOKEN=hush".to_owned(),
            "database.address" => "user:hush@host/db".to_owned(),
            path => format!("hush-{path}"),
        };
        args.push(format!("--{}={value}", key.path));
    }
    args.extend(["--satori.url=u".to_owned(), "--satori.api_key_name=n".to_owned()]);
    let loaded = load(Sources { args, variables: Vec::new() }).unwrap();
    let shown = effective_yaml(&loaded);
    assert!(!shown.contains("hush"), "{shown}");
    assert!(!format!("{loaded:?}").contains("hush"));
    assert!(shown.contains("server_key: \"<hidden>\"  # flag --socket.server_key"), "{shown}");
}

#[test]
fn errors_about_secrets_do_not_hold_them() {
    let yaml = message(with_yaml("socket:\n  server_key: [hush]\n"));
    let entry = message(with_flags(&["--runtime.env", "hush"]));
    assert!(!yaml.contains("hush") && !entry.contains("hush"), "{yaml} {entry}");
}

#[test]
fn what_check_prints_is_read_back_to_the_same_configuration() {
    let loaded =
        with_flags(&["--name", "n", "--cores", "1", "--socket.response_headers", "a=b"]).unwrap();
    // Secrets are hidden in it, so only the rest can be compared.
    let shown = effective_yaml(&loaded).replace("<hidden>", "abcdefghijklmnopqrstuvwxyz012345");
    let mut lines: Vec<_> = shown.lines().collect();
    lines.retain(|line| !line.contains("encryption_key"));
    let shown = lines.join(
        "
",
    );
    let again = with_yaml(&shown).unwrap();
    for key in
        keys().filter(|key| !key.secret && key.path != "config" && key.path != "database.driver")
    {
        assert_eq!(key.shown(&again.config), key.shown(&loaded.config), "{}", key.path);
    }
}

#[test]
fn help_names_every_key_and_its_variable() {
    let help = help();
    for key in keys() {
        assert!(
            help.contains(&format!("--{} ", key.path)) && help.contains(&key.env_name()),
            "{}",
            key.path
        );
    }
}

/// YAML with real names in it, so that it gets past the first unknown key.
fn plausible_yaml() -> impl Strategy<Value = String> {
    let paths: Vec<&'static str> = keys().map(|key| key.path).collect();
    let scalar = prop_oneof![
        "[ -~]{0,12}",
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| number.to_string()),
        Just("&a [*a, 1]".to_owned()),
        Just("!!null x".to_owned()),
        Just("|\n  text".to_owned()),
        Just("{a: [b, {c: }]}".to_owned()),
    ];
    let line =
        (prop::sample::select(paths), scalar, any::<bool>()).prop_map(|(path, scalar, nested)| {
            if nested {
                path.rsplit('.').fold(scalar, |inner, name| format!("{{{name}: {inner}}}")) + "\n"
            } else {
                let name = path.rsplit('.').next().unwrap_or(path);
                format!("{name}: {scalar}\n")
            }
        });
    prop::collection::vec(line, 1..6).prop_map(|lines| lines.concat())
}

proptest! {
    #[test]
    fn arbitrary_text_as_yaml_never_panics(text in "\\PC{0,200}") {
        let _ = yaml::read(std::path::Path::new("arbitrary.yml"), &text);
    }

    #[test]
    fn yaml_punctuation_never_panics(text in "[a-z0-9:\\-\\[\\]{},&*!|>'\"#?%@` \n\t~.]{0,120}") {
        let _ = yaml::read(std::path::Path::new("arbitrary.yml"), &text);
    }

    #[test]
    fn plausible_yaml_never_panics(text in plausible_yaml()) {
        let _ = yaml::read(std::path::Path::new("plausible.yml"), &text);
    }

    #[test]
    fn arbitrary_flags_never_panic(args in prop::collection::vec("-{0,2}[a-z._=]{0,20}", 0..5)) {
        let _ = flags::read(&args);
    }
}
