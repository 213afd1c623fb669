//! The tables that JSON and routing are driven by hold what the compiled descriptors hold.

use std::collections::BTreeMap;

use kakera_proto::{
    DESCRIPTORS,
    routes::{ConsoleRpc, Rpc, Service},
    table::{ENUMS, Field, Kind, MESSAGES, Scalar, Shape},
};
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind as Declared, MessageDescriptor};

fn pool() -> DescriptorPool {
    DescriptorPool::decode(DESCRIPTORS).unwrap()
}

fn declared_messages(pool: &DescriptorPool) -> impl Iterator<Item = MessageDescriptor> {
    pool.all_messages()
        .filter(|message| message.package_name().starts_with("nakama.") && !message.is_map_entry())
}

#[track_caller]
fn assert_kind(kind: Kind, declared: &FieldDescriptor) {
    let agrees = match (kind, declared.kind()) {
        (Kind::Scalar(scalar), kind) => scalar_is(scalar, &kind),
        (Kind::Enum(values), Declared::Enum(found)) => values.name == found.full_name(),
        (Kind::Message(message), Declared::Message(found)) => message.name == found.full_name(),
        (Kind::Wrapper(scalar), Declared::Message(found)) => {
            found.full_name() == format!("google.protobuf.{scalar:?}Value").replace("Uint", "UInt")
        }
        (Kind::Timestamp, Declared::Message(found)) => {
            found.full_name() == "google.protobuf.Timestamp"
        }
        (Kind::Struct, Declared::Message(found)) => found.full_name() == "google.protobuf.Struct",
        _ => false,
    };
    assert!(agrees, "{}: {kind:?}", declared.full_name());
}

fn scalar_is(scalar: Scalar, declared: &Declared) -> bool {
    // As a `.proto` file spells it.
    format!("{scalar:?}").to_lowercase() == format!("{declared:?}")
}

fn assert_field(field: &Field, declared: &FieldDescriptor) {
    let name = declared.full_name();
    assert_eq!((field.name, field.json_name), (declared.name(), declared.json_name()), "{name}");
    match field.shape {
        Shape::Map(key) => {
            assert!(declared.is_map(), "{name}");
            let entry = declared.kind();
            let entry = entry.as_message().unwrap();
            assert!(scalar_is(key, &entry.map_entry_key_field().kind()), "{name}");
            assert_kind(field.kind, &entry.map_entry_value_field());
        }
        shape => {
            assert_eq!(shape == Shape::Many, declared.is_list(), "{name}");
            assert_kind(field.kind, declared);
        }
    }
}

#[test]
fn every_message_has_its_table() {
    let pool = pool();
    let tables: BTreeMap<&str, _> =
        MESSAGES.iter().map(|message| (message.name, *message)).collect();
    assert_eq!(tables.len(), declared_messages(&pool).count());
    for declared in declared_messages(&pool) {
        let table = tables[declared.full_name()];
        assert_eq!(table.fields.len(), declared.fields().len());
        for field in declared.fields() {
            let (index, found) = table.field_numbered(field.number()).unwrap();
            assert_field(found, &field);
            for name in [field.name(), field.json_name()] {
                let (by_name, _) = table.field_named(name).unwrap();
                assert_eq!(by_name, index, "{}.{name}", table.name);
            }
            let oneof = field.containing_oneof().map(|oneof| oneof.name().to_owned());
            let found = found.oneof.map(|oneof| table.oneofs[usize::from(oneof)].to_owned());
            assert_eq!(found, oneof, "{}", field.full_name());
        }
        assert!(table.field_named("no_such_field").is_none());
        assert!(table.field_numbered(0).is_none());
    }
}

#[test]
fn every_enumeration_has_its_table() {
    let pool = pool();
    for table in ENUMS {
        let declared = pool.get_enum_by_name(table.name).unwrap();
        assert_eq!(table.values.len(), declared.values().len());
        for value in declared.values() {
            assert_eq!(table.number(value.name()), Some(value.number()));
            assert_eq!(table.name_of(value.number()), Some(value.name()));
        }
    }
}

fn assert_service<S: Service>() {
    let pool = pool();
    let declared = pool.get_service_by_name(S::NAME).unwrap();
    assert_eq!(S::ALL.len(), declared.methods().len());
    for (rpc, declared) in S::ALL.iter().zip(declared.methods()) {
        let definition = rpc.definition();
        assert_eq!(definition.name, declared.name());
        assert_eq!(definition.request.name, declared.input().full_name());
        assert_eq!(definition.response.name, declared.output().full_name());
        assert!(!definition.bindings.is_empty());
    }
}

#[test]
fn every_call_has_its_definition() {
    assert_service::<Rpc>();
    assert_service::<ConsoleRpc>();
}
