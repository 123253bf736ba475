// Completion for fish, with what each word means.
import {
  type Choice,
  type CommandLine,
  type CompletedCommand,
  type CompletedFlag,
  firstWords,
  helpWords,
  secondWords,
} from './commands.ts'

export function fishScript(line: CommandLine): string {
  const groups = line.groups.map(({ name }) => name)
  const others = line.commands.filter(({ words }) => words[0] !== 'help')
  const lines = [
    ...words('__lcclf_after', firstWords(line)),
    ...groups.flatMap((group) => words(`__lcclf_after ${group}`, secondWords(line, group))),
    ...words('__lcclf_after help', helpWords(line)),
    ...groups.flatMap((group) => words(`__lcclf_after help ${group}`, secondWords(line, group))),
    ...others.flatMap(commandLines),
  ]
  return `# Completion of lcclf for fish. lcclf completion fish > ~/.config/fish/completions/lcclf.fish
# typed so far: these words and nothing else
function __lcclf_after
    set -l typed (commandline -opc)
    test "$typed[2..]" = "$argv"
end
# typed so far: these words, and perhaps more
function __lcclf_in
    set -l typed (commandline -opc)
    test (count $typed) -gt (count $argv); and test "$typed[2..$(math (count $argv) + 1)]" = "$argv"
end
complete -c lcclf -f
${lines.join('\n')}
`
}

function words(condition: string, choices: readonly Choice[]): string[] {
  return choices.map(({ name, about }) => {
    return `complete -c lcclf -n ${quoted(condition)} -f -a ${name} -d ${quoted(about)}`
  })
}

function commandLines({ words: path, flags, argument }: CompletedCommand): string[] {
  const start = `complete -c lcclf -n ${quoted(`__lcclf_in ${path.join(' ')}`)}`
  const rest =
    argument === 'files'
      ? [`${start} -F`]
      : typeof argument === 'object'
        ? [`${start} -f -a ${quoted(argument.join(' '))}`]
        : []
  return [...rest, ...flags.map((flag) => `${start} ${flagWords(flag)}`)]
}

function flagWords({ name, char, about, value }: CompletedFlag): string {
  const taking =
    value === undefined
      ? []
      : value === 'files'
        ? ['-r', '-F']
        : value === 'text'
          ? ['-x']
          : ['-x', '-a', quoted(value.join(' '))]
  return [...(char === undefined ? [] : ['-s', char]), '-l', name, ...taking, '-d', quoted(about)].join(' ')
}

/** fish escapes within single quotes by a backslash. */
function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`
}
