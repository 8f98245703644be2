# The options of one namespace, `networking.netns.<name>`.
#
# Names, types and defaults of those that the first module of this name had are its own, so that a
# configuration written for it means the same. All others are made from keys.json, by keys.nix. What
# is null here has the default that netnsctl gives it, which stands in examples/every-key.toml.
{ lib }:
{ name, config, ... }:
let
  inherit (lib) mkOption types literalMD;

  keys = import ./keys.nix { inherit lib; };

  isHome = name == "default";
  own = "/run/netns-${name}";
  service = "netns-${name}.service";
  socket = "netns-${name}-nscd.socket";

  switch =
    description:
    mkOption {
      type = types.bool;
      default = false;
      description = "Whether ${description}.";
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
    options = keys.of "forward" // {
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
    };
  };

  veth =
    { config, ... }:
    {
      options = keys.of "veth" // {
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
      };
    };
in
{
  options =
    keys.of "netns"
    // keys.others [
      "forward"
      "veth"
    ]
    // {
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

      enableIPv4Forwarding = switch "the namespace routes IPv4";
      enableIPv6Forwarding = switch "the namespace routes IPv6";

      dns = keys.of "dns" // {
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
      };

      nscd = keys.of "nscd" // {
        enable = mkOption {
          type = types.bool;
          default = true;
          description = "Whether the namespace has a name-service daemon of its own.";
        };
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
