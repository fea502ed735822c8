#!/usr/bin/env bash
# Breaks each protocol on purpose, in a copy of the tree; its models (ci/loom.sh) must notice. What survives is a model that
# checks nothing, or code that nothing needs.
#
#   ci/mutants.sh            all
#   ci/mutants.sh idle       those with this in their name
#   ci/mutants.sh --part 1/12    every twelfth, from the first: the gate does another part on each commit
#
# A mutant whose old text is not there exactly once, or that does not compile, fails the step: it has to be brought up to date.
#
# Not here, because loom cannot see it, or it does not matter:
# - SeqCst for AcqRel at `Idle::counts`: loom takes all accesses for AcqRel, and only its fences are sequentially consistent;
#   the protocol needs no more, except for sysmon's nap, which is not modelled.
# - the orderings of `Ticket::claim`: `take`, which comes after it, acquires, too; whoever touches the waiter before that
#   holds its queue's lock; and whoever wins says so through a queue or a sleeper, which releases.
# - the acquire in `RawMutex::unlock_contended`: it takes minutes, LOOM_MAX_PREEMPTIONS=2 ci/loom.sh timed::nobody.
# - what becomes of a bell that its future has left to a holder: in a model each is lent once. `tests/all/future/cancel.rs` sees it.
# - the swap of `RawLock`: models use a compare-exchange in its place, see `prim`.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
tree=$root/target-mutants/tree
only=${1:-} part=0 parts=1
if [ "$only" = --part ]; then
    part=${2%/*} parts=${2#*/} only=
fi
seen=0
# The dependencies are the models'. (And so is the name of what is built of the crate, wherever the tree is: at the end the
# sources are touched, or ci/loom.sh would take the last mutant for them.)
export CARGO_TARGET_DIR=$root/${CARGO_TARGET_DIR:-target-loom}

rm -rf "$tree"
mkdir -p "$tree"
git ls-files --cached --others --exclude-standard -z | while IFS= read -r -d '' file; do
    [ ! -f "$file" ] || printf '%s\0' "$file"
done | tar --null -T - -cf - | tar -C "$tree" -xf -
log=$(mktemp)
trap 'rm -f "$log"; rm -rf "$tree"; touch "$root/src/lib.rs"' EXIT

killed=0
fail() {
    tail -n 40 "$log"
    echo "mutants.sh: $*"
    exit 1
}

# mutant NAME FILE MODELS OLD NEW: in FILE, OLD becomes NEW; one of MODELS must fail.
mutant() {
    local name=$1 file=$2 models=$3 old=$4 new=$5
    if [[ $name != *"$only"* ]]; then return 0; fi
    seen=$((seen + 1))
    if [ $((seen % parts)) -ne "$part" ]; then return 0; fi
    local text rest
    text=$(<"$tree/$file")
    rest=${text#*"$old"}
    : >"$log"
    if [ "$rest" = "$text" ]; then fail "$name: the old text is not in $file"; fi
    if [ "${rest#*"$old"}" != "$rest" ]; then fail "$name: the old text is in $file more than once"; fi
    printf '%s\n' "${text%%"$old"*}$new$rest" >"$tree/$file"
    local at=$SECONDS status=0
    # shellcheck disable=SC2086
    timeout 120 "$tree/ci/loom.sh" $models >"$log" 2>&1 || status=$?
    # Written anew, not copied: what cargo looks at is the time.
    printf '%s\n' "$text" >"$tree/$file"
    case $status in
        0) ${SURVEY:-fail} "$name SURVIVED $models" ;;
        1) ;;
        *) ${SURVEY:-fail} "$name: no answer from the models (status $status)" ;;
    esac
    local by
    by=$(sed -nE "s/^thread 'loom_tests::([a-z_:]+)'.* panicked .*/\1/p" "$log" | sort -u | paste -sd ' ')
    # Memory that is gone says it in its own way.
    [ -n "$by" ] || by=$(sed -nE 's/.*\((signal: (11|7|6), [A-Z]+).*/a crash, \1/p' "$log" | tail -n 1)
    if [ -z "$by" ]; then fail "$name: no model says what is wrong"; fi
    killed=$((killed + 1))
    echo "$name: killed by $by, $((SECONDS - at)) s"
}

# The lock and the sleeper.
mutant lock-not-acquire src/prim/lock.rs prim \
    'compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed)' \
    'compare_exchange(0, 1, Ordering::Relaxed, Ordering::Relaxed)'
mutant unlock-not-release src/prim/lock.rs prim \
    'self.held.store(0, Ordering::Release)' \
    'self.held.store(0, Ordering::Relaxed)'
mutant notify-not-release src/prim/sleeper.rs prim \
    'self.word.swap(Self::TOKEN, Ordering::AcqRel)' \
    'self.word.swap(Self::TOKEN, Ordering::Acquire)'
mutant second-token-overwritten src/prim/sleeper.rs prim \
    'self.word.swap(Self::EMPTY, Ordering::Acquire);
            return true;' \
    'self.word.store(Self::EMPTY, Ordering::Relaxed);
            return true;'
mutant sleeper-trusts-the-kernel src/prim/sleeper.rs prim \
    '.compare_exchange(Self::TOKEN, Self::EMPTY, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()' \
    '.compare_exchange(Self::TOKEN, Self::EMPTY, Ordering::Acquire, Ordering::Relaxed)
                .is_ok() || true'

mutant doze-by-store src/prim/sleeper.rs prim::a_dozer \
    'self.word.compare_exchange(Self::EMPTY, Self::DOZING, Ordering::AcqRel, Ordering::Acquire).is_ok()' \
    '{
            let empty = self.word.load(Ordering::Acquire) == Self::EMPTY;
            self.word.store(Self::DOZING, Ordering::Release);
            empty
        }'
mutant doze-not-release src/prim/sleeper.rs prim::a_dozer \
    'Self::DOZING, Ordering::AcqRel, Ordering::Acquire' \
    'Self::DOZING, Ordering::Acquire, Ordering::Acquire'
mutant doze-ends-by-store src/prim/sleeper.rs prim::a_dozer \
    'sleep();
        }
        self.word.swap(Self::EMPTY, Ordering::Acquire) == Self::TOKEN' \
    'sleep();
        }
        let told = self.word.load(Ordering::Acquire) == Self::TOKEN;
        self.word.store(Self::EMPTY, Ordering::Relaxed);
        told'
