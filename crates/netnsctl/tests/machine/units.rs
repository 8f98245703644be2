//! `units`, the generator and `service-config`.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::mount::mount_bind;

use crate::support::{Ran, command, configure, eventually, expect, traces};

const DECLARED: &str = "[netns.office]\n[[netns.office.forward]]\nlisten = \"127.0.0.1:80\"\n\
                        connect = \"127.0.0.1:8080\"\n[netns.lab.nscd]\nenable = false\n";

/// Text files and links below `folder`, by path.
fn tree(folder: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder").flatten() {
            let path = entry.path();
            let name = path
                .strip_prefix(folder)
                .expect("it is below")
                .display()
                .to_string();
            if let Ok(target) = fs::read_link(&path) {
                found.insert(name, target.display().to_string());
            } else if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(name, fs::read_to_string(path).expect("text"));
            }
        }
    }
    found
}

#[netnsctl_machine::test]
fn units_are_printed_and_written() {
    configure(DECLARED);
    let before = traces();
    let printed = expect(0, &["units"]).stdout;
    expect(0, &["units", "--output", "/run/out"]);
    let written = tree("/run/out");
    assert_eq!(traces(), before);
    let names: Vec<_> = written.keys().filter(|name| !name.contains('/')).collect();
    assert_eq!(
        names,
        [
            "netns-lab-mntns.service",
            "netns-lab.service",
            "netns-office-mntns.service",
            "netns-office-nscd.service",
            "netns-office-nscd.socket",
            "netns-office-port-forward-1-default-tcp-control.socket",
            "netns-office-port-forward-1-default-tcp.service",
            "netns-office-port-forward-1-default-tcp.socket",
            "netns-office.service",
        ]
    );
    for (name, text) in &written {
        if let Some(unit) = name.strip_prefix("multi-user.target.wants/") {
            assert_eq!(*text, format!("../{unit}"));
            assert!(printed.contains(&format!("# --- {name} -> {text}\n")));
        } else {
            assert!(printed.contains(&format!("# --- {name}\n{text}")), "{name}");
        }
    }
    let service = &written["netns-office.service"];
    let program = env!("CARGO_BIN_EXE_netnsctl");
    assert!(service.contains(&format!(
        "\nExecStart={program} up office --part namespace\n"
    )));
    assert!(
        service.contains("\nSourcePath=/etc/netnsctl/test.toml\n"),
        "{service}"
    );
    let moved = expect(0, &["units", "--program", "/usr/bin/netnsctl"]).stdout;
    assert!(moved.contains("\nExecStart=/usr/bin/netnsctl up office --part namespace\n"));
    expect(2, &["units", "--program", "netnsctl"]);
    // What a user has put into /etc/netns is bound too.
    fs::create_dir_all("/etc/netns/office").expect("/etc is ours");
    fs::write("/etc/netns/office/hosts", "").expect("/etc is ours");
    let printed = expect(0, &["units", "--config", "/etc/netnsctl/test.toml"]).stdout;
    assert!(printed.contains("=/etc/netns/office/hosts:/etc/hosts:norbind\n"));
    assert!(printed.contains(" --config /etc/netnsctl/test.toml up office --part namespace\n"));
}

#[netnsctl_machine::test]
fn units_are_made_for_another_machine() {
    configure("[netns.here]\n");
    fs::create_dir_all("/run/root/etc/netnsctl").expect("/run is ours");
    fs::create_dir_all("/run/root/etc/netns/lab").expect("/run is ours");
    fs::write("/run/root/etc/netnsctl/there.toml", "[netns.lab]\n").expect("/run is ours");
    fs::write("/run/root/etc/netns/lab/hosts", "").expect("/run is ours");
    let arguments = ["units", "--root", "/run/root", "--after-network"];
    let printed = expect(0, &arguments).stdout;
    assert!(!printed.contains("netns-here"), "{printed}");
    assert!(printed.contains("\nSourcePath=/etc/netnsctl/there.toml\n"));
    assert!(printed.contains("=/etc/netns/lab/hosts:/etc/hosts:norbind\n"));
    assert!(!printed.contains("nsswitch.conf"), "{printed}");
    assert!(printed.contains("\nAfter=network.target\n"));
    assert!(!printed.contains("Before=network.target"), "{printed}");
    // A link counts though it leads nowhere here.
    symlink("/etc/static/nsswitch.conf", "/run/root/etc/nsswitch.conf").expect("a link");
    let printed = expect(0, &arguments).stdout;
    assert!(printed.contains("=/etc/netns/lab/nsswitch.conf:/etc/nsswitch.conf:norbind\n"));
    fs::write("/run/root/etc/netnsctl/there.toml", "[netns.lab]\nx = 1\n").expect("a file");
    let refused = expect(2, &arguments).stderr;
    assert!(
        refused.contains("--> /etc/netnsctl/there.toml:2:1"),
        "{refused}"
    );
    expect(
        2,
        &[
            "units",
            "--root",
            "/run/root",
            "--config",
            "/etc/netnsctl/test.toml",
        ],
    );
    expect(2, &["units", "--root", "/run/nothing"]);
}

