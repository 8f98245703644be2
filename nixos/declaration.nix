# What is declared, as netnsctl reads it: options under the names of its configuration.
{ lib }:
let
  given = lib.filterAttrs (_: value: value != null);

  forward =
    f:
    given {
      inherit (f)
        protocol
        netns
        keepalive
        drain
        workers
        ;
      listen = f.target;
      connect = f.source;
      connect_timeout = f.connectTimeout;
      half_close_timeout = f.halfCloseTimeout;
      keepalive_probes = f.keepaliveProbes;
      max_connections = f.maxConnections;
      proxy_protocol = f.proxyProtocol;
      udp_timeout = f.udpTimeout;
      max_sessions = f.maxSessions;
    };

  veth =
    v:
    given {
      inherit (v)
        netns
        mtu
        mac
        address
        ;
      interface = v.sourceInterface;
      peer_interface = v.targetInterface;
      peer_mac = v.peerMac;
      peer_address = v.peerAddress;
    };

  # Home takes these and nothing else: it is never made.
  anywhere = netns: {
    forward = map forward netns.forwardPorts;
    veth = map veth netns.extraVeths;
    run = { inherit (netns.run) users groups; };
  };

  named =
    netns:
    anywhere netns
    // {
      inherit (netns) interface address sysctl;
      ipv4_forwarding = netns.enableIPv4Forwarding;
      ipv6_forwarding = netns.enableIPv6Forwarding;
      dns = { inherit (netns.dns) nameservers search options; };
      nscd = given { inherit (netns.nscd) enable cache; };
      route = map (r: given { inherit (r) to via interface; }) netns.routes;
    };
in
rec {
  netns = name: if name == "default" then anywhere else named;

  whole = declared: { netns = lib.mapAttrs netns declared; };

  # JSON with a line for each value, so that netnsctl can point at one.
  text =
    value:
    let
      block =
        indent: open: close: lines:
        if lines == [ ] then
          open + close
        else
          "${open}\n${lib.concatStringsSep ",\n" (map (l: "${indent}  ${l}") lines)}\n${indent}${close}";
      write =
        indent: v:
        if lib.isAttrs v then
          block indent "{" "}" (
            lib.mapAttrsToList (n: x: "${builtins.toJSON n}: ${write "${indent}  " x}") v
          )
        else if lib.isList v then
          block indent "[" "]" (map (write "${indent}  ") v)
        else
          builtins.toJSON v;
    in
    write "" value + "\n";
}
