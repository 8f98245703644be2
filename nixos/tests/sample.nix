# A user's configuration, ours, that touches every option of `networking.netns`.
# contract.json is what the first module of this name gives for it.
{
  config,
  lib,
  pkgs,
  ...
}:
{
  networking.netns = {
    # everything set
    proxy = {
      interface = "dn-proxy";
      address = [
        "10.10.0.1/32"
        "2001:db8:10::1/128"
      ];
      enableIPv4Forwarding = true;
      enableIPv6Forwarding = true;
      forwardPorts = [
        # protocol and netns by default: tcp, from the host
        {
          source = "127.0.0.1:3128";
          target = "127.0.0.1:13128";
        }
        {
          protocol = "udp";
          netns = "lan";
          source = "[::1]:53";
          target = "[::1]:5353";
        }
      ];
      extraVeths = [
        # to the host, interface names by default
        { }
        # to another namespace, interface names given
        {
          netns = "lan";
          sourceInterface = "to-lan";
          targetInterface = "to-proxy";
        }
      ];
    };

    # everything by default
    lan = { };

    # the host itself may take ports from a namespace
    default.forwardPorts = [
      {
        netns = "proxy";
        source = "127.0.0.1:8080";
        target = "127.0.0.1:18080";
      }
    ];
  };

  # the module's /etc files give way to the user's
  environment.etc."netns/proxy/resolv.conf".text = ''
    nameserver 192.0.2.53
  '';

  # what a user does with the read-only `serviceConfig`
  systemd.services.demo = {
    serviceConfig = config.networking.netns.proxy.serviceConfig // {
      ExecStart = "${pkgs.coreutils}/bin/sleep infinity";
    };
    after = [ "netns-proxy.service" ];
  };

  # the list from which the module takes nsswitch.conf: `resolve` must go
  system.nssDatabases.hosts = lib.mkOrder 501 [ "resolve [!UNAVAIL=return]" ];
}
