//! Every envelope of the protocol, read and written in both formats, as sockets carry them.
//!
//! `cargo bench --bench envelope [-- PART-OF-A-NAME]`, such as `decode/json` or `/match_data`.

use std::{hint::black_box, time::Duration};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use kakera::{
    fanout::{Format, frame},
    realtime::codec,
};
use kakera_proto::{
    json::{self, Unset},
    realtime::Envelope,
    table::{Described, Field, Kind, Message, Scalar, Shape},
};
use prost::Message as _;

/// Messages contain themselves (a template's variants), so a sample ends somewhere.
const DEPTH_MAX: u32 = 3;
const ID: &str = "7c9e6679-7425-40de-944b-e07fc1f90ae7";

/// An object with its fields set as players' messages have them, of a oneof the first member.
fn sample(message: &Message, depth: u32) -> String {
    let mut taken = Vec::new();
    let mut members = Vec::new();
    for field in message.fields {
        if field.oneof.is_some() && taken.contains(&field.oneof) {
            continue;
        }
        taken.push(field.oneof);
        if let Some(value) = sample_field(field, depth) {
            members.push(format!("\"{}\":{value}", field.name));
        }
    }
    format!("{{{}}}", members.join(","))
}

fn sample_field(field: &Field, depth: u32) -> Option<String> {
    let value = match field.kind {
        Kind::Message(_) if depth == 0 => return None,
        Kind::Message(message) => sample(message, depth - 1),
        Kind::Enum(values) => values.values.first()?.1.to_string(),
        Kind::Timestamp => "\"2023-11-14T22:13:20.250Z\"".to_owned(),
        Kind::Struct => r#"{"a":"b"}"#.to_owned(),
        Kind::Scalar(scalar) | Kind::Wrapper(scalar) => sample_scalar(field.name, scalar),
    };
    Some(match field.shape {
        Shape::One => value,
        // Two presences, two ids: what most lists of a message hold.
        Shape::Many => format!("[{value},{value}]"),
        Shape::Map(_) => format!("{{\"1\":{value}}}"),
    })
}

fn sample_scalar(name: &str, scalar: Scalar) -> String {
    match scalar {
        Scalar::Bool => "true".to_owned(),
        Scalar::Int32 | Scalar::Uint32 => "7".to_owned(),
        Scalar::Int64 | Scalar::Uint64 => "\"1700000000\"".to_owned(),
        Scalar::Double => "0.25".to_owned(),
        // 32 bytes of a game's state.
        Scalar::Bytes => "\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"".to_owned(),
        Scalar::String => match name {
            _ if name.ends_with("id") || name.ends_with("ids") => format!("\"{ID}\""),
            "content" | "payload" => r#""{\"text\":\"a line as people write them\"}""#.to_owned(),
            _ => "\"somebody\"".to_owned(),
        },
    }
}

/// An envelope of every kind, by its name.
fn envelopes() -> Vec<(&'static str, Envelope)> {
    let kinds = Envelope::MESSAGE.fields.iter().filter(|field| field.oneof.is_some());
    kinds
        .map(|kind| {
            let body = sample_field(kind, DEPTH_MAX).expect("a message");
            let text = format!("{{\"cid\":\"17\",\"{}\":{body}}}", kind.name);
            let envelope = codec::decode(Format::Json, text.as_bytes());
            (kind.name, envelope.expect("a sample is an envelope"))
        })
        .collect()
}

fn envelope(criterion: &mut Criterion) {
    let envelopes = envelopes();
    for (format, name) in [(Format::Json, "json"), (Format::Protobuf, "protobuf")] {
        let mut group = criterion.benchmark_group(format!("decode/{name}"));
        brief(&mut group);
        for (kind, envelope) in &envelopes {
            let payload = match format {
                Format::Json => json::to_vec(envelope, Unset::Omit),
                Format::Protobuf => envelope.encode_to_vec(),
            };
            group.bench_function(BenchmarkId::from_parameter(kind), |bencher| {
                bencher.iter(|| codec::decode(format, black_box(&payload)));
            });
        }
        group.finish();
        let mut group = criterion.benchmark_group(format!("encode and frame/{name}"));
        brief(&mut group);
        for (kind, envelope) in &envelopes {
            group.bench_function(BenchmarkId::from_parameter(kind), |bencher| {
                bencher.iter(|| frame(black_box(envelope), format));
            });
        }
        group.finish();
    }
}

/// There are many: a quarter of a second each.
fn brief(group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>) {
    group
        .sample_size(20)
        .warm_up_time(Duration::from_millis(50))
        .measurement_time(Duration::from_millis(200));
}

criterion_group!(benches, envelope);
criterion_main!(benches);
