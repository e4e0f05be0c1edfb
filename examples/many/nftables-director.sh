#!/bin/sh
# To be run on the router, in place of BGP: connection tracking keeps each flow at its machine, and a hash spreads new
# flows over the machines. The arguments are the last numbers of their addresses.
#
#   nftables-director.sh 10 11 12
#
# Only the router has the state. When it restarts or another router takes over, packets in the middle of a connection
# count as new, so flows move, and the peers pass their segments on.
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
# One transaction, so that no packet meets a partial rule set.
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
