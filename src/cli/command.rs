//! Reads the command line as far as the command; the flags after it belong to the configuration.

use super::Failure;

/// What the person asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Serve(Vec<String>),
    Migrate { direction: Direction, limit: Option<u32>, args: Vec<String> },
    Check(Vec<String>),
    Healthcheck { port: u16 },
    Tune(Tune),
    Version,
    Help,
}

/// What is to be tuned.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tune {
    /// Looks at the host.
    Probe { json: bool, apply: bool },
    /// Measures shards on it, and writes a profile.
    Shards { json: bool, seconds: u64, output: String },
    /// Lists the bundled profiles.
    Profiles,
}

/// Which way the schema goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Up,
    Down,
    Redo,
    Status,
}

pub(super) const HELP: &str = "\
Kakera, a game server that speaks the Nakama protocol.

Usage: kakera [COMMAND] [FLAGS]

Commands:
  serve                          runs the server; what happens without a command
  migrate up|down|redo|status    changes or shows the database schema; --limit N bounds the steps
  check                          validates the configuration and prints it, secrets hidden
  tune probe [--json] [--apply]  looks at this host: what to change, why and how; --apply changes what it can
  tune shards [--seconds N] [--output FILE] [--json]
                                 measures how many shards suit this host and writes a profile
  tune profiles                  lists the bundled profiles, for serve --profile NAME
  healthcheck [PORT]             asks a server on this machine whether it is well (default port 7350)
  version                        prints the version
  help                           prints this

Flags are written --key value, --key=value, -key value or -key=value; a list repeats its flag. Every key
can also stand in a YAML file (--config FILE, repeatable) and in an environment variable. Flags win over
variables, those over files, a later file over an earlier one.

";

const COMMANDS: [&str; 7] = ["serve", "migrate", "check", "tune", "healthcheck", "version", "help"];
/// How long `tune shards` measures, in seconds: by default, and at most.
const TUNE_SECONDS: (u64, u64) = (60, 110);
const TUNED_PROFILE: &str = "tuned.yml";

pub(super) fn parse(mut args: Vec<String>) -> Result<Command, Failure> {
    let Some(first) = args.first().map(String::as_str) else {
        return Ok(Command::Serve(args));
    };
    match first {
        "--version" | "-version" => return Ok(Command::Version),
        flag if flag.starts_with('-') => {
            return if asks_for_help(&args) { Ok(Command::Help) } else { Ok(Command::Serve(args)) };
        }
        _ => {}
    }
    let name = args.remove(0);
    if asks_for_help(&args) {
        return Ok(Command::Help);
    }
    match name.as_str() {
        "serve" => Ok(Command::Serve(args)),
        "check" => Ok(Command::Check(args)),
        "version" => Ok(Command::Version),
        "help" => Ok(Command::Help),
        "healthcheck" => healthcheck(&args),
        "migrate" => migrate(args),
        "tune" => tune(args).map(Command::Tune),
        _ => Err(format!("there is no command {name:?}; the commands are {}", COMMANDS.join(", "))),
    }
}

fn asks_for_help(args: &[String]) -> bool {
    args.iter().any(|arg| matches!(arg.as_str(), "--help" | "-help" | "-h"))
}

fn healthcheck(args: &[String]) -> Result<Command, Failure> {
    match args {
        [] => Ok(Command::Healthcheck { port: 7350 }),
        [port] => port
            .parse()
            .map(|port| Command::Healthcheck { port })
            .map_err(|_| format!("{port:?} is not a port")),
        _ => Err("healthcheck takes a port and nothing else".to_owned()),
    }
}

fn migrate(mut args: Vec<String>) -> Result<Command, Failure> {
    let directions = "migrate needs one of up, down, redo, status";
    if args.is_empty() {
        return Err(directions.to_owned());
    }
    let direction = match args.remove(0).as_str() {
        "up" => Direction::Up,
        "down" => Direction::Down,
        "redo" => Direction::Redo,
        "status" => Direction::Status,
        other => return Err(format!("{directions}, not {other:?}")),
    };
    let limit = take_limit(&mut args)?;
    Ok(Command::Migrate { direction, limit, args })
}

fn tune(mut args: Vec<String>) -> Result<Tune, Failure> {
    let what = "tune needs one of probe, shards, profiles";
    if args.is_empty() {
        return Err(what.to_owned());
    }
    let name = args.remove(0);
    let json = take_switch(&mut args, "json");
    let tune = match name.as_str() {
        "probe" => Tune::Probe { json, apply: take_switch(&mut args, "apply") },
        "shards" => {
            let seconds = match take_value(&mut args, "seconds")? {
                None => TUNE_SECONDS.0,
                Some(text) => text
                    .parse()
                    .ok()
                    .filter(|seconds| (1..=TUNE_SECONDS.1).contains(seconds))
                    .ok_or_else(|| format!("flag --seconds takes 1 to {}", TUNE_SECONDS.1))?,
            };
            let output = take_value(&mut args, "output")?;
            Tune::Shards { json, seconds, output: output.unwrap_or(TUNED_PROFILE.to_owned()) }
        }
        "profiles" if !json => Tune::Profiles,
        other => return Err(format!("{what}, not {other:?}")),
    };
    match args.first() {
        None => Ok(tune),
        Some(stray) => Err(format!("tune {name} does not take {stray:?}")),
    }
}

