//! Present, absent, or unknown: an error while finding out is never taken for absence.
//!
//! Only ENOENT and ENOTDIR (a folder of the path is missing, or is a file) mean that something is
//! absent. Every other error means that it is not known, and goes to the caller.

use std::io;

use rustix::io::Errno;

/// An error of a system call that may mean that an object is absent.
pub trait Absence {
    /// Whether the error means that the object is absent.
    fn is_absence(&self) -> bool;
}

impl Absence for Errno {
    fn is_absence(&self) -> bool {
        matches!(*self, Self::NOENT | Self::NOTDIR)
    }
}

impl Absence for io::Error {
    fn is_absence(&self) -> bool {
        matches!(
            self.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
        )
    }
}

/// The value if the object is present, none if it is absent.
///
/// Errors: every error that does not mean absence.
pub fn if_present<T, E: Absence>(result: Result<T, E>) -> Result<Option<T>, E> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_absence() => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_absent() {
        assert_eq!(if_present::<_, Errno>(Ok(1)), Ok(Some(1)));
        for errno in [Errno::NOENT, Errno::NOTDIR] {
            assert_eq!(if_present::<(), _>(Err(errno)), Ok(None));
            let result = if_present::<(), _>(Err(io::Error::from(errno)));
            assert!(matches!(result, Ok(None)), "{result:?}");
        }
        let unknown = [
            Errno::ACCESS,
            Errno::IO,
            Errno::LOOP,
            Errno::MFILE,
            Errno::NOMEM,
            Errno::PERM,
        ];
        for errno in unknown {
            assert_eq!(if_present::<(), _>(Err(errno)), Err(errno));
            let result = if_present::<(), _>(Err(io::Error::from(errno)));
            assert!(result.is_err(), "{errno}");
        }
    }
}
