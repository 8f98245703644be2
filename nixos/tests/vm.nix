# The module on a running NixOS, in the test framework of nixpkgs: `nix flake check`, or
# `nix build .#checks.x86_64-linux.vm`.
#
# NOT RUN where it was written, for want of nixpkgs and of NixOS: there, only its syntax was checked.
# What is checked at every commit is in nixos/tests/run, with a stand-in for NixOS.
{ module }:
{ lib, ... }:
let
  base =
    { config, pkgs, ... }:
    {
      imports = [ module ];

      # The test changes from one system to another.
      system.switch.enable = true;

      security.polkit.enable = true;
      users.users.alice = {
        isNormalUser = true;
        extraGroups = [ "audio" ];
      };
      users.users.bob.isNormalUser = true;

      networking.netns = {
        proxy = {
          address = [ "10.10.0.1/32" ];
          run.users = [ "alice" ];
          forwardPorts = [
            {
              source = "127.0.0.1:80";
              target = "127.0.0.1:8080";
            }
          ];
          extraVeths = [
            { }
            { netns = "lan"; }
          ];
        };
        lan.dns.nameservers = [ "192.0.2.53" ];
      };

      # What lives in a namespace, and is to outlive every change of it.
      systemd.services.resident = {
        inherit (config.networking.netns.proxy) unitConfig;
        wantedBy = [ "multi-user.target" ];
        serviceConfig = config.networking.netns.proxy.serviceConfig // {
          ExecStart = "${pkgs.coreutils}/bin/sleep infinity";
        };
      };

      services.nginx = {
        enable = true;
        virtualHosts.localhost.locations."/".return = "200 'from home'";
      };
      environment.systemPackages = [
        pkgs.curl
        pkgs.iproute2
      ];
    };
in
{
  name = "netnsctl";

  nodes.machine = {
    imports = [ base ];

    specialisation = {
      changed.configuration.networking.netns.proxy = {
        address = [ "10.10.0.2/32" ];
        forwardPorts = lib.mkForce [
          {
            source = "127.0.0.1:80";
            target = "127.0.0.1:8081";
          }
        ];
      };
      gone.configuration.networking.netns.lan.nscd.enable = lib.mkForce false;
    };
  };

  testScript = ''
    def pid():
        return machine.succeed("systemctl show --property MainPID --value resident").strip()


    def switch_to(name):
        machine.succeed(
            f"/run/booted-system/specialisation/{name}/bin/switch-to-configuration test"
        )


    machine.wait_for_unit("multi-user.target")
    machine.wait_for_unit("nginx.service")

    with subtest("every unit is up"):
        machine.wait_for_unit("netns-proxy.service")
        machine.wait_for_unit("netns-proxy-mntns.service")
        machine.wait_for_unit("netns-proxy-nscd.socket")
        machine.wait_for_unit("netns-proxy-extra-veth-1-default.service")
        machine.wait_for_unit("netns-proxy-extra-veth-2-lan.service")
        machine.wait_for_unit("netns-proxy-port-forward-1-default-tcp.socket")
        machine.wait_for_unit("netns-lan.service")
        machine.wait_for_unit("resident.service")
        machine.fail("systemctl --failed --quiet list-units 'netns-*' | grep netns")

    with subtest("what is there is what is declared"):
        machine.succeed("netnsctl plan --exit-code")
        machine.succeed("ip -n proxy address show proxy | grep 10.10.0.1/32")
        machine.succeed("netns-run-lan cat /etc/resolv.conf | grep 192.0.2.53")
        machine.fail("netns-run-lan grep resolve /etc/nsswitch.conf")
        machine.succeed("netns-run-proxy getent passwd alice")

    with subtest("a port leads home"):
        assert "from home" in machine.succeed("netns-run-proxy curl -fsS http://127.0.0.1:8080/")

    with subtest("alice may enter, as herself; bob and other namespaces may not"):
        groups = machine.succeed("su - alice -c 'netns-run-proxy id -Gn'")
        assert "audio" in groups.split(), groups
        inside = machine.succeed("su - alice -c 'netns-run-proxy readlink /proc/self/ns/net'")
        outside = machine.succeed("readlink /proc/self/ns/net")
        assert inside != outside
        machine.fail("su - alice -c 'netns-run-lan true' </dev/null")
        machine.fail("su - bob -c 'netns-run-proxy true' </dev/null")

    with subtest("what netnsctl is asked to do, it finds done"):
        machine.succeed("netnsctl up")
        machine.succeed("test -L /etc/polkit-1/actions/org.netnsctl.run.proxy.policy")
        machine.succeed("test -L /etc/polkit-1/rules.d/50-org.netnsctl.run.proxy.rules")

    with subtest("a change is made in place"):
        before = pid()
        namespace = machine.succeed("stat -Lc %i /run/netns/proxy")
        switch_to("changed")
        machine.succeed("ip -n proxy address show proxy | grep 10.10.0.2/32")
        machine.wait_until_succeeds("netns-run-proxy curl -fsS http://127.0.0.1:8081/")
        machine.fail("netns-run-proxy curl -fsS http://127.0.0.1:8080/")
        assert machine.succeed("stat -Lc %i /run/netns/proxy") == namespace
        assert pid() == before, "the service was restarted"

    with subtest("what is no longer declared is stopped"):
        switch_to("gone")
        machine.wait_until_fails("systemctl is-active netns-lan-nscd.socket")
        machine.succeed("systemctl is-active netns-lan.service")

    with subtest("a namespace that is stopped takes its own along"):
        machine.succeed("systemctl stop netns-proxy.service")
        machine.fail("systemctl is-active resident.service")
        machine.fail("test -e /run/netns/proxy")
        machine.succeed("systemctl start netns-proxy.service")
        machine.wait_until_succeeds("netns-run-proxy curl -fsS http://127.0.0.1:8080/")
  '';
}
