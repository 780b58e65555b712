export const shells = ["bash", "zsh", "fish"] as const;

/** The line that asks the shell for names of files. */
export const filesMark = ":files";

/**
 * The script of a shell. It knows nothing of the commands: it asks `dragoman` with the words so far, the last of which is
 * being typed, and gets a line `value<TAB>about` for each that fits.
 */
export function completionScript(shell: (typeof shells)[number], answerer: string): string {
  return scripts[shell].replaceAll("ANSWERER", answerer).replaceAll("FILES", filesMark);
}

const scripts = {
  bash: `_dragoman() {
  local line current="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  while IFS= read -r line; do
    line="\${line%%$'\\t'*}"
    if [[ $line == FILES ]]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$current")
    else
      COMPREPLY+=("$(printf '%q' "$line")")
    fi
  done < <(dragoman ANSWERER -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _dragoman dragoman
`,
  zsh: `#compdef dragoman
_dragoman() {
  local line
  local -a found
  for line in "\${(@f)$(dragoman ANSWERER -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    case "$line" in
      "") ;;
      FILES*) _files ;;
      *) found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}") ;;
    esac
  done
  (( $#found )) && _describe 'dragoman' found
}
compdef _dragoman dragoman
`,
  fish: `function __dragoman_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    for line in (dragoman ANSWERER -- $words[2..-1] "$current" 2>/dev/null)
        if string match -q 'FILES*' -- $line
            __fish_complete_path "$current"
        else
            echo $line
        end
    end
end
complete -c dragoman -f -a '(__dragoman_complete)'
`,
} as const;
