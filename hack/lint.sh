#!/usr/bin/env bash
# Searches the source for faults without running it: gofmt, go vet, staticcheck and govulncheck,
# whose versions hack/lint pins, and whether the command can be built for the systems on which it
# infers and verifies without a lab. It says which step failed, and ends with that. Where the
# database of vulnerabilities cannot be reached it says so.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0
step() { echo " • $1"; }

step "gofmt"
unformatted=$(gofmt -l $(git ls-files '*.go'))
[ -z "$unformatted" ] || { echo "not gofmt-ed: $unformatted"; exit 1; }

step "go vet"
go vet ./...

step "staticcheck"
mkdir -p bin
go build -C hack/lint -o "$PWD/bin/" honnef.co/go/tools/cmd/staticcheck golang.org/x/vuln/cmd/govulncheck
bin/staticcheck ./...

step "govulncheck"
if ! said=$(bin/govulncheck ./... 2>&1); then
  case $said in
  *"fetching vulnerabilities"*)
    echo "   the database of vulnerabilities is out of reach from here: known vulnerabilities were not looked for"
    ;;
  *) echo "$said"; exit 1 ;;
  esac
fi

# Where there are no namespaces the command still infers, compares, explains and verifies. Of one
# such system all packages are vetted, so that their tests are made for it too.
for target in linux/arm64 darwin/arm64 darwin/amd64 windows/amd64; do
  step "build and vet for $target"
  packages=./cmd/lab
  [ "$target" != darwin/arm64 ] || packages=./...
  GOOS=${target%/*} GOARCH=${target#*/} go vet $packages
  GOOS=${target%/*} GOARCH=${target#*/} go build -o /dev/null ./cmd/lab
done
