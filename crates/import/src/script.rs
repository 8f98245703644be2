//! The usual shell script around ip(8) and sysctl(8), as a declaration.
//!
//! The script is followed line by line as if it ran on a machine without namespaces, and what is
//! there at its end is declared. Only plain commands and plain assignments are followed. Whatever
//! could be done or not, or more than once, is not: conditions, loops, functions, pipes,
//! redirections, the output of commands. Each line that is not followed becomes a comment.

mod declare;
mod links;
mod network;
mod shell;

use network::Network;
use shell::Shell;

/// A configuration file for the namespaces that the script `text` makes.
pub fn of_script(text: &str) -> String {
    let mut network = Network::default();
    let mut lost = Vec::new();
    let mut shell = Shell::new(text);
    while let Some(line) = shell.next_line() {
        let origin = line.origin();
        let followed = match line.words {
            Ok(ref words) => network.follow(words, &origin),
            Err(why) => Err(why.to_owned()),
        };
        if let Err(why) = followed {
            shell.not_followed(&line);
            lost.push(format!("not understood: {origin} ({why})"));
        }
    }
    network.declare(lost).settle()
}
