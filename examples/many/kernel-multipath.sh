#!/bin/sh
# To be run on the router, in place of BGP: plain multipath routes to the machines. The arguments are the last numbers
# of their addresses.
#
#   kernel-multipath.sh 10 11 12
#
# A hash of addresses and ports modulo the number of machines spreads the flows, so each change moves most of them.
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
  net.ipv4.fib_multipath_hash_policy=1 net.ipv6.fib_multipath_hash_policy=1
v4='' v6=''
for number; do
  v4="$v4 nexthop via 10.2.0.$number" v6="$v6 nexthop via fd02::$number"
done
ip route replace 10.53.0.1/32 $v4
ip -6 route replace fd53::1/128 $v6
