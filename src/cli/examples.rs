//! What stands below the options of each command in its `--help`.

pub(super) const ALL: &str = "\
Start:
  tidegate demo                               see it work; no key, no network
  tidegate run -- python batch.py             one command, through a gate of its own
  tidegate serve                              for all apps: OPENAI_BASE_URL=http://127.0.0.1:4290/v1";

pub(super) const RUN: &str = "\
Examples:
  tidegate run -- python batch.py
  tidegate run --report -- node index.js      all of `diagnose` at the end
  tidegate run --upstream https://api.groq.com/openai -- ./job.sh";

pub(super) const SERVE: &str = "\
Examples:
  tidegate serve                              apps: OPENAI_BASE_URL=http://127.0.0.1:4290/v1
  tidegate serve -l 0.0.0.0:4290 -c tidegate.toml
  tidegate serve --upstream http://127.0.0.1:8000
  tidegate init > tidegate.toml; tidegate check";

#[cfg(feature = "lab")]
pub(super) const DEMO: &str = "\
Examples:
  tidegate demo
  tidegate demo --requests 100 --minute 3s --window bucket";

#[cfg(feature = "lab")]
pub(super) const DEV: &str = "\
Examples:
  tidegate dev                                mock and gate; apps: OPENAI_BASE_URL=http://127.0.0.1:4290/v1
  tidegate dev --minute 6s --rpm 60           ten times as fast
  tidegate dev -- python batch.py             one command before the mock; no key";

#[cfg(feature = "lab")]
pub(super) const MOCK: &str = "\
Examples:
  tidegate mock --rpm 60 --tpm 20000
  tidegate mock -l 127.0.0.1:0 --scale 0.6    the upstream has less than is configured
  tidegate serve --upstream http://127.0.0.1:4292";

pub(super) const EXPLAIN: &str = "\
Examples:
  tidegate explain POST /v1/responses --model gpt-5
  tidegate explain POST /v1/batches -H 'authorization: Bearer sk-…'
  tidegate explain GET /v1/models --json";

pub(super) const DIAGNOSE: &str = "\
Examples:
  tidegate diagnose
  tidegate diagnose --admin http://10.0.0.5:4291 --json";

pub(super) const TOP: &str = "\
Examples:
  tidegate top
  tidegate top --once                         one picture, as into a pipe";

pub(super) const CHECK: &str = "\
Examples:
  tidegate check                              ./tidegate.toml, else the built-in configuration
  tidegate check my.toml
  tidegate check - < my.toml                  standard input
  tidegate check --json my.toml               for programs: valid or not, problems with line and column";

#[cfg(feature = "lab")]
pub(super) const SIMULATE: &str = "\
Examples:
  tidegate simulate config/scenarios/workers.toml
  tidegate simulate config/scenarios/workers.toml --search workers --within 2s";

pub(super) const INIT: &str = "\
Examples:
  tidegate init > tidegate.toml
  tidegate init --for azure > tidegate.toml
  tidegate init --schema > tidegate.schema.json
  tidegate init | grep -A3 'pools.models'";

pub(super) const HEALTHCHECK: &str = "\
Examples:
  tidegate healthcheck
  tidegate healthcheck --admin 127.0.0.1:4291";

pub(super) const COMPLETIONS: &str = "\
Examples:
  tidegate completions bash > ~/.local/share/bash-completion/completions/tidegate
  tidegate completions zsh > ~/.zfunc/_tidegate";
