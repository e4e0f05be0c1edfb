#!/bin/sh
# To be run on the router, in place of BGP: resilient next-hop groups of the machines. The arguments are the last
# numbers of their addresses.
#
#   kernel-resilient.sh 10 11 12
#
# A change moves only the flows of a machine that has left. A new machine gets buckets that have been idle for ten
# seconds; buckets that are never idle are moved after two minutes.
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
  net.ipv4.fib_multipath_hash_policy=1 net.ipv6.fib_multipath_hash_policy=1
v4='' v6=''
for number; do
  ip nexthop replace id "4$number" via "10.2.0.$number" dev br0
  ip nexthop replace id "6$number" via "fd02::$number" dev br0
  v4="$v4${v4:+/}4$number" v6="$v6${v6:+/}6$number"
done
resilient='type resilient buckets 128 idle_timer 10 unbalanced_timer 120'
ip nexthop replace id 4000 group "$v4" $resilient
ip nexthop replace id 6000 group "$v6" $resilient
ip route replace 10.53.0.1/32 nhid 4000
ip -6 route replace fd53::1/128 nhid 6000
