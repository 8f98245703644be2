# Network namespaces as NixOS options, `networking.netns`.
#
# What is inside the units comes from `netnsctl units`, which runs when the system is built. The
# names of units and their edges are here, since NixOS has to know them at evaluation: what it writes
# goes beside netnsctl's units as drop-ins, and it compares both when it switches.
#
# A change never makes a namespace anew: its unit is reloaded, whatever changed, and netnsctl puts
# right what differs. Forwards and name-service daemons are restarted below their sockets.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types literalMD;

  declared = config.networking.netns;
  namespaces = lib.filterAttrs (name: _: name != "default") declared;
  inherit (config.programs.netnsctl) package;

  names = import ./names.nix { inherit lib; };
  declaration = import ./declaration.nix { inherit lib; };

  # The one that runs where the system is built.
  builder =
    if pkgs.stdenv.buildPlatform.canExecute pkgs.stdenv.hostPlatform then
      package
    else
      pkgs.buildPackages.callPackage ./package.nix { };

  # -- what netnsctl makes when the system is built ------------------------

  draft = pkgs.writeText "netnsctl-draft.json" (declaration.text (declaration.whole declared));

  configuration = pkgs.runCommand "netnsctl.json" { } ''
    cp ${draft} nixos.json
    ${builder}/bin/netnsctl check nixos.json
    cp nixos.json $out
  '';

  # /etc/netns is read for the names of files alone: a service of a namespace has them all.
  ownFiles = lib.attrNames (
    lib.filterAttrs (name: file: lib.hasPrefix "netns/" name && file.enable) config.environment.etc
  );

  polkitFiles =
    lib.concatMap (name: [ "actions/${names.action name}" ] ++ rulesOf name) (lib.attrNames declared);
  rulesOf =
    name:
    let
      inherit (declared.${name}.run) users groups;
    in
    lib.optional (users ++ groups != [ ]) "rules.d/${names.rules name}";

  made = pkgs.runCommand "netnsctl-units" { } ''
    for file in netnsctl/nixos.json nsswitch.conf ${lib.escapeShellArgs ownFiles}; do
      mkdir -p "root/etc/$(dirname "$file")"
      touch "root/etc/$file"
    done
    cp ${configuration} root/etc/netnsctl/nixos.json
    units=$out/lib/systemd/system polkit=$out/share/polkit-1
    mkdir -p "$units" "$polkit"
    ${builder}/bin/netnsctl units --root root --program ${package}/bin/netnsctl \
      --after-network --output "$units" --polkit "$polkit"
    # NixOS makes these of the units' wantedBy.
    rm -rf "$units/multi-user.target.wants"

    expect() {
      (cd "$1" && find . -type f | sed 's,^\./,,' | LC_ALL=C sort) >found
      shift
      printf '%s\n' "$@" | sed '/^$/d' | LC_ALL=C sort >expected
      if ! diff expected found; then
        echo "netnsctl and its NixOS module do not agree on these files (< module, > netnsctl);" \
          "programs.netnsctl.package has to be of the same version as the module" >&2
        exit 1
      fi
    }
    expect "$units" ${lib.escapeShellArgs unitFiles}
    expect "$polkit" ${lib.escapeShellArgs polkitFiles}
  '';

  # polkit looks for actions there, and before version 126 nowhere else.
  actions = pkgs.runCommand "netnsctl-polkit-actions" { } ''
    mkdir -p $out/share/polkit-1
    ln -s ${made}/share/polkit-1/actions $out/share/polkit-1/actions
  '';

  runCommandOf =
    name:
    pkgs.runCommand "netns-run-${name}" { meta.mainProgram = "netns-run-${name}"; } ''
      mkdir -p $out/bin
      ln -s ${package}/bin/netnsctl $out/bin/netns-run-${name}
    '';

  # -- units ---------------------------------------------------------------

  unitFiles =
    map (name: "${name}.service") (lib.attrNames services)
    ++ map (name: "${name}.socket") (lib.attrNames sockets);

  # NixOS compares this text. It holds all that `reload` of a namespace has to look at.
  trigger =
    name:
    let
      mentions = lib.filter (item: item.netns == name);
      others = lib.mapAttrs (_: netns: {
        forward = mentions (netns.forward or [ ]);
        veth = mentions (netns.veth or [ ]);
      }) (lib.mapAttrs declaration.netns (removeAttrs declared [ name ]));
    in
    builtins.hashString "sha256" (
      builtins.toJSON {
        own = declaration.netns name declared.${name};
        inherit others;
        files = sourcesOf name;
      }
    );

  sourcesOf =
    name:
    map (file: toString config.environment.etc.${file}.source) (
      lib.filter (lib.hasPrefix "netns/${name}/") ownFiles
    );

  # Reloaded for any change, also of the program, where NixOS would restart it. Its option
  # `reloadIfChanged` says the same, but not beside reloadTriggers, by which this one is reloaded
  # for a change that is not in any unit.
  reloaded = {
    serviceConfig.X-ReloadIfChanged = true;
  };

  wanted = follows: [ "multi-user.target" ] ++ follows;

  part = follows: {
    after = [ "network.target" ] ++ follows;
    partOf = follows;
    wantedBy = wanted follows;
  };

  socket = follows: {
    after = follows;
    partOf = follows;
    wantedBy = wanted follows;
  };

  servicesOf =
    name: netns:
    let
      follows = [ (names.serviceOf name) ];
    in
    {
      "netns-${name}" = {
        after = [ "network.target" ];
        wantedBy = [ "multi-user.target" ];
        reloadTriggers = [ (trigger name) ];
        serviceConfig =
          reloaded.serviceConfig
          // lib.optionalAttrs netns.nscd.enable {
            # Services bind this folder that know of this unit and not of the daemon's socket.
            RuntimeDirectory = [ "netns-${name}/nscd" ];
          };
      };
      "netns-${name}-mntns" =
        reloaded
        // part follows
        // {
          after = [
            "network.target"
          ]
          ++ follows
          ++ lib.optional netns.nscd.enable "netns-${name}-nscd.service";
        };
    }
    // lib.optionalAttrs netns.nscd.enable {
      "netns-${name}-nscd" = part follows // {
        # A stop would take the socket with it.
        stopIfChanged = false;
        environment.LD_LIBRARY_PATH = config.system.nssModules.path;
        restartTriggers = sourcesOf name;
      };
    };

  vethOf = veth: lib.nameValuePair veth.stem (reloaded // part veth.follows);

  # A forward that follows a namespace has its socket looked after by the reload of that; the socket
  # of any other goes and comes with the service.
  forwardOf =
    forward:
    lib.nameValuePair forward.stem (
      part forward.follows // { stopIfChanged = forward.follows == [ ]; }
    );

  socketsOf =
    forward:
    map (stem: lib.nameValuePair stem (socket forward.follows)) [
      forward.stem
      "${forward.stem}-control"
    ];

  merged = lib.foldl' (all: some: all // some) { };

  services =
    merged (lib.mapAttrsToList servicesOf namespaces)
    // lib.listToAttrs (map vethOf (names.veths declared) ++ map forwardOf (names.forwards declared));

  sockets =
    lib.mapAttrs' (name: _: lib.nameValuePair "netns-${name}-nscd" (socket [ (names.serviceOf name) ])) (
      lib.filterAttrs (_: netns: netns.nscd.enable) namespaces
    )
    // lib.listToAttrs (lib.concatMap socketsOf (names.forwards declared));

  # -- files ---------------------------------------------------------------

  line = words: lib.concatStringsSep " " words + "\n";

  resolvConf =
    dns:
    lib.concatMapStrings (server: "nameserver ${server}\n") dns.nameservers
    + lib.optionalString (dns.search != [ ]) (line ([ "search" ] ++ dns.search))
    + lib.optionalString (dns.options != [ ]) (line ([ "options" ] ++ dns.options));

  # `resolve` asks the host's systemd-resolved, which no network namespace keeps out; what it says
  # in brackets behind it is about nothing then.
  hosts =
    let
      isResolve = entry: entry == "resolve" || lib.hasPrefix "resolve " entry;
      step =
        state: entry:
        if isResolve entry || (state.behind && lib.hasPrefix "[" entry) then
          state // { behind = true; }
        else
          {
            behind = false;
            kept = state.kept ++ [ entry ];
          };
      inherit
        (lib.foldl' step {
          behind = false;
          kept = [ ];
        } config.system.nssDatabases.hosts)
        kept
        ;
    in
    if kept == [ ] then [ "files dns" ] else kept;

  nsswitchConf =
    let
      of = config.system.nssDatabases;
    in
    lib.concatMapStrings (entry: "${lib.head entry}: ${line (lib.last entry)}") [
      [ "passwd" of.passwd ]
      [ "group" of.group ]
      [ "shadow" of.shadow ]
      [ "sudoers" (of.sudoers or [ "files" ]) ]
      [ "hosts" hosts ]
      [ "networks" [ "files" ] ]
      [ "ethers" [ "files" ] ]
      [ "services" of.services ]
      [ "protocols" [ "files" ] ]
      [ "rpc" [ "files" ] ]
    ];

  filesOf = name: netns: {
    "netns/${name}/resolv.conf".text = lib.mkDefault (resolvConf netns.dns);
    "netns/${name}/nsswitch.conf".text = lib.mkDefault nsswitchConf;
  };

  # Links, which `netnsctl up` takes for somebody else's files and leaves alone.
  polkitEtc = lib.listToAttrs (
    map (
      file: lib.nameValuePair "polkit-1/${file}" { source = "${made}/share/polkit-1/${file}"; }
    ) polkitFiles
  );

  home = declared.default;
  usesPolkit = config.security.polkit.enable;
  mayRun = lib.filterAttrs (_: netns: netns.run.users ++ netns.run.groups != [ ]) declared;
