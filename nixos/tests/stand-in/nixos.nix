# The part of NixOS that a `networking.netns` module writes to and reads from,
# written for this project: systemd.services and systemd.sockets with the text
# of their units, systemd.packages, environment.etc and systemPackages,
# security.polkit.enable, system.nss*.
{ lib, pkgs, ... }:
let
  inherit (lib) mkOption types;

  list =
    type:
    mkOption {
      type = types.listOf type;
      default = [ ];
    };

  text = mkOption {
    type = types.lines;
    default = "";
  };

  bin = map (p: "${p}/bin");
  sbin = map (p: "${p}/sbin");

  jobScript = name: body: "${pkgs.writeShellScriptBin name "set -e\n${body}"}/bin/${name}";

  scalar =
    x:
    if x == true then
      "true"
    else if x == false then
      "false"
    else
      toString x;

  section =
    s:
    lib.concatStrings (
      lib.mapAttrsToList (
        n: v: lib.concatMapStrings (x: "${n}=${scalar x}\n") (if lib.isList v then v else [ v ])
      ) s
    );

  dependencies = [
    "after"
    "before"
    "bindsTo"
    "partOf"
    "requires"
    "wants"
    "wantedBy"
    "requiredBy"
  ];

  dep = key: xs: lib.optionalAttrs (xs != [ ]) { ${key} = toString xs; };

  unitSection =
    config:
    dep "After" config.after
    // dep "Before" config.before
    // dep "BindsTo" config.bindsTo
    // dep "PartOf" config.partOf
    // dep "Requires" config.requires
    // dep "Wants" config.wants
    // lib.optionalAttrs (config.description != "") { Description = config.description; };

  install =
    config:
    lib.optionalString (config.wantedBy != [ ]) "\n[Install]\nWantedBy=${toString config.wantedBy}\n";

  unitOptions = lib.genAttrs dependencies (_: list types.str) // {
    description = mkOption {
      type = types.str;
      default = "";
    };
    unitConfig = mkOption {
      type = types.attrsOf types.unitOption;
      default = { };
    };
    unit = mkOption { type = types.str; };
  };

  bool =
    default:
    mkOption {
      type = types.bool;
      inherit default;
    };

  socket =
    { config, ... }:
    {
      options = unitOptions // {
        socketConfig = mkOption {
          type = types.attrsOf types.unitOption;
          default = { };
        };
      };
      config = {
        unitConfig = unitSection config;
        unit =
          "[Unit]\n" + section config.unitConfig + "\n[Socket]\n" + section config.socketConfig + install config;
      };
    };

  service =
    { name, config, ... }:
    {
      options =
        unitOptions
        // lib.genAttrs [
          "reloadTriggers"
          "restartTriggers"
        ] (_: list types.unspecified)
        // {
          reloadIfChanged = bool false;
          restartIfChanged = bool true;
          stopIfChanged = bool true;
        }
        // lib.genAttrs [
          "preStart"
          "script"
          "postStart"
          "reload"
          "preStop"
          "postStop"
        ] (_: text)
        // {
          path = list types.package;
          environment = mkOption {
            type = types.attrsOf (types.nullOr types.str);
            default = { };
          };
          serviceConfig = mkOption {
            type = types.attrsOf types.unitOption;
            default = { };
          };
        };

      config = {
        path = lib.mkAfter (
          with pkgs;
          [
            coreutils
            findutils
            gnugrep
            gnused
            systemd
          ]
        );
        environment.PATH = lib.concatStringsSep ":" (bin config.path ++ sbin config.path);
        serviceConfig = lib.mkMerge [
          (lib.mkIf (config.preStart != "") { ExecStartPre = [ (jobScript "${name}-pre-start" config.preStart) ]; })
          (lib.mkIf (config.script != "") { ExecStart = jobScript "${name}-start" config.script + " "; })
          (lib.mkIf (config.postStart != "") { ExecStartPost = [ (jobScript "${name}-post-start" config.postStart) ]; })
          (lib.mkIf (config.reload != "") { ExecReload = jobScript "${name}-reload" config.reload; })
          (lib.mkIf (config.preStop != "") { ExecStop = jobScript "${name}-pre-stop" config.preStop; })
          (lib.mkIf (config.postStop != "") { ExecStopPost = jobScript "${name}-post-stop" config.postStop; })
        ];
        unitConfig =
          unitSection config
          // dep "X-Reload-Triggers" config.reloadTriggers
          // dep "X-Restart-Triggers" config.restartTriggers;
        unit =
          "[Unit]\n"
          + section config.unitConfig
          + "\n[Service]\n"
          + lib.concatStrings (
            lib.mapAttrsToList (
              n: v: lib.optionalString (v != null) "Environment=${builtins.toJSON "${n}=${v}"}\n"
            ) config.environment
          )
          + lib.optionalString config.reloadIfChanged "X-ReloadIfChanged=true\n"
          + lib.optionalString (!config.restartIfChanged) "X-RestartIfChanged=false\n"
          + lib.optionalString (!config.stopIfChanged) "X-StopIfChanged=false\n"
          + section config.serviceConfig
          + install config;
      };
    };
in
{
  options = {
    systemd.services = mkOption {
      type = types.attrsOf (types.submodule service);
      default = { };
    };
    systemd.sockets = mkOption {
      type = types.attrsOf (types.submodule socket);
      default = { };
    };
    systemd.packages = list types.package;
    security.polkit.enable = bool false;
    environment.systemPackages = list types.package;
    environment.etc = mkOption {
      default = { };
      type = types.attrsOf (
        types.submodule (
          { name, config, ... }:
          {
            options = {
              enable = mkOption {
                type = types.bool;
                default = true;
              };
              mode = mkOption {
                type = types.str;
                default = "symlink";
              };
              text = mkOption {
                type = types.nullOr types.lines;
                default = null;
              };
              source = mkOption { type = types.path; };
            };
            config.source = lib.mkIf (config.text != null) (
              pkgs.writeText "etc-${builtins.replaceStrings [ "/" ] [ "-" ] name}" config.text
            );
          }
        )
      );
    };
    system.nssModules = mkOption {
      type = types.listOf types.package;
      default = [ ];
      apply = xs: {
        list = xs;
        path = lib.concatMapStringsSep ":" (p: "${p}/lib") xs;
      };
    };
    system.nssDatabases = lib.genAttrs [ "passwd" "group" "shadow" "sudoers" "hosts" "services" ] (
      _: list types.str
    );
    assertions = list types.raw;
    warnings = list types.str;
  };

  # what NixOS itself puts there
  config.environment.systemPackages = [ pkgs.systemd ];
  config.system = {
    nssModules = [ pkgs.systemd ];
    nssDatabases = {
      passwd = lib.mkMerge [
        (lib.mkBefore [ "files" ])
        (lib.mkAfter [ "systemd" ])
      ];
      group = lib.mkMerge [
        (lib.mkBefore [ "files" ])
        (lib.mkAfter [
          "[success=merge]"
          "systemd"
        ])
      ];
      shadow = lib.mkBefore [ "files" ];
      sudoers = lib.mkBefore [ "files" ];
      services = lib.mkBefore [ "files" ];
      hosts = lib.mkMerge [
        (lib.mkOrder 400 [ "mymachines" ])
        (lib.mkOrder 998 [ "files" ])
        (lib.mkOrder 999 [ "myhostname" ])
        (lib.mkOrder 1499 [ "dns" ])
      ];
    };
  };
}
