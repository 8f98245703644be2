//! `netnsctl-generator`: units at boot and at every `systemctl daemon-reload`.
//!
//! systemd calls it by that name, a link to the program, before any unit is known: there is no
//! network, no journal, and nobody to ask (systemd.generator(7)). So it reads the installed
//! configuration and nothing else, does without the files that are wrong, and tells the kernel's
//! log of them, a line each.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::config_files;
use crate::output::{self, Exit, Failure};
use crate::unit_files::{self, Elsewhere};
use netnsctl_model::outside::Outside;

/// What the program is called then.
const NAME: &str = "netnsctl-generator";

/// Where the kernel takes lines for its log.
const KERNEL_LOG: &str = "/dev/kmsg";

/// Bytes of a line that the kernel keeps whole (LOG_LINE_MAX of kernel/printk is 1024 with its
/// prefix).
const LINE_MAX: usize = 900;

/// Makes units if that is what the program was called for, and gives the exit status. It is 1 only
/// if no unit could be written, which systemd notes and goes on.
pub(crate) fn generator(mut arguments: impl Iterator<Item = OsString>) -> Option<u8> {
    let called = PathBuf::from(arguments.next()?);
    if called.file_name()? != NAME {
        return None;
    }
    // The second and third folder are for units that take or give precedence.
    let exit = match arguments.next() {
        Some(normal) => generate(Path::new(&normal)),
        None => Failure::usage(format!(
            "{NAME} is called by systemd, with folders for units"
        ))
        .hint("\"netnsctl units\" shows them")
        .report(),
    };
    Some(exit.status())
}

fn generate(folder: &Path) -> Exit {
    let (sources, unreadable) = config_files::installed();
    unreadable.iter().for_each(|line| tell(line));
    let (right, sources) = config_files::without_mistakes(sources, |wrong| {
        tell(&format!("no units from this file: {wrong}"));
    });
    // At boot there are none; later, a file may have been removed.
    let made = netnsctl_kernel::state_dir::records().unwrap_or_default();
    let Some(right) = right.filter(|right| !(right.files.is_empty() && made.is_empty())) else {
        return Exit::Done;
    };
    let written = unit_files::facts(&[], Elsewhere::default(), &right, &sources)
        .map_err(Failure::into_message)
        .and_then(|mut facts| {
            facts.made = made.into_names();
            let units = netnsctl_units::units(&right.desired, &facts);
            units.left_out.iter().for_each(|it| tell(&it.to_string()));
            unit_files::write(folder, &units)
        });
    match written {
        Ok(()) => Exit::Done,
        Err(message) => {
            tell(&message);
            Exit::Failed
        }
    }
}

/// A line in the kernel's log, or on stderr if that cannot be had.
fn tell(text: &str) {
    let mut end = text.len().min(LINE_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = Outside(&text[..end]);
    // Priority 3 is an error (syslog(3)). The log takes one line for each write.
    let line = format!("<3>{NAME}: {text}\n");
    let log = OpenOptions::new().append(true).open(KERNEL_LOG);
    if log
        .and_then(|mut log| log.write_all(line.as_bytes()))
        .is_err()
    {
        output::note(&format!("{NAME}: {text}"));
    }
}
