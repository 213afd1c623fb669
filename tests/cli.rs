//! The commands of the built binary, as a person or a script meets them.

use std::{
    io::{Read, Write},
    net::TcpListener,
    process::{Command, Output},
    thread,
};

fn kakera(args: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kakera"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("KAKERA_") {
            command.env_remove(name);
        }
    }
    command.args(args).envs(variables.iter().copied()).output().expect("the binary runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn check_prints_the_effective_configuration_with_origins_and_without_secrets() {
    let output = kakera(
        &["check", "-socket.port=7777", "--socket.server_key", "hush"],
        &[("KAKERA_SESSION_ENCRYPTION_KEY", "hush-too"), ("KAKERA_NAME", "here")],
    );
    assert!(output.status.success(), "{}", stderr(&output));
    let shown = stdout(&output);
    assert!(shown.contains("name: \"here\"  # environment variable KAKERA_NAME"), "{shown}");
    assert!(shown.contains("  port: 7777  # flag --socket.port"), "{shown}");
    assert!(!shown.contains("hush") && !stderr(&output).contains("hush"), "{shown}");
    assert!(stderr(&output).contains("console.password: INSECURE DEFAULT"), "{}", stderr(&output));
}

#[test]
fn a_bad_configuration_ends_with_failure_and_says_where() {
    let output = kakera(&["check"], &[("KAKERA_SOCKET_PRT", "1")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("KAKERA_SOCKET_PRT"), "{}", stderr(&output));
    assert!(stderr(&output).contains("socket.port"), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
}

#[test]
fn production_does_not_start_with_default_secrets() {
    let output = kakera(&["serve", "--production"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("socket.server_key"), "{}", stderr(&output));
}

#[test]
fn version_and_help_are_printed() {
    assert_eq!(
        stdout(&kakera(&["--version"], &[])).trim(),
        concat!("kakera ", env!("CARGO_PKG_VERSION"))
    );
    let help = stdout(&kakera(&["--help"], &[]));
    assert!(
        help.contains("migrate up|down|redo|status") && help.contains("--socket.server_key string")
    );
}

#[test]
fn healthcheck_tells_a_well_server_from_a_sick_and_a_missing_one() {
    for (answer, is_well) in
        [("HTTP/1.1 200 OK\r\n\r\n", true), ("HTTP/1.1 503 Unavailable\r\n\r\n", false)]
    {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&request[..read]).into_owned()
        });
        let output = kakera(&["healthcheck", &port.to_string()], &[]);
        assert_eq!(output.status.success(), is_well, "{answer}");
        assert!(server.join().unwrap().starts_with("GET /healthcheck HTTP/1.1\r\n"));
    }
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert!(!kakera(&["healthcheck", &free.to_string()], &[]).status.success());
}

#[test]
fn migrate_brings_the_embedded_schema_up_and_down_and_says_so() {
    let folder = std::env::temp_dir().join(format!("kakera-cli-{}", std::process::id()));
    let path = folder.join("kakera.db").to_string_lossy().into_owned();
    let migrate = |direction: &str| {
        let output = kakera(&["migrate", direction, "--database.path", &path], &[]);
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    assert!(migrate("up").starts_with("applied "));
    let status = migrate("status");
    assert!(!status.is_empty() && !status.contains("not applied"), "{status}");
    assert!(migrate("down").starts_with("reverted "));
    assert!(migrate("status").contains("not applied"));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn tune_looks_at_this_host_and_lists_profiles() {
    let output = kakera(&["tune", "probe", "--json"], &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    let findings: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("it is JSON");
    let findings = findings.as_array().expect("it is a list");
    let named = |name: &str| findings.iter().find(|finding| finding["name"] == name);
    let ring = named("io_uring features").expect("it is looked at");
    assert_eq!(ring["verdict"], "good");
    assert!(named("open files").is_some());

    let text = stdout(&kakera(&["tune", "probe"], &[]));
    assert!(text.contains("io_uring features: complete"), "{text}");
    let profiles = stdout(&kakera(&["tune", "profiles"], &[]));
    assert!(profiles.lines().any(|line| line.starts_with("small-vm ")), "{profiles}");
}

#[test]
fn tune_measures_shards_and_writes_a_profile_that_serves() {
    let path = std::env::temp_dir().join(format!("kakera-tuned-{}.yml", std::process::id()));
    let file = path.to_string_lossy().into_owned();
    let output = kakera(&["tune", "shards", "--seconds", "1", "--output", &file, "--json"], &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    let measured: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("it is JSON");
    assert!(measured[0]["numbers"]["deliveries_per_sec"].as_f64().is_some_and(|rate| rate > 0.0));
    let shards = measured[0]["candidate"]["shards"].as_u64().expect("it is a number");
    let checked = kakera(&["check", "--profile", &file], &[]);
    let _ = std::fs::remove_file(&path);
    assert!(checked.status.success(), "{}", stderr(&checked));
    assert!(
        stdout(&checked).contains(&format!("shards: {shards}  # {file}")),
        "{}",
        stdout(&checked)
    );
}
