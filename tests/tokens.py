# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What opens an encrypted container in the guest without a key: a TPM 2.0 in software, and a Tang server."""

from __future__ import annotations

TPM = "swtpm:"
_UNIT = """
mkdir -p /var/lib/swtpm
printf '%s\\n' > /etc/systemd/system/swtpm.service '[Unit]' DefaultDependencies=no Conflicts=shutdown.target \\
  After=systemd-remount-fs.service 'Before=cryptsetup-pre.target shutdown.target' '[Service]' Type=forking \\
  {} '[Install]' WantedBy=sysinit.target
systemctl daemon-reload && systemctl enable --now swtpm
"""
_STATE = "--tpm2 --tpmstate dir=/var/lib/swtpm --flags not-need-init,startup-clear --daemon"
_PORTS = "--server type=tcp,port=2321,bindaddr=127.0.0.1 --ctrl type=tcp,port=2322,bindaddr=127.0.0.1"
#: It keeps what it knows across a reboot.
TPM_IN_SOFTWARE = _UNIT.format(f"'ExecStart=swtpm socket {_PORTS} {_STATE}'")
#: The kernel has it as its own: /dev/tpm0 and /dev/tpmrm0. That of User Mode Linux cannot. The kernel gives a TPM up
#: that takes 2 s to answer, as this one does during an emulated boot, unless it comes first.
TPM_OF_THE_KERNEL = _UNIT.format(
    "CPUSchedulingPolicy=fifo 'ExecStartPre=modprobe tpm_vtpm_proxy' "
    f"'ExecStart=swtpm chardev --vtpm-proxy {_STATE}' "
    "'ExecStartPost=sh -c \"until [ -c /dev/tpmrm0 ]; do sleep 0.1; done\"'"
)
#: Of /dev/tpmrm0, the kernel ends the sessions that a program leaves behind.
FLUSH = f"for kind in --transient-object --loaded-session --saved-session; do tpm2_flushcontext -T {TPM} $kind; done"

TANG = "http://127.0.0.1"
TANG_SERVER = f"""
systemctl enable --now tangd.socket && curl --silent --fail {TANG}/adv > /dev/null
"""
#: Says the thumbprint of the server's key.
THUMBPRINT = "tang-show-keys 80"
