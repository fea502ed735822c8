# The rest of sync: mutants, for ci/mutants.sh.

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
    'if awake || state & CONTENDED == 0 { WOKEN }' \
    'if state & CONTENDED == 0 { WOKEN }'
mutant mutex-queues-beside-a-free-one src/sync/raw_mutex.rs mutex \
    'if state & (LOCKED | STARVING) == 0 {
                return None;
            }
            let new = (state | CONTENDED' \
    'let new = (state | CONTENDED'
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
    'self.state.compare_exchange(ALONE, 0, Ordering::Release, Ordering::Relaxed)' \
    'self.state.compare_exchange(ALONE, 0, Ordering::Relaxed, Ordering::Relaxed)'
mutant rwlock-write-not-acquire src/sync/raw_rwlock.rs rwlock::t \
    'self.state.compare_exchange(0, ALONE, Ordering::Acquire, Ordering::Relaxed)' \
    'self.state.compare_exchange(0, ALONE, Ordering::Relaxed, Ordering::Relaxed)'
mutant rwlock-let-in-not-release src/sync/raw_rwlock.rs rwlock::a \
    'self.state.fetch_and(!BARRED, Ordering::Release)' \
    'self.state.fetch_and(!BARRED, Ordering::Relaxed)'
mutant rwlock-last-reader-not-acquire src/sync/raw_rwlock.rs rwlock::a \
    'let state = self.state.load(Ordering::Acquire);' \
    'let state = self.state.load(Ordering::Relaxed);'
mutant rwlock-door-not-acquire src/sync/raw_rwlock.rs rwlock::a \
    'self.state.fetch_or(BARRED | WAITS, Ordering::Acquire)' \
    'self.state.fetch_or(BARRED | WAITS, Ordering::Relaxed)'
mutant rwlock-queues-unseen src/sync/raw_rwlock.rs rwlock::a_writer_and \
    '(state & BARRED != 0).then_some(state | QUEUED)' \
    '(state & BARRED != 0).then_some(state)'
mutant rwlock-queues-beside-a-free-one src/sync/raw_rwlock.rs rwlock::a_writer_and \
    '(state & BARRED != 0).then_some(state | QUEUED)' \
    'Some(state | QUEUED)'
mutant rwlock-looks-before-it-bars src/sync/raw_rwlock.rs rwlock::a \
    'let before = self.state.fetch_or(BARRED | WAITS, Ordering::Acquire);' \
    'let before = self.state.load(Ordering::Acquire);
        self.state.fetch_or(BARRED | WAITS, Ordering::Acquire);'
mutant rwlock-enters-beside-a-writer src/sync/raw_rwlock.rs rwlock::a \
    'if before < READER && before & WRITING == 0 {' \
    'if before < READER {'
mutant rwlock-late-reader-wakes src/sync/raw_rwlock.rs rwlock::a_late \
    'if state < READER && state & WRITING == 0 {' \
    'if state & WRITING == 0 {'
mutant rwlock-early-reader-wakes src/sync/raw_rwlock.rs rwlock:: \
    'if state < READER && state & WRITING == 0 {' \
    'if state < READER {'
mutant rwlock-let-in-uncounted src/sync/raw_rwlock.rs rwlock::a \
    'self.state.fetch_add(n * READER, Ordering::Relaxed);' \
    ''
mutant rwlock-lets-all-in-beside-the-door src/sync/raw_rwlock.rs rwlock:: \
    'if !waits {
                // ORDER' \
    'if true {
                // ORDER'
mutant rwlock-forgets-who-came-late src/sync/raw_rwlock.rs rwlock:: \
    'let stay = waits && !queue.readers.is_empty();' \
    'let stay = false;'
mutant rwlock-waits-for-who-gave-up src/sync/raw_rwlock.rs rwlock::a_reader_g \
    'let stay = waits && !queue.readers.is_empty();' \
    'let stay = !queue.readers.is_empty();'
mutant rwlock-writing-until-the-first-is-in src/sync/raw_rwlock.rs rwlock:: \
    'if n < READY_BATCH {' \
    'if true {'
mutant rwlock-forgets-the-door src/sync/raw_rwlock.rs rwlock:: \
    'if waits && before < READER {' \
    'if false {'
mutant rwlock-gives-up-and-stays src/sync/raw_rwlock.rs rwlock::a_writer_ \
    'self.leave_door();
            }' \
    '}'
mutant rwlock-gives-up-for-the-one-inside src/sync/raw_rwlock.rs rwlock::a_writer_ \
    'if state & WRITING != 0 {
            return;' \
    'if false {
            return;'
mutant rwlock-writer-timeout-not-unlinked src/sync/raw_rwlock.rs rwlock::a_writer_ \
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
