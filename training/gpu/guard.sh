# Guards one lease on the machine that has the cards: starts the trainer when it is told, and ends everything when nobody
# beats any more. It depends on nothing but a POSIX shell, since whoever took the lease may be gone.
# Arguments: folder of the lease, its id, seconds without a heartbeat, seconds in all, cards.
umask 077
dir=$1 id=$2 ttl=$3 most=$4 cards=$5
cd "$dir" || exit 1
# Caught, not ignored: what is ignored would be ignored by the trainer, too.
trap : TERM HUP INT
date +%s >begun.new
echo $$ >guard
mv begun.new begun
begun=$(cat begun) idle=0 last='' started='' why=''

# Everything of this lease that still runs, also what left the process group.
marked() {
  grep -ls "VALUETRAIN_LEASE=$id" /proc/[0-9]*/environ 2>/dev/null | tr -dc '0-9\n'
}

while [ -z "$why" ]; do
  if [ -z "$started" ] && [ -f go ]; then
    started=yes
    (
      VALUETRAIN_LEASE=$id CUDA_VISIBLE_DEVICES=$cards sh ./go >log 2>&1 </dev/null
      echo $? >exit.new
      mv exit.new exit
    ) &
  fi
  # Looked at before the sleep, so that a heartbeat never waits for two rounds.
  beat=$(cat beat 2>/dev/null)
  if [ "$beat" = "$last" ]; then idle=$((idle + 1)); else idle=0 last=$beat; fi
  if [ -f exit ]; then why=trainer-ended
  elif [ -f stop ]; then why=stopped
  elif [ "$idle" -gt "$ttl" ]; then why=no-heartbeat
  elif [ $(($(date +%s) - begun)) -ge "$most" ]; then why=limit
  else sleep 1
  fi
done

kill -TERM 0
round=0
while [ "$round" -lt 8 ]; do
  left=$(marked)
  [ -z "$left" ] && break
  # Two seconds to end by themselves.
  [ "$round" -ge 2 ] && kill -KILL $left 2>/dev/null
  round=$((round + 1))
  sleep 1
done
for claim in ../card-*; do
  [ "$(cat "$claim" 2>/dev/null)" = "$id" ] && rm -f "$claim"
done
echo "$why $(date +%s)" >ended.new
mv ended.new ended
kill -KILL 0
