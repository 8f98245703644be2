# What the module makes of a configuration, evaluated without nixpkgs. It shows what the module says
# to NixOS; it does not show what NixOS makes of it.
{
  sample,
  module ? ../../module.nix,
  # Where the package netnsctl is, if anything of it is to be run.
  netnsctl ? null,
}:
let
  lib = import ./lib.nix;
  common = import ./common.nix { inherit lib netnsctl; };
  evaluated = lib.evalModules {
    specialArgs = { inherit (common) pkgs; };
    modules = [
      ./nixos.nix
      { system.nssModules = [ (common.mkPkg "nss-example" { }) ]; }
      sample
      module
    ];
  };
  inherit (evaluated) config options;

  ours = name: _: lib.hasPrefix "netns" name || name == "demo";

  # The options below `networking.netns`, by name, as data.
  below =
    prefix: tree:
    lib.concatLists (
      lib.mapAttrsToList (
        name: option:
        let
          at = "${prefix}.${name}";
        in
        if (option._type or "") == "option" then
          [ (describe at option) ] ++ inside at option.type
        else
          below at option
      ) tree
    );
  inside =
    at: type:
    lib.optionals ((type.optionsBelow or null) != null) (
      below "${at}.${if lib.hasPrefix "list" type.name then "*" else "<name>"}" type.optionsBelow
    );
  describe = at: option: {
    name = at;
    value = {
      type = option.type.name;
      readOnly = option.readOnly or false;
      default = option.default or null;
      hasDefault = option ? default;
      description = option.description or "";
    };
  };

  unit = u: {
    inherit (u)
      after
      partOf
      wantedBy
      unit
      ;
  };

  service =
    s:
    unit s
    // {
      inherit (s)
        environment
        serviceConfig
        unitConfig
        reloadTriggers
        restartTriggers
        stopIfChanged
        ;
    };

  # What the module has built, by name. A path alone is a package without a name for it.
  isBuilt = p: p ? drvPath;
in
{
  # `nix-build -A built.NAME`
  built = lib.listToAttrs (
    map (p: lib.nameValuePair p.name p) (
      lib.filter isBuilt (config.systemd.packages ++ config.environment.systemPackages)
    )
  );
  report = {
    netns = config.networking.netns;
    options = lib.listToAttrs (
      [ (describe "networking.netns" options.networking.netns) ]
      ++ inside "networking.netns" options.networking.netns.type
    );
    services = lib.mapAttrs (_: service) (lib.filterAttrs ours config.systemd.services);
    sockets = lib.mapAttrs (_: unit) (lib.filterAttrs ours config.systemd.sockets);
    packages = map (p: p.name) config.environment.systemPackages;
    etc = lib.mapAttrs (_: file: {
      source = toString file.source;
      text = file.source.text or null;
    }) config.environment.etc;
    inherit (config) warnings;
    failedAssertions = map (a: a.message) (lib.filter (a: !a.assertion) config.assertions);
  };
}
