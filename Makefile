# `make test` is everything that must pass; `.ci/run` calls it. It needs Rust, Python 3, Node and make; promtool and Chromium,
# where they are missing, come from Debian.

.PHONY: test lint unit program metrics sdk upstreams packaging docs words man packages page soundness frames screenshots crowd soak restarts reloads turns learning matrix bench profile profiling house deny \
	image redis nginx haproxy valgrind promtool chromium clean

test: lint unit metrics sdk packaging docs words page

lint:
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked --no-default-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items

# With cargo-nextest where it is installed, which runs no examples of documents.
unit: program redis
	if cargo nextest --version >/dev/null 2>&1; \
	then cargo nextest run --locked --workspace --no-fail-fast && cargo test --locked --workspace --doc; \
	else cargo test --locked --workspace --no-fail-fast; fi

# The tests and, with the same dependencies, the program that all the others start.
program:
	cargo test --locked --workspace --no-run

# What Prometheus's own tool says of a scrape and of the rules.
metrics: program promtool
	cargo test --locked --workspace --test integration -- --ignored promtool

# The official SDKs, from their registries, through the gate to the stand-in upstream.
sdk: program
	tests/sdk/run

# uvicorn with FastAPI, Node, nginx and HAProxy as the upstream: base paths, redirects, connections that close, early answers to
# uploads, long headers. A minute and a half.
upstreams: program nginx haproxy
	tests/upstreams/run $(ARGS)

# Manifests, chart, image and compose file against their schemas and the program. It needs kubectl.
packaging: program
	tests/packaging/run

# The documents against the program: commands, examples, links, reference. `tools/reference` writes what is generated.
docs: program
	tests/docs/run

# How long the sentences of the README, of docs/ and of `--help` are, and words to avoid in them.
words: program
	tools/words

# The page at the admin address, in a real Chromium, before a gate under load. One minute.
page: program chromium
	tests/page/run

# The Rust tests on a quiet machine, beside two busy loops a core, and on one core alone.
soundness: program
	tools/soundness

# How much script a frame of the page has under load; printed, not judged. Half a minute.
frames: program chromium
	cd tests/page && npm ci --no-audit --no-fund --loglevel=error && node frames.mjs

# The pictures in the README. A quarter of an hour; fonts-inter makes them look as they do there.
screenshots: program chromium
	cd tests/page && npm ci --no-audit --no-fund --loglevel=error && node screenshots.mjs

# The crowd of `make sdk` with minutes of sixty seconds: 200 calls for three of them. Fifteen minutes.
crowd: program
	CROWD_MINUTE=60 tests/sdk/run crowd

# 100,000 connections in bursts, half of which are cut at random points. Two minutes; `tests/gate/soak.rs` is a short form.
soak:
	cargo bench --locked --bench soak

# Fifty gates in a row, each killed in the middle of a burst: the upstream refuses nothing. `make test` does it six times.
restarts:
	RESTARTS=50 cargo test --locked --test integration gate_killed_in_a_burst

# The store's script against its model, with 100,000 sequences of thirty calls. A quarter of an hour; `make test` does 400.
turns: redis
	TURNS=100000 cargo test --locked --test integration script_and_model_answer_alike

# A reload every second for three minutes under saturation, and restarts behind a socket under 200 requests a second.
reloads: program
	tests/reloads/run

# What is learned of limits that nobody wrote down, in minutes of sixty seconds. Ten minutes; on virtual
# clocks the tests hold the same.
learning:
	cargo bench --locked --bench learning

# Ways of sending against ways of counting, with nginx as the peer. Ten minutes; `make matrix ARGS="--minute 60"` more.
matrix: nginx
	cargo build --locked --release
	tests/matrix/run $(ARGS)

# What forwarding costs, beside nginx and a minimal hyper proxy in the same run; how good the estimate of tokens is; how
# fast and how true `simulate` is.
bench: nginx
	cargo bench --locked --profile dist --bench scheduler --bench tokens --bench forwarding --bench simulate

# What a forwarded POST costs in instructions, by function; `make profile ARGS="model --top 60"` asks for less and more.
profile: profiling
	tools/profile/run $(ARGS)

profiling: valgrind
	cargo build --locked --profile profiling --bin tidegate

# The order of the house: shared names, impls away from their type, import circles, sizes. `make house ARGS=--post` also counts
# the files that one POST passes, for which it needs what `make profile` needs; `ARGS=--all` names all offenders.
house:
	tools/house/run $(ARGS)

# Licences, advisories, duplicates (the advisories come from the network).
deny:
	command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	cargo deny check $(ARGS)

# The container image `tidegate`: built, run read-only and asked, stopped during a stream. A quarter of an hour the first
# time. Without an engine, root on Debian starts one for it.
image:
	tests/image/run

# Man pages and completions of the program, for packages: target/man, target/completions.
man: program
	MAN=$(CURDIR)/target/man cargo test --locked --test integration man_pages_cover_every_command
	mkdir -p target/completions
	target/debug/tidegate completions bash > target/completions/tidegate.bash
	target/debug/tidegate completions zsh > target/completions/_tidegate
	target/debug/tidegate completions fish > target/completions/tidegate.fish

# A .deb and an .rpm of what is shipped, in target/debian and target/generate-rpm. It needs cargo-deb and cargo-generate-rpm.
packages: man
	cargo build --locked --profile dist
	mkdir -p target/release && cp target/dist/tidegate target/release/tidegate
	cargo deb --no-build --no-strip
	cargo generate-rpm

nginx:
	command -v nginx >/dev/null || { apt-get update && apt-get install --yes --no-install-recommends nginx-light; }

haproxy:
	PATH=$$PATH:/usr/sbin command -v haproxy >/dev/null || { apt-get update && apt-get install --yes --no-install-recommends haproxy; }

redis:
	command -v redis-server >/dev/null || { apt-get update && apt-get install --yes --no-install-recommends redis-server; }

valgrind:
	command -v valgrind >/dev/null || { apt-get update && apt-get install --yes --no-install-recommends valgrind; }

promtool:
	command -v promtool >/dev/null || { apt-get update && apt-get install --yes --no-install-recommends prometheus; }

chromium:
	test -x "$${CHROMIUM:-/usr/bin/chromium}" || { apt-get update && apt-get install --yes --no-install-recommends chromium; }

clean:
	rm -rf target .venv tests/sdk/node/node_modules tests/page/node_modules
