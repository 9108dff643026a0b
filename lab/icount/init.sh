# Process 1 of a machine that counts: the kernel's file systems, the modules of $MODULES, then the test.
export PATH=/bin
# a busybox would run its own, which knows no VXLAN
ip() { /bin/ip "$@"; }
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
mkdir -p /run/netns
for m in $MODULES; do insmod "/modules/$m" || echo "FAULT the module $m cannot be loaded"; done
# modules of tunnels would else put devices into every namespace that is made
echo 1 > /proc/sys/net/core/fb_tunnels_only_for_init_net
ip link set lo up
(. /test)
echo "END $?"
poweroff -f
