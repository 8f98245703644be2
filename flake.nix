{
  description = "Network namespaces from a file";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      each = f: lib.genAttrs systems (system: f nixpkgs.legacyPackages.${system});
    in
    {
      nixosModules.default = ./nixos/module.nix;

      overlays.default = final: _: { netnsctl = final.callPackage ./nixos/package.nix { }; };

      packages = each (pkgs: rec {
        netnsctl = pkgs.callPackage ./nixos/package.nix { };
        default = netnsctl;
      });

      checks = each (pkgs: {
        package = self.packages.${pkgs.stdenv.hostPlatform.system}.default;
        vm = pkgs.testers.runNixOSTest (import ./nixos/tests/vm.nix { module = self.nixosModules.default; });
      });
    };
}
