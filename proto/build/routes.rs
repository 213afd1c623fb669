//! Writes the route table of `src/routes`: for each service an enumeration of its calls, what each call
//! is, and a tree of path segments that finds a call by its path.

use std::{collections::BTreeMap, error::Error, fmt::Write};

use heck::ToShoutySnakeCase;
use protox::prost_reflect::{
    DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor, ServiceDescriptor, Value,
};

use crate::names;

/// Path parameters of one call at most; `src/routes` keeps that many in place.
const PARAMETERS_MAX: usize = 4;
/// Segments of a path at most.
const SEGMENTS_MAX: usize = 8;

/// How a service appears in the generated code.
struct Names {
    service: &'static str,
    /// The enumeration of its calls.
    rpc: &'static str,
    /// The module of its calls' types.
    calls: &'static str,
    /// What its JSON does with unset fields.
    unset: &'static str,
}

const SERVICES: [Names; 2] = [
    Names { service: "nakama.api.Nakama", rpc: "Rpc", calls: "calls", unset: "Omit" },
    Names {
        service: "nakama.console.Console",
        rpc: "ConsoleRpc",
        calls: "console_calls",
        unset: "Print",
    },
];

pub(crate) fn source(pool: &DescriptorPool) -> Result<String, Box<dyn Error>> {
    let mut out = String::new();
    writeln!(out, "const PARAMETERS_MAX: usize = {PARAMETERS_MAX};")?;
    writeln!(out, "const SEGMENTS_MAX: usize = {SEGMENTS_MAX};")?;
    for names in &SERVICES {
        let name = names.service;
        let service = pool.get_service_by_name(name).ok_or_else(|| format!("no service {name}"))?;
        write_service(&mut out, pool, &service, names)?;
    }
    Ok(out)
}

fn write_service(
    out: &mut String,
    pool: &DescriptorPool,
    service: &ServiceDescriptor,
    Names { rpc, calls, unset, .. }: &Names,
) -> Result<(), Box<dyn Error>> {
    let full_name = service.full_name();
    let methods: Vec<MethodDescriptor> = service.methods().collect();

    let variants: Vec<String> = methods.iter().map(|method| names::camel(method.name())).collect();
    writeln!(out, "/// A call of `{full_name}`.")?;
    writeln!(out, "#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]")?;
    writeln!(out, "#[repr(u8)]\npub enum {rpc} {{ {} }}", variants.join(", "))?;

    let mut root = Node::default();
    let mut definitions = String::new();
    for (index, method) in methods.iter().enumerate() {
        write_definition(&mut definitions, pool, method, index, &mut root)?;
    }
    let mut by_name: Vec<(&str, usize)> =
        methods.iter().enumerate().map(|(index, method)| (method.name(), index)).collect();
    by_name.sort_unstable();

    let constant = rpc.to_shouty_snake_case();
    writeln!(out, "static {constant}_DEFINITIONS: [Definition; {}] = [", methods.len())?;
    writeln!(out, "{definitions}];")?;
    writeln!(out, "static {constant}_TREE: Node = {};", root.source()?)?;
    writeln!(out, "impl Service for {rpc} {{")?;
    writeln!(out, "const NAME: &'static str = {full_name:?};")?;
    writeln!(out, "const UNSET: Unset = Unset::{unset};")?;
    let all: Vec<String> = variants.iter().map(|variant| format!("Self::{variant}")).collect();
    writeln!(out, "const ALL: &'static [Self] = &[{}];", all.join(", "))?;
    writeln!(out, "fn definition(self) -> &'static Definition {{")?;
    writeln!(out, "&{constant}_DEFINITIONS[usize::from(self as u8)] }}")?;
    writeln!(out, "fn tree() -> &'static Node {{ &{constant}_TREE }}")?;
    writeln!(out, "fn names() -> &'static [(&'static str, u8)] {{ &{by_name:?} }} }}")?;

    writeln!(out, "/// A type for each call of `{full_name}`, with its request and response.")?;
    writeln!(out, "pub mod {calls} {{")?;
    for (method, variant) in methods.iter().zip(&variants) {
        writeln!(out, "/// `{full_name}/{}`", method.name())?;
        writeln!(out, "#[derive(Clone, Copy, Debug)] pub struct {variant};")?;
        writeln!(out, "impl super::Call for {variant} {{ type Service = super::{rpc};")?;
        writeln!(out, "const RPC: super::{rpc} = super::{rpc}::{variant};")?;
        writeln!(out, "type Request = {};", names::rust_path(&method.input()))?;
        writeln!(out, "type Response = {}; }}", names::rust_path(&method.output()))?;
    }
    writeln!(out, "}}")?;
    Ok(())
}

