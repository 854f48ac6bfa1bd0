/**
 * The scripts of engine containers. They are the same for every database: what differs comes in environment variables and
 * files, so no text of a spec is ever part of a script.
 *
 * How tool and runner stay honest with each other:
 * - Nothing begins before the runner says `start`, and a runner that is gone (its end of the control FIFO closes) ends the tool.
 * - A loading tool sees the end of its input only after the runner said `done`: the script itself holds the FIFO open until
 *   then. A runner that dies in the middle therefore never looks like a dump that is complete.
 * - The exit code is recorded by renaming, so there is none or the whole one.
 */

/** Files of the tool are for nobody else; what the runner reads is made group-readable on purpose. */
const HEAD = `set -eu
umask 007
mkdir -p "$XDB_WORK"
cd "$XDB_WORK"
rm -f exit log version rows entries data control
private=$(mktemp -d "\${TMPDIR:-/tmp}/xdb.XXXXXXXX")
trap 'rm -rf "$private"' EXIT
: >log
finish() {
  printf '%s\\n' "$1" >exit.new
  mv exit.new exit
  exit "$1"
}
`;

const MEET = `version >version 2>>log || :
mkfifo data control
exec 4<control
read -r word <&4 || exit 70
[ "$word" = start ] || exit 70
`;

/** Ends the tool when the runner is gone. Standard input is spelled out: a background shell would get /dev/null. */
const WATCH = `tool=$!
trap 'kill "$tool" 2>/dev/null || :' TERM INT
{
  trap - EXIT TERM INT
  word=
  read -r word || :
  [ "$word" = done ] || kill "$tool" 2>/dev/null || :
} <&4 4<&- >/dev/null 2>&1 &
watch=$!
`;

const WAIT = `exec 4<&-
code=0
wait "$tool" || code=$?
trap '' TERM INT
kill "$watch" 2>/dev/null || :
`;

/**
 * @param prepare Makes private files from mounted ones; may set variables.
 * @param version Prints the tool's version.
 * @param tool Becomes the dump tool, by exec, and writes to standard output.
 */
export const dumpScript = (prepare: string, version: string, tool: string): string => `${HEAD}${prepare}
version() { ${version}; }
dump() {
  trap - EXIT TERM INT
  ${tool}
}
${MEET}dump >data 2>>log 4<&- &
${WATCH}${WAIT}finish "$code"
`;

/**
 * @param tool Becomes the load tool, by exec, and reads standard input.
 * @param after Runs after the tool ended well, e.g. counts rows.
 */
export const loadScript = (prepare: string, version: string, tool: string, after: string): string => `${HEAD}${prepare}
version() { ${version}; }
load() {
  trap - EXIT TERM INT
  ${tool}
}
after() {
  ${after}
}
${MEET}exec 5<>data
load <data >/dev/null 2>>log 4<&- 5>&- &
${WATCH}exec 5>&-
${WAIT}if [ "$code" = 0 ]; then
  after 2>>log || code=$?
fi
finish "$code"
`;
