"""A machine that counts instructions: QEMU with ``-icount``, one virtual CPU, a file system in memory.

Its clock advances by one nanosecond per executed instruction and by nothing else, so a guest that reads the
clock twice learns how many instructions lie between. Nothing of this machine reaches the guest: it has no
disk, no network and no random numbers of this machine's, so that two boots of the same files do the same.
"""
