//! Writes the tables of `src/table.rs`: one static for each message and enumeration.

use std::{collections::HashMap, error::Error, fmt::Write};

use protox::prost_reflect::{
    Cardinality, DescriptorPool, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor,
};

use crate::{hash::hash, names};

const FIELDS_MAX: usize = 64;

/// The name of the static that describes each message and enumeration.
pub(crate) struct Tables {
    statics: HashMap<String, String>,
}

impl Tables {
    pub(crate) fn new(pool: &DescriptorPool) -> Self {
        let mut statics = HashMap::new();
        for (index, message) in messages(pool).enumerate() {
            statics.insert(message.full_name().to_owned(), format!("MESSAGE_{index}"));
        }
        for (index, enumeration) in enums(pool).enumerate() {
            statics.insert(enumeration.full_name().to_owned(), format!("ENUM_{index}"));
        }
        Self { statics }
    }

    pub(crate) fn reference(&self, full_name: &str) -> Result<String, Box<dyn Error>> {
        let name =
            self.statics.get(full_name).ok_or_else(|| format!("{full_name} has no table"))?;
        Ok(format!("&{name}"))
    }

    /// The source of all tables.
    pub(crate) fn source(&self, pool: &DescriptorPool) -> Result<String, Box<dyn Error>> {
        let mut out = String::new();
        for enumeration in enums(pool) {
            let name = enumeration.full_name();
            write!(
                out,
                "static {}: Enum = Enum {{ name: {name:?}, values: &[",
                self.statics[name]
            )?;
            for value in enumeration.values() {
                write!(out, "({:?}, {}), ", value.name(), value.number())?;
            }
            writeln!(out, "] }};")?;
        }
        for message in messages(pool) {
            self.message(&message, &mut out)?;
        }
        for (list, kind, statics) in [
            (
                "MESSAGES",
                "Message",
                self.list(messages(pool).map(|one| one.full_name().to_owned()))?,
            ),
            ("ENUMS", "Enum", self.list(enums(pool).map(|one| one.full_name().to_owned()))?),
        ] {
            writeln!(out, "/// Every {kind} of the three packages.")?;
            writeln!(out, "pub static {list}: &[&{kind}] = &[{statics}];")?;
        }
        Ok(out)
    }

    fn list(&self, names: impl Iterator<Item = String>) -> Result<String, Box<dyn Error>> {
        let references: Result<Vec<_>, _> = names.map(|name| self.reference(&name)).collect();
        Ok(references?.join(", "))
    }

    fn message(&self, message: &MessageDescriptor, out: &mut String) -> Result<(), Box<dyn Error>> {
        let full_name = message.full_name();
        let mut fields: Vec<FieldDescriptor> = message.fields().collect();
        fields.sort_by_key(FieldDescriptor::number);
        if fields.len() > FIELDS_MAX {
            return Err(format!("{full_name} has more than {FIELDS_MAX} fields").into());
        }
        let oneofs: Vec<String> = message.oneofs().map(|oneof| oneof.name().to_owned()).collect();

        let this = &self.statics[full_name];
        writeln!(out, "static {this}: Message = Message {{ name: {full_name:?}, fields: &[")?;
        let mut names = Vec::new();
        for (index, field) in fields.iter().enumerate() {
            names.push((field.name().to_owned(), index));
            if field.json_name() != field.name() {
                names.push((field.json_name().to_owned(), index));
            }
            self.field(field, &oneofs, out)?;
        }
        let (seed, slots) = perfect_hash(&names)
            .ok_or_else(|| format!("the field names of {full_name} cannot be told apart"))?;
        writeln!(
            out,
            "], names: Names {{ seed: {seed}, slots: &{slots:?}, entries: &{names:?} }},"
        )?;
        writeln!(out, "oneofs: &{oneofs:?} }};")?;
        let path = names::rust_path(message);
        writeln!(
            out,
            "impl Described for {path} {{ const MESSAGE: &'static Message = &{this}; }}"
        )?;
        Ok(())
    }

