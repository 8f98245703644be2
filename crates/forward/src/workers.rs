//! The threads of one forwarder: which listeners each serves, how they start and end.

use std::os::fd::BorrowedFd;
use std::thread;

use crate::context::Shared;
use crate::engine::{Engine, RunError};
use crate::listener::{Listener, Protocol};
use crate::options::Options;
use crate::seal::{MissingLayer, seal};

/// Runs `first` on the calling thread and each of `others` on a thread of its own until all have
/// ended; `ready` is called when all are there. One that fails makes `failed`, which all of them
/// watch, readable.
///
/// Errors: [`RunError::Thread`] before `ready` is called, and the first failure of an engine.
pub(crate) fn serve_all(
    first: Engine<'_>,
    others: Vec<Engine<'_>>,
    failed: BorrowedFd<'_>,
    options: &Options,
    ready: impl FnOnce(),
) -> Result<(), RunError> {
    let fail = || {
        // Adding one to a counter at zero does not fail.
        let _ = rustix::io::write(failed, &1u64.to_ne_bytes());
    };
    let serve = |engine: Engine<'_>| engine.serve().inspect_err(|_| fail());
    thread::scope(|scope| {
        let mut threads = Vec::with_capacity(others.len());
        for engine in others {
            let name = format!("worker {}", engine.core.worker);
            let start = || {
                cut_off(options);
                serve(engine)
            };
            match thread::Builder::new().name(name).spawn_scoped(scope, start) {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    fail();
                    return Err(RunError::Thread { error });
                }
            }
        }
        // After this no thread can be started any more.
        for layer in cut_off(options) {
            options.log.line(&format!("going on with {layer}"));
        }
        ready();
        let mut result = serve(first);
        for thread in threads {
            // A worker that panicked has told why.
            result = result.and(thread.join().unwrap_or(Ok(())));
        }
        result
    })
}

/// Seals the calling thread if that is asked for; gives the layers that are lacking, in each thread
/// the same.
fn cut_off(options: &Options) -> Vec<MissingLayer> {
    if options.seal {
        seal(&options.connect)
    } else {
        Vec::new()
    }
}

/// The listeners of a worker but the first: every TCP one, and its share of those for UDP.
pub(crate) fn for_worker(
    listeners: &[Listener],
    worker: usize,
    shared: &Shared,
) -> Result<Vec<Listener>, RunError> {
    let own = listeners
        .iter()
        .enumerate()
        .filter(|(index, it)| is_served_by(it, *index, worker, shared));
    own.map(|(_, listener)| {
        listener.duplicate().map_err(|errno| RunError::Watch {
            what: listener.to_string(),
            errno,
        })
    })
    .collect()
}

/// The listeners of the first worker.
pub(crate) fn for_first(listeners: Vec<Listener>, shared: &Shared) -> Vec<Listener> {
    let own = listeners
        .into_iter()
        .enumerate()
        .filter(|(index, it)| is_served_by(it, *index, 0, shared));
    own.map(|(_, listener)| listener).collect()
}

fn is_served_by(listener: &Listener, index: usize, worker: usize, shared: &Shared) -> bool {
    listener.protocol() == Protocol::Tcp || index % shared.workers() == worker
}
