# A small stand-in for nixpkgs' `lib`, written for this project: what a module
# with `networking.netns` needs, and no more. An attribute that is missing here
# is an error, never a guess. What is evaluated with it is not tested on NixOS.
#
# What it does as the real one does: options with type, default, readOnly;
# mkIf, mkMerge, mkDefault, mkForce, mkOverride, mkBefore, mkAfter, mkOrder;
# attrsOf, listOf, submodule (with `name`), enum, and the plain types; errors for
# unknown options, wrong types, missing values and read-only options.
# What it does not: `disabledModules`, freeform modules, options declared twice,
# merging of types, documentation of options.
let
  b = builtins;

  id = x: x;
  isType = t: x: b.isAttrs x && (x._type or "") == t;
  showLoc = b.concatStringsSep ".";

  lists = rec {
    inherit (b)
      concatMap
      concatLists
      elem
      filter
      head
      length
      map
      all
      any
      sort
      foldl'
      ;
    optional = c: x: if c then [ x ] else [ ];
    optionals = c: xs: if c then xs else [ ];
    remove = x: filter (y: y != x);
    flatten = x: if b.isList x then concatMap flatten x else [ x ];
    imap0 = f: xs: b.genList (i: f i (b.elemAt xs i)) (length xs);
    imap1 = f: imap0 (i: f (i + 1));
    imap = imap1;
    last = xs: b.elemAt xs (length xs - 1);
    reverseList = xs: b.genList (i: b.elemAt xs (length xs - 1 - i)) (length xs);
    unique = foldl' (acc: x: if elem x acc then acc else acc ++ [ x ]) [ ];
    singleton = x: [ x ];
  };

  attrsets = rec {
    inherit (b)
      attrNames
      attrValues
      hasAttr
      intersectAttrs
      listToAttrs
      mapAttrs
      removeAttrs
      ;
    nameValuePair = name: value: { inherit name value; };
    mapAttrsToList = f: s: map (n: f n s.${n}) (attrNames s);
    mapAttrs' = f: s: listToAttrs (mapAttrsToList f s);
    filterAttrs = f: s: removeAttrs s (b.filter (n: !f n s.${n}) (attrNames s));
    genAttrs = names: f: listToAttrs (map (n: nameValuePair n (f n)) names);
    optionalAttrs = c: s: if c then s else { };
  };

  strings = rec {
    inherit (b)
      concatStringsSep
      stringLength
      substring
      replaceStrings
      toString
      toJSON
      ;
    concatStrings = concatStringsSep "";
    concatMapStrings = f: xs: concatStrings (map f xs);
    concatMapStringsSep = sep: f: xs: concatStringsSep sep (map f xs);
    optionalString = c: s: if c then s else "";
    splitString = sep: s: b.filter b.isString (b.split sep s);
    toUpper =
      let
        letters = s: b.genList (n: b.substring n 1 s) 26;
      in
      b.replaceStrings (letters "abcdefghijklmnopqrstuvwxyz") (letters "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    hasPrefix = p: s: substring 0 (stringLength p) s == p;
    escapeShellArg = s: "'${replaceStrings [ "'" ] [ "'\\''" ] (toString s)}'";
    escapeShellArgs = concatMapStringsSep " " escapeShellArg;
    boolToString = x: if x then "true" else "false";
  };

  # -- definitions ---------------------------------------------------------

  mods = rec {
    mkOverride = priority: content: {
      _type = "override";
      inherit priority content;
    };
    mkOptionDefault = mkOverride 1500;
    mkDefault = mkOverride 1000;
    mkForce = mkOverride 50;
    mkIf = condition: content: {
      _type = "if";
      inherit condition content;
    };
    mkMerge = contents: {
      _type = "merge";
      inherit contents;
    };
    mkOrder = priority: content: {
      _type = "order";
      inherit priority content;
    };
    mkBefore = mkOrder 500;
    mkAfter = mkOrder 1500;
    mkOption = o: { _type = "option"; } // o;
    mkEnableOption =
      what:
      mkOption {
        type = types.bool;
        default = false;
        description = "Whether to enable ${what}.";
      };
    literalExpression = text: {
      _type = "literalExpression";
      inherit text;
    };
    literalMD = text: {
      _type = "literalMD";
      inherit text;
    };
  };

  # mkIf and mkMerge taken off: a value becomes the list of what it says
  expand =
    v:
    if isType "merge" v then
      b.concatMap expand v.contents
    else if isType "if" v then
      lists.optionals v.condition (expand v.content)
    else
      [ v ];

  # [ { prio; order; value; } ], of the strongest priority, in order
  strongest =
    values:
    let
      one =
        v:
        if isType "override" v then
          map (
            d: d // { prio = v.priority; }
          ) (b.concatMap one (expand v.content))
        else
          [
            (
              if isType "order" v then
                {
                  prio = 100;
                  order = v.priority;
                  value = v.content;
                }
              else
                {
                  prio = 100;
                  order = 1000;
                  value = v;
                }
            )
          ];
      defs = b.concatMap one (b.concatMap expand values);
      min = b.foldl' (m: d: if d.prio < m then d.prio else m) 100000 defs;
    in
    b.sort (x: y: x.order < y.order) (b.filter (d: d.prio == min) defs);

  # -- types ---------------------------------------------------------------

  # one value, or several equal ones
  mergeOne =
    loc: vs:
    if b.all (v: v == b.head vs) vs then
      b.head vs
    else
      throw "The option `${showLoc loc}' has conflicting definition values";

  plain = name: check: {
    inherit name check;
    merge = mergeOne;
  };

  isStringLike = x: b.isString x || b.isPath x || (b.isAttrs x && x ? outPath);

  # the value of something inside a list or an attribute set
  mergeElem =
    type: loc: values:
    let
      ds = map (d: d.value) (strongest values);
      bad = b.filter (v: !type.check v) ds;
    in
    if bad != [ ] then
      throw "A definition for option `${showLoc loc}' is not of type `${type.name}'"
    else
      type.merge loc ds;

  types = rec {
    raw = plain "raw value" (_: true);
    anything = raw;
    unspecified = raw;
    str = plain "string" b.isString;
    bool = plain "boolean" b.isBool;
    int = plain "signed integer" b.isInt;
    port = plain "16 bit unsigned integer" (x: b.isInt x && x >= 0 && x <= 65535);
    path = plain "path" (x: isStringLike x && strings.hasPrefix "/" (b.toString x));
    package = plain "package" (x: b.isAttrs x && x ? outPath);
    enum =
      values:
      plain "one of ${strings.concatMapStringsSep ", " b.toJSON values}" (x: b.elem x values);
    # later ones win, nothing is merged below the first level
    attrs = plain "attribute set" b.isAttrs // {
      merge = _: b.foldl' (x: y: x // y) { };
    };
    lines = plain "strings concatenated with \"\\n\"" b.isString // {
      merge = _: b.concatStringsSep "\n";
    };
    either = s: t: {
      name = "${s.name} or ${t.name}";
      check = x: s.check x || t.check x;
      merge =
        loc: vs:
        if b.all s.check vs then
          s.merge loc vs
        else if b.all t.check vs then
          t.merge loc vs
        else
          mergeOne loc vs;
    };
    oneOf = ts: b.foldl' either (b.head ts) (b.tail ts);
    # a setting of a unit: lists of several definitions are joined
    unitOption = raw // {
      merge =
        loc: vs:
        if b.any b.isList vs then
          b.concatMap (v: if b.isList v then v else [ v ]) vs
        else
          mergeOne loc vs;
    };
    nullOr = t: {
      name = "null or ${t.name}";
      check = x: x == null || t.check x;
      merge = loc: vs: if b.elem null vs then mergeOne loc vs else t.merge loc vs;
    };
    listOf = t: {
      name = "list of ${t.name}";
      optionsBelow = t.optionsBelow or null;
      check = b.isList;
      merge =
        loc: vs: lists.imap1 (i: v: mergeElem t (loc ++ [ "[definition ${toString i}]" ]) [ v ]) (b.concatLists vs);
    };
    attrsOf = t: {
      name = "attribute set of ${t.name}";
      optionsBelow = t.optionsBelow or null;
      check = b.isAttrs;
      merge =
        loc: vs:
        b.mapAttrs (n: _: mergeElem t (loc ++ [ n ]) (b.concatMap (v: lists.optional (v ? ${n}) v.${n}) vs)) (
          # an attribute whose every definition is switched off is not there
          attrsets.filterAttrs (
            n: _: b.concatMap expand (b.concatMap (v: lists.optional (v ? ${n}) v.${n}) vs) != [ ]
          ) (b.foldl' (x: y: x // y) { } vs)
        );
    };
    submodule = m: {
      name = "submodule";
      # what the options are of one whose name is not known, for comparing them
      optionsBelow =
        (evalModules {
          modules = [ m ];
          specialArgs.name = "‹name›";
        }).options;
      check = x: b.isAttrs x || b.isFunction x;
      merge =
        loc: vs:
        (evalModules {
          prefix = loc;
          modules = lists.flatten [ m ] ++ map (v: if b.isFunction v then v else { config = v; }) vs;
          specialArgs.name = lists.last loc;
        }).config;
    };
  };

  # -- modules -------------------------------------------------------------

  evalModules =
    {
      modules,
      specialArgs ? { },
      prefix ? [ ],
      check ? true,
    }:
    let
      args = { inherit lib config options; } // specialArgs;

      load =
        m:
        if b.isPath m || b.isString m then
          load (import m)
        else
          let
            v = if b.isFunction m then m (b.intersectAttrs (b.functionArgs m) args) else m;
            full = v ? options || v ? config;
            body = b.removeAttrs v [
              "_file"
              "imports"
              "key"
            ];
            stray = b.attrNames (
              b.removeAttrs body [
                "config"
                "meta"
                "options"
              ]
            );
          in
          if full && stray != [ ] then
            throw "Module has an unsupported attribute `${b.head stray}'"
          else
            {
              imports = v.imports or [ ];
              options = if full then v.options or { } else { };
              config = if full then v.config or { } else body;
            };

      # level by level, as the real one, and the last module merged first: the
      # order shows in lists
      levels =
        ms:
        let
          here = map load ms;
        in
        lists.optionals (ms != [ ]) (here ++ levels (b.concatMap (m: m.imports) here));
      loaded = lists.reverseList (levels modules);

      isOption = isType "option";
      joinOptions =
        loc: x: y:
        x
        // b.mapAttrs (
          n: v:
          if !(x ? ${n}) then
            v
          else if isOption v || isOption x.${n} then
            throw "The option `${showLoc (loc ++ [ n ])}' is already declared"
          else
            joinOptions (loc ++ [ n ]) x.${n} v
        ) y;

      options = b.foldl' (joinOptions prefix) { } (map (m: m.options) loaded);

      # every definition must be for a declared option
      checked =
        loc: opts: defs:
        let
          unknown = b.concatMap (d: b.filter (n: !(opts ? ${n})) (b.attrNames d)) defs;
        in
        if check && unknown != [ ] then
          throw "The option `${showLoc (loc ++ [ (b.head unknown) ])}' does not exist"
        else
          b.mapAttrs (
            n: opt:
            let
              here = loc ++ [ n ];
              values = b.concatMap (d: lists.optionals (d ? ${n}) (expand d.${n})) defs;
            in
            if isOption opt then value here opt values else checked here opt values
          ) opts;

      value =
        loc: opt: values:
        let
          withDefault = values ++ lists.optional (opt ? default) (mods.mkOptionDefault opt.default);
          merged =
            if withDefault == [ ] then
              throw "The option `${showLoc loc}' is used but not defined"
            else if (opt.readOnly or false) && b.length withDefault > 1 then
              throw "The option `${showLoc loc}' is read-only, but it's set multiple times"
            else
              mergeElem opt.type loc withDefault;
        in
        (opt.apply or id) merged;

      config = checked prefix options (b.concatMap (m: expand m.config) loaded);
    in
    {
      inherit config options;
    };

  lib =
    lists
    // attrsets
    // strings
    // mods
    // {
      inherit
        evalModules
        id
        types
        isStringLike
        ;
      inherit (b)
        isAttrs
        isBool
        isFunction
        isInt
        isList
        isString
        ;
      version = "shim";
    };
in
lib
