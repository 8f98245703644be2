//! What can be typed.

mod doctor;
mod forward;
mod graph;
mod import;
mod pages;
mod parts;
#[cfg(test)]
mod tests;
mod top;
#[cfg(test)]
mod typed;
mod units;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use self::doctor::Doctor;
pub(crate) use self::graph::{Graph, GraphFormat};
pub(crate) use self::import::Import;
pub(crate) use self::pages::{Complete, Completions, Man, ManFormat, Shell};
pub(crate) use self::parts::{Forward, Nscd};
pub(crate) use self::top::Top;
pub(crate) use self::units::{ServiceConfig, Units};

/// What the links are called that run a command in the namespace of the rest of the name.
const LINK_PREFIX: &str = "netns-run-";

/// Network namespaces from a file: links, addresses, veth pairs, forwarded ports.
#[derive(Debug, Parser)]
#[command(
    name = "netnsctl",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = "Examples:
  netnsctl check office.toml            is this file right?
  netnsctl plan                         what would `up` do?
  netnsctl up                           make it so; changes go in place
  netnsctl run office -- ip addr        a command inside
  netnsctl serve --sandbox lab.toml     everything, without root, thrown away at Ctrl-C"
)]
pub(crate) struct Cli {
    /// File or folder to read in place of /etc/netnsctl, /run/netnsctl/conf and
    /// /usr/lib/netnsctl; repeatable
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) config: Vec<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Bring namespaces to what is declared, in place; says what it changed
    #[command(after_help = "Examples:
  netnsctl up                  all that is declared
  netnsctl up office           this one and its veth pairs
  netnsctl up --prune          also takes away what is no longer declared
  netnsctl up --adopt vpn      takes over \"vpn\", which \"ip netns add\" made")]
    Up(Up),
    /// Take away what `up` made, in full; already gone is success
    #[command(after_help = "Examples:
  netnsctl down office         says which processes keep it alive, if any do
  netnsctl down --kill office  ends them: SIGTERM, and SIGKILL after five seconds
  netnsctl down                everything netnsctl made")]
    Down(Down),
    /// Show what `up` would do, as a diff
    #[command(after_help = "Examples:
  netnsctl plan
  netnsctl plan --exit-code office || echo \"office is not as declared\"")]
    Plan(Plan),
    /// Bring everything up and keep it running in the foreground, with forwards and name service
    #[command(
        after_help = "SIGHUP reads the configuration again and changes what differs; SIGTERM \
and Ctrl-C take everything down.

Examples:
  netnsctl serve examples/quickstart.toml
  netnsctl serve --sandbox lab.toml         as any user; touches nothing on this machine"
    )]
    Serve(Serve),
    /// Run a command inside a namespace, with its resolv.conf and nsswitch.conf
    #[command(
        after_help = "\"default\" leads back home. The exit status is the command's own; \
125 if netnsctl failed, 126 if the command cannot be executed, 127 if there is none.

Whoever is not root is asked for a password by pkexec, sudo or doas, the first that is there;
run.users and run.groups of the configuration need none with pkexec. The command runs as the
caller in any case, with all groups, environment, folder, limits and terminal. Where polkit refuses,
the exit status is pkexec's: 127, or 126 for a dialog that was dismissed.

A link to netnsctl called netns-run-NAME runs its whole command line in NAME. Root may also give
the path of a namespace, such as /proc/1234/ns/net.

Examples:
  netnsctl run office                       a shell
  netnsctl run office -- ping -c 1 10.20.0.1
  netnsctl run --sandbox left -- ip addr    in a running \"serve --sandbox\""
    )]
    Run(Run),
    /// Show what is declared, what is there and what differs
    #[command(after_help = "Examples:
  netnsctl status
  netnsctl status --watch
  netnsctl status office --json | jq '.netns[0].drift'")]
    Status(Status),
    /// Show namespaces, links and forwards live, with rates; keys sort, filter and look into one
    #[command(after_help = top::AFTER_HELP)]
    Top(Top),
    /// Print the names of all network namespaces, one a line
    List(List),
    /// Print what all forwards have carried, in the text format of Prometheus
    #[command(
        after_help = "Forwards are asked as `status` asks them. docs/metrics.md has the names and \
a systemd timer.

Example, for the textfile collector of node_exporter:
  cd /var/lib/node_exporter && netnsctl metrics >netnsctl.new && mv netnsctl.new netnsctl.prom"
    )]
    Metrics(Metrics),
    /// Check configuration and touch nothing
    #[command(after_help = "Examples:
  netnsctl check                 what is installed
  netnsctl check office.toml --json")]
    Check(Check),
    /// Print a declaration of what the kernel has now, or of a script or wg-netns profile
    #[command(
        after_help = "What a declaration cannot hold, and each line of a script that was not \
understood, is a comment in the output; nothing is dropped in silence. The output always passes \
`check`, and has to be read before it is used. docs/import.md tells how to move over.

