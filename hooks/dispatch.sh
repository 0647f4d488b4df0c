#!/bin/sh
# From `valuetrain hooks install`; `valuetrain hooks uninstall` takes it away. Node starts only where something is to be judged.
set +e; n=${0##*/} g=${GIT_DIR:-.git} h='' i='' w='' in='' me='' l='' node='@NODE@' hook='@HOOK@' chain='@CHAIN@' typed='@TYPED@'
[ -z "$VALUETRAIN_PROBE" ] || { echo "$n" >>"$VALUETRAIN_PROBE"; exit 0; }; case $n in pre-push | post-rewrite) in=$(cat 2>/dev/null) ;; esac
for c in "$0.chained" "${chain:+$chain/$n}"; do [ ! -x "$c" ] || { { true </dev/tty; } 2>/dev/null || w=$(command -v timeout); k=@LIMIT@
  printf "${in:+%s\n}" "$in" | ${w:+"$w" -k 5 $k} "$c" "$@" || { e=$?; [ "$w$e" != "${w:-x}124" ] || echo "valuetrain: $c was ended after $k s" >&2; exit $e; }; }; done
[ ! -r "$g/HEAD" ] || read -r h <"$g/HEAD"; case $h in 'ref: refs/heads/phase/'*_*) t=${h##*/} ;; *) t='' ;; esac; case $n$t$typed in prepare-commit-msg | commit-msg) exit 0 ;; esac
[ -x "$node" ] || node=$(command -v node); [ -x "$node" ] && [ -f "$hook" ] || case $n in pre-commit | pre-merge-commit | commit-msg | pre-push)
  echo "valuetrain: $n cannot judge: Node or its program is missing; run \`valuetrain hooks install\`" >&2; exit 1 ;; esac; unset NODE_OPTIONS NODE_EXTRA_CA_CERTS; export NODE_COMPILE_CACHE="${hook%/*}/cache"
who() { { read -r s <"/proc/$1/stat"; } 2>/dev/null || s="($(ps -o comm= -p "$1")) - $(ps -o ppid= -p "$1")"; set -- "$1" ${s##*)}
  case $s in *git\)*) me="$1.${21} " ;; *) [ "${3:-1}" -le 1 ] || who "$3" ;; esac; }
seen() { k=0; who $PPID; while read -r l; do case "$l " in "${me:-?}"*) return 0 ;; esac; k=$((k + 1)); done; l=''; return 1; }
gated() { c=$g d=$g/valuetrain/inbox; [ ! -f "$g/commondir" ] || { read -r c <"$g/commondir"; case $c in /*) ;; *) c=$g/$c ;; esac; }
  case $h in ref:*) { read -r i <"$c/${h#ref: }"; } 2>/dev/null ;; *) i=$h ;; esac; [ -d "$d" ] || mkdir -p "$d"; echo "${l#"${me% }"}" >"$d/gated-${i:-$(git rev-parse HEAD)}"; }
case $n in post-commit | post-merge) [ "$1" != 1 ] && [ ! "$GIT_CHERRY_PICK_HELP" -o ! -d "$g/rebase-merge" ] || exit 0; [ ! -f "$g/valuetrain-gated" ] || ! seen <"$g/valuetrain-gated" || { case $n$l in post-merge* | *' unjudged') ;; *) gated ;; esac; exit 0; } ;; esac
pass() { f=$g/valuetrain-gated; [ -f "$f" ] || : >"$f"; seen <"$f" || { [ "$k" -lt 4 ] || : >"$f"; echo "$me$1" >>"$f"; }; exit 0; }
case $n in pre-commit | pre-merge-commit) p=$(git -c core.bigFileThreshold=256k -c core.quotePath=false diff-index --cached --raw -p --no-abbrev --no-renames -U0 --no-ext-diff --output-indicator-new=% HEAD 2>/dev/null) && k=1 && [ ! "$t" -o ! -e "$g/MERGE_HEAD" -a "$n" = pre-commit ] || p='Binary files '
  [ ${#p} -lt 4096 ] && { set -f; IFS='
'; for q in $p; do case $q in @MAYBE@) k=''; break ;; esac; done; unset IFS; [ ! "$k" ] || pass; }
  printf '%s\n' "$p" | LC_ALL=C grep -qE '@RELEVANT@' || pass; a=$(printf '%s\n' "$p" | "$node" "$hook" "$n" "$@") && pass "$a"; exit 1 ;;
prepare-commit-msg) [ "$t" ] || exit 0; [ ! -f "$g/valuetrain-gated" ] || seen <"$g/valuetrain-gated"; a=${l#"${me% }"} a=${a# } a=${a%% *} a=${a#-}; set -- "$1" --if-exists doNothing --trailer "Valuetrain-Ticket: $t"; exec git interpret-trailers --in-place "$@" ${a:+--if-exists addIfDifferent --trailer "Valuetrain-Session: $a"} ;;
commit-msg) [ "$typed" ] || { k=0; while IFS= read -r q && [ $k -lt 200 ]; do k=$((k + 1)); case $q in '' | '#'*) ;; "Valuetrain-Ticket: $t") case $i in '' | Valuetrain-*) ;; *) exit 0 ;; esac ;; *) i=${i:-$q} ;; esac; done <"$1"; } ;;
post-checkout) [ -z "$t" ] || [ "$3" != 1 ] || echo "valuetrain: this is the branch of ticket $t; commits here are bound to it" >&2; exit 0 ;;
post-rewrite) [ -n "$t" ] || [ "$1" = rebase ] || for c in "$g"/valuetrain/inbox/hook-*; do [ ! -e "$c" ] || break; exit 0; done ;; esac
printf "${in:+%s\n}" "$in" | "$node" "$hook" "$n" "$@"
