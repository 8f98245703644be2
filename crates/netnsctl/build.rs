//! Links the unwinder into the program instead of loading libgcc_s at every start.
//!
//! The standard library asks the linker for `-lgcc_s`. A linker script of that name, found first,
//! answers with the same code as archives. It saves a tenth of a millisecond of dynamic loading,
//! a quarter of what `run` adds to the command it starts, and leaves the C library as the only
//! thing the program needs. Packages ask for it with the feature `static-unwinder`. Where the compiler
//! has no such archive, nothing is changed.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_STATIC_UNWINDER").is_none() {
        return;
    }
    if std::env::var("CARGO_CFG_TARGET_ENV").as_deref() != Ok("gnu") {
        return;
    }
    let Some(folder) = std::env::var_os("OUT_DIR").map(PathBuf::from) else {
        return;
    };
    if std::env::var("HOST") != std::env::var("TARGET") || !has_archive("libgcc_eh.a") {
        return;
    }
    let script = folder.join("libgcc_s.so");
    if std::fs::write(script, "GROUP ( -lgcc_eh -lgcc -lc )\n").is_ok() {
        println!("cargo::rustc-link-search=native={}", folder.display());
    }
}

/// Whether the C compiler, which is also the linker's driver, has this archive.
#[expect(
    clippy::disallowed_methods,
    reason = "asks the compiler, at build time"
)]
fn has_archive(name: &str) -> bool {
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let answer = Command::new(compiler)
        .arg(format!("-print-file-name={name}"))
        .output();
    let path = answer.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    path.is_ok_and(|path| Path::new(&path).is_absolute())
}
