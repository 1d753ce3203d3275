//! The `revu` program: everything is in the library, see [`revu::cli`].

fn main() -> std::process::ExitCode {
    revu::cli::main()
}
