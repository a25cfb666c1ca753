// SPDX-License-Identifier: Apache-2.0
//! Compiles the network's C. `EV_CC` and `EV_AR` name other tools than those of the target. Written by edgevit.
use std::{env, path::PathBuf, process::Command};

const SOURCES: &[&str] = &[
@SOURCES@
];
const FLAGS: &[&str] = &[@FLAGS@];

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}

fn main() {
    let target = env::var("TARGET").unwrap();
    let out = PathBuf::from(env::var("OUT_DIR").unwrap());
    let prefix = match () {
        _ if target.starts_with("thumb") => "arm-none-eabi-",
        _ if target.starts_with("riscv32") => "riscv64-unknown-elf-",
        _ => "",
    };
    let tool = |name: &str, plain: &str| {
        env::var(name).unwrap_or_else(|_| match prefix {
            "" => plain.to_string(),
            _ => format!("{prefix}{}", if plain == "cc" { "gcc" } else { plain }),
        })
    };
    let (cc, ar) = (tool("EV_CC", "cc"), tool("EV_AR", "ar"));
    let mut objects = Vec::new();
    for source in SOURCES {
        let object = out.join(format!("{}.o", source.replace(['/', '.'], "_")));
        let mut command = Command::new(&cc);
        if !prefix.is_empty() {
            command.args(FLAGS);
            if target.ends_with("-eabi") {
                command.arg("-mfloat-abi=soft");
            }
        }
        command.args(["-std=c99", "-O3", "-ffreestanding", "-ffunction-sections", "-Ic", "-Ic/include"]);
        run(command.arg("-c").arg(source).arg("-o").arg(&object));
        println!("cargo:rerun-if-changed={source}");
        objects.push(object);
    }
    let library = out.join("libev_model.a");
    let _ = std::fs::remove_file(&library);
    run(Command::new(&ar).arg("rcs").arg(&library).args(&objects));
    println!("cargo:rustc-link-search=native={}", out.display());
    println!("cargo:rustc-link-lib=static=ev_model");
    println!("cargo:rerun-if-env-changed=EV_CC");
    println!("cargo:rerun-if-env-changed=EV_AR");
}
