"""What nixos/tests/run does once nix can be used: evaluates the module with the stand-in for NixOS,
builds what it would have built, and looks at both. Nothing of this is tested on NixOS."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
NIXOS = HERE.parent
UNITS = "lib/systemd/system"
work = pathlib.Path(tempfile.mkdtemp(dir=os.environ["NETNSCTL_NIX_FOLDER"]))
package = work / "package"
mistakes = []


def check(is_right, *words):
    """Notes a mistake; the others are still looked for."""
    if not is_right:
        mistakes.append(" ".join(str(word) for word in words))


def same(found, expected, what):
    check(found == expected, f"{what}:\n    found    {found!r}\n    expected {expected!r}")


def nix(tool, *arguments, nixos=NIXOS):
    command = [tool, str(HERE / "stand-in/eval.nix"), "--show-trace"]
    command += ["--arg", "module", str(nixos / "module.nix")]
    command += ["--argstr", "netnsctl", str(package)]
    return subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True)


def evaluate(sample, what="report", **options):
    return nix("nix-instantiate", "--eval", "--strict", "--json", "-A", what, "--arg", "sample", sample, **options)


def report(sample):
    ran = evaluate(sample)
    if ran.returncode:
        sys.exit(f"{sample} cannot be evaluated:\n{ran.stderr}")
    return json.loads(ran.stdout)


def build(sample, name, **options):
    return nix("nix-build", "--no-out-link", "-A", f"built.{name}", "--arg", "sample", sample, **options)


def built(sample, name):
    ran = build(sample, name)
    if ran.returncode:
        sys.exit(f"{name} of {sample} cannot be built:\n{ran.stderr}")
    return pathlib.Path(ran.stdout.strip())


def within(expected, found, what):
    """Whether `found` has what `expected` has; it may have more keys."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key, value in expected.items():
            check(key in found, f"{what}.{key} is missing")
            if key in found:
                within(value, found[key], f"{what}.{key}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for number, (one, other) in enumerate(zip(expected, found)):
            within(one, other, f"{what}[{number}]")
    else:
        same(found, expected, what)


def keeps(contract, found, what):
    """Whether an evaluation is what `contract` wants of it."""
    same(found["failedAssertions"], [], f"{what}: assertions")
    same(found["warnings"], [], f"{what}: warnings")
    same(set(found["netns"]), set(contract["netns"]), f"{what}: namespaces")
    within(contract["netns"], found["netns"], f"{what}: netns")
    for name, read_only in contract["netns"].items():
        same(found["netns"][name]["serviceConfig"], read_only["serviceConfig"], f"{what}: {name}.serviceConfig")
    etc = {name: file["text"] for name, file in found["etc"].items() if name.startswith("netns/")}
    same(etc, contract["etc"], f"{what}: files in /etc")
    services = {name: unit for name, unit in found["services"].items() if name != "demo"}
    same(set(services), set(contract["units"]), f"{what}: services")
    for name, edges in contract["units"].items():
        for kind, others in edges.items():
            missing = set(others) - set(services.get(name, {}).get(kind, []))
            check(not missing, f"{what}: {name} lacks {kind} {missing}")
    commands = {name for name in found["packages"] if name.startswith("netns-run-")}
    same(commands, set(contract["packages"]), f"{what}: commands")
    same(found["services"]["demo"]["serviceConfig"], contract["demoServiceConfig"], f"{what}: the merged service")


def options_are_kept(contract, found):
    """Every option of the first module is there, of its type and with its default."""
    literal = {"[ ]": [], "false": False, "true": True}
    for name, wanted in contract["options"].items():
        option = found["options"].get(name)
        check(option is not None, f"option {name} is missing")
        if option is None:
            continue
        plain = option["type"].replace("(", "").replace(")", "")
        same(plain, wanted["type"].replace("(", "").replace(")", ""), f"type of {name}")
        same(option["readOnly"], wanted["readOnly"], f"whether {name} is read-only")
        check(option["description"], f"{name} has no description")
        default = wanted.get("default")
        if name.endswith(".serviceConfig"):
            same(option["default"]["NetworkNamespacePath"], "/run/netns/‹name›", f"default of {name}")
        elif default is not None:
            value = literal[default] if default in literal else json.loads(default)
            same(option["default"], value, f"default of {name}")
        elif name != "networking.netns":
            check(not option["hasDefault"], f"{name} has a default")
    for name, option in found["options"].items():
        check(option["description"], f"{name} has no description")


def systemd_analyze(folder):
    environment = dict(os.environ, SYSTEMD_UNIT_PATH=f"{folder}:", SYSTEMD_LOG_TARGET="console")
    units = sorted(file.name for file in folder.iterdir() if file.is_file())
    ran = subprocess.run(
        ["systemd-analyze", "verify", "multi-user.target", *units], env=environment, capture_output=True, text=True
    )
    lines = ran.stderr.splitlines()
    return [line for line in lines if "netns" in line or "cycle" in line]


def rendered(made, found, folder):
    """The units as NixOS puts them together: netnsctl's, the module's as drop-ins, and links."""
    shutil.copytree(made / UNITS, folder)
    folder.chmod(0o755)
    wants = {}
    kinds = [("service", found["services"]), ("socket", found["sockets"])]
    for kind, units in kinds:
        for name, unit in units.items():
            file = f"{name}.{kind}"
            if (folder / file).exists():
                drop_in = folder / f"{file}.d"
                drop_in.mkdir()
                (drop_in / "overrides.conf").write_text(unit["unit"])
            else:
                (folder / file).write_text(unit["unit"].replace("/nix/store/" + "0" * 32 + "-coreutils/bin", "/bin"))
            for other in unit["wantedBy"]:
                wants.setdefault(other, []).append(file)
    for unit, files in wants.items():
        (folder / f"{unit}.wants").mkdir()
        for file in files:
            (folder / f"{unit}.wants" / file).symlink_to(f"../{file}")


def edges_agree(made, found, what):
    """What the module tells NixOS that a unit follows is what netnsctl wrote into it."""
    for kind, units in [("service", found["services"]), ("socket", found["sockets"])]:
        for name, unit in units.items():
            file = made / UNITS / f"{name}.{kind}"
            if name == "demo":
                continue
            lines = file.read_text().splitlines()
            part_of = [word for line in lines if line.startswith("PartOf=") for word in line[7:].split()]
            # A socket at a link-local address also follows the veth pair that has it.
            written = {word for word in part_of if "-extra-veth-" not in word}
            same(set(unit["partOf"]), written, f"{what}: PartOf of {file.name}")
            check(set(unit["partOf"]) <= set(unit["after"]), f"{what}: {file.name} is not after what it follows")
            check("multi-user.target" in unit["wantedBy"], f"{what}: nothing wants {file.name}")


def sample_is_right(file, contract):
    found = report(HERE / file)
    keeps(contract, found, file)
    made = built(HERE / file, "netnsctl-units")
    edges_agree(made, found, file)
    folder = work / f"units-of-{file}"
    rendered(made, found, folder)
    same(systemd_analyze(folder), [], f"{file}: what systemd says of the units")
    (folder / "netns-lab.service" if "second" in file else folder / "netns-lan.service").open("a").write("NoSuchKey=1\n")
    check(systemd_analyze(folder), f"{file}: systemd says nothing of a unit with a mistake")
    for name in contract["packages"]:
        link = built(HERE / file, name) / "bin" / name
        same(link.readlink(), package / "bin/netnsctl", f"{file}: {name}")
    return found, made


def first_sample():
    contract = json.loads((HERE / "contract.json").read_text())
    found, _ = sample_is_right("sample.nix", contract)
    options_are_kept(contract, found)
    check("polkit-1" not in str(found["etc"]), "files for polkit where there is none")


def second_sample():
    contract = json.loads((HERE / "second.json").read_text())
    found, made = sample_is_right("second.nix", contract)
    path = pathlib.Path(found["etc"]["netnsctl/nixos.json"]["source"])
    configuration = json.loads(path.read_text())
    same(configuration, contract["configuration"], "second.nix: what netnsctl reads")
    same(found["netns"]["office"]["unitConfig"], contract["unitConfig"], "second.nix: unitConfig")
    demo = found["services"]["demo"]["unit"]
    check("After=network.target" in demo and "PartOf=netns-office.service" in demo, demo)

    nscd = found["services"]["netns-office-nscd"]
    libraries = nscd["environment"]["LD_LIBRARY_PATH"].split(":")
    check(any(library.endswith("-nss-example/lib") for library in libraries), libraries)
    check("X-StopIfChanged=false" in nscd["unit"], "a restarted nscd takes its socket along")
    check(len(nscd["restartTriggers"]) == 3, "nscd does not look at its three files:", nscd["restartTriggers"])
    office = found["services"]["netns-office"]
    check("X-ReloadIfChanged=true" in office["unit"], "NixOS would make a namespace anew")
    check("ExecStartPost=" in office["unit"], "what a user adds to a unit is lost")
    text = (made / UNITS / "netns-office-nscd.service").read_text()
    check("BindReadOnlyPaths=/etc/netns/office/hosts:/etc/hosts:norbind" in text, "a file of the user is not bound")
    check("--cache=10s" in text, text)

    polkit = made / "share/polkit-1"
    action = (polkit / "actions/org.netnsctl.run.office.policy").read_text()
    check(f">{package}/bin/netnsctl<" in action, "pkexec would start another program:", action)
    rules = (polkit / "rules.d/50-org.netnsctl.run.office.rules").read_text()
    check('"alice"' in rules and '"office"' in rules, rules)
    files = {name: file["source"] for name, file in found["etc"].items() if name.startswith("polkit-1/")}
    same(files, {f"polkit-1/{file.relative_to(polkit)}": str(file) for file in polkit.glob("*/*")}, "polkit's files")
    linked = built(HERE / "second.nix", "netnsctl-polkit-actions") / "share/polkit-1/actions"
    check((linked / "org.netnsctl.run.default.policy").is_file(), "polkit does not find the actions")


def changes_are_noticed():
    """Which namespaces are reloaded when something changes, and that none is made anew."""
    base = "{ lib, ... }: { imports = [ %s ]; %s }"
    triggers = {}
    changes = {
        "nothing": "",
        "address": 'networking.netns.proxy.address = lib.mkAfter [ "10.10.0.2/32" ];',
        "forward": 'networking.netns.default.forwardPorts = [ { netns = "lan"; source = "127.0.0.1:1"; target = "127.0.0.1:2"; } ];',
        "file": 'environment.etc."netns/lan/resolv.conf".text = "nameserver 192.0.2.1\\n";',
    }
    for name, change in changes.items():
        file = work / f"{name}.nix"
        file.write_text(base % (HERE / "sample.nix", change))
        found = report(file)
        triggers[name] = {
            unit: (found["services"][f"netns-{unit}"]["reloadTriggers"], found["services"][f"netns-{unit}"]["unit"])
            for unit in ["lan", "proxy"]
        }
    before = triggers.pop("nothing")
    reloaded = {
        name: {unit for unit in after if after[unit][0] != before[unit][0]} for name, after in triggers.items()
    }
    same(reloaded, {"address": {"proxy"}, "forward": {"lan"}, "file": {"lan"}}, "what a change reloads")
    for name, after in triggers.items():
        for unit in after:
            differ = set(after[unit][1].splitlines()) ^ set(before[unit][1].splitlines())
            check(all(line.startswith("X-Reload-Triggers=") for line in differ), name, unit, differ)


def bad_ones_are_refused():
    listed = subprocess.run(
        ["nix-instantiate", "--eval", "--strict", "--json", "--expr", f"builtins.mapAttrs (_: c: removeAttrs c [ \"netns\" ]) (import {HERE}/rejects.nix)"],
        capture_output=True, text=True, check=True,
    )
    cases = json.loads(listed.stdout)
    check(len(cases) > 25, "only", len(cases), "bad configurations")
    for name, wanted in cases.items():
        file = work / f"reject-{name}.nix"
        file.write_text(f"{{ networking.netns = (import {HERE}/rejects.nix).{name}.netns; }}")
        # NixOS too looks at these before anything else.
        ran = evaluate(file, "report" if "throws" in wanted else "report.failedAssertions")
        if "throws" in wanted:
            check(ran.returncode and wanted["throws"] in ran.stderr, f"{name}: {ran.stdout}{ran.stderr}")
            continue
        if ran.returncode:
            check(False, f"{name}: {ran.stderr}")
            continue
        found = json.loads(ran.stdout)
        same(sorted(found), sorted(wanted.get("says", [])), f"{name}: what is said")
        if "says" in wanted and wanted["says"]:
            continue
        ran = build(file, "netnsctl-units")
        if "builds" in wanted:
            check(ran.returncode and wanted["builds"] in ran.stderr, f"{name}: was built\n{ran.stderr}")
        else:
            check(not ran.returncode, f"{name}: netnsctl refuses what the module accepts\n{ran.stderr}")


def drift_is_noticed():
    """A module that names units otherwise than netnsctl does not build."""
    other = work / "nixos"
    shutil.copytree(NIXOS, other)
    names = other / "names.nix"
    text = names.read_text()
    changed = text.replace('between "extra-veth"', 'between "extra-wire"')
    check(text != changed, "names.nix does not name veth pairs")
    names.write_text(changed)
    ran = build(HERE / "sample.nix", "netnsctl-units", nixos=other)
    check(ran.returncode and "do not agree" in ran.stderr, f"drift is not noticed:\n{ran.stderr}")


def vm_test_is_a_program():
    """All that can be said of the test in a virtual machine without nixpkgs."""
    script = subprocess.run(
        ["nix-instantiate", "--eval", "--strict", "--json", "--expr",
         f"(import {HERE}/vm.nix {{ module = {{ }}; }} {{ lib = {{ }}; }}).testScript"],
        capture_output=True, text=True, check=True,
    )
    compile(json.loads(script.stdout), "vm.nix", "exec")


def main():
    (package / "bin").mkdir(parents=True)
    (package / "bin/netnsctl").symlink_to(pathlib.Path(sys.argv[1]).resolve())
    checks = [
        first_sample,
        second_sample,
        changes_are_noticed,
        bad_ones_are_refused,
        drift_is_noticed,
        vm_test_is_a_program,
    ]
    for one in checks:
        before = len(mistakes)
        one()
        print(f"{'ok' if len(mistakes) == before else 'FAILED'}: {one.__name__}")
    if mistakes:
        sys.exit("\n".join(mistakes))


main()