mutant doze-ends-not-acquire src/prim/sleeper.rs prim::a_dozer \
    'sleep();
        }
        self.word.swap(Self::EMPTY, Ordering::Acquire)' \
    'sleep();
        }
        self.word.swap(Self::EMPTY, Ordering::Relaxed)'
mutant dozer-not-kicked src/prim/sleeper.rs prim::a_dozer \
    'Self::DOZING => kick(),' \
    'Self::DOZING => drop(kick),'
mutant kick-not-acquire src/prim/sleeper.rs prim::a_dozer \
    'self.word.swap(Self::TOKEN, Ordering::AcqRel)' \
    'self.word.swap(Self::TOKEN, Ordering::Release)'

# The idle protocol.
mutant wake-without-fence src/sched/idle.rs idle::a_spinner_gives_up_as \
    'is seen here.
        fence(Ordering::SeqCst);' \
    'is seen here.'
mutant sleep-without-fence src/sched/idle.rs idle::a_spinner_gives_up_as \
    '// ORDER: pairs with the fence in `wake`.
        fence(Ordering::SeqCst);' \
    ''
mutant sleep-without-second-look src/sched/idle.rs idle::a_busy_m_goes \
    'if sleepy.work_queued() {' \
    'if false && sleepy.work_queued() {'
mutant stop-spinning-without-look src/sched/idle.rs idle::a_spinner_that_finds \
    'fetch_sub(Counts::SPIN, Ordering::SeqCst);
        self.wake_if(look)' \
    'fetch_sub(Counts::SPIN, Ordering::SeqCst);
        Woke::Nobody'
mutant look-without-fence src/sched/idle.rs 'idle::a_spinner_that_finds idle::a_p_is' \
    'fence(Ordering::SeqCst);
        if look() { self.wake() }' \
    'if look() { self.wake() }'
mutant spinner-for-a-moment src/sched/idle.rs idle::a_spinner_counted \
    'self.counts.fetch_sub(Counts::SPIN, Ordering::SeqCst);
        }' \
    'self.counts.fetch_sub(Counts::SPIN, Ordering::SeqCst);
            return Woke::Nobody;
        }'
