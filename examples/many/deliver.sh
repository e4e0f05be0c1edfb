#!/bin/sh
# To be run on each machine once the device exists. Packets to the service go to berth; if berth has ended, they are
# dropped. Without the unreachable routes, a machine without an instance would send them back to the router, and so to
# other machines.
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip route replace unreachable 10.53.0.1/32 metric 9999
ip -6 route replace unreachable fd53::1/128 metric 9999
ip route replace 10.53.0.1/32 dev berth0
ip -6 route replace fd53::1/128 dev berth0
