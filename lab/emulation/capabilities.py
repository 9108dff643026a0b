"""What a host container may do: the smallest list with which its Docker daemon works."""

from __future__ import annotations

HOST_CAPABILITIES = {
    "AUDIT_WRITE": "",
    "CHOWN": "",
    "DAC_OVERRIDE": "",
    "FOWNER": "",
    "FSETID": "",
    "KILL": "",
    "MKNOD": "",
    "NET_ADMIN": "",
    "NET_BIND_SERVICE": "",
    "NET_RAW": "",
    "SETFCAP": "",
    "SETGID": "",
    "SETPCAP": "",
    "SETUID": "",
    "SYS_ADMIN": "",
    "SYS_CHROOT": "",
    "SYS_PTRACE": "",
}
