//! The threads of one forwarder: which listeners each serves, how they start and end.

use std::os::fd::{AsFd, BorrowedFd};
use std::thread;

use rustix::event::{EventfdFlags, eventfd};

use crate::context::Shared;
use crate::engine::{Control, Engine, RunError};
use crate::listener::{Listener, Protocol};
use crate::options::Options;
use crate::seal::{MissingLayer, seal};

/// Forwards what comes in at `listeners` to the target until told to stop.
///
/// Everything happens on the calling thread and on `options.workers` less one others, which end
/// before it returns. Connections to the target are made in the network namespace of the calling
/// thread, which the others inherit. `ready` is called once, when every listener is served. An order of
/// `control` counts for what begins after it: connections keep their target and their time to
/// connect, UDP sessions begin anew where the target is another one.
///
/// When `stop` becomes readable or is hung up (a signalfd, a pipe; it is never read), listeners are
/// closed and connections may go on for `options.drain`, then they are reset. UDP sessions go on
/// as long as there are connections, and no new ones are made. Returns when none is left.
///
/// With `options.seal` each of these threads shuts itself off from everything else, for good.
///
/// SIGPIPE must be ignored, as it is in programs with Rust's own start: splice(2) raises it.
///
/// Needs no capability. See epoll(7), accept(2), connect(2), udp(7).
///
/// Errors: [`RunError::Datagrams`] for a combination that cannot work; [`RunError::Create`],
/// [`RunError::Watch`] and [`RunError::Thread`] before `ready` is called, for want of descriptors,
/// memory, watches or threads, or a `stop` that knows no events; [`RunError::Wait`] later, which no
/// known cause has. No error of a client or target ends it.
pub fn run(
    listeners: Vec<Listener>,
    control: Control<'_>,
    stop: BorrowedFd<'_>,
    options: &Options,
    ready: impl FnOnce(),
) -> Result<(), RunError> {
    if options.connect.path().is_some()
        && let Some(listener) = listeners.iter().find(|it| it.protocol() == Protocol::Udp)
    {
        return Err(RunError::Datagrams {
            what: listener.to_string(),
            target: options.connect.clone(),
        });
    }
    let lines: Vec<String> = listeners.iter().map(|it| describe(it, options)).collect();
    let shared = Shared::new(options.clone());
    let shared = shared.map_err(|errno| RunError::Create { errno })?;
    // Readable when one loop fails, so that the others end too.
    let failed = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
        .map_err(|errno| RunError::Create { errno })?;
    let stops = [stop, failed.as_fd()];
    let mut engines = Vec::with_capacity(shared.workers());
    for worker in 1..shared.workers() {
        let own = for_worker(&listeners, worker, &shared)?;
        engines.push(Engine::new(
            own,
            Control::default(),
            stops,
            &shared,
            worker,
        )?);
    }
    let own = for_first(listeners, &shared);
    let first = Engine::new(own, control, stops, &shared, 0)?;
    serve_all(first, engines, failed.as_fd(), options, || {
        lines.iter().for_each(|line| options.log.line(line));
        ready();
    })
}

/// Runs `first` on the calling thread and each of `others` on a thread of its own until all have
/// ended; `ready` is called when all are there. One that fails makes `failed`, which all of them
/// watch, readable.
///
/// Errors: [`RunError::Thread`] before `ready` is called, and the first failure of an engine.
fn serve_all(
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
fn for_worker(
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
fn for_first(listeners: Vec<Listener>, shared: &Shared) -> Vec<Listener> {
    let own = listeners
        .into_iter()
        .enumerate()
        .filter(|(index, it)| is_served_by(it, *index, 0, shared));
    own.map(|(_, listener)| listener).collect()
}

fn is_served_by(listener: &Listener, index: usize, worker: usize, shared: &Shared) -> bool {
    listener.protocol() == Protocol::Tcp || index % shared.workers() == worker
}

fn describe(listener: &Listener, options: &Options) -> String {
    let dual_stack = if listener.is_dual_stack() {
        " (IPv6 and IPv4)"
    } else {
        ""
    };
    format!(
        "listening on {listener}{dual_stack}, connecting to {}",
        options.connect
    )
}
