#!/bin/sh
# From `valuetrain hooks install`; `valuetrain hooks uninstall` takes it away. Node starts only where something is to be judged.
n=${0##*/} g=${GIT_DIR:-.git} in='' me='' l='' node='@NODE@' hook='@HOOK@' chain='@CHAIN@' typed='@TYPED@'
[ "$n" != dispatch ] || { n=$1; shift; }
[ -z "$VALUETRAIN_PROBE" ] || { echo "$n" >>"$VALUETRAIN_PROBE"; exit 0; }
case $n in pre-push | post-rewrite) in=$(cat 2>/dev/null) ;; esac
for c in "$0.chained" "${chain:+$chain/$n}"; do [ ! -x "$c" ] || printf "${in:+%s\n}" "$in" | "$c" "$@" || exit; done
who() { { read -r s <"/proc/$1/stat"; } 2>/dev/null || s="($(ps -o comm= -p "$1")) - $(ps -o ppid= -p "$1")"; set -- "$1" ${s##*)}
  case $s in *git\)*) me="$1.${21} " ;; *) [ "${3:-1}" -le 1 ] || who "$3" ;; esac; }
seen() { k=0; who $PPID; while read -r l; do case "$l " in "${me:-?}"*) return 0 ;; esac; k=$((k + 1)); done; l=''; return 1; }
pass() { f=$g/valuetrain-gated; [ -f "$f" ] || : >"$f"; seen <"$f" || { [ "$k" -lt 9 ] || : >"$f"; echo "$me$1" >>"$f"; }; exit 0; }
[ ! -r "$g/HEAD" ] || read -r h <"$g/HEAD"; case $h in 'ref: refs/heads/phase/'*_*) t=${h##*/} ;; *) t='' ;; esac
[ -x "$node" ] || node=$(command -v node); [ -x "$node" ] && [ -f "$hook" ] || case $n in pre-commit | pre-merge-commit | commit-msg | pre-push)
  echo "valuetrain: $n cannot judge: Node or its program is missing; run \`valuetrain hooks install\`" >&2; exit 1 ;; esac
unset NODE_OPTIONS NODE_EXTRA_CA_CERTS; case $n in
pre-commit | pre-merge-commit) { git diff-index --cached -p -U0 HEAD && [ ! "$t" -o ! -e "$g/MERGE_HEAD" -a "$n" = pre-commit ] || echo 'diff --git a/.valuetrain/'; } 2>/dev/null |
  LC_ALL=C grep -qE '@RELEVANT@' || pass; a=$("$node" "$hook" "$n" "$@") && pass "$a"; exit 1 ;;
prepare-commit-msg) [ -n "$t" ] || exit 0; [ ! -f "$g/valuetrain-gated" ] || seen <"$g/valuetrain-gated"; a=${l#"${me% }"} a=${a# }; set -- "$1" --if-exists doNothing --trailer "Valuetrain-Ticket: $t"
  exec git interpret-trailers --in-place "$@" ${a:+--if-exists addIfDifferent --trailer "Valuetrain-Session: $a"} ;;
commit-msg) [ -n "$t$typed" ] || exit 0; case $typed$(LC_ALL=C grep -m1 '^[^#]' "$1") in Valuetrain-* | '' | conventional*) ;;
  *) LC_ALL=C grep -qx "Valuetrain-Ticket: $t" "$1" && exit 0 ;; esac ;;
post-commit | post-merge) [ "$1" != 1 ] && [ ! "$GIT_CHERRY_PICK_HELP" -o ! -d "$g/rebase-merge" ] || exit 0; [ ! -f "$g/valuetrain-gated" ] || ! seen <"$g/valuetrain-gated" || exit 0 ;;
post-checkout) [ -z "$t" ] || [ "$3" != 1 ] || echo "valuetrain: this is the branch of ticket $t; commits here are bound to it" >&2; exit 0 ;;
post-rewrite) [ -n "$t" ] || [ "$1" = rebase ] || for c in "$g"/valuetrain/inbox/hook-*; do [ ! -e "$c" ] || break; exit 0; done ;; esac
printf "${in:+%s\n}" "$in" | "$node" "$hook" "$n" "$@"
