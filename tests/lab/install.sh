#!/usr/bin/env bash
# Installs what the integration tests need and PyPI does not have: Debian packages, Docker plug-ins, cosign
# and a few Node packages. For a throw-away Debian machine (CI, a sandbox), as root; run again, it only looks.
set -euo pipefail

readonly LAB="${BASH_SOURCE[0]%/*}"
readonly PACKAGES=(docker.io iptables openssh-server openssh-client docker-registry rsync mmdebstrap
    busybox-static git make)
readonly PLUGINS="${DOCKER_CONFIG:-$HOME/.docker}/cli-plugins"
readonly CACHE="${DEPLOY_ACTIONS_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/deploy-actions-lab}"

say() { echo "install.sh: $*"; }
die() { say "$*" >&2 && exit 1; }

# A mirror that answers slowly or not at all shall end the run with a message, not hang it.
apt() {
    timeout 600 apt-get -q -y -o Acquire::Retries=3 -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30 \
        -o DPkg::Lock::Timeout=120 "$@"
}

debian_packages() {
    local wanted=("${PACKAGES[@]}") missing=() package
    command -v npm >/dev/null || wanted+=(nodejs npm)
    for package in "${wanted[@]}"; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    ((EUID == 0)) || die "only root can install ${missing[*]}"
    say "installing ${missing[*]}"
    apt update
    DEBIAN_FRONTEND=noninteractive apt install --no-install-recommends "${missing[@]}"
}

# Debian 12 has neither Compose v2 nor buildx nor cosign. Debian 13's packages need nothing newer than libc6 of
# Debian 12, so their one binary each is unpacked. The lists and the cache of the machine's own apt are not touched,
# so trixie never becomes a source of upgrades. Buildx and cosign go where only the tests find them: the machine's
# own `docker build` stays what it is.
trixie_programs() {
    local wanted=() uri dir
    docker compose version >/dev/null 2>&1 || wanted+=(docker-compose)
    docker buildx version >/dev/null 2>&1 || [[ -x $CACHE/docker-buildx ]] || wanted+=(docker-buildx)
    [[ -x $CACHE/cosign ]] || wanted+=(cosign)
    ((${#wanted[@]})) || return 0
    # shellcheck disable=SC2016 # apt fills the names in
    uri="$(apt-get indextargets --format '$(CREATED_BY) $(ORIGIN) $(REPO_URI)' |
        awk '$1 == "Packages" && $2 == "Debian" && $3 !~ /security/ { print $3; exit }')"
    [[ -n $uri ]] || die "apt has no Debian source that could hold ${wanted[*]}; run apt-get update first"
    say "fetching ${wanted[*]} out of Debian trixie"
    dir="$(mktemp -d)"
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf '$dir'" EXIT
    mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri trixie main" >"$dir/trixie.list"
    # The folder belongs to the caller, so apt's own unprivileged user could not write there.
    local options=(-o "Dir::Etc::SourceList=$dir/trixie.list" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State::Lists=$dir/lists" -o "Dir::Cache=$dir/cache" -o "APT::Sandbox::User=$(id -un)")
    apt "${options[@]}" update
    (cd "$dir" && apt "${options[@]}" download "${wanted[@]}")
    local package source target
    for package in "${wanted[@]}"; do
        dpkg -x "$dir/$package"_*.deb "$dir/root"
        source="$dir/root/usr/libexec/docker/cli-plugins/$package" target="$CACHE/$package"
        [[ $package != docker-compose ]] || target="$PLUGINS/$package"
        [[ $package != cosign ]] || source="$dir/root/usr/bin/cosign"
        install -D -m 0755 "$source" "$target"
    done
    docker compose version
    "$CACHE/cosign" version >/dev/null 2>&1 || die "cosign does not start"
}

# act copies an action away from its node_modules: the artifact stand-in is bundled into one file.
node_packages() {
    cd "$LAB/node"
    local stamp=node_modules/.installed bundle=../upload-artifact/dist/index.js
    if ! cat package.json package-lock.json | cmp -s - "$stamp"; then
        say "installing the Node packages"
        timeout 600 npm ci --ignore-scripts
        cat package.json package-lock.json >"$stamp"
        rm -f "$bundle"
    fi
    [[ $bundle -nt ../upload-artifact/index.js ]] || timeout 60 npm run --silent bundle
}

debian_packages
trixie_programs
node_packages
say "everything is there"
