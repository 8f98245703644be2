# Options for the keys of netnsctl's configuration, made from keys.json, which is the program's own list.
#
# A key that is not named here has the option that its name in camel case says, so a new key needs
# nothing but a new keys.json.
{ lib }:
let
  inherit (lib) mkOption types;

  sections = builtins.listToAttrs (
    map (section: {
      name = section.word;
      value = section;
    }) (builtins.fromJSON (builtins.readFile ./keys.json))
  );

  # Names that the first module of this name gave.
  optionNames = {
    netns.ipv4_forwarding = "enableIPv4Forwarding";
    netns.ipv6_forwarding = "enableIPv6Forwarding";
    forward.connect = "source";
    forward.listen = "target";
    veth.interface = "sourceInterface";
    veth.peer_interface = "targetInterface";
  };
  sectionNames = {
    forward = "forwardPorts";
    route = "routes";
    veth = "extraVeths";
  };

  capitalized =
    word: lib.toUpper (builtins.substring 0 1 word) + builtins.substring 1 (builtins.stringLength word) word;

  camelCase =
    name:
    let
      words = lib.splitString "_" name;
    in
    builtins.head words + lib.concatStrings (map capitalized (builtins.tail words));

  optionName = section: key: optionNames.${section.word}.${key.name} or (camelCase key.name);
  sectionName = section: sectionNames.${section.word} or section.word;

  typeOf =
    key:
    if key.type == "boolean" then
      types.bool
    else if key.type == "integer" && key.words == [ ] then
      types.int
    else if key.type == "integer" then
      types.either types.int (types.enum key.words)
    else if key.type == "range" then
      types.either types.int types.str
    else if key.type == "word" then
      types.enum key.words
    else if key.type == "strings" then
      types.listOf types.str
    else
      types.str;

  # A key that is null is not written, so that it has the default that netnsctl gives it.
  option =
    key:
    let
      description =
        key.about
        + lib.optionalString (key.default != null) (
          " By default: ${key.default.text or (builtins.toJSON key.default.value)}."
        );
      type = typeOf key;
    in
    if key.required then
      mkOption { inherit type description; }
    else if key.type == "strings" && !key.only then
      mkOption {
        inherit type description;
        default = [ ];
      }
    else
      mkOption {
        type = types.nullOr type;
        default = null;
        inherit description;
      };

  options =
    section:
    builtins.listToAttrs (
      map (key: {
        name = optionName section key;
        value = option key;
      }) section.keys
    );

  # What `values`, those of the options of a section, are in the configuration.
  declare =
    section: values:
    lib.filterAttrs (_: value: value != null) (
      builtins.listToAttrs (
        map (key: {
          inherit (key) name;
          value = values.${optionName section key};
        }) section.keys
      )
    );

  declareSection =
    section: values:
    if section.shape == "list" then
      map (declare section) values
    else if section.shape == "table" then
      declare section values
    else
      values;

  # Sections without anything in them are left out.
  declareSections =
    sections: netns:
    lib.filterAttrs (_: value: value != [ ] && value != { }) (
      builtins.listToAttrs (
        map (section: {
          name = section.word;
          value = declareSection section netns.${sectionName section};
        }) sections
      )
    );

  parts = builtins.filter (section: section.shape != "namespace") (builtins.attrValues sections);
in
{
  # The options of the section `word`, without those that have a name or a default of their own.
  of = word: options sections.${word};

  # Options for each section of a namespace but `known`, which the module describes itself.
  others =
    known:
    builtins.listToAttrs (
      map
        (section: {
          name = sectionName section;
          value =
            if section.shape == "list" then
              mkOption {
                type = types.listOf (types.submodule { options = options section; });
                default = [ ];
                description = "${capitalized section.about}.";
              }
            else
              options section;
        })
        (builtins.filter (section: section.shape != "parameters" && !(builtins.elem section.word known)) parts)
    );

  # What is declared of the host namespace, and of any other.
  host = declareSections (builtins.filter (section: section.host) parts);
  named = netns: declare sections.netns netns // declareSections parts netns;
}
