//! Messages, fields and enumerations.

use std::collections::BTreeMap;

use prost_reflect::{
    Cardinality, DescriptorPool, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor,
};
use serde_json::Value;

use crate::{Report, list, text};

/// Compares the packages of the facts, which must be these.
pub(crate) fn check(
    report: &mut Report,
    pool: &DescriptorPool,
    facts: &Value,
    packages: &[&str],
) -> Result<(), String> {
    let stated = facts.get("packages").and_then(Value::as_object).ok_or("no `packages`")?;
    let mut names: Vec<&str> = stated.keys().map(String::as_str).collect();
    names.sort_unstable();
    if names != packages {
        return Err(format!("packages are {names:?}, and should be {packages:?}"));
    }

    let (mut messages, mut enums) = (BTreeMap::new(), BTreeMap::new());
    for package in stated.values() {
        collect(package, &mut messages, &mut enums)?;
    }
    let ours = |package: &str| packages.contains(&package);
    let found: BTreeMap<String, MessageDescriptor> = pool
        .all_messages()
        .filter(|message| ours(message.package_name()) && !message.is_map_entry())
        .map(|message| (message.full_name().to_owned(), message))
        .collect();
    let found_enums: BTreeMap<String, EnumDescriptor> = pool
        .all_enums()
        .filter(|enumeration| ours(enumeration.package_name()))
        .map(|enumeration| (enumeration.full_name().to_owned(), enumeration))
        .collect();

    for name in union(messages.keys().copied(), found.keys().map(String::as_str)) {
        let (wanted, found) = (messages.get(name), found.get(name));
        report.both(name, wanted.is_some(), found.is_some());
        if let Some((wanted, found)) = wanted.zip(found) {
            check_message(report, wanted, found)?;
        }
    }
    for name in union(enums.keys().copied(), found_enums.keys().map(String::as_str)) {
        let (wanted, found) = (enums.get(name), found_enums.get(name));
        report.both(name, wanted.is_some(), found.is_some());
        if let Some((wanted, found)) = wanted.zip(found) {
            let wanted: BTreeMap<String, i64> = wanted
                .get("values")
                .and_then(Value::as_object)
                .ok_or_else(|| format!("{name} has no `values`"))?
                .iter()
                .map(|(value, number)| (value.clone(), number.as_i64().unwrap_or(i64::MIN)))
                .collect();
            let found = found
                .values()
                .map(|value| (value.name().to_owned(), value.number().into()))
                .collect();
            report.compare(name, &wanted, &found);
        }
    }
    Ok(())
}

/// Messages and enumerations by their full names, nested ones too.
fn collect<'a>(
    scope: &'a Value,
    messages: &mut BTreeMap<&'a str, &'a Value>,
    enums: &mut BTreeMap<&'a str, &'a Value>,
) -> Result<(), String> {
    for enumeration in list(scope, "enums") {
        enums.insert(text(enumeration, "full_name")?, enumeration);
    }
    for message in list(scope, "messages").iter().chain(list(scope, "nested")) {
        messages.insert(text(message, "full_name")?, message);
        collect(message, messages, enums)?;
    }
    Ok(())
}

fn union<'a>(
    left: impl Iterator<Item = &'a str>,
    right: impl Iterator<Item = &'a str>,
) -> std::collections::BTreeSet<&'a str> {
    left.chain(right).collect()
}

fn check_message(
    report: &mut Report,
    wanted: &Value,
    found: &MessageDescriptor,
) -> Result<(), String> {
    let name = found.full_name();
    let mut stated = BTreeMap::new();
    for field in list(wanted, "fields") {
        let number =
            field.get("number").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
        stated.insert(number.ok_or_else(|| format!("{name}: a field without a number"))?, field);
    }
    let present: BTreeMap<u32, FieldDescriptor> =
        found.fields().map(|field| (field.number(), field)).collect();
    let mut numbers: Vec<u32> = stated.keys().chain(present.keys()).copied().collect();
    numbers.sort_unstable();
    numbers.dedup();
    for number in numbers {
        let (wanted, found) = (stated.get(&number), present.get(&number));
        report.both(format_args!("{name} field {number}"), wanted.is_some(), found.is_some());
        if let Some((wanted, found)) = wanted.zip(found) {
            check_field(report, &format!("{name} field {number}"), wanted, found)?;
        }
    }

    let wanted = list(wanted, "oneofs").iter().filter_map(Value::as_str).map(str::to_owned);
    let mut wanted: Vec<String> = wanted.collect();
    let mut found: Vec<String> = found.oneofs().map(|oneof| oneof.name().to_owned()).collect();
    wanted.sort_unstable();
    found.sort_unstable();
    report.compare(format_args!("{name} oneofs"), &wanted, &found);
    Ok(())
}

fn check_field(
    report: &mut Report,
    what: &str,
    wanted: &Value,
    found: &FieldDescriptor,
) -> Result<(), String> {
    report.compare(format_args!("{what} name"), text(wanted, "name")?, found.name());
    report.compare(format_args!("{what} json_name"), text(wanted, "json_name")?, found.json_name());
    let oneof = found.containing_oneof();
    report.compare(
        format_args!("{what} oneof"),
        &wanted.get("oneof").and_then(Value::as_str),
        &oneof.as_ref().map(prost_reflect::OneofDescriptor::name),
    );
    report.compare(
        format_args!("{what} optional"),
        &wanted.get("optional").and_then(Value::as_bool).unwrap_or(false),
        &found.field_descriptor_proto().proto3_optional(),
    );

    let repeated = found.cardinality() == Cardinality::Repeated && !found.is_map();
    let stated = wanted.get("repeated").and_then(Value::as_bool).unwrap_or(false);
    report.compare(format_args!("{what} repeated"), &stated, &repeated);
    let found_type = match found.kind() {
        Kind::Message(entry) if found.is_map() => format!(
            "map<{}, {}>",
            type_name(&entry.map_entry_key_field()),
            type_name(&entry.map_entry_value_field())
        ),
        _ => type_name(found),
    };
    let wanted_type = match wanted.get("map") {
        Some(map) => format!("map<{}, {}>", text(map, "key")?, text(map, "value")?),
        None => text(wanted, "type")?.to_owned(),
    };
    report.compare(format_args!("{what} type"), &wanted_type, &found_type);
    let kind = match found.kind() {
        _ if found.is_map() => None,
        Kind::Message(_) => Some("message"),
        Kind::Enum(_) => Some("enum"),
        _ => Some("scalar"),
    };
    if let Some(stated) = wanted.get("kind").and_then(Value::as_str) {
        report.compare(format_args!("{what} kind"), &Some(stated), &kind);
    }
    Ok(())
}

/// The type as a `.proto` file spells it.
fn type_name(field: &FieldDescriptor) -> String {
    match field.kind() {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(enumeration) => enumeration.full_name().to_owned(),
        scalar => format!("{scalar:?}").to_lowercase(),
    }
}
