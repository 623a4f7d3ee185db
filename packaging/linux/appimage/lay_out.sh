#!/bin/sh
# Lays the frozen program out as an AppImage wants it: lay_out.sh FROZEN SHARE APPDIR
# SHARE is /usr/share as the .deb has it. Used by the release workflow only.
set -eu
frozen=$1 share=$2 target=$3
here=$(dirname "$(readlink -f "$0")")
mkdir -p "$target/usr/lib"
cp -R "$frozen" "$target/usr/lib/magi-desktop"
mkdir -p "$target/usr/share"
for part in applications icons metainfo; do cp -R "$share/$part" "$target/usr/share/$part"; done
# Neither of the entry's actions has anything to do here: nothing is fetched at the first start.
sed -e '/^Actions=/d' -e '/^\[Desktop Action/,$d' \
    "$share/applications/magi-desktop.desktop" >"$target/magi-desktop.desktop"
cp "$target/magi-desktop.desktop" "$target/usr/share/applications/magi-desktop.desktop"
cp "$share/icons/hicolor/256x256/apps/magi-desktop.png" "$target/magi-desktop.png"
ln -s magi-desktop.png "$target/.DirIcon"
cp "$here/AppRun" "$target/AppRun"
chmod 755 "$target/AppRun"