#[netnsctl_machine::test]
fn polkit_files_are_made_for_a_package() {
    configure("[netns.a.run]\nusers = [\"alice\"]\n[netns.b]\n[netns.default.run]\n");
    let before = traces();
    let program = "/opt/netnsctl";
    expect(
        0,
        &[
            "units",
            "--program",
            program,
            "--output",
            "/run/out",
            "--polkit",
            "/run/polkit",
        ],
    );
    assert_eq!(traces(), before);
    let written = tree("/run/polkit");
    let names: Vec<_> = written.keys().collect();
    assert_eq!(
        names,
        [
            "actions/org.netnsctl.run.a.policy",
            "actions/org.netnsctl.run.default.policy",
            "rules.d/50-org.netnsctl.run.a.rules",
        ]
    );
    let action = &written["actions/org.netnsctl.run.a.policy"];
    assert!(action.contains(">/opt/netnsctl<"), "{action}");
    for text in written.values() {
        assert!(!text.contains("netnsctl down"), "{text}");
    }
}

#[netnsctl_machine::test]
fn written_again_nothing_changes() {
    configure(DECLARED);
    expect(0, &["units", "--output", "/run/out"]);
    fs::write("/run/out/mine.service", "mine").expect("a file");
    fs::write("/run/out/netns-lab.service", "old").expect("a file");
    let prints = || {
        let print = |path: &String| {
            let meta = Path::new("/run/out")
                .join(path)
                .symlink_metadata()
                .expect("it is there");
            (meta.ino(), meta.ctime(), meta.ctime_nsec())
        };
        let tree = tree("/run/out");
        tree.keys()
            .map(|path| (path.clone(), print(path)))
            .collect::<BTreeMap<_, _>>()
    };
    let before = prints();
    expect(0, &["units", "--output", "/run/out"]);
    let mut after = prints();
    assert_ne!(after["netns-lab.service"], before["netns-lab.service"]);
    after.insert("netns-lab.service".into(), before["netns-lab.service"]);
    assert_eq!(after, before);
    assert!(tree("/run/out")["netns-lab.service"].contains("up lab --part namespace"));
    let refused = expect(1, &["units", "--output", "/run/out/mine.service"]).stderr;
    assert!(refused.contains("cannot write unit"), "{refused}");
}

#[netnsctl_machine::test]
fn what_cannot_be_a_unit_is_said() {
    let forward = "[[netns.a.forward]]\nlisten = \"127.0.0.1:80\"\nconnect = \"unix:/tmp/a\"\n";
    configure(&format!("[netns.a]\n{forward}"));
    let ran = expect(1, &["units"]);
    assert!(
        ran.stderr
            .contains("forward 1 of netns \"a\" gets no unit: "),
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.contains("# --- netns-a.service\n"));
    configure("[netns.a]\nadress = []\n");
    let ran = expect(2, &["units", "--output", "/run/out"]);
    assert!(ran.stdout.is_empty() && !Path::new("/run/out").exists());
}

/// Calls the program as systemd would; gives what came of it and what the kernel's log would say.
fn generate() -> (Ran, String) {
    let link = Path::new("/run/generators/netnsctl-generator");
    let log = Path::new("/run/kmsg");
    if !link.exists() {
        fs::create_dir_all("/run/generators").expect("/run is ours");
        symlink(env!("CARGO_BIN_EXE_netnsctl"), link).expect("a link");
        fs::write(log, "").expect("/run is ours");
        mount_bind(log, "/dev/kmsg").expect("the mounts are ours");
    }
    fs::write(log, "").expect("/run is ours");
    let folders = ["/run/normal", "/run/early", "/run/late"];
    let output = command(link)
        .args(folders)
        .output()
        .expect("it can be started");
    let log = fs::read_to_string(log).expect("text");
    (Ran::of(output), log)
}

