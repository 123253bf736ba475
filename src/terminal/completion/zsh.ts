// Completion for zsh, with what each word means. It works from a folder of $fpath and by `source`.
import {
  type Choice,
  type CommandLine,
  type CompletedCommand,
  type CompletedFlag,
  firstWords,
  helpWords,
  quoted,
  secondWords,
  spellings,
  type Value,
} from './commands.ts'

export function zshScript(line: CommandLine): string {
  const groups = line.groups.map(({ name }) => name)
  const others = line.commands.filter(({ words }) => words[0] !== 'help')
  return `#compdef lcclf
# Completion of lcclf for zsh. In ~/.zshrc, after compinit: source <(lcclf completion zsh)
_lcclf() {
  local -a choices
  if ((CURRENT == 2)); then
    choices=(${described(firstWords(line))})
    _describe command choices
    return
  fi
  local command=$words[2]
  case $command in
    ${groups.join('|')})
      if ((CURRENT == 3)); then
        _lcclf_group $command
        return
      fi
      command="$command $words[3]"
      shift words
      ((CURRENT--)) ;;
  esac
  shift words
  ((CURRENT--))
  case $command in
    help)
      if ((CURRENT > 2)); then
        _lcclf_group $words[2]
        return
      fi
      choices=(${described(helpWords(line))})
      _describe command choices ;;
${others.map(commandCase).join('\n')}
  esac
}
_lcclf_group() {
  local -a choices
  case $1 in
${groups.map((group) => `    ${group}) choices=(${described(secondWords(line, group))}) ;;`).join('\n')}
    *) return 1 ;;
  esac
  _describe command choices
}
if [[ $funcstack[1] == _lcclf ]]; then _lcclf "$@"; else compdef _lcclf lcclf; fi
`
}

function commandCase({ words, flags, argument }: CompletedCommand): string {
  const specs = [
    ...flags.map(flagSpec),
    ...(argument === undefined ? [] : [quoted(`*:argument:${action(argument)}`)]),
  ].map((spec) => `        ${spec}`)
  return `    ${quoted(words.join(' '))})\n      _arguments -s \\\n${specs.join(' \\\n')} ;;`
}

/** `'(-m --model)'{-m,--model=}'[about]:REF:_files'`, as `_arguments` reads it. */
function flagSpec(flag: CompletedFlag): string {
  const about = `[${flag.about.replace(/[[\]\\]/g, '\\$&')}]`
  const value = flag.value === undefined ? '' : `:${flag.heading.replaceAll(':', '\\:')}:${action(flag.value)}`
  const names = spellings(flag)
  const long = `--${flag.name}${flag.value === undefined ? '' : '='}`
  const before = flag.isRepeatable ? '*' : names.length > 1 ? `(${names.join(' ')})` : ''
  const spelt = flag.char === undefined ? quoted(`${before}${long}${about}${value}`) : undefined
  return spelt ?? `${quoted(before)}{-${flag.char},${long}}${quoted(`${about}${value}`)}`
}

function action(value: Value): string {
  if (typeof value !== 'string') return `(${value.join(' ')})`
  return value === 'files' ? '_files' : ' '
}

function described(choices: readonly Choice[]): string {
  return choices.map(({ name, about }) => quoted(`${name}:${about}`)).join(' ')
}
