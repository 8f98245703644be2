//! A mount namespace that is kept by a bind mount of its nsfs file.
//!
//! Source: the kernel's fs/namespace.c (`mnt_ns_loop()`).

use std::io;
use std::sync::mpsc;
use std::thread::Builder;

use netnsctl_base::error::{Context, Error, Object};
use rustix::io::Errno;
use rustix::mount::mount_bind;
use rustix::thread::{CpuSet, gettid, sched_getaffinity, sched_setaffinity};

/// Pins a new mount namespace at `place`. `build` makes the namespace on a thread that ends
/// afterwards, and may run more than once. `object` is the namespace in errors. Returns the kernel's
/// answer to the pin. Needs CAP_SYS_ADMIN.
///
/// A mount namespace may be pinned only in an older one, so that none holds itself (EINVAL). Since
/// Linux 6.18 ages are numbers of which each processor has its own stock, so a new namespace may have
/// a lower number than ours unless it is made on another processor: each one is tried. If the
/// processors cannot be read (there are more than 1024), there is no other attempt.
///
/// Errors: `build` failed, or no thread can be started.
pub fn pin_new(
    object: &Object,
    place: &str,
    build: impl Fn() -> Result<(), Error> + Sync,
) -> Result<Result<(), Errno>, Error> {
    let mut pinned = attempt(object, place, &build, None)?;
    if pinned == Err(Errno::INVAL) {
        let usable = sched_getaffinity(None).unwrap_or_default();
        for processor in (0..CpuSet::MAX_CPU).filter(|&it| usable.is_set(it)) {
            pinned = attempt(object, place, &build, Some(processor))?;
            if pinned != Err(Errno::INVAL) {
                break;
            }
        }
    }
    Ok(pinned)
}

/// One attempt, on `processor` if there is one.
fn attempt(
    object: &Object,
    place: &str,
    build: &(impl Fn() -> Result<(), Error> + Sync),
    processor: Option<usize>,
) -> Result<Result<(), Errno>, Error> {
    let (ready, is_ready) = mpsc::channel();
    let (pinned, is_pinned) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let started = Builder::new().spawn_scoped(scope, move || {
            if let Some(processor) = processor {
                let mut one = CpuSet::new();
                one.set(processor);
                // If this fails, the attempt is in vain.
                let _ = sched_setaffinity(None, &one);
            }
            let _ = ready.send(build().map(|()| gettid()));
            // The mount namespace lives as long as this thread, until it is pinned.
            let _ = is_pinned.recv();
        });
        started.context(
            "start",
            Object::task("a thread that makes a mount namespace"),
        )?;
        let thread = is_ready.recv().unwrap_or_else(|_| {
            let died = io::Error::other("the thread that builds it ended");
            Err(died).context("build", object.clone())
        })?;
        let source = format!("/proc/self/task/{}/ns/mnt", thread.as_raw_nonzero());
        let result = mount_bind(source, place);
        drop(pinned);
        Ok(result)
    })
}
