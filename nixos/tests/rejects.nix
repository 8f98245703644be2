# Configurations that are refused, each with what has to be said of it: `says`, the assertion that
# fails, or `throws`, the words of the module system.
{
  unknown-netns-in-forward = {
    netns.a.forwardPorts = [
      {
        source = "127.0.0.1:1";
        target = "127.0.0.1:2";
        netns = "nowhere";
      }
    ];
    says = [
      ''networking.netns."a".forwardPorts: there is no namespace "nowhere"; declare networking.netns."nowhere"''
    ];
  };

  unknown-netns-in-veth = {
    netns.a.extraVeths = [ { netns = "nowhere"; } ];
    says = [
      ''networking.netns."a".extraVeths: there is no namespace "nowhere"; declare networking.netns."nowhere"''
    ];
  };

  long-interface = {
    netns.sixteen-is-a-lot = { };
    says = [
      ''networking.netns."sixteen-is-a-lot".interface: "sixteen-is-a-lot" cannot be the name of a link; those have 1 to 15 bytes without white space, / and :''
    ];
  };

  long-veth-end = {
    netns.fifteen-is-fine = { };
    netns.a.extraVeths = [ { sourceInterface = "sixteen-is-a-lot"; } ];
    says = [
      ''networking.netns."a".extraVeths: "sixteen-is-a-lot" cannot be the name of a link; those have 1 to 15 bytes without white space, / and :''
    ];
  };

  long-name-with-a-short-interface = {
    netns.sixteen-is-a-lot.interface = "short";
    says = [ ];
  };

  name-too-long-for-its-sockets = {
    netns.a-name-of-more-than-sixty-bytes-and-of-no-use-to-anybody-at-all.interface = "short";
    says = [
      ''networking.netns."a-name-of-more-than-sixty-bytes-and-of-no-use-to-anybody-at-all": the name of a namespace may have 60 bytes at most, so that its sockets have room in their paths''
    ];
  };

  odd-name = {
    netns."a b".interface = "short";
    says = [
      ''networking.netns."a b": the name of a namespace is part of the names of units and files; it may have letters, digits, and the characters _ . -''
    ];
  };

  name-of-a-folder = {
    netns."..".interface = "short";
    says = [ ''networking.netns."..": this name means a folder'' ];
  };

  no-address = {
    netns.a.address = [
      "10.0.0.256"
      "10.0.0.1/33"
      "fd00::/129"
      "1:2:3:4:5:6:7"
      "::1::"
      "fd00::12345"
      "10.0.0.01"
      "office"
      ""
    ];
    says = map (text: ''networking.netns."a".address: "${text}" is no address; write one as 10.0.0.1/24 or fd00::1/64'') [
      "10.0.0.256"
      "10.0.0.1/33"
      "fd00::/129"
      "1:2:3:4:5:6:7"
      "::1::"
      "fd00::12345"
      "10.0.0.01"
      "office"
      ""
    ];
  };

  addresses-that-are-some = {
    netns.a.address = [
      "10.0.0.1"
      "10.255.249.200/8"
      "192.0.2.0/31"
      "fd00::"
      "1:2:3:4:5:6:7:8"
      "FD00::AbCd/64"
      "::ffff:10.0.0.1"
      "1::8"
    ];
    says = [ ];
  };

  no-address-of-a-veth = {
    netns.a.extraVeths = [ { peerAddress = [ "10.0.0/8" ]; } ];
    says = [
      ''networking.netns."a".extraVeths.*.peerAddress: "10.0.0/8" is no address; write one as 10.0.0.1/24 or fd00::1/64''
    ];
  };

  no-endpoint = {
    netns.a.forwardPorts = [
      {
        source = "localhost:80";
        target = "127.0.0.1";
      }
      {
        source = "[::1]:65536";
        target = "::1:80";
      }
    ];
    says =
      map
        (
          at:
          ''networking.netns."a".forwardPorts.*.${at}; write 127.0.0.1:80, [::1]:80 or unix:/run/app.sock''
        )
        [
          ''source: "localhost:80" is no endpoint''
          ''target: "127.0.0.1" is no endpoint''
          ''source: "[::1]:65536" is no endpoint''
          ''target: "::1:80" is no endpoint''
        ];
  };

  endpoints-that-are-some = {
    netns.a.forwardPorts = [
      {
        source = "[fe80::1%a]:1";
        target = "unix:/run/a.sock";
      }
      {
        source = "0.0.0.0:65535";
        target = "[::ffff:10.0.0.1]:80";
      }
    ];
    says = [ ];
  };

  two-links-of-one-name = {
    netns.a.extraVeths = [ { sourceInterface = "a"; } ];
    says = [
      ''networking.netns: two links would be called "a" in "a": networking.netns."a".interface and a pair of networking.netns."a".extraVeths (a veth pair is declared at one of its ends only)''
    ];
  };

  two-pairs-to-one-namespace = {
    netns.a.extraVeths = [
      { }
      { targetInterface = "b"; }
    ];
    says = [
      ''networking.netns: two links would be called "host" in "a": a pair of networking.netns."a".extraVeths and a pair of networking.netns."a".extraVeths (a veth pair is declared at one of its ends only)''
    ];
  };

  a-pair-declared-at-both-ends = {
    netns.a.extraVeths = [ { netns = "b"; } ];
    netns.b.extraVeths = [ { netns = "a"; } ];
    says = [
      ''networking.netns: two links would be called "b" in "a": a pair of networking.netns."a".extraVeths and the other end of a pair of networking.netns."b".extraVeths (a veth pair is declared at one of its ends only)''
      ''networking.netns: two links would be called "a" in "b": the other end of a pair of networking.netns."a".extraVeths and a pair of networking.netns."b".extraVeths (a veth pair is declared at one of its ends only)''
    ];
  };

  two-listeners = {
    netns.a.forwardPorts = map (port: {
      source = "127.0.0.1:${port}";
      target = "127.0.0.1:80";
    }) [ "1" "2" ];
    says = [ ''networking.netns."a".forwardPorts: two forwards listen on tcp 127.0.0.1:80'' ];
  };

  two-listeners-of-two-protocols = {
    netns.a.forwardPorts = map (protocol: {
      inherit protocol;
      source = "127.0.0.1:1";
      target = "127.0.0.1:80";
    }) [ "tcp" "udp" ];
    says = [ ];
  };

  sysctl-of-the-host = {
    netns.default.sysctl."net.ipv4.ip_forward" = 1;
    says = [
      ''networking.netns."default": the host's own network is not netnsctl's: sysctl and routes have no effect here; use boot.kernel.sysctl and networking''
    ];
  };

  unknown-option = {
    netns.a.adress = [ ];
    throws = "The option `networking.netns.a.adress' does not exist";
  };

  wrong-type = {
    netns.a.address = "10.0.0.1";
    throws = "A definition for option `networking.netns.a.address' is not of type `list of string'";
  };

  no-such-protocol = {
    netns.a.forwardPorts = [
      {
        protocol = "sctp";
        source = "127.0.0.1:1";
        target = "127.0.0.1:2";
      }
    ];
    throws = "is not of type `one of \"tcp\", \"udp\"'";
  };

  no-source = {
    netns.a.forwardPorts = [ { target = "127.0.0.1:2"; } ];
    throws = "source' is used but not defined";
  };

  read-only = {
    netns.a.netnsPath = "/run/netns/b";
    throws = "The option `networking.netns.a.netnsPath' is read-only, but it's set multiple times";
  };

  # What the module lets pass is refused when the configuration is built.
  unknown-sysctl = {
    netns.a.sysctl."kernel.panic" = 1;
    builds = "kernel.panic";
  };

  no-mtu = {
    netns.a.extraVeths = [ { mtu = 67; } ];
    builds = "mtu";
  };

  no-length-of-time = {
    netns.a.nscd.cache = "soon";
    builds = "soon";
  };

  no-nameserver = {
    netns.a.dns.nameservers = [ "dns.example" ];
    builds = "dns.example";
  };
}
