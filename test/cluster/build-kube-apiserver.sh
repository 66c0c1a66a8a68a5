#!/usr/bin/env bash
# Prints the folder that holds a kube-apiserver, after building it from Debian's own source package (the suite that this
# machine runs) where the cache does not have that version yet: 3 to 4 minutes on 2 cores. What the build needs besides
# the source (golang-go, jq, rsync, golang-github-modern-go-reflect2-dev, dpkg-dev) must be installed. Nothing else on
# the machine is touched: the source has a sources list of its own in the cache, and apt verifies it as always.
#
# usage: build-kube-apiserver.sh
# Cache, keyed by the package's version: ${XDG_CACHE_HOME:-~/.cache}/mirrorgate/kube-apiserver.
set -euo pipefail

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/mirrorgate/kube-apiserver
mkdir -p "$cache"/apt/lists/partial "$cache"/apt/archives/partial

# Two runs at once would build over each other.
exec 9>"$cache/lock"
flock 9

codename=$(. /etc/os-release && echo "${VERSION_CODENAME:?}")
mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
  awk -v codename="$codename" '$1 == codename { print $2; exit }')
[ -n "$mirror" ] || { echo "apt knows no mirror of $codename: run apt-get update first" >&2; exit 1; }
echo "deb-src [signed-by=$keyring] $mirror $codename main" >"$cache/apt/sources.list"

options=(
  -o "Dir::Etc::SourceList=$cache/apt/sources.list"
  -o Dir::Etc::SourceParts=/dev/null
  -o "Dir::State::Lists=$cache/apt/lists"
  -o "Dir::Cache=$cache/apt"
  -o APT::Update::Error-Mode=any
  -o Acquire::Languages=none
  -o Acquire::Retries=2
  -o Acquire::http::Timeout=20
  # The lists lie in a user's cache, which apt's own user need not be able to read.
  -o APT::Sandbox::User=root
)

# A released suite moves by the month, not by the minute.
if [ -z "$(find "$cache/apt/updated" -mmin -720 2>/dev/null)" ]; then
  apt-get "${options[@]}" -q update >&2
  touch "$cache/apt/updated"
fi

version=$(apt-cache "${options[@]}" showsrc --only-source kubernetes | awk '$1 == "Version:" { print $2; exit }')
[ -n "$version" ] || { echo "$codename has no source package kubernetes" >&2; exit 1; }

# A version may hold `:` and `~`, which are best kept out of paths.
folder=$cache/${version//[^A-Za-z0-9.+-]/_}
# 1.20.5+really1.20.2-1.1 is Kubernetes 1.20.2.
upstream=${version#*really}
upstream=${upstream%%-*}

is_built() { [ -x "$1/kube-apiserver" ] && [ "$("$1/kube-apiserver" --version)" = "Kubernetes v$upstream" ]; }

if ! is_built "$folder"; then
  reflect2=/usr/share/gocode/src/github.com/modern-go/reflect2
  [ -d "$reflect2" ] || { echo 'golang-github-modern-go-reflect2-dev is not installed' >&2; exit 1; }
  work=$(mktemp -d "$cache/building.XXXXXX")
  trap 'chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT
  (cd "$work" && apt-get "${options[@]}" -q source --only-source "kubernetes=$version" >&2)
  tree=$(find "$work" -mindepth 1 -maxdepth 1 -type d -name 'kubernetes-*')
  # The vendored reflect2 crashes with Go 1.18 and later at the first custom resource.
  rm -rf "$tree/vendor/github.com/modern-go/reflect2"
  cp -RL "$reflect2" "$tree/vendor/github.com/modern-go/reflect2"
  mkdir -p "$tree/.go/src/k8s.io"
  ln -sfn "$tree" "$tree/.go/src/k8s.io/kubernetes"
  (
    cd "$tree"
    GOPATH=$tree/.go GOCACHE=$work/go-cache GOFLAGS='' CGO_ENABLED=0 KUBE_GIT_VERSION=v$upstream \
      make WHAT=cmd/kube-apiserver >&2
  )
  mkdir -p "$folder.new"
  install -m 755 "$tree/_output/local/go/bin/kube-apiserver" "$folder.new/kube-apiserver"
  is_built "$folder.new" || { echo "built $("$folder.new/kube-apiserver" --version), expected Kubernetes v$upstream" >&2; exit 1; }
  rm -rf "$folder"
  mv "$folder.new" "$folder"
fi
echo "$folder"