mutant spinner-counted-out-late src/sched/idle.rs idle::a_spinner_gives_up_as \
    'let change = Counts::IDLE.wrapping_sub(if spinning { Counts::SPIN } else { 0 });
            self.counts.fetch_add(change, Ordering::SeqCst);
        }
        // ORDER: pairs with the fence in `wake`.
        fence(Ordering::SeqCst);
        if sleepy.work_queued() {' \
    'self.counts.fetch_add(Counts::IDLE, Ordering::SeqCst);
        }
        fence(Ordering::SeqCst);
        let found = sleepy.work_queued();
        self.counts.fetch_sub(if spinning { Counts::SPIN } else { 0 }, Ordering::SeqCst);
        if found {'
mutant bed-kept-in-the-list src/sched/idle.rs idle \
    'self.beds.swap_remove(at);' \
    'let _ = at;'
mutant close-without-flag src/sched/idle.rs idle::nobody_sleeps \
    'lists.closed = true;' \
    ''

# The keeper.
mutant keeper-sleeps-on src/sched/idle.rs keeper \
    'None => bed.sleep_for(keeper.until.left()),' \
    'None => bed.sleep_for(None),'
mutant keeper-still-said-to-be-there src/sched/idle.rs keeper \
    'if self.is_keeper(bed) {
            self.keeper = None;' \
    'if self.is_keeper(bed) {'
mutant keeper-never-displaced src/sched/idle.rs keeper::an_earlier \
    'Some(other) => until < other.until || (outside && !other.outside),' \
    'Some(other) => outside && !other.outside,'
mutant displaced-keeper-forgotten src/sched/idle.rs keeper \
    'lists.beds.extend(other.map(|other| other.bed));' \
    'drop(other);'
mutant keeper-also-in-the-list src/sched/idle.rs keeper \
    'if !wanted || !lists.remove_bed(bed) {' \
    'if !wanted {'
mutant close-forgets-the-keeper src/sched/idle.rs keeper::a_keeper_does \
    'beds.extend(keeper);' \
    'drop(keeper);'
mutant nobody-keeps src/sched/idle.rs keeper \
    'None => outside || until != Deadline::NEVER,' \
    'None => outside,'

# The keeper that waits outside.
mutant outside-not-kicked src/sched/bed.rs outside \
    'self.sleeper.notify_or(|| self.outside.get().into_iter().for_each(|outside| outside.kick()));' \
    'self.sleeper.notify();'
mutant outside-nobody src/sched/idle.rs outside \
    'let outside = outside && (self.all_idle_now() || lists.outside_wanted);' \
    'let outside = outside && lists.outside_wanted;'
mutant outside-beside-one-at-work src/sched/idle.rs outside::nobody_waits \
    'let outside = outside && (self.all_idle_now() || lists.outside_wanted);' \
    ''
mutant outside-not-when-there-is-a-keeper src/sched/idle.rs outside \
    'Some(other) => until < other.until || (outside && !other.outside),' \
    'Some(other) => until < other.until,'
mutant outside-displaced-forgotten src/sched/idle.rs outside::a_keeper \
    'lists.beds.extend(other.map(|other| other.bed));' \
    'drop(other);'
mutant outside-wanted-forgotten src/sched/idle.rs outside::one \
    'self.lists.lock().outside_wanted = yes;' \
    'let _ = yes;'
mutant outside-not-said src/sched/idle.rs outside::an_event_reaches \
    'let keeper = Keeper { bed: Arc::clone(bed), until, outside };' \
    'let keeper = Keeper { bed: Arc::clone(bed), until, outside: false };'
mutant outside-not-passed-on src/sched/idle.rs outside::an_event_comes_as \
    'sleepy.pass_on();' \
    ''
mutant outside-left-behind-at-the-close src/sched/idle.rs outside::nobody_who \
    'sleepy.pass_on();
            if told { None }' \
    'if told { return None; }
            sleepy.pass_on();
            if told { None }'
mutant outside-the-close-forgets-it src/sched/idle.rs outside::nobody_waits_outside_for \
    'beds.extend(keeper);' \
    'drop(keeper);'

mutant outside-past-the-time src/sched/idle.rs outside::time \
    'bed.sleep_outside(keeper.until.left(), &outside)' \
    'bed.sleep_outside(None, &outside)'

# Descriptors.
mutant net-event-not-noticed src/netpoll/desc.rs netdesc::an_event_is \
    'if self.events() != events {' \
    'if false && self.events() != events {'
mutant net-event-not-counted src/netpoll/desc.rs netdesc::an_event_is \
    'self.set(EVENT + odd, odd);
        claim' \
    'claim'
mutant net-event-for-who-waits-not-counted src/netpoll/desc.rs 'netdesc::an_event_is netdesc::two' \
    'self.set(EVENT + odd, odd);
        claim(&mut state, Wake::Handed)' \
    'let first = claim(&mut state, Wake::Handed);
        if first.is_none() {
            self.set(EVENT + odd, odd);
        }
        first'
mutant net-events-not-acquire src/netpoll/desc.rs netdesc::an \
    'Events(self.word.load(Ordering::Acquire) & !FLAGS)' \
    'Events(self.word.load(Ordering::Relaxed) & !FLAGS)'
mutant net-event-not-release src/netpoll/desc.rs netdesc::an \
    'self.word.store(word.wrapping_add(add), Ordering::Release)' \
    'self.word.store(word.wrapping_add(add), Ordering::Relaxed)'
mutant net-events-noted-too-late src/sched/netpoll.rs netdesc::an \
    'wait(events, until)?;' \
    'wait({ let _ = events; side.events() }, until)?;'
mutant net-empty-despite-the-end src/netpoll/desc.rs netdesc::an_emptied \
    'if events.0 & ODD == 0 {' \
    '{'
mutant net-emptied-as-of-now src/sched/netpoll.rs netdesc::an_emptied \
    'side.took_all(events);' \
    'side.took_all(side.events());'
mutant net-not-passed-on src/sched/netpoll.rs netdesc::an \
    'pass_on(side);
                return' \
    'return'
mutant net-timeout-not-unlinked src/sched/netpoll.rs netdesc \
    'unsafe { side.leave(node) };' \
    'let _ = node;'
mutant net-event-dies-with-its-waiter src/sched/netpoll.rs netdesc::an_event_outlives \
    'if why == Some(Wake::Handed) {' \
    'if why == Some(Wake::Closed) {'
mutant net-close-without-flag src/netpoll/desc.rs netdesc::nobody \
    'self.set(CLOSED, CLOSED);' \
    ''
mutant net-waits-past-the-close src/netpoll/desc.rs netdesc::nobody \
    'if let Err(ended) = self.check(&state) {
            return Enlisted' \
    'if false && let Err(ended) = self.check(&state) {
            return Enlisted'
mutant net-deadline-ignored src/netpoll/desc.rs netdesc::a_deadline_comes \
    'let until = until.min(state.limit());
        Enlisted' \
    'Enlisted'
mutant net-deadline-not-asked-for src/netpoll/desc.rs netdesc::a_deadline_comes \
    'if self.word.load(Ordering::Relaxed) & FLAGS != 0 {' \
    'if self.word.load(Ordering::Relaxed) & CLOSED != 0 {'
mutant net-deadline-unsaid src/netpoll/desc.rs netdesc::a_deadline_comes \
    'self.set(if timed { TIMED } else { 0 }, TIMED);' \
    'let _ = timed;'
mutant net-deadline-stays src/netpoll/desc.rs netdesc::a_deadline_goes \
    '|state| state.deadline = deadline)' \
    '|state| state.deadline = state.deadline.min(deadline))'
mutant net-told-of-the-deadline-for-the-end src/sched/netpoll.rs netdesc::a_deadline \
    'Wake::Handed | Wake::Retry => Ok(()),' \
    'Wake::Handed => Ok(()),
        Wake::Retry => Err(Ended::TimedOut),'

# Timers.
mutant timer-fires-without-claim src/timer/mod.rs timers::it_is \
    'if entry.who.ticket().claim(entry.epoch, Wake::Timeout) {' \
    'if entry.who.ticket().claim(entry.epoch, Wake::Timeout) || true {'
mutant timer-fires-early src/timer/mod.rs timers \
    'heap.pop_expired(now.nanos())' \
    'heap.pop_expired(u64::MAX)'
mutant timer-sweep-takes-the-living src/timer/mod.rs timers::a_sweep \
    'heap.retain(|entry| entry.who.ticket().look() == Seen::Waiting(entry.epoch))' \
    'heap.retain(|entry| entry.who.ticket().look() == Seen::Claimed)'
mutant timer-sweep-untold src/timer/mod.rs timers::what \
    'heap.retain(|entry| entry.who.ticket().look() == Seen::Waiting(entry.epoch));
        self.publish(&heap);' \
    'heap.retain(|entry| entry.who.ticket().look() == Seen::Waiting(entry.epoch));'
mutant timer-untold src/timer/mod.rs timers \
    'heap.push(when.nanos(), Entry { who, epoch });
        self.publish(&heap);' \
    'heap.push(when.nanos(), Entry { who, epoch });'

# Run queues.
mutant lrq-push-not-release src/runq/local.rs runq \
    'self.0.tail.store(tail + 1, Ordering::Release)' \
    'self.0.tail.store(tail + 1, Ordering::Relaxed)'
mutant lrq-steal-not-release src/runq/local.rs runq::stolen \
    'to.0.tail.store(own_tail + n - 1, Ordering::Release)' \
    'to.0.tail.store(own_tail + n - 1, Ordering::Relaxed)'
mutant lrq-take-by-store src/runq/local.rs runq \
    'let moved = self.head.compare_exchange(head, head + 1, Ordering::AcqRel, Ordering::Relaxed);' \
    'self.head.store(head + 1, Ordering::Release);
            let moved = Ok::<u64, u64>(head);'
mutant grq-push-after-close src/runq/global.rs drop \
    'if inner.closed {
            return Err(item);
        }' \
    ''
mutant grq-length-forgotten src/runq/global.rs idle::a_spinner_gives_up_as \
    'inner.list.push_back(item);
        self.len.store(inner.list.len(), Ordering::Relaxed);' \
    'inner.list.push_back(item);'

# Park and ready.
mutant arm-not-release src/g/ticket.rs park::a_timer \
    'self.0.store(epoch | WAITING, Ordering::Release)' \
    'self.0.store(epoch | WAITING, Ordering::Relaxed)'
mutant claim-ignores-the-epoch src/g/ticket.rs park::a_stale \
    'match self.0.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => true,' \
    'let _ = (old, new);
        match self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
            (word & STATE == WAITING).then_some(word & !STATE | why as u64)
        }) {
            Ok(_) => true,'
mutant claim-by-store src/g/ticket.rs park::of_sender \
    'match self.0.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => true,' \
    'let seen = self.0.load(Ordering::Acquire);
        if seen == old {
            self.0.store(new, Ordering::Release);
        }
        match if seen == old { Ok(seen) } else { Err(seen) } {
            Ok(_) => true,'
mutant epoch-stands-still src/g/ticket.rs park::a_stale \
    '((word & !STATE) + (STATE + 1)) | RUNNING' \
    '(word & !STATE) | RUNNING'
mutant armed-on-the-stack src/g/waiter.rs park \
    'let epoch = who.ticket().epoch();' \
    'let epoch = who.ticket().epoch();
        who.ticket().arm();'
mutant unlocked-before-armed src/sched/park.rs park::nobody \
    'ticket.arm();
    // SAFETY: the caller vouches.
    unsafe { lock.unlock() };' \
    '// SAFETY: the caller vouches.
    unsafe { lock.unlock() };
    ticket.arm();'
mutant unlinked-twice src/g/waitq.rs park::a_loser \
    'if !place.queued {
                return;
            }' \
    ''
mutant claimed-but-left-queued src/g/waitq.rs 'park chan' \
    'self.unlink(node);
            *node.as_ref().won.get_mut() = true;' \
    '*node.as_ref().won.get_mut() = true;'

# Poking.
mutant poked-not-to-be-won src/g/ticket.rs poke::a_waker \
    'Err(word) => {
                word == epoch.0 | POKED_WAITING && self.change_poked(epoch, WAITING, why as u64, poked)
            }' \
    'Err(_) => {
                let _ = poked;
                false
            }'
