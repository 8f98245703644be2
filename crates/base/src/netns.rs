//! A network namespace as an owned descriptor, and threads that visit one.
//!
//! setns(2) moves a single thread. A thread left behind in a foreign namespace would open its
//! next socket there, so only a [`Wanderer`] can enter one, and a wanderer exists only on a
//! thread that ends with the work it was made for.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, Scope, ScopedJoinHandle};

use netnsctl_sys::namespace;
use rustix::fs::{CWD, Mode, OFlags, fstat, openat};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::error::{Context, Error, NamespaceKind, Object};

/// A network namespace, kept alive by this descriptor. Equality is identity: device and inode.
#[derive(Debug)]
pub struct Netns {
    fd: OwnedFd,
    /// `st_dev` of the namespace file.
    pub device: u64,
    /// `st_ino` of the namespace file: the number in `net:[4026531840]`.
    pub inode: u64,
}

impl PartialEq for Netns {
    fn eq(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

impl Netns {
    /// The namespace of the calling thread.
    pub fn current() -> Result<Self, Error> {
        Self::open_path("/proc/thread-self/ns/net")
    }

    /// A namespace file anywhere. Opening that of another user's process needs ptrace rights.
    pub fn open_path(path: &str) -> Result<Self, Error> {
        let fd = openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        Self::from_fd(fd.context("open", path)?).context("look at", path)
    }

    /// The namespace whose file `fd` is open on.
    ///
    /// Errors: fstat(2) failed.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        let stat = fstat(&fd)?;
        Ok(Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            fd,
        })
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The right to move the calling thread between namespaces; see [`wander`].
#[derive(Debug)]
pub struct Wanderer {
    /// Not to be sent to a thread that lives on.
    _on_this_thread: PhantomData<*const ()>,
}

/// Runs `work` on a thread of its own that may move between namespaces and ends afterwards.
/// The calling thread waits and never moves.
///
/// Errors: no thread can be started (EAGAIN: a limit on tasks or memory, pthread_create(3));
/// `work` has not run then.
pub fn wander<T: Send>(work: impl FnOnce(&mut Wanderer) -> T + Send) -> Result<T, Error> {
    std::thread::scope(|scope| start(scope, work).map(finish))
}

/// Does `work` with each of `items` on up to `threads` threads, each as that of [`wander`]: a thread that is
/// done with one item takes the next. The results are in the order of the items. If there are several
/// threads, the calling thread does `beside` at the same time, else afterwards.
///
/// Errors: as those of [`wander`]. A thread that cannot be started is done without if another was started.
pub fn wander_each<I: Sync, T: Send, R>(
    items: &[I],
    threads: usize,
    work: impl Fn(&mut Wanderer, &I) -> T + Sync,
    beside: impl FnOnce() -> R,
) -> Result<(Vec<T>, R), Error> {
    let next = AtomicUsize::new(0);
    let take = |wanderer: &mut Wanderer| {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            match items.get(number) {
                Some(item) => done.push((number, work(wanderer, item))),
                None => return done,
            }
        }
    };
    std::thread::scope(|scope| {
        let first = start(scope, take)?;
        if threads <= 1 {
            return Ok((in_order(finish(first)), beside()));
        }
        let others: Vec<_> = (1..threads)
            .map_while(|_| start(scope, take).ok())
            .collect();
        let beside = beside();
        let mut done = finish(first);
        done.extend(others.into_iter().flat_map(finish));
        Ok((in_order(done), beside))
    })
}

fn in_order<T>(mut done: Vec<(usize, T)>) -> Vec<T> {
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

fn start<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce(&mut Wanderer) -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>, Error> {
    let started = Builder::new().spawn_scoped(scope, || {
        work(&mut Wanderer {
            _on_this_thread: PhantomData,
        })
    });
    started.context(
        "start",
        Object::task("a thread that enters network namespaces"),
    )
}

fn finish<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    match thread.join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

impl Wanderer {
    /// Moves this thread into `netns`. Needs CAP_SYS_ADMIN in the user namespace that owns it and
    /// in the caller's own (setns(2)).
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where threads move"
    )]
    pub fn enter(&mut self, netns: &Netns, name: &str) -> Result<(), Error> {
        move_into_link_name_space(netns.as_fd(), Some(LinkNameSpaceType::Network))
            .context("enter", Object::netns(name))
    }

    /// Makes a new network namespace and moves this thread into it. It has no name and ends with
    /// the last descriptor or thread that keeps it. Needs CAP_SYS_ADMIN (unshare(2)).
    pub fn create(&mut self) -> Result<Netns, Error> {
        namespace::unshare_network()
            .context("create", Object::new_namespace(NamespaceKind::Network))?;
        Netns::current()
    }
}

/// Runs `work` once inside `netns`, on a thread that ends there: to open a socket in it. Needs no
/// capability where the calling thread is there already.
pub fn within<T: Send>(
    netns: &Netns,
    name: &str,
    work: impl FnOnce() -> T + Send,
) -> Result<T, Error> {
    if Netns::current()? == *netns {
        return Ok(work());
    }
    wander(|wanderer| wanderer.enter(netns, name).map(|()| work()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_items_however_many_threads_there_are() {
        let items: Vec<usize> = (0..500).collect();
        for threads in [0, 1, 2, 7] {
            let here = std::thread::current().id();
            let work = |_: &mut Wanderer, item: &usize| (*item, std::thread::current().id());
            let beside = || std::thread::current().id();
            let (done, beside) = wander_each(&items, threads, work, beside).unwrap();
            assert_eq!(beside, here);
            assert!(done.iter().all(|(_, thread)| *thread != here));
            assert_eq!(
                done.iter().map(|(item, _)| *item).collect::<Vec<_>>(),
                items
            );
        }
    }

    #[test]
    fn without_items_there_is_no_work() {
        let work = |_: &mut Wanderer, (): &()| ();
        let (done, beside) = wander_each(&[], 2, work, || 1).unwrap();
        assert_eq!((done.len(), beside), (0, 1));
    }
}
