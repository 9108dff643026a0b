# Two hosts, h1 and h2, on one wire (a veth: MTU 1500, no offloads), and three paths above it, MTU 1450:
#   vxlan       h1's own VXLAN device
#   libnetwork  c1 - veth - bridge with a VXLAN device in it, and the same on the other side: c2
#   flannel     f1 - veth - bridge - route - VXLAN device with fixed neighbours, and the same: f2
set -e
in_ns() { ns=$1; shift; ip netns exec "$ns" "$@"; }
alone() {
  for ns in "$@"; do
    ip netns add "$ns"
    in_ns "$ns" ip link set lo up
    in_ns "$ns" sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
  done
}
alone h1 h2 c1 c2
ip link add w1 netns h1 address 02:00:00:00:00:01 type veth peer name w2 netns h2 address 02:00:00:00:00:02
for i in 1 2; do
  j=$((3 - i))
  in_ns h$i ip addr add 10.0.0.$i/24 dev w$i
  in_ns h$i ip link set w$i mtu 1500 up
  in_ns h$i ip link add vx type vxlan id 42 dstport 4789 local 10.0.0.$i remote 10.0.0.$j dev w$i
  in_ns h$i ip link set vx address 02:00:00:00:01:0$i mtu 1450 up
  in_ns h$i ip link add sw type bridge
  in_ns h$i ip link set sw mtu 1450 up
  in_ns h$i ip link set vx master sw
  ip link add e$i netns h$i type veth peer name eth0 netns c$i address 02:00:00:00:02:0$i
  in_ns h$i ip link set e$i mtu 1450 master sw up
  in_ns c$i ip link set eth0 mtu 1450 up
  in_ns c$i ip addr add 10.1.0.$i/24 dev eth0
done
for i in 1 2; do in_ns h$i ethtool -K w$i tx off sg off tso off gso off gro off > /dev/null; done
for i in 1 2; do
  j=$((3 - i))
  in_ns h$i ip link add vy type vxlan id 43 dstport 4790 local 10.0.0.$i remote 10.0.0.$j dev w$i
  in_ns h$i ip link set vy mtu 1450 up
  in_ns h$i ip addr add 10.2.0.$i/24 dev vy
  alone f$i
  in_ns h$i sysctl -q -w net.ipv4.ip_forward=1
  in_ns h$i ip link add d0 type bridge
  in_ns h$i ip link set d0 mtu 1450 up
  in_ns h$i ip addr add 10.3.$i.1/24 dev d0
  ip link add g$i netns h$i type veth peer name eth0 netns f$i
  in_ns h$i ip link set g$i mtu 1450 master d0 up
  in_ns f$i ip link set eth0 mtu 1450 up
  in_ns f$i ip addr add 10.3.$i.2/24 dev eth0
  in_ns f$i ip route add default via 10.3.$i.1
  in_ns h$i ip link add fl address 02:00:00:00:03:0$i type vxlan id 1 dstport 8472 local 10.0.0.$i \
    remote 10.0.0.$j dev w$i nolearning
  in_ns h$i ip link set fl mtu 1450 up
  in_ns h$i ip addr add 10.3.$i.0/32 dev fl
  in_ns h$i ip neigh add 10.3.$j.0 lladdr 02:00:00:00:03:0$j dev fl
  in_ns h$i ip route add 10.3.$j.0/24 via 10.3.$j.0 dev fl onlink
done
# of a path's own devices, those at its ends: the wire's stay without offloads beneath an overlay
offload() {
  for i in 1 2; do
    case $1 in
      underlay) where="h$i w$i" ;;
      vxlan) where="h$i vy" ;;
      libnetwork) where="c$i eth0" ;;
      flannel) where="f$i eth0" ;;
    esac
    set -- "$1" "$2" $where
    in_ns "$3" ethtool -K "$4" tx "$2" sg "$2" tso "$2" gso "$2" > /dev/null
  done
}
drop_at_arrival() {
  in_ns h2 tc qdisc add dev w2 ingress
  in_ns h2 tc filter add dev w2 ingress protocol ip matchall action drop
}
take_up_again() { in_ns h2 tc qdisc del dev w2 ingress; }
load_later() { for m in $LATER; do insmod "/modules/$m" || echo "FAULT the module $m cannot be loaded"; done; }
reach() { in_ns "$1" ping -c 2 -q "$2" > /tmp/ping || echo "FAULT $2 does not answer $1"; }
reach h1 10.0.0.2
reach c1 10.1.0.2
reach h1 10.2.0.2
reach f1 10.3.2.2
