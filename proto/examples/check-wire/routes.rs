//! Calls, their HTTP bindings and what they accept.

use std::collections::{BTreeMap, BTreeSet};

use kakera_proto::routes::{Binding, Body, Credential, Service};
use serde_json::Value;

use crate::{Report, list, text};

pub(crate) fn check<S: Service>(report: &mut Report, facts: &Value) -> Result<(), String> {
    let mut stated = BTreeMap::new();
    for rpc in list(facts, "rpcs") {
        stated.insert(text(rpc, "rpc")?, rpc);
    }
    if stated.is_empty() {
        return Err(format!("no calls of {} are stated", S::NAME));
    }
    let names: BTreeSet<&str> =
        stated.keys().copied().chain(S::ALL.iter().map(|rpc| rpc.name())).collect();
    for name in names {
        let what = format!("{}/{name}", S::NAME);
        let (wanted, found) = (stated.get(name), S::from_name(name));
        report.both(&what, wanted.is_some(), found.is_some());
        if let Some((wanted, found)) = wanted.zip(found) {
            check_call(report, &what, wanted, found)?;
        }
    }
    Ok(())
}

fn check_call<S: Service>(
    report: &mut Report,
    what: &str,
    wanted: &Value,
    found: S,
) -> Result<(), String> {
    let definition = found.definition();
    report.compare(format_args!("{what} gRPC path"), text(wanted, "grpc_path")?, found.grpc_path());
    report.compare(
        format_args!("{what} request"),
        text(wanted, "request")?,
        definition.request.name,
    );
    report.compare(
        format_args!("{what} response"),
        text(wanted, "response")?,
        definition.response.name,
    );
    let mut accepted: Vec<&str> = list(wanted, "auth").iter().filter_map(Value::as_str).collect();
    accepted.sort_unstable();
    let mut accepts: Vec<&str> = found.accepts().iter().map(|kind| credential(*kind)).collect();
    accepts.sort_unstable();
    report.compare(format_args!("{what} authentication"), &accepted, &accepts);

    let mut stated = BTreeMap::new();
    for binding in list(wanted, "http") {
        let parameters: Vec<String> = list(binding, "path_params")
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        let body = binding.get("body").and_then(Value::as_str).map(str::to_owned);
        let place = format!("{} {}", text(binding, "method")?, text(binding, "path")?);
        stated.insert(place, (parameters, body));
    }
    let present: BTreeMap<String, _> = definition
        .bindings
        .iter()
        .map(|binding| {
            let place = format!("{} {}", binding.method.as_str(), binding.path);
            (place, (parameters(found, binding), body(found, binding)))
        })
        .collect();
    let places: BTreeSet<&String> = stated.keys().chain(present.keys()).collect();
    for place in places {
        let (wanted, found) = (stated.get(place), present.get(place));
        report.both(format_args!("{what} at {place}"), wanted.is_some(), found.is_some());
        if let Some((wanted, found)) = wanted.zip(found) {
            report.compare(format_args!("{what} at {place}"), wanted, found);
        }
    }
    Ok(())
}

fn parameters<S: Service>(rpc: S, binding: &Binding) -> Vec<String> {
    let fields = binding.parameter_fields(rpc.definition().request);
    fields.map(|field| field.name.to_owned()).collect()
}

fn body<S: Service>(rpc: S, binding: &Binding) -> Option<String> {
    match binding.body {
        Body::None => None,
        Body::Whole => Some("*".to_owned()),
        Body::Field(index) => {
            let fields = rpc.definition().request.fields;
            fields.get(usize::from(index)).map(|field| field.name.to_owned())
        }
    }
}

fn credential(kind: Credential) -> &'static str {
    match kind {
        Credential::ServerKey => "server_key_basic",
        Credential::Bearer => "bearer",
        Credential::HttpKey => "http_key",
        Credential::ConsoleBearer => "console_bearer",
    }
}
