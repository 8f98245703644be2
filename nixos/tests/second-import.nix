# What second.nix imports.
{ lib, ... }:
{
  networking.netns.office = {
    interface = "uplink";
    enableIPv4Forwarding = false;
    enableIPv6Forwarding = lib.mkForce true;
    nscd.cache = "10s";
    run = {
      users = [ "alice" ];
      groups = [ "office" ];
    };
    extraVeths = [
      {
        mac = "02:00:00:00:00:11";
        peerMac = "02:00:00:00:00:10";
        address = [ "192.168.77.2/30" ];
        peerAddress = [ "192.168.77.1/30" ];
      }
    ];
    routes = [
      {
        to = "default";
        via = "192.168.77.1";
        interface = "host";
      }
    ];
    forwardPorts = lib.mkMerge [
      (lib.mkAfter [
        {
          protocol = "udp";
          source = "[::1]:53";
          target = "[::]:53";
          netns = "lab";
          udpTimeout = "30s";
          maxSessions = 100;
          workers = "auto";
        }
      ])
      (lib.mkBefore [
        {
          source = "127.0.0.1:80";
          target = "127.0.0.1:8080";
          connectTimeout = "1s";
          halfCloseTimeout = "1m";
          keepalive = "10s";
          keepaliveProbes = 5;
          maxConnections = 10;
          proxyProtocol = true;
          drain = "5s";
          workers = 2;
        }
      ])
    ];
  };
}
