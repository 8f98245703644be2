# A configuration out of several modules, with definitions that merge, give way and are ordered, and
# with what the first module of this name did not have. second.json is what it has to give, written
# by hand.
{ config, lib, ... }:
{
  imports = [ ./second-import.nix ];

  networking.netns = lib.mkMerge [
    {
      # A default gives way, a plain value does not.
      office.interface = lib.mkDefault "never";
      office.address = lib.mkBefore [ "10.20.0.1/24" ];
      office.enableIPv4Forwarding = lib.mkForce true;
      office.interfaceKind = "bridge";
    }
    (lib.mkIf true {
      office = {
        address = [ "fd20::1/64" ];
        dns = {
          nameservers = lib.mkForce [ "192.0.2.1" ];
          search = [ "example.org" ];
        };
        sysctl."net.ipv4.ip_unprivileged_port_start" = 0;
      };
    })
    (lib.mkIf false { never = { }; })
    {
      lab.nscd.enable = false;
      default.extraVeths = [
        {
          netns = "lab";
          mtu = 1280;
        }
      ];
      default.forwardPorts = [
        {
          source = "127.0.0.1:22";
          target = "unix:/run/lab-ssh.sock";
          netns = "lab";
        }
      ];
    }
  ];

  security.polkit.enable = true;
  environment.etc."netns/office/hosts".text = "192.0.2.7 printer\n";

  systemd.services.demo = {
    inherit (config.networking.netns.office) unitConfig;
    after = [ "network.target" ];
    serviceConfig = config.networking.netns.lab.serviceConfig // {
      ExecStart = "/bin/true";
    };
  };

  # To add to a unit stays possible.
  systemd.services.netns-office.serviceConfig.ExecStartPost = "/bin/true";

  system.nssDatabases.hosts = lib.mkOrder 501 [
    "resolve"
    "[!UNAVAIL=return]"
  ];
}
