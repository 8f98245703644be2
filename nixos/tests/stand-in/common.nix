# A stub `pkgs`. A stub package is a name and a made-up store path; no package set is needed. Files
# and commands are real: what is written has its text beside its path, and what commands make can be
# built, with the tools of this machine. `netnsctl` is the folder that the package is in.
{
  lib,
  netnsctl ? null,
}:
let
  storePath = name: "/nix/store/00000000000000000000000000000000-${name}";

  mkPkg =
    name: extra:
    let
      self = {
        type = "derivation";
        inherit name;
        pname = name;
        outPath = storePath name;
        outputName = "out";
        outputs = [ "out" ];
        out = self;
        meta.mainProgram = name;
        overrideAttrs = _: self;
        override = _: self;
      }
      // extra;
    in
    self;

  writeText =
    name: text:
    mkPkg name {
      inherit text;
      outPath = builtins.toFile name text;
    };

  runCommand =
    name: _: command:
    derivation {
      inherit name;
      system = builtins.currentSystem;
      builder = "/bin/bash";
      args = [
        "-euc"
        # A last command would take the shell's place and, being of coreutils, close its streams
        # before it ends: nix 2.8 kills who does.
        "${command}\nexit 0\n"
      ];
      PATH = "/usr/bin:/bin";
    };

  plain = lib.genAttrs [
    "bash"
    "coreutils"
    "findutils"
    "gnugrep"
    "gnused"
    "polkit"
    "util-linux"
  ] (name: mkPkg name { });

  libOfPackages = lib // {
    licenses = lib.genAttrs [ "mit" "asl20" ] (name: name);
    platforms.linux = [ "x86_64-linux" ];
    fileset = {
      unions = files: files;
      toSource = { root, fileset }: builtins.seq (map builtins.pathExists fileset) (toString root);
    };
  };

  pkgs = plain // {
    lib = libOfPackages;
    stdenv = {
      hostPlatform.system = "x86_64-linux";
      buildPlatform.canExecute = platform: platform.system == "x86_64-linux";
    };
    systemd = mkPkg "systemd" { util-linux = plain.util-linux; };
    rustPlatform.buildRustPackage =
      args:
      mkPkg args.pname {
        inherit (args) version src meta;
        outPath = if netnsctl == null then storePath args.pname else netnsctl;
      };
    callPackage =
      file: args:
      let
        f = import file;
      in
      f (builtins.intersectAttrs (builtins.functionArgs f) pkgs // args);
    writeShellScriptBin = name: text: mkPkg name { inherit text; };
    inherit writeText runCommand;
  };
in
{
  inherit pkgs mkPkg;
}
