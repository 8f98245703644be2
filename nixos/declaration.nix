# What is declared, as netnsctl reads it: options under the names of its configuration.
{ lib }:
let
  keys = import ./keys.nix { inherit lib; };
in
rec {
  netns = name: if name == "default" then keys.host else keys.named;

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