in
{
  options = {
    networking.netns = mkOption {
      type = types.attrsOf (types.submodule (import ./options.nix { inherit lib; }));
      default = { };
      description = ''
        Network namespaces by name. `default` is the one that the machine booted in; it is always
        there and takes `forwardPorts`, `extraVeths` and `run` only.
      '';
    };
    programs.netnsctl.package = mkOption {
      type = types.package;
      default = pkgs.callPackage ./package.nix { };
      defaultText = literalMD "the netnsctl that this module came with";
      description = "The package of netnsctl, of the same version as this module.";
    };
  };

  config = {
    networking.netns.default = { };

    assertions = import ./checks.nix { inherit lib names; } declared ++ [
      {
        assertion = home.sysctl == { } && home.routes == [ ];
        message = ''networking.netns."default": the host's own network is not netnsctl's: sysctl and routes have no effect here; use boot.kernel.sysctl and networking'';
      }
    ];

    warnings =
      lib.optional
        (home.address != [ ] || home.enableIPv4Forwarding || home.enableIPv6Forwarding)
        ''networking.netns."default": address and forwarding have no effect here; use networking and boot.kernel.sysctl''
      ++ lib.optional (mayRun != { } && !usesPolkit) "networking.netns.*.run has no effect without security.polkit.enable";

    systemd = {
      packages = [ made ];
      inherit services sockets;
    };

    environment = {
      etc = merged (
        [ { "netnsctl/nixos.json".source = configuration; } ]
        ++ lib.mapAttrsToList filesOf namespaces
        ++ lib.optional usesPolkit polkitEtc
      );
      systemPackages = [
        package
      ]
      ++ map runCommandOf (lib.attrNames declared)
      ++ lib.optional usesPolkit actions;
    };
  };
}