#[netnsctl_machine::test]
fn the_generator_writes_what_is_installed() {
    configure(DECLARED);
    let (ran, log) = generate();
    assert_eq!(
        (ran.status, ran.stdout.as_str(), ran.stderr.as_str()),
        (Some(0), "", "")
    );
    assert_eq!(log, "");
    expect(0, &["units", "--output", "/run/out"]);
    assert_eq!(tree("/run/normal"), tree("/run/out"));
    assert!(!Path::new("/run/early").exists() && !Path::new("/run/late").exists());
}

#[netnsctl_machine::test]
fn the_generator_does_without_files_that_are_wrong() {
    configure(DECLARED);
    fs::write(
        "/etc/netnsctl/broken.toml",
        "[netns.a]\nadress = []\nx = 1\n",
    )
    .expect("a file");
    // Right, but for what it leads to.
    let forward = "[netns.b]\n[[netns.b.veth]]\nnetns = \"a\"\n";
    fs::write("/etc/netnsctl/leads.toml", forward).expect("a file");
    fs::create_dir("/etc/netnsctl/folder.toml").expect("a folder");
    let (ran, log) = generate();
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""));
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines.len(), 3, "{log}");
    let starts = [
        "<3>netnsctl-generator: cannot read configuration \"/etc/netnsctl/folder.toml\": ",
        "<3>netnsctl-generator: no units from this file: /etc/netnsctl/broken.toml:2:1: error: ",
        "<3>netnsctl-generator: no units from this file: /etc/netnsctl/leads.toml:3:9: error: ",
    ];
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{log}");
    }
    assert!(lines[1].ends_with(" (and 1 more)"), "{log}");
    let made = tree("/run/normal");
    assert!(made.contains_key("netns-office.service") && made.contains_key("netns-lab.service"));
    assert!(
        !made
            .keys()
            .any(|name| name.contains("netns-a") || name.contains("netns-b"))
    );
}

#[netnsctl_machine::test]
fn the_generator_never_fails_for_want_of_configuration() {
    let (ran, log) = generate();
    assert_eq!((ran.status, log.as_str()), (Some(0), ""));
    assert!(!Path::new("/run/normal").exists());
    configure("[netns.a\n");
    let (ran, log) = generate();
    assert_eq!((ran.status, log.lines().count()), (Some(0), 1), "{log}");
    assert!(!Path::new("/run/normal").exists());
    // Whom systemd did not call it is told how it is called.
    let ran = Ran::of(
        command("/run/generators/netnsctl-generator")
            .output()
            .expect("started"),
    );
    assert_eq!(ran.status, Some(2));
    assert!(ran.stderr.contains("called by systemd"), "{}", ran.stderr);
}

#[netnsctl_machine::test]
fn what_is_no_longer_declared_can_still_be_stopped() {
    configure(DECLARED);
    expect(0, &["up"]);
    configure("[netns.lab]\n");
    let (ran, log) = generate();
    assert_eq!((ran.status, log.as_str()), (Some(0), ""));
    let made = tree("/run/normal");
    let left = &made["netns-office.service"];
    assert!(left.contains(" down office --units\n") && left.contains("RefuseManualStart=yes\n"));
    assert!(!made.contains_key("multi-user.target.wants/netns-office.service"));
    assert!(made.contains_key("multi-user.target.wants/netns-lab.service"));
    fs::remove_file("/etc/netnsctl/test.toml").expect("it is there");
    fs::remove_dir_all("/run/normal").expect("it is there");
    generate();
    assert_eq!(tree("/run/normal").len(), 2);
}

#[netnsctl_machine::test]
fn without_systemd_units_cannot_be_brought_into_force() {
    configure(DECLARED);
    for command in ["up", "down"] {
        let refused = expect(1, &[command, "office", "--units"]).stderr;
        assert!(
            refused.contains("cannot connect to systemd at /run/systemd/private"),
            "{refused}"
        );
        assert!(refused.contains("hint: "), "{refused}");
        expect(2, &[command, "--units"]);
    }
}