fn take_switch(args: &mut Vec<String>, name: &str) -> bool {
    let before = args.len();
    args.retain(|arg| arg.strip_prefix("--") != Some(name));
    args.len() < before
}

/// Takes `--limit N` out of the flags: of all flags it alone is not a key of the configuration. Negative
/// means none, as the reference has it.
fn take_limit(args: &mut Vec<String>) -> Result<Option<u32>, Failure> {
    let Some(text) = take_value(args, "limit")? else { return Ok(None) };
    let limit: i64 =
        text.parse().map_err(|_| format!("flag --limit takes a whole number, not {text}"))?;
    Ok(u32::try_from(limit).ok())
}

/// Takes `--name VALUE`, in any of a flag's spellings, out of the arguments.
fn take_value(args: &mut Vec<String>, name: &str) -> Result<Option<String>, Failure> {
    let is_it = |arg: &String| {
        let rest = arg.trim_start_matches('-').strip_prefix(name);
        arg.starts_with('-') && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    };
    let Some(at) = args.iter().position(is_it) else { return Ok(None) };
    let flag = args.remove(at);
    match flag.split_once('=') {
        Some((_, text)) => Ok(Some(text.to_owned())),
        None if at < args.len() => Ok(Some(args.remove(at))),
        None => Err(format!("flag --{name} needs a value")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, Failure> {
        parse(line.split_whitespace().map(str::to_owned).collect())
    }

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn without_a_command_the_flags_are_for_serve() {
        assert_eq!(parsed(""), Ok(Command::Serve(Vec::new())));
        assert_eq!(
            parsed("--name n -socket.port=1"),
            Ok(Command::Serve(words("--name n -socket.port=1")))
        );
        assert_eq!(parsed("serve --name n"), Ok(Command::Serve(words("--name n"))));
    }

    #[test]
    fn migrate_takes_a_direction_and_a_limit_anywhere_among_the_flags() {
        let expected =
            |direction, limit, args| Ok(Command::Migrate { direction, limit, args: words(args) });
        assert_eq!(parsed("migrate up"), expected(Direction::Up, None, ""));
        assert_eq!(
            parsed("migrate down --database.address a --limit 2 --name n"),
            expected(Direction::Down, Some(2), "--database.address a --name n")
        );
        assert_eq!(parsed("migrate redo -limit=1"), expected(Direction::Redo, Some(1), ""));
        assert_eq!(parsed("migrate status --limit -1"), expected(Direction::Status, None, ""));
        assert!(parsed("migrate").is_err());
        assert!(parsed("migrate sideways").is_err());
        assert!(parsed("migrate up --limit").is_err());
        assert!(parsed("migrate up --limit x").is_err());
    }

    #[test]
    fn version_help_and_healthcheck_are_found_in_their_usual_spellings() {
        assert_eq!(parsed("--version"), Ok(Command::Version));
        assert_eq!(parsed("version"), Ok(Command::Version));
        for line in ["help", "--help", "-h", "serve --help", "--name n -h"] {
            assert_eq!(parsed(line), Ok(Command::Help), "{line}");
        }
        assert_eq!(parsed("healthcheck"), Ok(Command::Healthcheck { port: 7350 }));
        assert_eq!(parsed("healthcheck 80"), Ok(Command::Healthcheck { port: 80 }));
        assert!(parsed("healthcheck x").is_err());
        assert!(parsed("healthcheck 1 2").is_err());
    }

    #[test]
    fn tune_takes_what_it_needs_and_nothing_else() {
        let tune = |line: &str| match parsed(line) {
            Ok(Command::Tune(tune)) => Ok(tune),
            Ok(other) => panic!("{other:?}"),
            Err(failure) => Err(failure),
        };
        assert_eq!(tune("tune probe"), Ok(Tune::Probe { json: false, apply: false }));
        assert_eq!(tune("tune probe --apply --json"), Ok(Tune::Probe { json: true, apply: true }));
        assert_eq!(tune("tune profiles"), Ok(Tune::Profiles));
        let shards = |seconds, output: &str| {
            Ok(Tune::Shards { json: false, seconds, output: output.to_owned() })
        };
        assert_eq!(tune("tune shards"), shards(60, "tuned.yml"));
        assert_eq!(tune("tune shards --seconds 5 --output=a.yml"), shards(5, "a.yml"));
        for wrong in [
            "tune",
            "tune what",
            "tune probe --seconds 1",
            "tune shards --seconds 0",
            "tune shards --seconds 1000",
            "tune shards --output",
            "tune profiles --json",
        ] {
            assert!(tune(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_unknown_command_lists_the_known_ones() {
        assert!(parsed("server").unwrap_err().contains("serve, migrate"));
    }
}
