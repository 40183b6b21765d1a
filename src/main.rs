//! The program: see the library's [`fhirlake::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    fhirlake::cli::main()
}