Examples:
  netnsctl import office >/etc/netnsctl/office.toml    made by \"ip netns add office\"
  netnsctl plan --adopt office                         what would change?
  netnsctl up --adopt office                           take it over, in place
  netnsctl import --from-script setup.sh"
    )]
    Import(Import),
    /// Say what this kernel and host lack, or prove that a namespace's names are its own
    #[command(
        after_help = "With a name, everything that decides how names are looked up inside is \
tried from inside: the files, who answers at nscd's socket, the host's services, the name servers, and \
one DNS question that has to be seen to leave by a link of the namespace and nowhere else. Nothing is \
mended. The exit status is 1 if something is a problem or a leak, or could not be proved.

Examples:
  netnsctl doctor               this kernel, this host, what is in the way of what is declared
  netnsctl doctor office        do names inside stay inside? (as root)
  netnsctl doctor office --json | jq '.checks[] | select(.mark != \"ok\")'"
    )]
    Doctor(Doctor),
    /// Carry one port: listen in one namespace, connect in another
    #[command(
        after_help = "Started by `serve` or systemd it takes its sockets by the \
socket-activation protocol (sd_listen_fds(3)) and needs no rights at all.

Example, by hand:
  netnsctl forward --listen tcp:127.0.0.1:8080 --listen-netns office \\
                   --connect 127.0.0.1:80 --connect-netns default

A unix socket is the same in every network namespace. It listens with mode 0666, so that the
folder decides who may connect, and replaces a socket file that nobody listens at. One that is
connected to has to be writable for the user nobody, whom this becomes if it was root."
    )]
    Forward(Box<Forward>),
    /// Answer look-ups of users, groups, hosts and services with the files and the network here
    #[command(
        after_help = "Programs that use glibc look up by way of /run/nscd/socket if somebody listens \
there. This passes on what the modules of /etc/nsswitch.conf answer in the namespace, and with the \
files, that it is started in. It needs no rights; root becomes the user nobody.

Started by systemd it takes its socket by the socket-activation protocol (sd_listen_fds(3)).

`serve` runs one for each namespace (nscd.enable = false: none), at /run/netns-NAME/nscd/socket.
Commands that `run` starts ask the daemon of their namespace, as that folder is their /run/nscd, and
never the host's. A service does so that has the folder bound over /run/nscd (BindPaths= of
systemd.exec(5)). Only root can pass through /run/netns-NAME, so no user of another namespace asks.

Example, by hand:
  mkdir -p -m 700 /run/netns-office && mkdir -p /run/netns-office/nscd
  netnsctl run office -- netnsctl nscd --socket /run/netns-office/nscd/socket"
    )]
    Nscd(Nscd),
    /// Print or write the systemd units of the configuration
    #[command(
        after_help = "The same units are made at every boot and \"systemctl daemon-reload\" \
if /usr/lib/systemd/system-generators/netnsctl-generator is a link to netnsctl; then nothing needs \
to be written. Files that are there already and not of these names stay.

Examples:
  netnsctl units
  netnsctl units --output /etc/systemd/system && systemctl daemon-reload
  systemctl start netns-office               it, its forwards, veth pairs and name services
  systemctl reload netns-office              a changed configuration, in place"
    )]
    Units(Units),
    /// Print the systemd drop-in that puts another service into a namespace
    #[command(
        after_help = "The service then starts after the namespace, stops and restarts with it, \
and sees its resolv.conf and name-service daemon.

Examples:
  netnsctl service-config office | systemctl edit --stdin --drop-in=netns nginx   systemd 256 and later

  mkdir -p /etc/systemd/system/nginx.service.d
  netnsctl service-config office >/etc/systemd/system/nginx.service.d/netns.conf
  systemctl daemon-reload && systemctl restart nginx"
    )]
    ServiceConfig(ServiceConfig),
    /// Draw the namespaces, and the veth pairs and forwards between them
    Graph(Graph),
    /// Print the JSON Schema of the configuration, for editors
    #[command(
        after_help = "Editors that know Taplo, such as Visual Studio Code with \"Even Better TOML\", \
take a line at the top of a file for it. docs/editors.md has others.

Examples:
  netnsctl schema >netnsctl.schema.json
  #:schema ./netnsctl.schema.json           the first line of office.toml"
    )]
    Schema,
    /// Print what makes a shell complete commands, options and the names of namespaces
    #[command(
        after_help = "The Debian package has them where the shells look. What is completed comes from \
this program at each Tab, so a script fits later versions too.

Examples:
  netnsctl completions bash >/usr/share/bash-completion/completions/netnsctl
  netnsctl completions zsh >/usr/local/share/zsh/site-functions/_netnsctl
  netnsctl completions fish >~/.config/fish/completions/netnsctl.fish"
    )]
    Completions(Completions),
    /// Print or write the manual pages
    #[command(after_help = "Examples:
  netnsctl man | man -l -               this program
  netnsctl man up | man -l -            a command
  netnsctl man netnsctl.toml | man -l - what may be in the configuration
  netnsctl man --output /usr/local/share/man
  netnsctl man --format markdown --output wiki")]
    Man(Man),
    /// Answer a shell that completes a command line
    #[command(hide = true)]
    Complete(Complete),
}

