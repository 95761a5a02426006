//! What a process that holds secrets asks of the system.

/// Memory is wiped when it is freed, whoever has used it: the cryptography's own copies too, and
/// the buffers of HTTP.
#[global_allocator]
static WIPED: zeroizing_alloc::ZeroAlloc<std::alloc::System> =
    zeroizing_alloc::ZeroAlloc(std::alloc::System);

/// Leaves no image of the memory behind when the process crashes.
pub fn no_core_dumps() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let none = Rlimit { current: Some(0), maximum: Some(0) };
        if let Err(error) = setrlimit(Resource::Core, none) {
            tracing::warn!(%error, "core dumps stay on");
        }
    }
}
