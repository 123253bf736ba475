// Completion for bash, from 3.2 (macOS) on: no associative arrays, and no functions of bash-completion.
import {
  type Choice,
  type CommandLine,
  type CompletedCommand,
  firstWords,
  helpWords,
  quoted,
  secondWords,
  spellings,
} from './commands.ts'

export function bashScript(line: CommandLine): string {
  const groups = line.groups.map(({ name }) => name)
  const others = line.commands.filter(({ words }) => words[0] !== 'help')
  return `# Completion of lcclf for bash. In ~/.bashrc: eval "$(lcclf completion bash)"
_lcclf() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} command='' words=''
  # bash takes --flag=value apart
  if [[ $cur == '=' ]]; then cur=''; elif [[ $prev == '=' ]]; then prev=\${COMP_WORDS[COMP_CWORD - 2]}; fi
  COMPREPLY=()
  if ((COMP_CWORD > 1)); then command=\${COMP_WORDS[1]}; fi
  case $command in
    ${groups.join('|')}) if ((COMP_CWORD > 2)); then command="$command \${COMP_WORDS[2]}"; fi ;;
  esac
  # a return without words leaves paths to readline
  case $command in
    '') words=${listed(firstWords(line), '--help', '--version')} ;;
${groups.map((group) => `    ${group}) words=${listed(secondWords(line, group))} ;;`).join('\n')}
    help)
      case $prev in
        help) words=${listed(helpWords(line))} ;;
${groups.map((group) => `        ${group}) words=${listed(secondWords(line, group))} ;;`).join('\n')}
      esac ;;
${others.map(commandCase).join('\n')}
  esac
  if [[ -z $words ]]; then compopt +o default 2>/dev/null; return; fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _lcclf lcclf
`
}

function commandCase({ words, flags, argument }: CompletedCommand): string {
  const all = flags.map(({ name }) => `--${name}`).join(' ')
  const taking = flags.flatMap((flag) => (flag.value === undefined ? [] : [{ flag, value: flag.value }]))
  const choices = taking.flatMap(({ flag, value }) =>
    typeof value === 'string' ? [] : [`${spellings(flag).join('|')}) words=${quoted(value.join(' '))} ;;`],
  )
  const spelt = (kind: 'files' | 'text') =>
    taking.filter(({ value }) => value === kind).flatMap(({ flag }) => spellings(flag))
  const paths = spelt('files')
  const texts = spelt('text')
  const free = {
    files: `if [[ $cur == -* ]]; then words=${quoted(all)}; else return; fi`,
    text: `words=${quoted(all)}`,
  }
  const other =
    argument === undefined || typeof argument === 'string'
      ? free[argument ?? 'text']
      : `words=${quoted([...argument, all].join(' '))}`
  const cases = [
    ...choices,
    ...(paths.length > 0 ? [`${paths.join('|')}) return ;;`] : []),
    ...(texts.length > 0 ? [`${texts.join('|')}) ;;`] : []),
    `*) ${other} ;;`,
  ]
  const inner = cases.map((one) => `        ${one}`).join('\n')
  return `    ${quoted(words.join(' '))})\n      case $prev in\n${inner}\n      esac ;;`
}

function listed(choices: readonly Choice[], ...more: readonly string[]): string {
  return quoted([...choices.map(({ name }) => name), ...more].join(' '))
}
