#!/usr/bin/env python3
"""Two containers, two switches, 100 ms each way: a script as Containernet's users write it.

Only its imports are not Containernet's. Run it as root; at the prompt try ``d1 ping -c4 d2``.
"""

from lab.containernet import CLI, Containernet, Controller, TCLink, info, setLogLevel

setLogLevel("info")

net = Containernet(controller=Controller)
info("*** Adding controller\n")
net.addController("c0")
info("*** Adding docker containers\n")
d1 = net.addDocker("d1", ip="10.0.0.251", dimage="lab/gtsperf")
d2 = net.addDocker("d2", ip="10.0.0.252", dimage="lab/gtsperf")
info("*** Adding switches\n")
s1 = net.addSwitch("s1")
s2 = net.addSwitch("s2")
info("*** Creating links\n")
net.addLink(d1, s1)
net.addLink(s1, s2, cls=TCLink, delay="100ms", bw=1)
net.addLink(s2, d2)
info("*** Starting network\n")
net.start()
info("*** Testing connectivity\n")
net.ping([d1, d2])
info("*** Running CLI\n")
CLI(net)
info("*** Stopping network\n")
net.stop()
