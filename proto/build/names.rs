//! The names that prost gives to generated types.

use heck::{ToSnakeCase, ToUpperCamelCase};
use protox::prost_reflect::MessageDescriptor;

/// The path of a message's Rust type from the crate's root.
pub(crate) fn rust_path(message: &MessageDescriptor) -> String {
    if message.full_name() == "google.protobuf.Empty" {
        return "()".to_owned();
    }
    let package = message.package_name();
    let mut path = format!("crate::{}", package.rsplit('.').next().unwrap_or(package));
    let mut parents = Vec::new();
    let mut parent = message.parent_message();
    while let Some(outer) = parent {
        parents.push(outer.name().to_snake_case());
        parent = outer.parent_message();
    }
    for module in parents.iter().rev() {
        path.push_str("::");
        path.push_str(module);
    }
    path.push_str("::");
    path.push_str(&message.name().to_upper_camel_case());
    path
}

/// The name of an enumeration's variant.
pub(crate) fn camel(name: &str) -> String {
    name.to_upper_camel_case()
}
