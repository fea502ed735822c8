# Channels and selects: mutants, for ci/mutants.sh.

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
mutant closed-not-seen-by-the-buffer src/chan/core.rs chan \
    'self.has_room(cap) && !self.closed' \
    'self.has_room(cap)'
mutant buffered-past-who-waits src/chan/core.rs chan \
    'self.receivers.is_empty() && self.has_room(cap)' \
    'self.has_room(cap)'
mutant unbuffered-past-who-waits src/chan/core.rs chan \
    'self.senders.is_empty() && self.offers.is_empty()
' \
    'self.offers.is_empty()
'
mutant unbuffered-past-the-offers src/chan/core.rs select \
    'self.senders.is_empty() && self.offers.is_empty()
' \
    'self.senders.is_empty()
'
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
