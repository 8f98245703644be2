//! Lists through the entries of a slab: order by time without a heap and without allocation.
//!
//! All entries of one list wait for the same length of time, so appending keeps it ordered by
//! deadline and only the front needs looking at. Every operation is a few stores.

use slab::Slab;

const NONE: usize = usize::MAX;

/// An entry's place in the list it is in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Links {
    previous: usize,
    next: usize,
}

impl Default for Links {
    fn default() -> Self {
        Self {
            previous: NONE,
            next: NONE,
        }
    }
}

/// What can be in a list; in at most one at a time.
pub(crate) trait Linked {
    /// The place this entry stores for its list.
    fn links(&mut self) -> &mut Links;
}

/// A list of keys of a slab, oldest first.
#[derive(Debug)]
pub(crate) struct List {
    front: usize,
    back: usize,
}

impl List {
    pub(crate) fn new() -> Self {
        Self {
            front: NONE,
            back: NONE,
        }
    }

    /// The oldest entry.
    pub(crate) fn front(&self) -> Option<usize> {
        (self.front != NONE).then_some(self.front)
    }

    /// Appends `key`, which is in no list.
    pub(crate) fn push<T: Linked>(&mut self, slab: &mut Slab<T>, key: usize) {
        *slab[key].links() = Links {
            previous: self.back,
            next: NONE,
        };
        match self.back {
            NONE => self.front = key,
            back => slab[back].links().next = key,
        }
        self.back = key;
    }

    /// Takes out `key`, which is in this list.
    pub(crate) fn remove<T: Linked>(&mut self, slab: &mut Slab<T>, key: usize) {
        let Links { previous, next } = std::mem::take(slab[key].links());
        match previous {
            NONE => self.front = next,
            previous => slab[previous].links().next = next,
        }
        match next {
            NONE => self.back = previous,
            next => slab[next].links().previous = previous,
        }
    }

    /// Moves `key`, which is in this list, to its end.
    pub(crate) fn touch<T: Linked>(&mut self, slab: &mut Slab<T>, key: usize) {
        if self.back != key {
            self.remove(slab, key);
            self.push(slab, key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Linked for Links {
        fn links(&mut self) -> &mut Links {
            self
        }
    }

    fn drain(list: &mut List, slab: &mut Slab<Links>) -> Vec<usize> {
        let next = || {
            let front = list.front()?;
            list.remove(slab, front);
            Some(front)
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn order_is_that_of_the_last_touch() {
        let mut slab = Slab::new();
        let mut list = List::new();
        for _ in 0..4 {
            let key = slab.insert(Links::default());
            list.push(&mut slab, key);
        }
        list.touch(&mut slab, 0);
        list.touch(&mut slab, 2);
        list.touch(&mut slab, 2);
        assert_eq!(drain(&mut list, &mut slab), [1, 3, 0, 2]);
        assert_eq!(list.front(), None);
    }

    #[test]
    fn entries_leave_from_anywhere() {
        let mut slab = Slab::new();
        let mut list = List::new();
        for _ in 0..4 {
            let key = slab.insert(Links::default());
            list.push(&mut slab, key);
        }
        for key in [3, 0, 2] {
            list.remove(&mut slab, key);
        }
        assert_eq!(drain(&mut list, &mut slab), [1]);
    }
}
