//! Profiles: configuration files that fit a kind of host, bundled or measured.
//!
//! A profile is an ordinary configuration file of the server's own keys. `serve --profile NAME` reads it
//! before all other sources, so that everything else wins over it.

use std::{borrow::Cow, fmt::Write, fs, io, path::Path};

use crate::measure::Measured;

/// The profiles that come with the server: name and text.
pub const BUNDLED: [(&str, &str); 4] = [
    ("small-vm", include_str!("../profiles/small-vm.yml")),
    ("16-cores", include_str!("../profiles/16-cores.yml")),
    ("64-cores-smt", include_str!("../profiles/64-cores-smt.yml")),
    ("two-numa-nodes", include_str!("../profiles/two-numa-nodes.yml")),
];

/// Why there is no such profile.
#[derive(Debug, thiserror::Error)]
#[error(
    "{name:?} is neither a profile ({}) nor a file that can be read: {source}",
    BUNDLED.map(|(name, _)| name).join(", ")
)]
pub struct NoProfile {
    pub name: String,
    source: io::Error,
}

/// The text of a bundled profile, or of the file of that name.
pub fn load(name: &str) -> Result<Cow<'static, str>, NoProfile> {
    if let Some((_, text)) = BUNDLED.iter().find(|(bundled, _)| *bundled == name) {
        return Ok(Cow::Borrowed(text));
    }
    let text = fs::read_to_string(Path::new(name));
    text.map(Cow::Owned).map_err(|source| NoProfile { name: name.to_owned(), source })
}

/// What a bundled profile says about itself in its first line.
pub fn summary(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim_start_matches(['#', ' '])
}

/// The profile that follows from measurements, of which the first is the one to take.
pub fn from_measured(measured: &[Measured]) -> String {
    let mut text =
        "# What suited this host best, measured by `kakera tune shards`; the first line is what is set.\n#\n"
            .to_owned();
    for line in table(measured).lines() {
        let _ = writeln!(text, "# {line}");
    }
    if let Some(best) = measured.first().map(|measured| &measured.candidate) {
        let _ = writeln!(text, "\nshards: {}", best.shards);
        if !best.cpus.is_empty() {
            let cpus: Vec<String> = best.cpus.iter().map(ToString::to_string).collect();
            let _ = writeln!(text, "cores: [{}]", cpus.join(", "));
        }
        let _ = writeln!(text, "spin_before_park_us: {}", best.spin_us);
    }
    text
}

/// The measurements as a table for a person.
pub fn table(measured: &[Measured]) -> String {
    let mut text = format!(
        "{:>6} {:>8} {:>12} {:>13} {:>12} {:>14} {:>12}\n",
        "shards", "spin", "calls/s", "round trip", "echoes/s", "deliveries/s", "CPU each"
    );
    for Measured { candidate, numbers } in measured {
        let _ = writeln!(
            text,
            "{:>6} {:>5} us {:>12.0} {:>10.1} us {:>12.0} {:>14.0} {:>9.2} us",
            candidate.shards,
            candidate.spin_us,
            numbers.calls_per_sec,
            numbers.round_trip_us,
            numbers.echoes_per_sec,
            numbers.deliveries_per_sec,
            numbers.delivery_cpu_us,
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Candidate, Numbers};

    #[test]
    fn a_bundled_profile_is_found_by_name_and_says_what_it_is_for() {
        for (name, text) in BUNDLED {
            assert_eq!(load(name).unwrap(), text);
            assert!(summary(text).len() > 20, "{name}");
        }
    }

    #[test]
    fn what_is_neither_a_profile_nor_a_file_is_refused_with_the_names() {
        let error = load("/no/such/profile").unwrap_err().to_string();
        assert!(error.contains("small-vm") && error.contains("/no/such/profile"), "{error}");
    }

    #[test]
    fn a_measured_profile_sets_the_best_candidate_and_tells_the_rest() {
        let candidate =
            |shards, cpus: &[usize]| Candidate { shards, cpus: cpus.to_vec(), spin_us: 20 };
        let measured = |candidate| Measured { candidate, numbers: Numbers::default() };
        let text = from_measured(&[measured(candidate(2, &[0, 4])), measured(candidate(1, &[0]))]);
        let set: Vec<&str> =
            text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        assert_eq!(set, ["shards: 2", "cores: [0, 4]", "spin_before_park_us: 20"]);
        let told = text.lines().filter(|line| line.contains("us")).count();
        assert!(told >= 2, "{text}");
    }
}
