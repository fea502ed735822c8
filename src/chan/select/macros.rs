//! `select!` and `select_biased!`: the grammar, cut into arms by recursion, and what they become.
//!
//! Each arm's variable is named in an expansion of its own, so the names do not meet. The arms live in the scrutinee of a `match`,
//! where they are left; so do the temporaries that their channels are, to the end of the user's statement. Bodies and values
//! stand in no closure and no loop of ours: `break`, `continue`, `return` and `?` do in them what they say.

/// Waits for one of several operations on channels, and does it. Go's `select`. Blocks.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// use sixtyone::{chan, select, time};
/// use std::time::Duration;
/// let (numbers, n) = chan::unbuffered();
/// let (log, lines) = chan::buffered(1);
/// sixtyone::spawn(move || numbers.send(61));
/// for _ in 0..2 {
///     select! {
///         recv(n) -> number => println!("{number:?}"),
///         send(log, String::from("a line")) -> sent => sent.unwrap(),
///         recv(time::after(Duration::from_secs(61))) => panic!("too late"),
///     }
/// }
/// # drop(lines);
/// # });
/// ```
///
/// Grammar, arms in any order and number, separated by commas (after a block that is left to you):
///
/// | arm | goes on |
/// | --- | --- |
/// | `recv(receiver) -> pattern => body` | when a value is there, or the channel is closed; the pattern is of a `Result<T, RecvError>` |
/// | `send(sender, value) -> pattern => body` | when the value can be sent, or the channel is closed; of a `Result<(), SendError<T>>` |
/// | `default => body` | at once, if no other arm can |
/// | `default(duration) => body` | when no other arm could for so long |
///
/// `-> pattern` may be left out. A sender or receiver may be given as itself, by reference, or by whatever derefs to it, also by a call;
/// it is evaluated once, in the arms' order, before anything else, and only borrowed. The value of the macro is that of the body.
///
/// Among several arms that can go on each is as likely as the others; [`select_biased!`](crate::select_biased) takes the first. One
/// arm goes on, the others have no effect whatsoever: the value of a `send` is evaluated only if its arm has won. So other arms may use it,
/// too. The same channel may stand in several arms; an arm that sends never meets one that receives in the same select. Without arms it waits for ever.
///
/// # While a value is made
/// An arm that sends has claimed the receiver by then (or a place in the buffer, but no position in it). Until the value is there, that
/// receiver waits on, and counts as gone for others; its deadline does not fire, nor does a close of the channel reach it. If the value's evaluation panics, or
/// leaves by `return`, `?` or `break`, the claim is undone: nothing was sent, and the receiver waits on, in its old place, with its old
/// deadline; if that has passed, it has. If the channel was closed meanwhile, the value comes back, as from any send.
///
/// What does not wait (`try_recv`, a receive whose deadline has passed, a `select!` with a `default`) meets no arm that sends and waits: its value does not exist yet.
#[macro_export]
macro_rules! select {
    ($($arms:tt)*) => { $crate::__select!(@arms select [] [never] $($arms)*) };
}

