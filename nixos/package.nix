# netnsctl from this checkout.
{
  lib,
  rustPlatform,
}:
let
  manifest = builtins.fromTOML (builtins.readFile ../Cargo.toml);
in
rustPlatform.buildRustPackage {
  pname = "netnsctl";
  inherit (manifest.workspace.package) version;

  # What the build reads, so that a change of a page or of this file builds nothing anew.
  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [
      ../Cargo.toml
      ../Cargo.lock
      ../crates
      ../packaging
    ];
  };
  cargoLock.lockFile = ../Cargo.lock;

  cargoBuildFlags = [
    "--package"
    "netnsctl"
  ];

  buildFeatures = [ "static-unwinder" ];

  # The tests make namespaces, which a builder may not.
  doCheck = false;

  postInstall = ''
    mkdir -p $out/share
    cp -r packaging/man $out/share/man
    install -Dm644 packaging/netnsctl.schema.json -t $out/share/netnsctl
  '';

  meta = {
    description = "Network namespaces from a file";
    homepage = manifest.workspace.package.repository;
    license = [
      lib.licenses.mit
      lib.licenses.asl20
    ];
    mainProgram = "netnsctl";
    platforms = lib.platforms.linux;
  };
}
