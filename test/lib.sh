# shellcheck shell=bash
# What test/check and test/demo/run share: install what is missing, build in a private copy, run a throwaway
# server.
#
# All files are in one directory under /tmp, which is removed at exit, also after Ctrl-C. The extension is not
# installed into /usr where that can be avoided: Debian's servers look for extensions below `extension_destdir`,
# too. So root is needed for packages only; all the rest is done by an ordinary user, since the server refuses
# root. PG_CONFIG=… in the environment chooses another server than the newest one installed.

set -euo pipefail

TREE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
WORK=                 # the private directory, also the server's socket directory: its path must be short
PGBIN=                # where the server's programs are
INSTALLED=            # the copy whose files are in the server's own directories, if they had to go there
AT_EXIT=              # a function to be called first when all is tidied up
FORBIDDEN=            # set while the packages' default cluster is forbidden
CREATECLUSTER=/etc/postgresql-common/createcluster.d

### The frame

say()
{
	printf '%s\n' "$*"
}

die()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# Runs a command that has nothing to say unless it fails.
quietly()
{
	local log=$WORK/quietly.$BASHPID

	if "$@" >"$log" 2>&1 </dev/null; then
		rm -f "$log"
	else
		cat "$log" >&2
		return 1
	fi
}

as_root()
{
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		command -v sudo >/dev/null || die "needs root, or sudo, for: $*"
		sudo "$@"
	fi
}

# As a user that the server accepts: whoever calls, or postgres or nobody instead of root.
as_user()
{
	if [ "$(id -u)" -eq 0 ]; then
		runuser -u "$(ordinary_user)" -- env HOME="$WORK" TMPDIR="$WORK" "$@"
	else
		env TMPDIR="$WORK" "$@"
	fi
}

ordinary_user()
{
	if id -u postgres >/dev/null 2>&1; then
		echo postgres
	else
		echo nobody
	fi
}

# To be called first: from here on everything is tidied up at exit.
begin()
{
	local name

	for name in "${!PG@}"; do
		[ "$name" = PG_CONFIG ] || unset "$name"
	done
	trap tidy_up EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	WORK=$(mktemp -d /tmp/databuild.XXXXXX)
	cd "$WORK"
}

tidy_up()
{
	local status=$?

	trap - EXIT
	trap '' HUP INT TERM
	set +e
	[ -z "$AT_EXIT" ] || "$AT_EXIT"
	# shellcheck disable=SC2046
	kill $(jobs -p) 2>/dev/null
	allow_default_cluster
	stop_cluster
	wait 2>/dev/null
	[ -z "$INSTALLED" ] || quietly as_root make -C "$INSTALLED" PG_CONFIG="$PG_CONFIG" uninstall
	cd /
	[ -z "$WORK" ] || rm -rf "$WORK"
	exit "$status"
}

### Packages

# Installs whatever is missing, sets PG_CONFIG and PGBIN.
need_server()
{
	local version missing

	if [ -z "${PG_CONFIG:-}" ]; then
		version=$(newest_server)
		[ -n "$version" ] || version=$(distribution_server)
		mapfile -t missing < <(missing_server "$version"; missing_tools)
		install_packages "${missing[@]}"
		PG_CONFIG=/usr/lib/postgresql/$version/bin/pg_config
	else
		mapfile -t missing < <(missing_tools)
		install_packages "${missing[@]}"
	fi
	export PG_CONFIG
	PGBIN=$("$PG_CONFIG" --bindir)
	[ -x "$PGBIN/postgres" ] || die "no server in $PGBIN (PG_CONFIG is $PG_CONFIG)"
	[ "$(id -u)" -ne 0 ] || chown "$(ordinary_user)" "$WORK"
}

newest_server()
{
	printf '%s\n' /usr/lib/postgresql/*/bin/postgres |
		sed -n 's|^/usr/lib/postgresql/\([0-9.]*\)/bin/postgres$|\1|p' | sort -V | tail -n 1
}

distribution_server()
{
	local version

	command -v apt-get >/dev/null || die "no server found; set PG_CONFIG, or use Debian"
	apt_update
	version=$(apt-cache show --no-all-versions postgresql |
		sed -n 's/^Depends:.*\bpostgresql-\([0-9][0-9]*\).*/\1/p')
	[ -n "$version" ] || die "apt-get knows no package postgresql"
	echo "$version"
}

missing_server()
{
	local lib=/usr/lib/postgresql/$1

	[ -x "$lib/bin/postgres" ] || echo "postgresql-$1"
	# pgxs.mk is no sign of them: Debian's client package has it, too.
	[ -f "/usr/include/postgresql/$1/server/postgres.h" ] || echo "postgresql-server-dev-$1"
}