/// As [`select!`](crate::select), but of several arms that can go on the first one does. Blocks.
///
/// ```
/// use sixtyone::{chan, select_biased};
/// let (urgent, alarms) = chan::buffered(1);
/// let (tx, work) = chan::buffered(1);
/// tx.send("work").unwrap();
/// urgent.send("alarm").unwrap();
/// let first = select_biased! {
///     recv(alarms) -> alarm => alarm,
///     recv(work) -> work => work,
/// };
/// assert_eq!(first, Ok("alarm"));
/// ```
#[macro_export]
macro_rules! select_biased {
    ($($arms:tt)*) => { $crate::__select!(@arms select_biased [] [never] $($arms)*) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __select {
    // Heads: what kind of arm, its arguments, its pattern. (`$limit` is what the defaults say, so far.)
    (@arms $how:ident $done:tt $limit:tt) => { $crate::__select!(@build $how $done $limit) };
    (@arms $how:ident $done:tt $limit:tt recv($rx:expr $(,)?) -> $pat:pat => $($rest:tt)*) => {
        $crate::__select!(@body $how $done $limit (recv ($rx) [$pat]) $($rest)*)
    };
    (@arms $how:ident $done:tt $limit:tt recv($rx:expr $(,)?) => $($rest:tt)*) => {
        $crate::__select!(@body $how $done $limit (recv ($rx) [_]) $($rest)*)
    };
    (@arms $how:ident $done:tt $limit:tt send($tx:expr, $value:expr $(,)?) -> $pat:pat => $($rest:tt)*) => {
        $crate::__select!(@body $how $done $limit (send ($tx, $value) [$pat]) $($rest)*)
    };
    (@arms $how:ident $done:tt $limit:tt send($tx:expr, $value:expr $(,)?) => $($rest:tt)*) => {
        $crate::__select!(@body $how $done $limit (send ($tx, $value) [_]) $($rest)*)
    };
    (@arms $how:ident $done:tt [never] default $(())? => $($rest:tt)*) => {
        $crate::__select!(@body $how $done [never] (now) $($rest)*)
    };
    (@arms $how:ident $done:tt [never] default($time:expr $(,)?) => $($rest:tt)*) => {
        $crate::__select!(@body $how $done [never] (after ($time)) $($rest)*)
    };
    // Wrong heads.
    (@arms $how:ident $done:tt [$($limit:tt)+] default $(($($time:tt)*))? => $($rest:tt)*) => {
        $crate::__select!(@wrong "there can be only one `default` arm in a select!")
    };
    (@arms $how:ident $done:tt $limit:tt default $(($($time:tt)*))? -> $($rest:tt)*) => {
        $crate::__select!(@wrong "a `default` arm has no result: write `default => ..` or `default(duration) => ..`")
    };
    (@arms $how:ident $done:tt $limit:tt recv() $($rest:tt)*) => {
        $crate::__select!(@wrong "`recv` needs a receiver: `recv(receiver) -> result => ..`")
    };
    (@arms $how:ident $done:tt $limit:tt send() $($rest:tt)*) => {
        $crate::__select!(@wrong "`send` needs a sender and a value: `send(sender, value) -> result => ..`")
    };
    (@arms $how:ident $done:tt $limit:tt send($tx:expr $(,)?) $($rest:tt)*) => {
        $crate::__select!(@wrong "`send` needs a value, too: `send(sender, value) -> result => ..`")
    };
    (@arms $how:ident $done:tt $limit:tt recv($rx:expr, $($more:tt)+) $($rest:tt)*) => {
        $crate::__select!(@wrong "`recv` takes one argument, the receiver: `recv(receiver) -> result => ..`")
    };
    (@arms $how:ident $done:tt $limit:tt send($tx:expr, $value:expr, $($more:tt)+) $($rest:tt)*) => {
        $crate::__select!(@wrong "`send` takes two arguments: `send(sender, value) -> result => ..`")
    };
    (@arms $how:ident $done:tt $limit:tt $kind:ident $(($($args:tt)*))? $(-> $pat:pat)? $(,)?) => {
        $crate::__select!(@wrong concat!("this arm has no body: write `", stringify!($kind), "(..) => ..`"))
    };
    (@arms $how:ident $done:tt $limit:tt recv $(($($args:tt)*))? $($rest:tt)*) => {
        $crate::__select!(@wrong "expected `recv(receiver) -> result => ..`")
    };
    (@arms $how:ident $done:tt $limit:tt send $(($($args:tt)*))? $($rest:tt)*) => {
        $crate::__select!(@wrong "expected `send(sender, value) -> result => ..`")
    };
    (@arms $how:ident $done:tt $limit:tt default $(($($args:tt)*))? $($rest:tt)*) => {
        $crate::__select!(@wrong "expected `default => ..` or `default(duration) => ..`")
    };
    (@arms $how:ident $done:tt $limit:tt $other:tt $($rest:tt)*) => {
        $crate::__select!(@wrong concat!(
            "expected `recv(..)`, `send(..)` or `default`, found `", stringify!($other), "`"
        ))
    };

    // Bodies: a block needs no comma, the last one never does.
    (@body $how:ident $done:tt $limit:tt $head:tt $body:block, $($rest:tt)*) => {
        $crate::__select!(@add $how $done $limit $head ($body) $($rest)*)
    };
    (@body $how:ident $done:tt $limit:tt $head:tt $body:block $($rest:tt)*) => {
        $crate::__select!(@add $how $done $limit $head ($body) $($rest)*)
    };
    (@body $how:ident $done:tt $limit:tt $head:tt $body:expr, $($rest:tt)*) => {
        $crate::__select!(@add $how $done $limit $head ($body) $($rest)*)
    };
    (@body $how:ident $done:tt $limit:tt $head:tt $body:expr) => {
        $crate::__select!(@add $how $done $limit $head ($body))
    };
    (@body $how:ident $done:tt $limit:tt $head:tt) => {
        $crate::__select!(@wrong "this arm has no body: expected an expression or a block after `=>`")
    };
    (@body $how:ident $done:tt $limit:tt $head:tt $body:expr; $($rest:tt)*) => {
        $crate::__select!(@wrong "arms are separated by commas, not semicolons")
    };
    (@body $how:ident $done:tt $limit:tt $head:tt $($rest:tt)*) => {
        $crate::__select!(@wrong "expected an expression or a block after `=>`, and a comma after an expression")
    };

    (@add $how:ident $done:tt $limit:tt (now) $body:tt $($rest:tt)*) => {
        $crate::__select!(@arms $how $done [now $body] $($rest)*)
    };
    (@add $how:ident $done:tt $limit:tt (after $time:tt) $body:tt $($rest:tt)*) => {
        $crate::__select!(@arms $how $done [after $time $body] $($rest)*)
    };
    (@add $how:ident [$($done:tt)*] $limit:tt ($kind:ident $args:tt $pat:tt) $body:tt $($rest:tt)*) => {
        $crate::__select!(@arms $how [$($done)* ($kind arm $args $pat $body)] $limit $($rest)*)
    };

    // A send alone is a send.
    (@build $how:ident [(send $arm:ident ($tx:expr, $value:expr) [$pat:pat] ($body:expr))] [never]) => {
        match $tx.__sender() {
            $arm => {
                let $pat = $arm.send($value);
                $body
            }
        }
    };
    (@build $how:ident [$(($kind:ident $arm:ident $args:tt $pat:tt ($body:expr)))*] $limit:tt) => {
        match ($($crate::__select!(@make $kind $args),)* $crate::__select!(@limit $limit)) {
            ($(ref $arm,)* ref limit) => {
                $crate::chan::__private::$how([$($arm.any()),*], limit);
                $(if $arm.is_chosen() {
                    $crate::__select!(@take $kind $arm $args $pat);
                    $body
                } else)* {
                    $crate::__select!(@default $limit)
                }
            }
        }
    };

    (@make recv ($rx:expr)) => { $rx.__select_recv() };
    (@make send ($tx:expr, $value:expr)) => { $tx.__select_send() };
    (@take recv $arm:ident $args:tt [$pat:pat]) => { let $pat = $arm.received(); };
    (@take send $arm:ident ($tx:expr, $value:expr) [$pat:pat]) => { let $pat = $arm.claim().send($value); };

    (@limit [never]) => { $crate::chan::__private::Limit::Never };
    (@limit [now $body:tt]) => { $crate::chan::__private::Limit::Now };
    (@limit [after ($time:expr) $body:tt]) => { $crate::chan::__private::Limit::In($time) };
    (@default [never]) => { $crate::chan::__private::nothing() };
    (@default [now ($body:expr)]) => { $body };
    (@default [after $time:tt ($body:expr)]) => { $body };

    (@wrong $($message:tt)*) => { ::core::compile_error!($($message)*) };
}