mutant poke-not-acquire src/g/ticket.rs poke::two_pokers \
    'self.0.compare_exchange(old, new, Ordering::Acquire, Ordering::Relaxed)
        };' \
    'self.0.compare_exchange(old, new, Ordering::Relaxed, Ordering::Relaxed)
        };'
mutant poked-and-readied-at-once src/g/ticket.rs poke::a_waker \
    'word & POKED == 0 || self.keep_from_poker(word)' \
    'word & POKED == 0 || true'
mutant ready-does-not-acquire src/g/ticket.rs poke::a_waker \
    'let word = self.0.load(Ordering::Acquire);
        word & POKED == 0' \
    'let word = self.0.load(Ordering::Relaxed);
        word & POKED == 0'
mutant readied-not-release src/g/ticket.rs poke::a_waker \
    'word | READIED, Ordering::Release, Ordering::Acquire' \
    'word | READIED, Ordering::Relaxed, Ordering::Acquire'
mutant readied-twice src/g/ticket.rs poke::a_waker \
    'word | READIED, Ordering::Release, Ordering::Acquire).is_err()' \
    'word | READIED, Ordering::Release, Ordering::Acquire).is_err() || true'
mutant let-go-forgets-to-ready src/g/ticket.rs poke::a_waker \
    'Ok(_) => return word & READIED != 0,' \
    'Ok(_) => return false,'
