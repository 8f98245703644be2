# The options of one namespace, `networking.netns.<name>`.
#
# Names, types and defaults of those that the first module of this name had are its own, so that a
# configuration written for it means the same. What is null here has the default that netnsctl gives
# it, which stands in examples/every-key.toml.
{ lib }:
{ name, config, ... }:
let
  inherit (lib) mkOption types literalMD;

  isHome = name == "default";
  own = "/run/netns-${name}";
  service = "netns-${name}.service";
  socket = "netns-${name}-nscd.socket";

  strings =
    description:
    mkOption {
      type = types.listOf types.str;
      default = [ ];
      inherit description;
    };

  switch =
    description:
    mkOption {
      type = types.bool;
      default = false;
      description = "Whether ${description}.";
    };

  unset =
    type: description:
    mkOption {
      type = types.nullOr type;
      default = null;
      inherit description;
    };

  readOnly =
    type: text: default: description:
    mkOption {
      readOnly = true;
      defaultText = literalMD text;
      inherit type default description;
    };

  # What is mounted at /run/nscd in place of the host's: the namespace's, or nothing at all.
  nameService =
    if config.nscd.enable then
      { binds = [ "${own}/nscd:/run/nscd:norbind" ]; }
    else
      {
        binds = [ ];
        hidden.TemporaryFileSystem = [ "/run/nscd:ro" ];
      };

  forward = {
    options = {
      protocol = mkOption {
        type = types.enum [
          "tcp"
          "udp"
        ];
        default = "tcp";
        description = "What is forwarded.";
      };
      netns = mkOption {
        type = types.str;
        default = "default";
        description = "The other namespace, in which `source` is connected to.";
      };
      source = mkOption {
        type = types.str;
        example = "127.0.0.1:80";
        description = "Where to connect, in the other namespace: `ADDRESS:PORT` or `unix:PATH`.";
      };
      target = mkOption {
        type = types.str;
        example = "127.0.0.1:8080";
        description = "Where to listen, in this namespace: `ADDRESS:PORT` or `unix:PATH`.";
      };
      connectTimeout = unset types.str "TCP: how long the target may take to answer, as `10s`.";
      halfCloseTimeout = unset types.str "TCP: how long a half-closed connection may stay silent, as `5m`.";
      keepalive = unset types.str "TCP: silence before a peer is probed, and between probes; `0s` for none.";
      keepaliveProbes = unset types.int "TCP: unanswered probes before a peer counts as gone.";
      maxConnections = unset types.int "TCP: connections at once.";
      proxyProtocol = unset types.bool "TCP: whether the target gets a PROXY header, version 2, that names the client.";
      drain = unset types.str "TCP: how long connections may go on when this forward changes or goes, as `30s`.";
      udpTimeout = unset types.str "UDP: how long a session without traffic is kept, as `2m`.";
      maxSessions = unset types.int "UDP: sessions at once.";
      workers = unset (types.either types.int (types.enum [ "auto" ])) "Threads that share the work, or `auto`.";
    };
  };

  veth =
    { config, ... }:
    {
      options = {
        netns = mkOption {
          type = types.str;
          default = "default";
          description = "The namespace of the other end.";
        };
        sourceInterface = mkOption {
          type = types.str;
          default = if config.netns == "default" then "host" else config.netns;
          defaultText = literalMD "`host` towards the host, else the other namespace's name";
          description = "Name of the end in this namespace.";
        };
        targetInterface = mkOption {
          type = types.str;
          default = if isHome then "host" else name;
          defaultText = literalMD "`host` if this is the host, else this namespace's name";
          description = "Name of the end in the other namespace.";
        };
        mtu = unset types.int "MTU of both ends, in bytes.";
        mac = unset types.str "Link-layer address of this end.";
        peerMac = unset types.str "Link-layer address of the other end.";
        address = strings "Addresses of this end.";
        peerAddress = strings "Addresses of the other end.";
      };
    };

  route.options = {
    to = mkOption {
      type = types.str;
      example = "default";
      description = "Where it leads: a prefix, or `default`, which with an IPv6 gateway means `::/0`.";
    };
    via = unset types.str "The gateway.";
    interface = unset types.str "The interface.";
  };
