#!/bin/sh
# On the router, instead of BGP: connection tracking keeps each flow at its machine; new ones are spread by a hash over
# the machines whose last numbers are given.
#
#   nftables-director.sh 10 11 12
#
# The state is in the router alone. When it restarts, or another router takes over, flows move, and the peers hand their
# segments on. Packets in the middle of a connection count as new then.
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.netfilter.nf_conntrack_tcp_loose=1
count=$# i=0 machines=''
for number; do
  machines="$machines${machines:+, }$i : $number"
  i=$((i + 1))
  for family in -4 -6; do
    ip $family rule del fwmark "$number" lookup "$number" 2>/dev/null
    ip $family rule add fwmark "$number" lookup "$number"
  done
  ip -4 route replace default via "10.2.0.$number" table "$number"
  ip -6 route replace default via "fd02::$number" table "$number"
done
# One transaction: no packet sees a part of it.
nft -f - <<END
table inet director
delete table inet director
table inet director {
  chain prerouting {
    type filter hook prerouting priority mangle;
    ip daddr 10.53.0.1 ct state new ct mark set jhash ip saddr . tcp sport mod $count map { $machines }
    ip6 daddr fd53::1 ct state new ct mark set jhash ip6 saddr . tcp sport mod $count map { $machines }
    ip daddr 10.53.0.1 meta mark set ct mark
    ip6 daddr fd53::1 meta mark set ct mark
  }
}
END
