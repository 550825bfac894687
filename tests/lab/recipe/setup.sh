#!/bin/sh
# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Runs on the build host as mmdebstrap's customize hook, when all packages are installed.
# $1: root directory of the guest; $LAB_CLIENT_KEY (public), $LAB_HOST_KEY (private), $LAB_HOST_PUBLIC_KEY: texts of keys.
set -eu
root=$1

echo lab > "$root/etc/hostname"
printf '127.0.0.1\tlocalhost\n10.0.2.15\tlab\n' > "$root/etc/hosts"
rm -f "$root/etc/resolv.conf" "$root/etc/machine-id"
chroot "$root" systemd-machine-id-setup

# Debian has a group "operator" already, hence no group of its own.
# Without a password, and yet not locked: sshd refuses that without PAM.
chroot "$root" useradd --create-home --no-user-group --gid users --shell /bin/bash --password '*' operator
umask 077
rm -f "$root"/etc/ssh/ssh_host_*
echo "$LAB_HOST_KEY" > "$root/etc/ssh/ssh_host_ed25519_key"
echo "$LAB_HOST_PUBLIC_KEY" > "$root/etc/ssh/ssh_host_ed25519_key.pub"
for home in /root /home/operator; do
  mkdir -p "$root$home/.ssh"
  echo "$LAB_CLIENT_KEY" > "$root$home/.ssh/authorized_keys"
done
chroot "$root" chown -R operator:users /home/operator
umask 022

chroot "$root" systemctl --quiet enable \
  lab-agent.socket lab-disks.service lab-modules.service lab-network.service lab-python.socket
# A login costs less without logind, and a boot less without what no test looks at.
chroot "$root" systemctl --quiet mask \
  systemd-logind.service proc-sys-fs-binfmt_misc.automount systemd-binfmt.service modprobe@drm.service \
  modprobe@efi_pstore.service modprobe@fuse.service modprobe@configfs.service dev-hugepages.mount sys-kernel-debug.mount \
  sys-kernel-tracing.mount systemd-networkd.service systemd-network-generator.service systemd-update-utmp.service \
  systemd-update-utmp-runlevel.service systemd-user-sessions.service systemd-sysusers.service systemd-random-seed.service \
  systemd-journal-flush.service dev-mqueue.mount modprobe@dm_mod.service modprobe@loop.service systemd-modules-load.service
# Started when somebody asks for it.
rm -f "$root/usr/lib/systemd/system/multi-user.target.wants/dbus.service"
# Each daemon-reload runs all generators, of which the guest needs those that read fstab and crypttab.
mkdir -p "$root/etc/systemd/system-generators"
for generator in "$root"/usr/lib/systemd/system-generators/systemd-*; do
  case $generator in
    */systemd-fstab-generator | */systemd-cryptsetup-generator) ;;
    *) ln -s /dev/null "$root/etc/systemd/system-generators/${generator##*/}" ;;
  esac
done
# A reset turns the clock back and the lab puts it right again: no timer may fire because of that.
# The guest has no screen, and nobody scrubs its root file system.
chroot "$root" systemctl --quiet mask \
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \
  mdcheck_start.timer mdcheck_continue.timer mdmonitor-oneshot.timer systemd-tmpfiles-clean.timer \
  e2scrub_reap.service getty@tty1.service systemd-timesyncd.service

# What the lab's own update-initramfs puts the rest behind, which has to start at a multiple of four bytes.
mkdir "$root/var/lib/lab"
cp "$root"/boot/initrd.img-* "$root/var/lib/lab"
truncate --size %4 "$root"/var/lib/lab/*
# Its first line is put before it here: ansible-test knows no scripts of Perl.
{ echo '#!/usr/bin/perl'; cat "$root/usr/local/lib/lab/python_client.pl"; } > "$root/usr/local/bin/lab-python"
chmod 755 "$root/usr/local/bin/lab-python"
mkdir -m 700 "$root/var/cache/lab-python"
# sshd need not start itself anew for each connection. Debian 13's does, whatever this says.
echo 'SSHD_OPTS=-r' > "$root/etc/default/ssh"
# Off until a test turns it on, whatever the distribution does.
chroot "$root" systemctl --quiet disable \
  rbdmap.service open-iscsi.service iscsid.service iscsid.socket tangd.socket clevis-luks-askpass.path tpm-udev.path
