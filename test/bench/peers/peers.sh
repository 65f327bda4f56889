# shellcheck shell=bash
# Installs the peers, for the time of the benchmark; and runs those from npm.

# Exact versions, so that figures can be compared. Node's own package is one for each architecture.
NODE=24.21.0
NPM_PACKAGES=(graphile-worker@0.18.0 pg-boss@12.38.0 pg@8.23.1)

# Sets NODE_BIN; fails where that cannot be had.
npm_peers()
{
	local arch

	[ -z "${NPM_FAILED:-}" ] || return 1
	[ -z "${NODE_BIN:-}" ] || return 0
	NPM_FAILED=1
	command -v npm >/dev/null || install_packages nodejs npm >&2
	case $(uname -m) in
		x86_64) arch=x64 ;;
		aarch64) arch=arm64 ;;
		*) return 1 ;;
	esac
	mkdir -p "$WORK/npm"
	cp "$BENCH"/peers/*.mjs "$WORK/npm"
	echo '{ "private": true }' >"$WORK/npm/package.json"
	quietly npm --prefix "$WORK/npm" --cache "$WORK/npm-cache" install --ignore-scripts --no-audit --no-fund \
		"node-linux-$arch@$NODE" "${NPM_PACKAGES[@]}" || return 1
	NODE_BIN=$WORK/npm/node_modules/node-linux-$arch/bin/node
	[ -x "$NODE_BIN" ] || return 1
	NPM_FAILED=
	printf '%s\t%s\n' 'from npm' "node@$NODE ${NPM_PACKAGES[*]}" >>"$WORK/out/versions"
}

# drive PEER JOBS DATABASE: prints jobs a second.
drive()
{
	local log=$WORK/out/drive

	PGDATABASE=$3 PGUSER=postgres timeout 600 "$NODE_BIN" "$WORK/npm/drive.mjs" "$1" "$2" 2>"$log" </dev/null ||
		{ tail -n 20 "$log" >&2; return 1; }
}

pgq_package()
{
	local version

	version=$(basename "$(dirname "$PGBIN")")
	[ -f "$("$PG_CONFIG" --sharedir)/extension/pgq.control" ] ||
		(install_packages "postgresql-$version-pgq3" >&2) || return 1
	printf '%s\t%s\n' pgq "$(dpkg-query -W -f '${Version}' "postgresql-$version-pgq3" 2>/dev/null)" >>"$WORK/out/versions"
}
