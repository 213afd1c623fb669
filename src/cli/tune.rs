//! `kakera tune`: looks at the host, and finds out how to use it.

use std::{
    fs::{self, OpenOptions},
    io,
    path::Path,
    time::Duration,
};

use kakera_shards::runtime::available_cpus;
use kakera_tuning::{
    cgroup::Allowance,
    host::Host,
    measure,
    probe::{self, Applied},
    profile,
    topology::Topology,
};

use super::{Failure, command::Tune};

pub(super) fn run(tune: &Tune) -> Result<(), Failure> {
    match tune {
        Tune::Probe { json, apply } => look(*json, *apply),
        Tune::Shards { json, seconds, output } => shards(*json, *seconds, output),
        Tune::Profiles => {
            for (name, text) in profile::BUNDLED {
                println!("{name:<16} {}", profile::summary(text));
            }
            Ok(())
        }
    }
}

fn topology(host: &Host) -> Result<Topology, Failure> {
    let available = available_cpus()
        .map_err(|error| format!("cannot learn which cores may be used: {error}"))?;
    Ok(Topology::read(host, &available))
}

fn look(json: bool, apply: bool) -> Result<(), Failure> {
    let host = Host::default();
    let topology = topology(&host)?;
    let shards = Allowance::read(&host).shards_max(topology.cpus.len());
    let findings = probe::probe(&host, &topology, shards);
    if json {
        let text = serde_json::to_string_pretty(&findings).map_err(|error| error.to_string())?;
        println!("{text}");
    } else {
        print!("{}", probe::render(&findings));
    }
    if !apply {
        return Ok(());
    }
    let applied = probe::apply(&host, &findings, |fix| eprintln!("$ {fix}"));
    let failed = |Applied { fix, result }: &Applied| match result {
        Ok(()) => None,
        Err(error) => Some(format!("{fix}: {error}")),
    };
    let failures: Vec<String> = applied.iter().filter_map(failed).collect();
    eprintln!(
        "{} of {} changes made; they last until the host restarts.",
        applied.len() - failures.len(),
        applied.len()
    );
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}

fn shards(json: bool, seconds: u64, output: &str) -> Result<(), Failure> {
    // A minute's measurement is not lost to a folder that cannot be written to.
    let is_new = !Path::new(output).exists();
    let cannot_write = |error: io::Error| format!("cannot write {output}: {error}");
    OpenOptions::new().append(true).create(true).open(output).map_err(cannot_write)?;
    let measured = measure_shards(seconds);
    if measured.is_err() && is_new {
        // The reason for the failure says more than that this one failed too.
        let _ = fs::remove_file(output);
    }
    let measured = measured?;
    if json {
        let text = serde_json::to_string_pretty(&measured).map_err(|error| error.to_string())?;
        println!("{text}");
    }
    fs::write(output, profile::from_measured(&measured)).map_err(cannot_write)?;
    eprintln!("\nThe best is in {output}: kakera serve --profile {output}");
    Ok(())
}

fn measure_shards(seconds: u64) -> Result<Vec<measure::Measured>, Failure> {
    let host = Host::default();
    let topology = topology(&host)?;
    let shards_max = Allowance::read(&host).shards_max(topology.cpus.len());
    let progress = |measured: &measure::Measured| {
        let table = profile::table(std::slice::from_ref(measured));
        for line in table.lines().skip(1) {
            eprintln!("{line}");
        }
    };
    eprint!("{}", profile::table(&[]));
    measure::run(&topology, (shards_max, Duration::from_secs(seconds)), progress)
        .map_err(|error| error.to_string())
}
