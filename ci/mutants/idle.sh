# The lock, the sleeper, who sleeps and who is woken: mutants, for ci/mutants.sh.

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
