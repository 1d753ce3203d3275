//! The `revu` program: everything is in the library, see [`revu::cli`].

mod memory;

#[global_allocator]
static ALLOCATOR: memory::Allocator = memory::Allocator;

fn main() -> std::process::ExitCode {
    revu::cli::main()
}
