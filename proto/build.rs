//! Compiles `proto/**.proto` into prost types, and into the tables that JSON and routing are driven by.

#[path = "src/table/hash.rs"]
mod hash;
#[path = "build/names.rs"]
mod names;
#[path = "build/routes.rs"]
mod routes;
#[path = "build/tables.rs"]
mod tables;

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use protox::prost_reflect::prost::Message as _;
use protox::prost_reflect::prost_types::FileDescriptorSet;

const ROOT: &str = "proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={ROOT}");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=build");
    println!("cargo:rerun-if-changed=src/table/hash.rs");

    let mut compiler = protox::Compiler::new([ROOT])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(proto_files(Path::new(ROOT))?)?;

    let files = compiler.file_descriptor_set();
    prost_build::Config::new()
        // Payloads stay slices of the buffer they arrived in.
        .bytes(["."])
        // Ordered, so that the same message has the same bytes everywhere; these maps are small.
        .btree_map(["."])
        .compile_fds(files.clone())?;

    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors(files))?;
    let pool = compiler.descriptor_pool();
    let tables = tables::Tables::new(&pool);
    fs::write(out.join("tables.rs"), tables.source(&pool)?)?;
    fs::write(out.join("routes.rs"), routes::source(&pool)?)?;
    Ok(())
}

/// The compiled files as a `google.protobuf.FileDescriptorSet`, without their comments and positions.
fn descriptors(mut files: FileDescriptorSet) -> Vec<u8> {
    for file in &mut files.file {
        file.source_code_info = None;
    }
    files.encode_to_vec()
}

/// Every `.proto` file below `root`, in a stable order.
fn proto_files(root: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir()? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "proto") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
