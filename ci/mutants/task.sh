# Futures, and the end of goroutines and runtimes: mutants, for ci/mutants.sh.

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
