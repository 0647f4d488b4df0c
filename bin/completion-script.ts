export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

/** A command as completion sees it. */
export interface Completable {
  id: string
  summary: string
  /** Values of its first argument, where they are known. */
  words: readonly string[]
  flags: readonly { name: string; summary: string; takesValue: boolean; choices: readonly string[] }[]
}

/** Returns the completion script of a shell. Everything in it is fixed when it is printed. */
export function completionScript(shell: Shell, commands: readonly Completable[]): string {
  return { bash, zsh, fish }[shell](commands)
}

/** Words that may follow each beginning of a command: '' for the program itself, then topics. */
function topics(commands: readonly Completable[]): Map<string, { word: string; summary: string }[]> {
  const known = new Map<string, { word: string; summary: string }[]>()
  const add = (before: string, word: string, summary: string) => {
    const words = known.get(before) ?? []
    if (!words.some((other) => other.word === word)) known.set(before, [...words, { word, summary }])
  }
  for (const { id, summary } of commands) {
    const [topic = '', second] = id.split(' ')
    add('', topic, second === undefined ? summary : `${topic} commands`)
    if (second !== undefined) add(topic, second, summary)
  }
  return known
}

function bash(commands: readonly Completable[]): string {
  const words = (list: readonly string[]) => list.join(' ')
  const beginnings = [...topics(commands)].map(
    ([topic, list]) => `    '${topic}') words='${words(list.map(({ word }) => word))}' ;;`,
  )
  const ofCommands = commands.map(
    ({ id, words: values, flags }) =>
      `    '${id}'*) words='${words([...values, ...flags.map(({ name }) => `--${name}`), '--help'])}' ;;`,
  )
  const choices = flagChoices(commands).map(([name, values]) => `    --${name}) words='${words(values)}' ;;`)
  return `# bash completion for valuetrain
_valuetrain() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} typed='' words='' index
  for ((index = 1; index < COMP_CWORD; index++)); do
    [[ \${COMP_WORDS[index]} == -* ]] || typed="\${typed:+$typed }\${COMP_WORDS[index]}"
  done
  case $typed in
${[...beginnings, ...ofCommands].join('\n')}
  esac
  case $previous in
${choices.join('\n')}
    --cwd|-C) COMPREPLY=($(compgen -d -- "$current")); return ;;
    --body|--keep|--into) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _valuetrain valuetrain
`
}

function zsh(commands: readonly Completable[]): string {
  const entries = (list: readonly { word: string; summary: string }[]) =>
    list.map(({ word, summary }) => quote(`${word}:${summary}`)).join(' ')
  const beginnings = [...topics(commands)].map(([topic, list]) => `    ${quote(topic)}) words_=(${entries(list)}) ;;`)
  const ofCommands = commands.map(({ id, words, flags }) => {
    const list = [
      ...words.map((word) => ({ word, summary: '' })),
      ...flags.map(({ name, summary }) => ({ word: `--${name}`, summary })),
    ]
    return `    ${quote(id)}*) words_=(${entries(list)}) ;;`
  })
  const choices = flagChoices(commands).map(([name, values]) => `    --${name}) compadd -- ${values.join(' ')}; return ;;`)
  return `#compdef valuetrain
_valuetrain() {
  local typed='' word
  local -a words_
  for word in \${words[2,CURRENT-1]}; do
    [[ $word == -* ]] || typed="\${typed:+$typed }$word"
  done
  case $words[CURRENT-1] in
${choices.join('\n')}
    --cwd|-C) _files -/; return ;;
    --body|--keep|--into) _files; return ;;
  esac
  case $typed in
${[...beginnings, ...ofCommands].join('\n')}
  esac
  _describe 'valuetrain' words_
}
if [[ $funcstack[1] == _valuetrain ]]; then _valuetrain "$@"; else compdef _valuetrain valuetrain; fi
`
}

function fish(commands: readonly Completable[]): string {
  const lines = ['# fish completion for valuetrain', 'complete -c valuetrain -f']
  const firsts = topics(commands).get('') ?? []
  for (const { word, summary } of firsts) {
    lines.push(`complete -c valuetrain -n __fish_use_subcommand -a ${quote(word)} -d ${quote(summary)}`)
  }
  for (const [topic, list] of topics(commands)) {
    if (topic === '') continue
    const words = list.map(({ word }) => word).join(' ')
    const when = `__fish_seen_subcommand_from ${topic}; and not __fish_seen_subcommand_from ${words}`
    for (const { word, summary } of list)
      lines.push(`complete -c valuetrain -n ${quote(when)} -a ${quote(word)} -d ${quote(summary)}`)
  }
  for (const { id, words, flags } of commands) {
    const when = id
      .split(' ')
      .map((word) => `__fish_seen_subcommand_from ${word}`)
      .join('; and ')
    for (const word of words) lines.push(`complete -c valuetrain -n ${quote(when)} -a ${quote(word)}`)
    for (const { name, summary, takesValue, choices } of flags) {
      const values = choices.length > 0 ? ` -x -a ${quote(choices.join(' '))}` : takesValue ? ' -r' : ''
      lines.push(`complete -c valuetrain -n ${quote(when)} -l ${name}${values} -d ${quote(summary)}`)
    }
  }
  return `${lines.join('\n')}\n`
}

function flagChoices(commands: readonly Completable[]): [string, readonly string[]][] {
  const known = new Map<string, readonly string[]>()
  for (const { flags } of commands) for (const { name, choices } of flags) if (choices.length > 0) known.set(name, choices)
  return [...known]
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