#[derive(Debug, Args)]
pub(crate) struct Up {
    /// Namespaces; all that are declared if none
    pub(crate) names: Vec<String>,
    /// Also take away namespaces that netnsctl made and that are no longer declared
    #[arg(long)]
    pub(crate) prune: bool,
    /// Take over namespaces of these names that netnsctl did not make
    #[arg(long)]
    pub(crate) adopt: bool,
    /// Only one part of one namespace: namespace, view, or veth:N or link:N, the Nth it declares
    #[arg(
        long,
        value_name = "PART",
        requires = "names",
        conflicts_with = "prune"
    )]
    pub(crate) part: Option<String>,
    /// Then start, restart and stop their systemd units as the loaded ones differ; what
    /// "systemctl reload netns-NAME" does
    #[arg(long, requires = "names", conflicts_with = "part")]
    pub(crate) units: bool,
    /// Say nothing unless something fails
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Down {
    /// Namespaces; all that netnsctl made if none
    pub(crate) names: Vec<String>,
    /// End the processes inside
    #[arg(long)]
    pub(crate) kill: bool,
    /// Only one part of one namespace: view, veth:N or link:N; namespace is all of it
    #[arg(long, value_name = "PART", requires = "names")]
    pub(crate) part: Option<String>,
    /// Before, stop what is left of the systemd units of their parts
    #[arg(long, requires = "names", conflicts_with = "part")]
    pub(crate) units: bool,
    /// Return when the names are gone and leave the kernel to its clean-up
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Say nothing unless something fails
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// Namespaces; all that are declared if none
    pub(crate) names: Vec<String>,
    /// Exit with 3 if there is something to do
    #[arg(long)]
    pub(crate) exit_code: bool,
    /// As `up --prune` would
    #[arg(long)]
    pub(crate) prune: bool,
    /// As `up --adopt` would
    #[arg(long)]
    pub(crate) adopt: bool,
    /// For programs; docs/json.md has the shape
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) sandbox: Sandbox,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Configuration files, as with --config
    pub(crate) files: Vec<PathBuf>,
    /// In a throw-away user, mount and network namespace: needs no root, touches nothing here
    #[arg(long)]
    pub(crate) sandbox: bool,
    /// Say a line when a forwarded TCP connection begins and one when it ends
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The namespace, or "default" for home; for root also the path of a namespace file
    pub(crate) name: String,
    /// The command and its arguments; $SHELL if none
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<OsString>,
    #[command(flatten)]
    pub(crate) sandbox: Sandbox,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Only this namespace
    pub(crate) name: Option<String>,
    /// For programs; docs/json.md has the shape
    #[arg(long, conflicts_with = "watch")]
    pub(crate) json: bool,
    /// Show it anew every second until Ctrl-C: in place on a terminal, else with a line "---" between
    #[arg(long, short)]
    pub(crate) watch: bool,
    #[command(flatten)]
    pub(crate) sandbox: Sandbox,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// For programs; docs/json.md has the shape
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) sandbox: Sandbox,
}

#[derive(Debug, Args)]
pub(crate) struct Metrics {
    #[command(flatten)]
    pub(crate) sandbox: Sandbox,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Configuration files, as with --config
    pub(crate) files: Vec<PathBuf>,
    /// For programs; docs/json.md has the shape
    #[arg(long)]
    pub(crate) json: bool,
}

impl Run {
    /// Reads the command line of a link to this program that is called `netns-run-NAME`: all of it
    /// is the command.
    pub(crate) fn of_link(mut arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let program = PathBuf::from(arguments.next()?);
        let name = program.file_name()?.to_str()?.strip_prefix(LINK_PREFIX)?;
        let mut arguments = arguments.peekable();
        arguments.next_if(|first| first == "--");
        Some(Self {
            name: name.to_owned(),
            command: arguments.collect(),
            sandbox: Sandbox::default(),
        })
    }

    /// Reads `netnsctl run NAME [--] COMMAND…` without building the parser of all commands, which
    /// takes longer than entering a namespace does. Whatever has an option in it, or could have,
    /// is left to that parser.
    pub(crate) fn of_plain(mut arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let is_option = |word: &OsString| word.as_encoded_bytes().starts_with(b"-");
        if arguments.nth(1)? != "run" {
            return None;
        }
        let name = arguments
            .next()
            .filter(|name| !is_option(name))?
            .into_string()
            .ok()?;
        let mut command: Vec<_> = arguments.collect();
        match command.first() {
            Some(first) if first == "--" => drop(command.remove(0)),
            Some(first) if is_option(first) => return None,
            _ => {}
        }
        (!command.is_empty()).then(|| Self {
            name,
            command,
            sandbox: Sandbox::default(),
        })
    }
}

/// Where a command acts.
#[derive(Debug, Default, Args)]
pub(crate) struct Sandbox {
    /// Inside your running `netnsctl serve --sandbox`
    #[arg(long)]
    pub(crate) sandbox: bool,
    /// Which, if you have several
    #[arg(long, value_name = "PID", requires = "sandbox")]
    pub(crate) sandbox_pid: Option<u32>,
}