mutant let-go-not-release src/g/ticket.rs poke::a_waker \
    'let new = word & !(POKED | READIED);
            // ORDER: release pairs with `claim`, `poke`, `is_mine_to_ready`; acquire with `keep_from_poker`.
            match self.0.compare_exchange(word, new, Ordering::AcqRel, Ordering::Relaxed) {' \
    'let new = word & !(POKED | READIED);
            match self.0.compare_exchange(word, new, Ordering::Acquire, Ordering::Relaxed) {'
mutant held-by-two src/g/ticket.rs poke::of_two_holders \
    'held.is_ok()
            || (held' \
    'held.is_ok()
            || held == Err(epoch.0 | HELD)
            || (held'
mutant held-is-not-killed src/g/ticket.rs poke::who_is_held_is_killed \
    'word == epoch.0 | HELD
                    && self' \
    'false && word == epoch.0 | HELD
                    && self'
mutant let-go-by-store src/g/ticket.rs poke::a_waker \
    'match self.0.compare_exchange(word, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return word & READIED != 0,
                Err(now) => word = now,
            }' \
    'self.0.store(new, Ordering::Release);
            word = word & READIED;
            return word != 0;'

# Channels.
mutant close-after-the-waking src/chan/core.rs chan::a_close \
    'let first = !std::mem::replace(&mut self.state.lock().closed, true);' \
    'let first = !self.state.lock().closed;
        scopeguard::defer! { self.state.lock().closed = true; }'
mutant closed-not-seen src/chan/core.rs chan::a_close_races \
    'if state.closed {
            return Sent::Closed;' \
    'if state.closed && self.cap > 9 {
            return Sent::Closed;'
mutant unlocked-before-queued src/chan/core.rs chan::unbuffered \
    'let who = node.as_ref().who;
            queue(&mut state).keep(node);' \
    'let who = node.as_ref().who;
            drop(state);
            let mut state = self.state.lock();
            queue(&mut state).keep(node);'
mutant last-sender-counted-twice src/chan/handle.rs chan::the_last_sender \
    'self.0.senders.fetch_sub(1, Ordering::AcqRel) == 1' \
    '{
            let n = self.0.senders.load(Ordering::Acquire);
            self.0.senders.store(n - 1, Ordering::Release);
            n == 1
        }'

mutant chan-timeout-not-unlinked src/chan/core.rs timed::a \
    'queue(&mut self.state.lock()).unlink(node);' \
    ''
# Channels on which the clock sends.
mutant clock-value-stays src/chan/timer.rs timer_chan \
    'self.due = self.period.map(|period| next_tick(due, period, now));' \
    'self.due = self.due.map(|due| self.period.map_or(due, |period| next_tick(due, period, now)));'
mutant clock-looks-before-it-locks src/chan/timer.rs timer_chan::a_reset \
    'let until = state.deadline().min(limit);' \
    'let until = state.deadline().min(limit);
            drop(state);
            let mut state = self.0.lock();'
mutant clock-reset-wakes-nobody src/chan/timer.rs timer_chan::a_reset \
    'if earlier {' \
    'if false && earlier {'
mutant clock-reset-of-a-stopped-one-wakes-nobody src/chan/timer.rs timer_chan::a_reset \
    'before.is_none_or(|before| due.is_none_or(|due| due < before))' \
    'before.is_some_and(|before| due.is_none_or(|due| due < before))'
mutant clock-close-wakes-nobody src/chan/timer.rs timer_chan::a_close \
    'drop(state);
        if first {
            self.wake_all(Wake::Closed);' \
    'drop(state);
        if first {'
mutant clock-close-leaves-it-armed src/chan/timer.rs timer_chan::a_close \
    'if !state.is_pending(Deadline::now()) {' \
    'if false {'
mutant clock-reset-after-close src/chan/timer.rs timer_chan::a_close \
    'if state.closed { None } else { Some(Deadline::after(time)) }' \
    'Some(Deadline::after(time))'
mutant clock-timeout-not-unlinked src/chan/timer.rs timer_chan \
    'self.0.lock().receivers.unlink(NonNull::from(&node));' \
    ''

# Selects: the algorithm, claims, offers.
mutant select-keeps-its-losers src/g/waitq.rs select::the_loser \
    'queue.unlink(node);
                self.end();' \
    'let _ = queue;
                self.end();'
mutant select-unlocks-before-it-queues src/chan/select/mod.rs select::two_channels \
    '            match unsafe { self.park(until) } {' \
    '            unsafe { self.unlock_all() };
            self.lock_all();
            match unsafe { self.park(until) } {'
mutant select-takes-a-held-lock-for-an-answer src/chan/select/mod.rs select::a_lock \
    'return self.look_again();' \
    'self.sort_locks();
                self.lock_all();
                return None;'
mutant select-unlocked-before-armed src/sched/several.rs select \
    'parker.ticket.arm();
            // SAFETY: the caller vouches.
            unsafe { release(object) };' \
    '// SAFETY: the caller vouches.
            unsafe { release(object) };
            parker.ticket.arm();'
mutant select-looks-for-no-winner src/chan/select/mod.rs select::the_loser \
    'if winner.is_none() && unsafe { arm.was_handed() } {' \
    'if winner.is_none() && unsafe { arm.was_handed() || true } {'
mutant select-waits-for-no-clock src/chan/select/mod.rs select::the_clock_alone \
    'first = first.min(due);' \
    'let _ = due;'
mutant select-passes-nothing-on src/chan/select/mod.rs select::who_goes \
    'if woken {
                    self.pass_on();' \
    'if false {
                    self.pass_on();'
mutant offer-not-nudged-by-receivers src/chan/core.rs select::an_offer_meets_a_receiver \
    'state.nudge().into_iter().for_each(ready);
        // SAFETY: node and slot' \
    '// SAFETY: node and slot'
mutant offer-not-nudged-by-one-that-looked src/chan/core.rs select::a_claim_is_taken_back_beside \
    'state.nudge().into_iter().for_each(ready);
                match' \
    'match'
mutant offer-not-nudged-by-selects src/chan/select/recv.rs select::an_offer_meets_a_select \
    '(state.nudge(), Deadline::NEVER)' \
    '(None, Deadline::NEVER)'
mutant offer-not-nudged-by-room src/chan/core.rs select::an_offer_meets_room_alone \
    'buffered.then(|| self.nudge())' \
    'buffered.then_some(None)'
mutant offer-deaf-to-a-close src/chan/core.rs select::a_close_comes_as \
    '[&mut state.receivers, &mut state.senders, &mut state.offers]' \
    '[&mut state.receivers, &mut state.senders]'
mutant claim-forgotten src/chan/promise.rs select::a_claim \
    'let won = node.as_ref().claim_held(Wake::Retry);' \
    'let won = false;'
mutant claim-ended-by-a-value-that-is-none src/chan/promise.rs select::a_claim \
    'node.as_ref().claim_held(Wake::Retry)' \
    'node.as_ref().claim_held(Wake::Closed)'
mutant claimed-is-told-of-a-close-before-a-value src/chan/promise.rs select::a_value_and_a_close \
    'unsafe { self.take_back(Promise::Receiver(node)) };' \
    'unsafe {
                if node.as_ref().claim_held(Wake::Closed) {
                    self.state.lock().receivers.unlink(node);
                    ready(node.as_ref().who);
                }
            }'
mutant claimed-looks-not-again src/chan/core.rs select::a_claim \
    'Wake::Retry => self.look_again(node, until),
                why => why,' \
    'Wake::Retry if self.cap > 9 => self.look_again(node, until),
                why => why,'
mutant room-forgotten src/chan/promise.rs select::room \
    'Promise::Room => {
                state.reserved -= 1;' \
    'Promise::Room => {'
mutant room-given-back-to-nobody src/chan/promise.rs select::room_given \
    'state.reserved -= 1;
                state.room_made(self.cap)' \
    'state.reserved -= 1;
                None'
mutant select-passes-nothing-on-with-a-value src/chan/select/mod.rs select::who_is_left \
    'let other = arm.pass_on();
                lock.unlock();
                other
            };
            other.into_iter().for_each(ready);
        }
        winner' \
    'lock.unlock();
                None::<Who>
            };
            other.into_iter().for_each(ready);
        }
        winner'
mutant turn-of-nobody src/chan/promise.rs select::who_lets \
    'match next.is_none() && !self.senders.is_empty() {' \
    'match false {'
mutant turn-left-to-a-receiver src/chan/promise.rs select::who_lets \
    'true if receivers => self.receivers.nudge_first(),' \
    'true if receivers => None,'
mutant room-promised-twice src/chan/core.rs select::room_is_promised \
    'self.buf.len() + self.reserved < cap' \
    'self.buf.len() < cap'

# Ps that come and go, Ms that wait for a certain goroutine.
mutant procs-count-forgotten src/sched/idle.rs procs::the_count \
    'self.counts.fetch_add(change, Ordering::SeqCst);
        out' \
    'let _ = change;
        out'
mutant procs-new-ones-stay-retired src/sched/idle.rs procs::another_p \
    'lists.ps.extend(back);' \
    'lists.retired.extend(back);'
mutant procs-at-home-after-the-close src/sched/idle.rs procs::nobody_waits \
    'if lists.closed {
                return None;
            }
            lists.at_home' \
    'lists.at_home'
mutant procs-forgotten-at-home src/sched/idle.rs procs::nobody_waits \
    'beds.append(&mut lists.at_home);' \
    ''
mutant procs-forgotten-between-lists src/sched/idle.rs procs::nobody_is \
    'drop(lists);
            bed.wake_with(None);
            return Err(errand);' \
    'return Err(errand);'
mutant procs-handed-to-nobody src/sched/idle.rs procs::a_t \
    'bed.wake_with(Some(p));
        Ok(())' \
    'let _ = (bed, p);
        Ok(())'

# Ownership of a P.
mutant own-enter-without-fence src/sched/own.rs own \
    'self.inside.store(1, Ordering::Relaxed);
        light_fence();' \
    'self.inside.store(1, Ordering::Relaxed);'
mutant own-take-without-fence src/sched/own.rs own \
    'Ordering::Relaxed).ok()?;
        heavy_fence();' \
    'Ordering::Relaxed).ok()?;'
mutant own-taken-from-inside src/sched/own.rs own \
    'if self.inside.load(Ordering::Acquire) == 0
            && self' \
    'if self'
mutant own-taken-whatever-the-m-says src/sched/own.rs own \
    'Err(GONE) => return false,' \
    'Err(GONE) => return true,'
mutant own-leave-not-release src/sched/own.rs own \
    'self.inside.store(0, Ordering::Release)' \
    'self.inside.store(0, Ordering::Relaxed)'
mutant own-give-back-not-release src/sched/own.rs own::it_comes_back \
    'self.word.store(HELD, Ordering::Release);
    }
}' \
    'self.word.store(HELD, Ordering::Relaxed);
    }
}'
mutant own-borrower-not-waited-for src/sched/own.rs own::it_comes_back \
    'Ok(_) | Err(HELD) => return true,' \
    'Ok(_) | Err(HELD | BORROWED) => return true,'

