/** What shells complete, made from the commands themselves. */
import type { Command } from 'commander';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

interface Entry {
  name: string;
  description: string;
  options: { flag: string; description: string; takesFile: boolean }[];
}

function entriesOf(program: Command): Entry[] {
  return program.commands.map((command) => ({
    name: command.name(),
    description: command.description().split('. ')[0] ?? '',
    options: command.options.map((option) => ({
      flag: option.long ?? option.short ?? '',
      description: option.description,
      takesFile: /file|folder/.test(option.flags),
    })),
  }));
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

function bash(entries: readonly Entry[]): string {
  const cases = entries.map(
    ({ name, options }) => `    ${name}) words=${quoted(options.map(({ flag }) => flag).join(' '))} ;;`,
  );
  return `_xdb() {
  local current=\${COMP_WORDS[COMP_CWORD]} command=\${COMP_WORDS[1]} words=
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W ${quoted(entries.map(({ name }) => name).join(' '))} -- "$current"))
    return
  fi
  case $command in
${cases.join('\n')}
  esac
  case $current in
    -*) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
    *) COMPREPLY=($(compgen -f -- "$current")) ;;
  esac
}
complete -o filenames -F _xdb xdb
`;
}

function zsh(entries: readonly Entry[]): string {
  const words = entries.map(
    ({ name, description }) => `    ${quoted(`${name}:${description.replaceAll(':', '\\:')}`)}`,
  );
  const cases = entries.map(({ name, options }) => {
    const specs = options.map(({ flag, description, takesFile }) =>
      quoted(`${flag}[${description.replaceAll(/[[\]:]/g, ' ')}]${takesFile ? ':file:_files' : ''}`),
    );
    return `    ${name}) _arguments ${specs.join(' ')} '*:file:_files' ;;`;
  });
  return `#compdef xdb
_xdb() {
  local -a commands
  commands=(
${words.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join('\n')}
  esac
}
compdef _xdb xdb
`;
}

function fish(entries: readonly Entry[]): string {
  const lines = entries.flatMap(({ name, description, options }) => [
    `complete -c xdb -n __fish_use_subcommand -f -a ${name} -d ${quoted(description)}`,
    ...options.map(
      ({ flag, description: what, takesFile }) =>
        `complete -c xdb -n '__fish_seen_subcommand_from ${name}' -l ${flag.replace(/^--/, '')} -d ${quoted(what)}${takesFile ? ' -r -F' : ''}`,
    ),
  ]);
  return `${lines.join('\n')}\n`;
}

const SCRIPTS: Record<Shell, (entries: readonly Entry[]) => string> = { bash, zsh, fish };

export const completionScript = (program: Command, shell: Shell): string => SCRIPTS[shell](entriesOf(program));
