//! The kernel's words for an errno: `Permission denied (EACCES)`.

use std::borrow::Cow;
use std::error::Error;
use std::ffi::CStr;
use std::fmt;
use std::io;

/// A positive errno, as errno(3) numbers them. Displays as the C library's text and the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

macro_rules! names {
    ($($name:ident)*) => {
        /// The names of errno(3) that Linux interfaces used here are known to give.
        const NAMES: &[(i32, &str)] = &[$((libc::$name, stringify!($name))),*];
    };
}

names! {
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT
    ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG
    ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY
    ELOOP ENODATA ETIME EOVERFLOW EUSERS ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT
    EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE
    EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS EISCONN
    ENOTCONN ETIMEDOUT ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EDQUOT
    ECANCELED EPROTO EBADMSG EREMOTE EREMOTEIO ENOKEY
}

impl Errno {
    /// The errno inside an I/O error; 0 for one that did not come from the kernel.
    pub fn of(error: &io::Error) -> Words<'_> {
        Words(error)
    }

    /// The symbol, such as `EACCES`; `errno 530` for one without a name here.
    pub fn name(self) -> Cow<'static, str> {
        match NAMES.iter().find(|(number, _)| *number == self.0) {
            Some((_, name)) => Cow::Borrowed(name),
            None => Cow::Owned(format!("errno {}", self.0)),
        }
    }

    /// strerror(3), in the C locale.
    pub fn text(self) -> String {
        let mut buffer = [0 as libc::c_char; 256];
        // SAFETY: `buffer` is writable for the length given, and the XSI strerror_r that the libc
        // crate binds ends what it writes with a NUL within that length, also when it truncates.
        let failed = unsafe { libc::strerror_r(self.0, buffer.as_mut_ptr(), buffer.len()) };
        if failed != 0 && buffer[0] == 0 {
            return "Unknown error".to_owned();
        }
        // SAFETY: see above, there is a NUL within `buffer`, which outlives the borrow.
        let text = unsafe { CStr::from_ptr(buffer.as_ptr()) };
        text.to_string_lossy().into_owned()
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text(), self.name())
    }
}

/// An I/O error in the kernel's words, or in its own where it did not come from the kernel.
#[derive(Debug)]
pub struct Words<'a>(&'a io::Error);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.raw_os_error() {
            Some(number) => Errno(number).fmt(f),
            None => self.0.fmt(f),
        }
    }
}

/// The words of an error with the kernel's in the form of [`Errno`]: those of an I/O error, of an
/// errno as rustix has it, or of an error that was caused by one of them and prints it.
pub fn words(error: &(dyn Error + 'static)) -> String {
    let text = error.to_string();
    let mut cause = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<io::Error>();
        let plain = error.downcast_ref::<rustix::io::Errno>();
        let number = io.and_then(io::Error::raw_os_error);
        if let Some(number) = number.or(plain.map(|errno| errno.raw_os_error())) {
            return text.replace(&error.to_string(), &Errno(number).to_string());
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_found_wherever_they_are() {
        let wanted = "Too many open files (EMFILE)";
        let io = io::Error::from_raw_os_error(libc::EMFILE);
        assert_eq!(words(&io), wanted);
        assert_eq!(words(&rustix::io::Errno::MFILE), wanted);
        #[derive(Debug, thiserror::Error)]
        #[error("cannot open it: {source}")]
        struct Wrapped {
            source: io::Error,
        }
        let wrapped = io::Error::other(Wrapped { source: io });
        assert_eq!(words(&wrapped), format!("cannot open it: {wanted}"));
        assert_eq!(words(&io::Error::other("none")), "none");
    }

    #[test]
    fn an_errno_has_its_text_and_its_name() {
        assert_eq!(
            Errno(libc::EACCES).to_string(),
            "Permission denied (EACCES)"
        );
        assert_eq!(Errno(530).to_string(), "Unknown error 530 (errno 530)");
        let error = io::Error::from_raw_os_error(libc::EMFILE);
        assert_eq!(
            Errno::of(&error).to_string(),
            "Too many open files (EMFILE)"
        );
    }
}