# Mutex and WaitGroup.
mutant mutex-not-acquire src/sync/raw_mutex.rs mutex \
    'self.state.compare_exchange(0, LOCKED, Ordering::Acquire, Ordering::Relaxed)' \
    'self.state.compare_exchange(0, LOCKED, Ordering::Relaxed, Ordering::Relaxed)'
mutant mutex-not-release src/sync/raw_mutex.rs mutex \
    'self.state.fetch_sub(LOCKED, Ordering::Release)' \
    'self.state.fetch_sub(LOCKED, Ordering::Relaxed)'
mutant mutex-contended-not-acquire src/sync/raw_mutex.rs mutex \
    'match self.state.compare_exchange(state, new, Ordering::Acquire, Ordering::Relaxed)' \
    'match self.state.compare_exchange(state, new, Ordering::Relaxed, Ordering::Relaxed)'
mutant mutex-waiter-ignored src/sync/raw_mutex.rs mutex \
    'if before != LOCKED {' \
    'if before & STARVING != 0 {'
mutant mutex-contended-forgotten src/sync/raw_mutex.rs mutex \
    'let new = (state | CONTENDED | starving)' \
    'let new = (state | starving)'
mutant mutex-woken-for-ever src/sync/raw_mutex.rs mutex \
    'let new = (state | LOCKED) & if awake { !WOKEN } else { !0 };' \
    'let new = state | LOCKED;'
mutant mutex-queues-beside-a-free-one src/sync/raw_mutex.rs mutex \
    'if state & (LOCKED | STARVING) == 0 {
                return None;
            }
            let starving' \
    'let starving'
mutant mutex-handed-over-and-freed src/sync/raw_mutex.rs mutex \
    'if node.is_some() && hand_over {' \
    'if false {'
mutant mutex-starving-for-nobody src/sync/raw_mutex.rs timed::nobody_behind_a_starving \
    'None if hand_over => STARVING,' \
    'None if hand_over => 0,'
mutant mutex-gives-up-awake src/sync/raw_mutex.rs timed::one \
    'if awake {
            self.state.fetch_and(!WOKEN, Ordering::Relaxed);
        }' \
    'let _ = awake;'
mutant mutex-gives-up-without-a-look src/sync/raw_mutex.rs timed::one \
    'finds nobody awake.
        self.try_lock()' \
    'finds nobody awake.
        !awake && self.try_lock()'