    fn field(
        &self,
        field: &FieldDescriptor,
        oneofs: &[String],
        out: &mut String,
    ) -> Result<(), Box<dyn Error>> {
        if field.field_descriptor_proto().proto3_optional() {
            return Err(format!("{}: `optional` has no table entry", field.full_name()).into());
        }
        let (kind, shape) = match field.kind() {
            Kind::Message(entry) if field.is_map() => (
                self.kind(&entry.map_entry_value_field())?,
                format!("Shape::Map(Scalar::{})", scalar(&entry.map_entry_key_field())?),
            ),
            _ if field.cardinality() == Cardinality::Repeated => {
                (self.kind(field)?, "Shape::Many".to_owned())
            }
            _ => (self.kind(field)?, "Shape::One".to_owned()),
        };
        let oneof = match field.containing_oneof() {
            Some(of) => {
                let at = oneofs.iter().position(|name| name == of.name());
                format!("Some({})", at.ok_or("a oneof that its message does not list")?)
            }
            None => "None".to_owned(),
        };
        writeln!(
            out,
            "Field {{ number: {}, name: {:?}, json_name: {:?}, kind: {kind}, shape: {shape}, \
             oneof: {oneof} }},",
            field.number(),
            field.name(),
            field.json_name(),
        )?;
        Ok(())
    }

    fn kind(&self, field: &FieldDescriptor) -> Result<String, Box<dyn Error>> {
        Ok(match field.kind() {
            Kind::Message(message) => match message.full_name() {
                "google.protobuf.Timestamp" => "Kind::Timestamp".to_owned(),
                "google.protobuf.Struct" => "Kind::Struct".to_owned(),
                name if name.starts_with("google.protobuf.") => {
                    let value = message.get_field_by_name("value").ok_or("not a wrapper")?;
                    format!("Kind::Wrapper(Scalar::{})", scalar(&value)?)
                }
                name => format!("Kind::Message({})", self.reference(name)?),
            },
            Kind::Enum(enumeration) => {
                format!("Kind::Enum({})", self.reference(enumeration.full_name())?)
            }
            _ => format!("Kind::Scalar(Scalar::{})", scalar(field)?),
        })
    }
}

/// A seed, and the table of slots in which under that seed every name has its own.
fn perfect_hash(names: &[(String, usize)]) -> Option<(u64, Vec<u8>)> {
    const SEEDS_TRIED: u64 = 4_096;
    const SLOTS_MAX: usize = 4_096;
    const EMPTY: u8 = u8::MAX;

    let mut size = names.len().next_power_of_two();
    while size <= SLOTS_MAX {
        for attempt in 1..=SEEDS_TRIED {
            // Odd, and spread over the whole word.
            let seed = attempt.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            let mut slots = vec![EMPTY; size];
            let fits = names.iter().enumerate().all(|(at, (name, _))| {
                let slot = hash(name, seed) as usize & (size - 1);
                let free = slots[slot] == EMPTY && at < usize::from(EMPTY);
                slots[slot] = at as u8;
                free
            });
            if fits {
                return Some((seed, slots));
            }
        }
        size *= 2;
    }
    None
}

fn scalar(field: &FieldDescriptor) -> Result<&'static str, Box<dyn Error>> {
    Ok(match field.kind() {
        Kind::Bool => "Bool",
        Kind::Int32 => "Int32",
        Kind::Int64 => "Int64",
        Kind::Uint32 => "Uint32",
        Kind::Uint64 => "Uint64",
        Kind::Double => "Double",
        Kind::String => "String",
        Kind::Bytes => "Bytes",
        other => return Err(format!("{}: {other:?} has no table entry", field.full_name()).into()),
    })
}

fn messages(pool: &DescriptorPool) -> impl Iterator<Item = MessageDescriptor> {
    pool.all_messages()
        .filter(|message| message.package_name().starts_with("nakama.") && !message.is_map_entry())
}

fn enums(pool: &DescriptorPool) -> impl Iterator<Item = EnumDescriptor> {
    pool.all_enums().filter(|enumeration| enumeration.package_name().starts_with("nakama."))
}