fn write_definition(
    out: &mut String,
    pool: &DescriptorPool,
    method: &MethodDescriptor,
    index: usize,
    root: &mut Node,
) -> Result<(), Box<dyn Error>> {
    let bindings = bindings(pool, method)?;
    let request = method.input();
    let described = |message: &MessageDescriptor| {
        format!("<{} as crate::table::Described>::MESSAGE", names::rust_path(message))
    };
    let grpc_path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    writeln!(out, "Definition {{ name: {:?}, grpc_path: {grpc_path:?},", method.name())?;
    writeln!(out, "request: {}, response: {},", described(&request), described(&method.output()))?;
    writeln!(out, "accepts: &[{}], bindings: &[", credentials(pool, method)?.join(", "))?;
    for (at, binding) in bindings.iter().enumerate() {
        let body = match binding.body.as_str() {
            "" => "Body::None".to_owned(),
            "*" => "Body::Whole".to_owned(),
            field => format!("Body::Field({})", field_index(&request, field)?),
        };
        let mut node = &mut *root;
        let mut parameters = Vec::new();
        let path = binding.path.strip_prefix('/').ok_or("a path starts with a slash")?;
        for segment in path.split('/') {
            if let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                parameters.push(field_index(&request, name)?);
                node = node.parameter.get_or_insert_default();
            } else {
                node = node.literals.entry(segment.to_owned()).or_default();
            }
        }
        if parameters.len() > PARAMETERS_MAX || path.split('/').count() > SEGMENTS_MAX {
            return Err(format!("{} is longer than the matcher's room", binding.path).into());
        }
        if node.ends.iter().any(|(taken, _, _)| *taken == binding.method) {
            return Err(format!("{} {} is bound twice", binding.method, binding.path).into());
        }
        node.ends.push((binding.method, index, at));
        writeln!(
            out,
            "Binding {{ method: Method::{}, path: {:?}, parameters: &{parameters:?}, body: {body} }},",
            binding.method, binding.path,
        )?;
    }
    writeln!(out, "] }},")?;
    Ok(())
}

/// A field's index in its table: tables are in the order of the numbers.
fn field_index(message: &MessageDescriptor, name: &str) -> Result<usize, Box<dyn Error>> {
    let field = message
        .get_field_by_name(name)
        .ok_or_else(|| format!("{} has no field {name}", message.full_name()))?;
    Ok(message.fields().filter(|other| other.number() < field.number()).count())
}

struct Binding {
    method: &'static str,
    path: String,
    body: String,
}

fn bindings(
    pool: &DescriptorPool,
    method: &MethodDescriptor,
) -> Result<Vec<Binding>, Box<dyn Error>> {
    let http = pool.get_extension_by_name("google.api.http").ok_or("no google.api.http")?;
    let options = method.options();
    let rule = options.get_extension(&http);
    let rule = rule.as_message().ok_or("google.api.http is no message")?;
    let mut bindings = vec![binding(rule)?];
    if let Some(Value::List(additional)) = rule.get_field_by_name("additional_bindings").as_deref()
    {
        for rule in additional.iter().filter_map(Value::as_message) {
            bindings.push(binding(rule)?);
        }
    }
    Ok(bindings)
}

fn binding(rule: &DynamicMessage) -> Result<Binding, Box<dyn Error>> {
    let text = |name: &str| {
        let value = rule.get_field_by_name(name);
        value.as_deref().and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    for (name, method) in
        [("get", "Get"), ("put", "Put"), ("post", "Post"), ("delete", "Delete"), ("patch", "Patch")]
    {
        if rule.has_field_by_name(name) {
            return Ok(Binding { method, path: text(name), body: text("body") });
        }
    }
    Err("an HTTP rule without a method".into())
}

fn credentials(
    pool: &DescriptorPool,
    method: &MethodDescriptor,
) -> Result<Vec<String>, Box<dyn Error>> {
    let accepts = pool.get_extension_by_name("kakera.accepts").ok_or("no kakera.accepts")?;
    let kinds = pool.get_enum_by_name("kakera.Credential").ok_or("no kakera.Credential")?;
    let options = method.options();
    let accepted = options.get_extension(&accepts);
    let mut names = Vec::new();
    for number in accepted.as_list().unwrap_or_default().iter().filter_map(Value::as_enum_number) {
        let kind = kinds.get_value(number).ok_or("a credential without a name")?;
        names.push(format!("Credential::{}", names::camel(kind.name())));
    }
    Ok(names)
}

/// What may follow a prefix of a path.
#[derive(Default)]
struct Node {
    literals: BTreeMap<String, Node>,
    parameter: Option<Box<Node>>,
    /// Method, call and binding of the paths that end here.
    ends: Vec<(&'static str, usize, usize)>,
}

impl Node {
    fn source(&self) -> Result<String, Box<dyn Error>> {
        let mut out = "Node { literals: &[".to_owned();
        for (literal, node) in &self.literals {
            write!(out, "({literal:?}, {}), ", node.source()?)?;
        }
        out.push_str("], parameter: ");
        match &self.parameter {
            Some(node) => write!(out, "Some(&{})", node.source()?)?,
            None => out.push_str("None"),
        }
        out.push_str(", ends: &[");
        for (method, call, binding) in &self.ends {
            write!(out, "End {{ method: Method::{method}, call: {call}, binding: {binding} }}, ")?;
        }
        out.push_str("] }");
        Ok(out)
    }
}
