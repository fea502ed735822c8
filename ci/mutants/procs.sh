# Ps: coming, going, owned: mutants, for ci/mutants.sh.

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
