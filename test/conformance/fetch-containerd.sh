#!/usr/bin/env bash
# Prints the folder that holds the programs (containerd, ctr) of the containerd in a later Debian suite, after
# downloading and unpacking the package where the cache does not have it yet. Nothing is installed, and the machine's
# own package lists are left alone: the suite has a sources list and lists of its own in the cache. apt verifies what it
# downloads, as always.
#
# usage: fetch-containerd.sh SUITE
# The mirror is the one that this machine's apt uses. Cache: ${XDG_CACHE_HOME:-~/.cache}/mirrorgate/containerd.
set -euo pipefail

suite=${1:?usage: fetch-containerd.sh SUITE}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/mirrorgate/containerd
own=$cache/apt/$suite
mkdir -p "$own"/lists/partial "$own"/archives/partial

# Two runs at once would unpack over each other.
exec 9>"$own/lock"
flock 9

# A suite moves by the day, not by the minute.
is_fresh() { [ -n "$(find "$own/updated" -mmin -720 2>/dev/null)" ]; }
if is_fresh && current=$(cat "$own/current" 2>/dev/null) && [ -x "$current/containerd" ]; then
  echo "$current"
  exit
fi

codename=$(. /etc/os-release && echo "${VERSION_CODENAME:?}")
mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
  awk -v codename="$codename" '$1 == codename { print $2; exit }')
[ -n "$mirror" ] || { echo "apt knows no mirror of $codename: run apt-get update first" >&2; exit 1; }
echo "deb [signed-by=$keyring] $mirror $suite main" >"$own/sources.list"

options=(
  -o "Dir::Etc::SourceList=$own/sources.list"
  -o Dir::Etc::SourceParts=/dev/null
  -o Dir::Etc::Preferences=/dev/null
  -o Dir::Etc::PreferencesParts=/dev/null
  -o "Dir::State::Lists=$own/lists"
  # Without the machine's own list of what is installed, the suite's package is the only candidate.
  -o Dir::State::Status=/dev/null
  -o "Dir::Cache=$own"
  -o APT::Update::Error-Mode=any
  -o Acquire::Languages=none
  -o Acquire::Retries=2
  -o Acquire::http::Timeout=20
  # The lists lie in a user's cache, which apt's own user need not be able to read.
  -o APT::Sandbox::User=root
)

update() {
  apt-get "${options[@]}" -q update >&2
  touch "$own/updated"
}

is_fresh || update

version=$(apt-cache "${options[@]}" policy containerd | awk '$1 == "Candidate:" { print $2 }')
case $version in
  '' | '(none)') echo "$suite has no package containerd" >&2; exit 1 ;;
esac

# A version may hold `:` and `~`, which are best kept out of paths.
folder=$cache/${version//[^A-Za-z0-9.+-]/_}
if [ ! -x "$folder/usr/bin/containerd" ]; then
  rm -f "$own"/archives/*.deb
  download() (cd "$own/archives" && apt-get "${options[@]}" -q download containerd >&2)
  # The lists may name a package that the mirror has already replaced.
  download || { update && download; }
  rm -rf "$folder.unpacking"
  dpkg -x "$own"/archives/containerd_*.deb "$folder.unpacking"
  rm -rf "$folder"
  mv "$folder.unpacking" "$folder"
  rm -f "$own"/archives/*.deb
fi
echo "$folder/usr/bin" | tee "$own/current"
