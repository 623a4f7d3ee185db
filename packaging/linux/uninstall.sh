#!/bin/sh
# Removes what install.sh and the first start made. Models, videos and settings stay.
set -eu
data=${XDG_DATA_HOME:-$HOME/.local/share}
target=$HOME/.local/opt/magi-desktop
python3 -I "$target/app" --remove
rm -f "$HOME/.local/bin/magi-desktop" "$HOME/.local/bin/magi"
rm -f "$data/applications/magi-desktop.desktop" "$data/metainfo/magi-desktop.metainfo.xml"
rm -f "$data"/icons/hicolor/*/apps/magi-desktop.png "$data"/icons/hicolor/*/apps/magi-desktop.svg
rm -rf "$target"
echo "Magi Desktop is removed. Models, videos and settings are where they were."
