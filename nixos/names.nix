# What units and files of a declaration are called, and which namespaces each unit follows. The same
# is in crates/units; the package with the units is not built if the two ever differ.
{ lib }:
let
  serviceOf = name: "netns-${name}.service";

  # The services of the namespaces among `names`. Home has none, and is always there.
  follows =
    names: map serviceOf (lib.unique (lib.sort (a: b: a < b) (lib.filter (n: n != "default") names)));

  between =
    kind: name: items: suffix:
    lib.imap1 (number: item: {
      inherit item;
      stem = "netns-${name}-${kind}-${toString number}-${item.netns}${suffix item}";
      follows = follows [
        name
        item.netns
      ];
    }) items;

  all = f: declared: lib.concatLists (lib.mapAttrsToList f declared);

  escape =
    lib.replaceStrings
      [
        "_"
        "."
      ]
      [
        ".x5f"
        ".x2e"
      ];
in
{
  inherit serviceOf follows;

  # What netnsctl and NixOS can both make a unit's name of, and both ends of a bind mount.
  isPlain = name: builtins.match "[a-zA-Z0-9_.-]+" name != null;

  forwards = all (
    name: netns: between "port-forward" name netns.forwardPorts (f: "-${f.protocol}")
  );

  veths = all (name: netns: between "extra-veth" name netns.extraVeths (_: ""));

  action = name: "org.netnsctl.run.${escape name}.policy";
  rules = name: "50-org.netnsctl.run.${escape name}.rules";
}
