//! The `revu` program: everything is in the library, see [`revu::cli`].

/// The allocator of glibc gives memory of every thread back to the system with each large chunk, and
/// takes it anew with the next: see docs/performance.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    revu::cli::main()
}
