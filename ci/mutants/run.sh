# Descriptors, timers, run queues, park and ready, poking: mutants, for ci/mutants.sh.

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
    'if arrivals.closed {
            return Err(item);
        }' \
    ''
mutant grq-length-forgotten src/runq/global.rs idle::a_spinner_gives_up_as \
    'arrivals.list.push_back(item);
        self.arrivals.len.store(arrivals.list.len(), Ordering::Relaxed);' \
    'arrivals.list.push_back(item);'
mutant grq-moved-out-of-sight src/runq/global.rs runq::arrivals \
    'queue.append(&mut arrivals.list);
            self.queue.len.store(queue.len(), Ordering::Relaxed);
            // ORDER: pairs with `len`.
            self.arrivals.len.store(0, Ordering::Release);' \
    'queue.append(&mut arrivals.list);
            self.arrivals.len.store(0, Ordering::Release);
            self.queue.len.store(queue.len(), Ordering::Relaxed);'
mutant grq-move-not-release src/runq/global.rs runq::arrivals \
    'self.arrivals.len.store(0, Ordering::Release);' \
    'self.arrivals.len.store(0, Ordering::Relaxed);'
mutant grq-arrivals-left-behind src/runq/global.rs drop \
    'arrivals.closed = true;
        queue.append(&mut arrivals.list);' \
    'arrivals.closed = true;'

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
    'word == epoch.0 | POKED_WAITING && self.change_poked(epoch, WAITING, why as u64, poked)
    }' \
    'let _ = (word, epoch, why, poked);
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