#[netnsctl_machine::test]
fn a_forward_of_a_unit_is_counted() {
    configure(DECLARED);
    expect(0, &["up"]);
    let before = expect(0, &["metrics"]).stdout;
    assert!(
        before.contains("connect=\"127.0.0.1:8080\"} 0\n"),
        "{before}"
    );
    fs::create_dir_all("/run/netns-office/forward").expect("/run is ours");
    // The sockets as systemd would make and pass them.
    let listener = crate::net::within("office", || {
        TcpListener::bind("127.0.0.1:80").expect("free")
    });
    let control = UnixListener::bind("/run/netns-office/forward/1-tcp.sock").expect("free");
    let sockets = [listener.as_raw_fd(), control.as_raw_fd()];
    let script = format!(
        "exec 13<&{} 14<&{} 3<&13 4<&14; LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=listen:control \
         exec \"$0\" forward --connect 127.0.0.1:8080 --passed tcp:127.0.0.1:80",
        sockets[0], sockets[1]
    );
    for socket in [listener.as_fd(), control.as_fd()] {
        rustix::io::fcntl_setfd(socket, rustix::io::FdFlags::empty()).expect("a descriptor");
    }
    let mut forward = command("/bin/bash");
    forward.args(["-c", &script, env!("CARGO_BIN_EXE_netnsctl")]);
    let log = fs::File::create("/run/log").expect("/run is ours");
    let log = (log.try_clone().expect("a descriptor"), log);
    let mut forward = forward
        .stdout(log.0)
        .stderr(log.1)
        .spawn()
        .expect("it can be started");
    eventually("the forward to answer", || {
        let told = expect(0, &["metrics"]).stdout;
        told.contains("connect=\"127.0.0.1:8080\"} 1\n")
            .then_some(())
    });
    let status = expect(0, &["status", "office"]).stdout;
    forward.kill().expect("it runs");
    forward.wait().expect("it ends");
    let row = status.lines().find(|line| line.contains("127.0.0.1:8080"));
    assert!(
        row.is_some_and(|row| row.contains(" running ") && row.contains("0 open")),
        "{status}"
    );
    // What systemd leaves of the folder goes with the namespace.
    fs::remove_file("/run/netns-office/forward/1-tcp.sock").expect("it is there");
    drop((listener, control));
    expect(0, &["down"]);
    assert!(!Path::new("/run/netns-office").exists());
}

#[netnsctl_machine::test]
fn a_service_is_put_into_a_declared_namespace() {
    configure(DECLARED);
    let text = expect(0, &["service-config", "office"]).stdout;
    for line in [
        "Requires=netns-office.service",
        "After=netns-office.service",
        "PartOf=netns-office.service",
        "Requires=netns-office-nscd.socket",
        "NetworkNamespacePath=/run/netns/office",
        "BindReadOnlyPaths=/etc/netns/office/resolv.conf:/etc/resolv.conf:norbind",
        "BindReadOnlyPaths=/run/netns-office/nscd:/run/nscd:norbind",
        "TemporaryFileSystem=/run/systemd/resolve:ro",
    ] {
        assert!(text.lines().any(|there| there == line), "{line}: {text}");
    }
    // Without a daemon of its own nobody else's answers.
    let text = expect(0, &["service-config", "lab"]).stdout;
    assert!(!text.contains("nscd.socket") && text.contains("TemporaryFileSystem=/run/nscd:ro\n"));
    let text = expect(0, &["service-config", "default"]).stdout;
    assert!(text.lines().all(|line| line.starts_with('#')), "{text}");
    let refused = expect(2, &["service-config", "attic"]).stderr;
    assert!(refused.contains("neither declared nor there"), "{refused}");
    expect(2, &["service-config", "a/b"]);
}

#[netnsctl_machine::test]
fn a_service_is_put_into_what_is_there() {
    expect(2, &["service-config", "office"]);
    configure(DECLARED);
    expect(0, &["up", "office"]);
    fs::remove_file("/etc/netnsctl/test.toml").expect("it is there");
    let ran = expect(0, &["service-config", "office"]);
    assert!(
        ran.stdout
            .contains("NetworkNamespacePath=/run/netns/office\n")
    );
    assert!(
        ran.stdout
            .contains("=/etc/netns/office/resolv.conf:/etc/resolv.conf:norbind\n")
    );
    assert!(ran.stderr.contains("is not declared"), "{}", ran.stderr);
}