in
{
  options = {
    netns = readOnly types.str "the attribute's name" name "The namespace's name.";

    netnsPath =
      readOnly types.str "`/run/netns/‹name›`" (if isHome then "/proc/1/ns/net" else "/run/netns/${name}")
        "Where the network namespace is.";

    mntnsPath =
      readOnly types.str "`/run/netns-‹name›/mntns`" (if isHome then "/proc/1/ns/mnt" else "${own}/mntns")
        "Where the mount namespace is in which the namespace's files and name service show.";

    serviceConfig =
      readOnly types.attrs "the namespace, its files and its name service"
        (lib.optionalAttrs (!isHome) (
          {
            NetworkNamespacePath = "/run/netns/${name}";
            BindReadOnlyPaths = [
              "/etc/netns/${name}/resolv.conf:/etc/resolv.conf:norbind"
              "/etc/netns/${name}/nsswitch.conf:/etc/nsswitch.conf:norbind"
            ]
            ++ nameService.binds;
          }
          // nameService.hidden or { }
        ))
        "What a service merges into its `serviceConfig` to live in the namespace. `unitConfig` belongs to it.";

    unitConfig =
      readOnly types.attrs "Requires, After and PartOf of the namespace's units"
        (lib.optionalAttrs (!isHome) (
          let
            needed = [ service ] ++ lib.optional config.nscd.enable socket;
          in
          {
            Requires = needed;
            After = needed;
            PartOf = [ service ];
          }
        ))
        ''
          What a service merges into its `unitConfig` so that it starts after the namespace, and stops
          and restarts with it.
        '';

    interface = mkOption {
      type = types.str;
      default = name;
      defaultText = literalMD "the attribute's name";
      description = "Name of the link that holds the namespace's addresses.";
    };

    address = strings "Addresses of that link. Without a length of prefix a single one is meant.";
    enableIPv4Forwarding = switch "the namespace routes IPv4";
    enableIPv6Forwarding = switch "the namespace routes IPv6";

    dns = {
      nameservers = mkOption {
        type = types.listOf types.str;
        default = [
          "2606:4700:4700::1111"
          "2001:4860:4860::8888"
          "1.1.1.1"
          "8.8.8.8"
        ];
        description = ''
          Servers in the namespace's resolv.conf. `environment.etc."netns/‹name›/resolv.conf"` replaces
          the whole file.
        '';
      };
      search = strings "Domains in which short names are looked up.";
      options = strings "Options of resolv.conf(5).";
    };

    nscd = {
      enable = mkOption {
        type = types.bool;
        default = true;
        description = "Whether the namespace has a name-service daemon of its own.";
      };
      cache = unset types.str "How long its answers may be reused, as `10s`.";
    };

    sysctl = mkOption {
      type = types.attrsOf (
        types.oneOf [
          types.bool
          types.int
          types.str
        ]
      );
      default = { };
      example = {
        "net.ipv4.ip_unprivileged_port_start" = 0;
      };
      description = "Kernel parameters below `net.` in the namespace.";
    };

    routes = mkOption {
      type = types.listOf (types.submodule route);
      default = [ ];
      description = "Routes in the namespace's main table.";
    };

    run = {
      users = strings "Users who need no password for `netns-run-‹name›`.";
      groups = strings "Groups whose members need no password for `netns-run-‹name›`.";
    };

    forwardPorts = mkOption {
      type = types.listOf (types.submodule forward);
      default = [ ];
      description = "Ports that are listened on in this namespace and lead into another.";
    };

    extraVeths = mkOption {
      type = types.listOf (types.submodule veth);
      default = [ ];
      description = "Veth pairs to other namespaces. A pair is declared at one of its ends only.";
    };
  };
}