mutant mutex-last-waiter-leaves-flags src/sync/raw_mutex.rs timed::all_that \
    'unsafe { queue.unlink(node) };
        if queue.is_empty() {' \
    'unsafe { queue.unlink(node) };
        if false {'
mutant mutex-any-waiter-takes-flags src/sync/raw_mutex.rs 'timed::nobody timed::two' \
    'unsafe { queue.unlink(node) };
        if queue.is_empty() {' \
    'unsafe { queue.unlink(node) };
        {'
mutant mutex-timeout-not-unlinked src/sync/raw_mutex.rs timed \
    'unsafe { queue.unlink(node) };' \
    'let _ = node;'
mutant mutex-handed-over-too-late src/sync/raw_mutex.rs timed::two_lockers \
    'state & LOCKED == 0 && (state & STARVING != 0 || state & (CONTENDED | WOKEN) == CONTENDED)' \
    'state & STARVING != 0 || state & (CONTENDED | WOKEN | LOCKED) == CONTENDED'
mutant waitgroup-timeout-not-unlinked src/sync/waitgroup.rs timed::a_wait \
    'self.0.waiters.lock().unlink(NonNull::from(&node));' \
    ''
mutant waitgroup-without-second-look src/sync/waitgroup.rs waitgroup::the_waiter \
    'if self.0.count.load(Ordering::Acquire) == 0 {
            drop(waiters);' \
    'if false {
            drop(waiters);'
mutant waitgroup-not-release src/sync/waitgroup.rs waitgroup::the_waiter \
    'self.0.count.fetch_sub(1, Ordering::AcqRel)' \
    'self.0.count.fetch_sub(1, Ordering::Acquire)'
mutant waitgroup-late-done src/sync/waitgroup.rs waitgroup::a_late \
    'match self.0.count.load(Ordering::Acquire) {
                0 =>' \
    'match 0 {
                0 =>'

# Semaphore, Condvar, RwLock, Once.
mutant semaphore-overtakes src/sync/semaphore.rs semaphore::nobody \
    'if wanted > self.free {
                    return None;
                }' \
    'if wanted > self.free {
                    self.requests.unlink(node);
                    continue;
                }'
mutant semaphore-gives-up-in-silence src/sync/semaphore.rs semaphore::one_that \
    '// It may have been what those behind it waited for.
        self.grant();' \
    ''
mutant semaphore-timeout-not-unlinked src/sync/semaphore.rs semaphore \
    'unsafe { self.0.lock().requests.unlink(NonNull::from(&node)) };' \
    ''
mutant semaphore-permits-not-taken src/sync/semaphore.rs 'semaphore::one_p semaphore::it_is' \
    'self.free -= wanted;
                    return' \
    'return'
mutant condvar-queues-too-late src/sync/condvar.rs condvar::what \
    'let mut queue = self.queue.lock();
        let place' \
    'let none = Heir { act: Self::inherit, of: std::ptr::null() };
        guard.unlocked(NonNull::from(&none), || {});
        let mut queue = self.queue.lock();
        let place'
mutant condvar-parks-though-notified src/sync/condvar.rs condvar::what \
    'if place.notified.get() != Notified::No {
                drop(queue);' \
    'if false {
                drop(queue);'
mutant condvar-awake-means-lost src/sync/condvar.rs condvar::what \
    'if who.ticket().look() != Seen::Dead {' \
    'if false && who.ticket().look() != Seen::Dead {'
mutant condvar-timed-out-means-not-notified src/sync/condvar.rs condvar::who_gives_up \
    'self.note(&queue);
            place.notified.get() != Notified::No' \
    'self.note(&queue);
            false'
mutant condvar-nobody-noted src/sync/condvar.rs condvar::what \
    'unsafe { queue.waiters.push_back(NonNull::from(&node)) };
        self.note(&queue);' \
    'unsafe { queue.waiters.push_back(NonNull::from(&node)) };'
mutant rwlock-read-not-acquire src/sync/raw_rwlock.rs rwlock::a_writer_and \
    'self.state.compare_exchange(state, state + READER, Ordering::Acquire, Ordering::Relaxed)' \
    'self.state.compare_exchange(state, state + READER, Ordering::Relaxed, Ordering::Relaxed)'
mutant rwlock-read-not-release src/sync/raw_rwlock.rs rwlock::a_writer_and \
    'self.state.fetch_sub(READER, Ordering::Release)' \
    'self.state.fetch_sub(READER, Ordering::Relaxed)'
mutant rwlock-write-not-release src/sync/raw_rwlock.rs rwlock::a_writer_and \
    'self.state.compare_exchange(WRITER, 0, Ordering::Release, Ordering::Relaxed)' \
    'self.state.compare_exchange(WRITER, 0, Ordering::Relaxed, Ordering::Relaxed)'
mutant rwlock-let-in-not-release src/sync/raw_rwlock.rs rwlock::a \
    'self.state.fetch_and(!gone, Ordering::Release)' \
    'self.state.fetch_and(!gone, Ordering::Relaxed)'
mutant rwlock-queues-unseen src/sync/raw_rwlock.rs rwlock::a_writer_and \
    '(state & WRITER != 0).then_some(state | QUEUED)' \
    '(state & WRITER != 0).then_some(state)'
mutant rwlock-queues-beside-a-free-one src/sync/raw_rwlock.rs rwlock::a_writer_and \
    '(state & WRITER != 0).then_some(state | QUEUED)' \
    'Some(state | QUEUED)'
mutant rwlock-writer-without-second-look src/sync/raw_rwlock.rs rwlock::a \
    'if self.state.load(Ordering::Acquire) < READER {' \
    'if false {'
mutant rwlock-late-reader-wakes src/sync/raw_rwlock.rs rwlock::a_late \
    'if self.state.load(Ordering::Relaxed) >= READER {' \
    'if false {'
mutant rwlock-let-in-uncounted src/sync/raw_rwlock.rs rwlock::a \
    'self.state.fetch_add(n * READER, Ordering::Relaxed);' \
    ''
mutant rwlock-gives-up-and-stays src/sync/raw_rwlock.rs rwlock::a_writer_g \
    'self.unlock_write();
        false' \
    'false'
mutant rwlock-writer-timeout-not-unlinked src/sync/raw_rwlock.rs rwlock::a_writer_g \
    'unsafe { self.queue.lock().writer.unlink(NonNull::from(&node)) };' \
    ''
mutant rwlock-reader-timeout-not-unlinked src/sync/raw_rwlock.rs rwlock::a_reader_g \
    'unsafe { self.queue.lock().readers.unlink(NonNull::from(&node)) };' \
    ''
mutant once-not-release src/sync/once.rs once \
    'self.0.store(self.1, Ordering::Release)' \
    'self.0.store(self.1, Ordering::Relaxed)'
mutant once-not-acquire src/sync/once.rs once \
    'self.state.load(Ordering::Acquire) == DONE' \
    'self.state.load(Ordering::Relaxed) == DONE'
mutant once-without-second-look src/sync/once.rs once \
    'DONE => return,' \
    'DONE if self.is_completed() && false => return,'

# Context.
mutant context-takes-children-first src/sync/context.rs context::a_child_hears \
    'if one.end_as(how).is_err() {
                continue;
            }
            one.clock.end();
            let children = std::mem::take(&mut one.children.lock().places);' \
    'let children = std::mem::take(&mut one.children.lock().places);
            if one.end_as(how).is_err() {
                continue;
            }
            one.clock.end();'
mutant context-child-enters-unseen src/sync/context.rs context::a_child_hears \
    'if ended != GOES_ON {
            child.end_all(ended);
        }' \
    ''
mutant context-cancel-tells-nobody src/sync/context.rs context::all \
    'one.clock.end();
            let' \
    'let'
mutant context-watchers-not-told src/sync/context.rs context::a_watcher \
    'watcher.upgrade().into_iter().for_each(|one| one.canceled())' \
    'drop(watcher)'
mutant context-not-release src/sync/context.rs context::a_look \
    'self.end.compare_exchange(GOES_ON, how, Ordering::AcqRel, Ordering::Acquire)' \
    'self.end.compare_exchange(GOES_ON, how, Ordering::Acquire, Ordering::Acquire)'
mutant context-ends-twice src/sync/context.rs context::it_ends \
    'GOES_ON if self.due.has_passed() => self.end_as(EXCEEDED).unwrap_or_else(|was| was),' \
    'GOES_ON if self.due.has_passed() => EXCEEDED,'
mutant clock-end-wakes-nobody src/chan/timer.rs context::all \
    'if first {
            self.wake_all(Wake::Closed);
        }
    }

    pub(super)' \
    'let _ = first;
    }

    pub(super)'

# Futures.
mutant block-on-forgets-a-wake src/task/future.rs future::a_wake \
    'None => state.woken = true,' \
    'None => {}'
mutant block-on-waits-though-woken src/task/future.rs future::a_wake \
    'if std::mem::take(&mut state.woken) {' \
    'if false {'
mutant block-on-unlocks-before-it-waits src/task/future.rs future::a_wake \
    'return yield_now();
        }' \
    'return yield_now();
        }
        drop(state);
        let mut state = self.0.lock();'