missing_tools()
{
	command -v make >/dev/null || echo make
	command -v gcc >/dev/null || echo gcc
	[ -f /usr/include/stdio.h ] || echo libc6-dev
	[ -n "${PG_CONFIG:-}" ] || [ -f /usr/include/postgresql/libpq-fe.h ] || echo libpq-dev
}

# Others may be at it, who have a lock that is not waited for.
apt_update()
{
	local tries=150 log

	[ ! -e "$WORK/updated" ] || return 0
	until log=$(as_root env LC_ALL=C apt-get update -q 2>&1 </dev/null); do
		[[ $log == *'Could not get lock'* && $((tries--)) -gt 0 ]] || die "apt-get update failed: $log"
		sleep 2
	done
	touch "$WORK/updated"
}

install_packages()
{
	[ $# -gt 0 ] || return 0
	command -v apt-get >/dev/null || die "missing: $*"
	say "Installing $*"
	apt_update
	forbid_default_cluster
	quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
		-o DPkg::Lock::Timeout=300 "$@" || die "apt-get could not install $*"
	allow_default_cluster
}

# A server package that is installed for the first time makes and starts a cluster, unless this file says otherwise.
forbid_default_cluster()
{
	FORBIDDEN=$CREATECLUSTER/databuild-test.conf
	as_root mkdir -p "$CREATECLUSTER"
	echo 'create_main_cluster = false' | as_root tee "$FORBIDDEN" >/dev/null
}

# The directory belongs to no package: it stays if there is anything else in it.
allow_default_cluster()
{
	[ -n "$FORBIDDEN" ] || return 0
	as_root rm -f "$FORBIDDEN"
	[ ! -d "$CREATECLUSTER" ] || as_root rmdir -p --ignore-fail-on-non-empty "$CREATECLUSTER" 2>/dev/null || true
	FORBIDDEN=
}

# The clang that the server's own build uses, which comes with the server headers; else any.
find_clang()
{
	local clang

	clang=$(sed -n 's/^CLANG *= *//p' "$(dirname "$("$PG_CONFIG" --pgxs)")/../Makefile.global")
	command -v "${clang:-clang}" || command -v clang
}

### Build

# copy_tree NAME: the source tree without anything built, as $WORK/NAME.
copy_tree()
{
	as_user mkdir "$WORK/$1"
	tar -C "$TREE" --exclude=./.git -cf - . | as_user tar -C "$WORK/$1" --no-same-owner -xf -
	quietly make_in "$1" clean
}

# The tree, built, as $WORK/build: of BUILT, if that names one that is built already.
built_tree()
{
	if [ -n "${BUILT:-}" ]; then
		as_user cp -a "$BUILT" "$WORK/build"
	else
		copy_tree build
		quietly make_in build -j2
	fi
}

# make_in NAME [argument …]: make in the copy.
make_in()
{
	local copy=$1

	shift
	as_user make --no-print-directory -C "$WORK/$copy" PG_CONFIG="$PG_CONFIG" "$@"
}

### Server

# start_cluster NAME [setting …]: a server with the extension of that copy, and these settings, or without
# durability, which is not what tests try.
start_cluster()
{
	local copy=$1

	shift
	[ $# -gt 0 ] || set -- 'fsync = off' 'synchronous_commit = off' 'full_page_writes = off' 'max_prepared_transactions = 10'
	export PGHOST=$WORK PGUSER=postgres PGDATABASE=postgres

	quietly as_user "$PGBIN/initdb" -D "$WORK/data" -U postgres -A trust --no-locale -E UTF8 --no-sync
	server_settings "listen_addresses = ''" "unix_socket_directories = '$WORK'" "$@"
	install_extension "$copy"
	as_user "$PGBIN/pg_ctl" -D "$WORK/data" -l "$WORK/server.log" -w start >/dev/null </dev/null ||
		{ cat "$WORK/server.log" >&2; die "the server did not start"; }
}

server_settings()
{
	printf '%s\n' "$@" | as_user tee -a "$WORK/data/postgresql.conf" >/dev/null
}

# Beside the server where it can be told to look there, else into its own directories.
install_extension()
{
	if "$PGBIN/postgres" --describe-config | grep '^extension_destdir' >/dev/null; then
		quietly make_in "$1" DESTDIR="$WORK/installed" install
		server_settings "extension_destdir = '$WORK/installed'"
	else
		[ -f "$("$PG_CONFIG" --sharedir)/extension/databuild.control" ] || INSTALLED=$WORK/$1
		quietly as_root make -C "$WORK/$1" PG_CONFIG="$PG_CONFIG" install
	fi
}

stop_cluster()
{
	if [ -f "$WORK/data/postmaster.pid" ]; then
		quietly as_user "$PGBIN/pg_ctl" -D "$WORK/data" -m immediate -w stop
	fi
}
