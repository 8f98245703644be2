# What is wrong with a declaration, told at evaluation and in the words of its options. `netnsctl
# check` has the last word, when the configuration is built; it would speak of a file of ours.
{ lib, names }:
declared:
let
  quote = builtins.toJSON;
  matches = pattern: text: builtins.match pattern text != null;
  at = name: "networking.netns.${quote name}";

  # Digits as a number; too large for anything here if they are none.
  number =
    text:
    if matches "0|[1-9][0-9]{0,5}" text then builtins.fromJSON text else 1000000;

  octet = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
  isIPv4 = matches "${octet}(\\.${octet}){3}";

  isGroup = matches "[0-9a-fA-F]{1,4}";

  # Groups between colons; the last two may be written as an IPv4 address.
  groups =
    text:
    let
      parts = lib.filter lib.isString (builtins.split ":" text);
      end = lib.last parts;
    in
    if text == "" then
      [ ]
    else if isIPv4 end then
      lib.filter (p: p != end) parts
      ++ [
        "0"
        "0"
      ]
    else
      parts;

  isIPv6 =
    text:
    let
      halves = lib.filter lib.isString (builtins.split "::" text);
      all = lib.concatMap groups halves;
      count = lib.length all;
    in
    matches "[0-9a-fA-F:.]*:[0-9a-fA-F:.]*" text
    && lib.all isGroup all
    && (if lib.length halves == 1 then count == 8 else lib.length halves == 2 && count < 8);

  isIP = text: isIPv4 text || isIPv6 text;

  isAddress =
    text:
    let
      parts = builtins.match "([^/]*)(/(.*))?" text;
      address = lib.head parts;
      length = lib.last parts;
    in
    isIP address && (length == null || number length <= (if isIPv4 address then 32 else 128));

  isPort = text: number text <= 65535 && number text > 0;

  # Anything else that begins as a path does is for `netnsctl check` to judge.
  isEndpoint =
    text:
    let
      v4 = builtins.match "([^:]*):([0-9]+)" text;
      v6 = builtins.match "\\[([^]%]*)(%[^]]+)?]:([0-9]+)" text;
    in
    if v4 != null then
      isIPv4 (lib.head v4) && isPort (lib.last v4)
    else if v6 != null then
      isIPv6 (lib.head v6) && isPort (lib.last v6)
    else
      lib.hasPrefix "unix:/" text;

  isInterface =
    text:
    lib.stringLength text <= 15
    && matches "[^/:[:space:][:cntrl:]]+" text
    && !lib.elem text [
      "."
      ".."
    ];

  isDeclared = name: declared ? ${name};

  interfaces =
    name: netns:
    lib.optional (name != "default") {
      where = "${at name}.interface";
      text = netns.interface;
    }
    ++ lib.concatMap (v: [
      {
        where = "${at name}.extraVeths";
        text = v.sourceInterface;
      }
      {
        where = "${at name}.extraVeths";
        text = v.targetInterface;
      }
    ]) netns.extraVeths;

  addresses =
    name: netns:
    let
      of = option: map (text: {
        where = "${at name}.${option}";
        inherit text;
      });
    in
    of "address" netns.address
    ++ lib.concatMap (
      v: of "extraVeths.*.address" v.address ++ of "extraVeths.*.peerAddress" v.peerAddress
    ) netns.extraVeths;

  endpoints =
    name: netns:
    lib.concatMap (f: [
      {
        where = "${at name}.forwardPorts.*.source";
        text = f.source;
      }
      {
        where = "${at name}.forwardPorts.*.target";
        text = f.target;
      }
    ]) netns.forwardPorts;

  refuse =
    isRight: say: items:
    map (item: {
      assertion = isRight item;
      message = say item;
    }) items;

  each = f: lib.concatLists (lib.mapAttrsToList f declared);

  # Two items with one key, in one sentence.
  noTwo =
    key: say: items:
    let
      keys = lib.unique (map key items);
      same = k: lib.filter (item: key item == k) items;
    in
    map (k: {
      assertion = lib.length (same k) == 1;
      message = say (same k);
    }) keys;

  links = each (
    name: netns:
    lib.optional (name != "default") {
      inherit name;
      link = netns.interface;
      what = "${at name}.interface";
    }
    ++ lib.concatMap (v: [
      {
        inherit name;
        link = v.sourceInterface;
        what = "a pair of ${at name}.extraVeths";
      }
      {
        name = v.netns;
        link = v.targetInterface;
        what = "the other end of a pair of ${at name}.extraVeths";
      }
    ]) netns.extraVeths
  );

  listeners = each (
    name: netns: map (f: { inherit name; inherit (f) protocol target; }) netns.forwardPorts
  );

  others =
    option: name: netns:
    map (item: {
      where = "${at name}.${option}";
      inherit (item) netns;
    }) netns.${option};

  oneHint = " (a veth pair is declared at one of its ends only)";
in
refuse names.isPlain (
  name:
  "${at name}: the name of a namespace is part of the names of units and files; it may have letters, digits, and the characters _ . -"
) (lib.attrNames declared)
++ refuse (n: n != "." && n != "..") (n: "${at n}: this name means a folder") (
  lib.attrNames declared
)
++ refuse (n: lib.stringLength n <= 60) (
  n: "${at n}: the name of a namespace may have 60 bytes at most, so that its sockets have room in their paths"
) (lib.attrNames declared)
++ refuse (o: isDeclared o.netns) (
  o: "${o.where}: there is no namespace ${quote o.netns}; declare networking.netns.${quote o.netns}"
) (each (others "forwardPorts") ++ each (others "extraVeths"))
++ refuse (i: isInterface i.text) (
  i:
  "${i.where}: ${quote i.text} cannot be the name of a link; those have 1 to 15 bytes without white space, / and :"
) (each interfaces)
++ refuse (a: isAddress a.text) (
  a: "${a.where}: ${quote a.text} is no address; write one as 10.0.0.1/24 or fd00::1/64"
) (each addresses)
++ refuse (e: isEndpoint e.text) (
  e:
  "${e.where}: ${quote e.text} is no endpoint; write 127.0.0.1:80, [::1]:80 or unix:/run/app.sock"
) (each endpoints)
++ noTwo (l: [
  l.name
  l.link
]) (
  same:
  let
    l = lib.head same;
  in
  "networking.netns: two links would be called ${quote l.link} in ${quote l.name}: ${
    lib.concatMapStringsSep " and " (x: x.what) same
  }${oneHint}"
) links
++ noTwo (l: l) (
  same:
  let
    l = lib.head same;
  in
  "${at l.name}.forwardPorts: two forwards listen on ${l.protocol} ${l.target}"
) listeners
