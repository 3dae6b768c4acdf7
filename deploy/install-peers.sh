#!/usr/bin/env bash
# Installs the programs that the acceptance tests use as peers. Debian, as root. Starts nothing.
set -euo pipefail
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "make peers needs root on Debian or a derivative" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# Packages start their daemons on installation unless this policy forbids it.
policy=/usr/sbin/policy-rc.d
made_policy=no
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  made_policy=yes
fi
trap '[ "$made_policy" = no ] || rm -f "$policy"' EXIT
apt-get update -q
apt-get install -y -q --no-install-recommends \
  dcmtk orthanc orthanc-webviewer dicom3tools pixelmed-apps libsaxonhe-java default-jdk-headless postgresql chromium prometheus \
  dicomscope xvfb xauth libxml2-utils rsyslog rsyslog-gnutls rsyslog-openssl systemd