mutant bell-deaf-to-another-task src/g/bell.rs future::a_receive_changes \
    'is_some_and(|mine| mine.will_wake(waker)) {' \
    'is_some_and(|mine| mine.will_wake(waker) || true) {'
mutant bell-deaf-to-another-task-at-the-end src/g/bell.rs drop::an_end \
    'is_some_and(|mine| mine.will_wake(waker)) {' \
    'is_some_and(|mine| mine.will_wake(waker) || true) {'
mutant task-looks-before-it-listens src/chan/future.rs future::a_receive_changes \
    'bell.listen(cx.waker());
                bell
            }
            Wait::Over => panic!("a RecvFuture was polled after it was ready"),
        };' \
    'bell
            }
            Wait::Over => panic!("a RecvFuture was polled after it was ready"),
        };
        scopeguard::defer! { bell.listen(cx.waker()); }'
mutant task-nudges-no-offer src/chan/future.rs future::an_offer \
    '(Poll::Pending, state.nudge())' \
    '(Poll::Pending, None)'
mutant task-waits-unlocked src/chan/future.rs future::two_tasks \
    'bell.wait_in(&mut state.receivers, slot.get().cast());
                        (Poll::Pending, state.nudge())' \
    'drop(state);
                        let mut state = self.state.lock();
                        bell.wait_in(&mut state.receivers, slot.get().cast());
                        return Poll::Pending'
mutant dropped-receive-loses-its-value src/chan/future.rs future::what_a_dropped \
    '(left, state.put_back(slot.get().cast()))' \
    '(left, None)'
mutant dropped-receive-stays-in-the-queue src/g/bell.rs future::what_a_dropped \
    'unsafe { self.node.get().into_iter().for_each(|node| queue.unlink(node)) };' \
    'let _ = &queue;'
mutant come-back-to-the-end src/chan/core.rs future::what_comes_back_is \
    'self.buf.push_front(value.read());' \
    'self.buf.push_back(value.read());'
mutant come-back-past-who-waits src/chan/core.rs future::what_a_dropped \
    'let receiver = self.receivers.claim_first(Wake::Handed);
        // SAFETY: as in `put`.' \
    'let receiver = None::<NonNull<Waiter>>;
        // SAFETY: as in `put`.'
mutant come-back-makes-room src/chan/core.rs future::what_comes_back_is \
    'if buffered && !self.has_room(cap) {' \
    'if false {'
mutant come-back-takes-promised-room src/chan/promise.rs future::what_comes_back_takes \
    'state.put(&raw const *value, usize::MAX)' \
    'state.put(&raw const *value, self.cap)'
mutant held-task-lives-on src/g/bell.rs future::a_receive_is_dropped_while \
    'let killed = self.ticket.kill(epoch);' \
    'let _ = epoch;
                let killed = true;'
mutant dropped-send-is-received-and-dropped src/chan/future.rs future::a_dropped_send \
    'left != Left::Free(Some(Wake::Handed))' \
    'left != Left::Held'
mutant dropped-send-keeps-its-value src/chan/future.rs future::a_dropped_send \
    'left != Left::Free(Some(Wake::Handed))' \
    'left == Left::Held'
mutant end-reads-the-bell-too-late src/g/status.rs drop::an_end \
    'let bell = (before & BELL != 0).then(&bell);
            // ORDER: release: the result, for `is_done` and `detach`.
            match self.0.compare_exchange(before, before | DONE, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) if before & JOINER != 0 => return End::Joined,
                Ok(_) => return bell.map_or(End::Handles, End::Rings),' \
    'match self.0.compare_exchange(before, before | DONE, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) if before & JOINER != 0 => return End::Joined,
                Ok(_) if before & BELL == 0 => return End::Handles,
                Ok(_) => return End::Rings(bell()),'
mutant end-rings-for-nobody-who-comes-late src/g/status.rs drop::an_end \
    'self.0.fetch_or(BELL, Ordering::AcqRel) & DONE == 0' \
    '{
            self.0.fetch_or(BELL, Ordering::AcqRel);
            true
        }'
mutant bell-not-published src/g/status.rs drop::an_end \
    'self.0.fetch_or(BELL, Ordering::AcqRel)' \
    'self.0.fetch_or(BELL, Ordering::Acquire)'

# The end of a goroutine, and of a runtime.
mutant result-not-published src/g/status.rs drop::a \
    'before | DONE, Ordering::AcqRel, Ordering::Acquire' \
    'before | DONE, Ordering::Acquire, Ordering::Acquire'
mutant detach-in-two-steps src/g/status.rs drop::a_detached \
    'self.0.fetch_and(!HANDLE, Ordering::AcqRel)' \
    '{
            let before = self.0.load(Ordering::Acquire);
            self.0.store(before & !HANDLE, Ordering::Release);
            before
        }'
mutant joiner-not-seen src/g/status.rs drop::a_join \
    'self.0.fetch_or(JOINER, Ordering::AcqRel) & DONE == 0' \
    '{
            self.0.fetch_or(JOINER, Ordering::AcqRel);
            true
        }'
mutant sweep-does-not-wait src/sched/close.rs drop::a_waker \
    'if !waiting() {
            return;
        }' \
    'if !waiting() || true {
            return;
        }'
mutant sweep-looks-at-the-owner-first src/sched/close.rs drop::a_reused \
    'let seen = ticket.look();
    if !ours() {
        return false;
    }' \
    'if !ours() {
        return false;
    }
    let seen = ticket.look();'
mutant kill-of-the-claimed src/g/ticket.rs drop \
    'match self.0.compare_exchange(epoch.0 | WAITING, epoch.0 | DEAD, Ordering::AcqRel, Ordering::Relaxed)
        {
            Ok(_) => true,' \
    'match Ok::<u64, u64>(self.0.swap(epoch.0 | DEAD, Ordering::AcqRel))
        {
            Ok(word) => word != epoch.0 | DEAD,'

if [ "$killed" -eq 0 ]; then
    echo "no such mutant: $only"
    exit 1
fi
echo "$killed passed, 0 failed"
