/**
 * The scripts of engine containers. They are the same for every database: what differs comes in environment variables and
 * files, so no text of a spec is ever part of a script.
 *
 * How tool and runner stay honest with each other, over three FIFOs:
 * - `control`, words of the runner. Nothing begins before `start`; its end without `done` ends the tool.
 * - `report`, held open by the script for as long as it lives. It begins with `here` and ends with the exit code; its end
 *   without one means that the container was killed.
 * - `data`. A loading tool sees the end of its input only after the runner said `done`, because the script's watch holds the
 *   FIFO open until then: a runner that dies in the middle never looks like a dump that is complete.
 *
 * What waits beside the script reads from a FIFO that nobody writes to, and that only what it waits for holds open: `waiting`
 * the script, `alive` the tool. So it ends with that, whatever ends it, and nobody has to signal it: signals can come between
 * any two commands, and what a shell with traps has just forked loses them (hence `ended`).
 */
import { NOT_EMPTY } from './tool.ts';

/** Ends a sleep when what holds the FIFO open has ended. It was forked by a shell without traps, so it hears the signal. */
const WAKE = `nap=$!
  {
    read -r word || :
    kill "$nap"
  } <&3 &`;

const HEAD = `set -eu
umask 007
# The first process of a container would not hear a signal that it has no trap for.
trap 'exit 143' TERM INT
mkdir -p "$XDB_WORK"
cd "$XDB_WORK"
rm -f data report control log version rows entries waiting alive ended over
: >log
mkfifo data report control waiting alive
exec 7<>waiting
# A runner that never comes must not be waited for until the deadline.
{
  sleep 3600 &
  ${WAKE}
  wait "$nap" && kill "$$"
} 3<waiting 7>&- >/dev/null 2>&1 &
exec 4<control 6>report
exec 7>&-
echo here >&6
private=$(mktemp -d "\${TMPDIR:-/tmp}/xdb.XXXXXXXX" 2>>log)
trap 'status=$?; rm -rf "$private"; echo "$status" >&6' EXIT
`;

const MEET = `version >version 2>>log || :
word=
read -r word <&4 || exit 70
[ "$word" = start ] || exit 70
trap ': >ended' TERM INT
exec 7<>alive
`;

/** Of what becomes the tool. A signal that came before it could hear one has left a file. */
const BEGIN = `trap - EXIT TERM INT
  [ ! -e ended ] || exit 143`;

/** Ends the tool when the runner is gone. A background shell would get /dev/null as standard input if it had none. */
const WATCH = `tool=$!
trap ': >ended; kill "$tool" 2>/dev/null || :' TERM INT
[ ! -e ended ] || kill "$tool" 2>/dev/null || :
{
  trap - EXIT TERM INT
  word=
  read -r word || :
  if [ "$word" != done ] && [ ! -e over ]; then
    : >ended
    kill "$tool"
    # Tools say goodbye to their server first, which may not listen: half of what Kubernetes waits is theirs.
    sleep 15 &
    ${WAKE}
    wait "$nap" && kill -KILL "$tool"
  fi
} <&4 3<alive 4<&- 6>&- 7>&- >/dev/null 2>&1 &
exec 4<&- 7>&-
`;

/** A signal ends the wait, and not the tool. */
const WAIT = `code=0
wait "$tool" || code=$?
while kill -0 "$tool" 2>/dev/null; do
  code=0
  wait "$tool" || code=$?
done
trap '' TERM INT
: >over
`;

/**
 * @param prepare Makes private files from mounted ones; may set variables.
 * @param version Prints the tool's version.
 * @param tool Becomes the dump tool, by exec, and writes to standard output.
 */
export const dumpScript = (prepare: string, version: string, tool: string): string => `${HEAD}${prepare}
version() { ${version}; }
dump() {
  ${BEGIN}
  exec >data
  ${tool}
}
${MEET}dump 2>>log 4<&- 6>&- &
${WATCH}${WAIT}exit "$code"
`;

/**
 * @param isEmpty Prints `t` or 1 when the database holds nothing; asked where that is required.
 * @param tool Becomes the load tool, by exec, and reads standard input.
 * @param after Runs after the tool ended well, e.g. counts rows; returns not 0 when it fails.
 */
export const loadScript = (parts: {
  prepare: string;
  version: string;
  isEmpty: string;
  tool: string;
  after: string;
}): string => `${HEAD}${parts.prepare}
version() { ${parts.version}; }
is_empty() {
  ${parts.isEmpty}
}
load() {
  ${BEGIN}
  ${parts.tool}
}
after() {
  ${parts.after}
}
${MEET}if [ "\${XDB_REQUIRE_EMPTY:-}" = 1 ]; then
  case $(is_empty 2>>log) in
    t | 1) ;;
    ?*) exit ${NOT_EMPTY} ;;
    *) exit 1 ;;
  esac
fi
exec 5<>data
load <data >/dev/null 2>>log 4<&- 5>&- 6>&- &
${WATCH}exec 5>&-
${WAIT}if [ "$code" = 0 ]; then
  after 2>>log 6>&- || code=$?
fi
exit "$code"
`;
