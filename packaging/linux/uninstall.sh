#!/bin/sh
# Removes what install.sh and the first start made. Videos always stay; models, settings and the
# list of videos stay too, unless --everything is given or the question is answered with yes. The
# takes that videos are redone and extended from go only with a yes of their own.
set -eu
data=${XDG_DATA_HOME:-$HOME/.local/share}
target=$HOME/.local/opt/magi-desktop
commands=$HOME/.local/bin

also=
ask() {
    printf '%s [y/N] ' "$1"
    read -r answer || answer=
    case $answer in [yY]*) also="$also $2" ;; esac
}
if [ "${1-}" = --everything ]; then
    also=--everything
elif [ -t 0 ]; then
    ask 'Remove models, settings and the list of videos as well? The videos stay.' --everything
    takes=$("$commands/magi-desktop" --where | sed -n 's/^takes *\([0-9][^/]*[^/ ]\) *\//\1 in \//p')
    if [ -n "$takes" ]; then
        ask "Remove what videos are redone and extended from ($takes)?" '--also takes'
    fi
fi

# shellcheck disable=SC2086
"$commands/magi-desktop" --remove $also
# A file, and the folders above it that are empty then.
remove() (
    cd "$1"
    rm -f "$2"
    rmdir -p --ignore-fail-on-non-empty "$(dirname "$2")" 2>/dev/null || true
)
(cd "$target/share" && find * -type f) | while read -r file; do remove "$data" "$file"; done
# The system's lists of what is in these folders: true again, or gone with the last entry.
if [ "$(ls -A "$data/applications" 2>/dev/null)" = mimeinfo.cache ]; then
    remove "$data" applications/mimeinfo.cache
elif command -v update-desktop-database >/dev/null; then
    update-desktop-database -q "$data/applications" 2>/dev/null || true
fi
if [ -e "$data/icons/hicolor/icon-theme.cache" ]; then
    gtk-update-icon-cache -qtf "$data/icons/hicolor" || true
fi
rm -rf "$target" "$target-python"
(cd "$HOME" && rmdir -p --ignore-fail-on-non-empty .local/opt)
remove "$HOME" .local/bin/magi-desktop
remove "$HOME" .local/bin/magi
echo "Magi Desktop is removed. Your videos are where they were."
