# Commands for a day's work. The gate is `just ci`.

[private]
default:
    @just --list

# The tests of the whole workspace, offline
test *arguments:
    cargo test {{ arguments }}

# Formatting, lints, documentation
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps --locked

# Licences and bans of the dependencies (needs cargo-deny)
deny:
    cargo deny check

# The main job on the embedded server
demo:
    cargo run -- demo

# What must pass before a change is merged
ci:
    .ci/run

# Tests against real servers: just real hapi
real *names:
    .ci/real {{ names }}

# Looks through snapshots that differ (needs cargo-insta)
review:
    cargo insta review
