#!/bin/sh
# On each machine, once the device exists: packets to the service go to berth, and if berth is gone, nowhere. Without the
# unreachable routes a machine whose instance has died would send them back to the router, and from there to others.
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip route replace unreachable 10.53.0.1/32 metric 9999
ip -6 route replace unreachable fd53::1/128 metric 9999
ip route replace 10.53.0.1/32 dev berth0
ip -6 route replace fd53::1/128 dev berth0
