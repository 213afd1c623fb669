//! Reads the command line as far as the command; the flags after it belong to the configuration.

use super::Failure;

/// What the person asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Serve(Vec<String>),
    Migrate { direction: Direction, limit: Option<u32>, args: Vec<String> },
    Check(Vec<String>),
    Healthcheck { port: u16 },
    Version,
    Help,
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
  healthcheck [PORT]             asks a server on this machine whether it is well (default port 7350)
  version                        prints the version
  help                           prints this

Flags are written --key value, --key=value, -key value or -key=value; a list repeats its flag. Every key
can also stand in a YAML file (--config FILE, repeatable) and in an environment variable. Flags win over
variables, those over files, a later file over an earlier one.

";

const COMMANDS: [&str; 6] = ["serve", "migrate", "check", "healthcheck", "version", "help"];

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

/// Takes `--limit N` out of the flags: of all flags it alone is not a key of the configuration. Negative
/// means none, as the reference has it.
fn take_limit(args: &mut Vec<String>) -> Result<Option<u32>, Failure> {
    let is_limit = |arg: &String| {
        let name = arg.trim_start_matches('-');
        arg.starts_with('-') && (name == "limit" || name.starts_with("limit="))
    };
    let Some(at) = args.iter().position(is_limit) else { return Ok(None) };
    let flag = args.remove(at);
    let text = match flag.split_once('=') {
        Some((_, text)) => text.to_owned(),
        None if at < args.len() => args.remove(at),
        None => return Err("flag --limit needs a value".to_owned()),
    };
    let limit: i64 =
        text.parse().map_err(|_| format!("flag --limit takes a whole number, not {text}"))?;
    Ok(u32::try_from(limit).ok())
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
    fn an_unknown_command_lists_the_known_ones() {
        assert!(parsed("server").unwrap_err().contains("serve, migrate"));
    }
}
