//! Stubs (Definition 2.3, layer 2): what makes a call over the network look like one that is not. [`service!`](super::service!) writes, from the
//! methods of a trait, the client that marshals arguments and the dispatcher that unmarshals them.
//!
//! The macro reads one method at a time, from which it makes `(attributes) name (wire name) (call?) (arguments) (value) (returned) kind`; then
//! it writes all of them three times: trait, service, client.
#![forbid(unsafe_code)]

/// Declares a service: the trait that a server implements, and the client that calls it.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use sixtyone::rpc::{self, Call};
///
/// #[derive(Serialize, Deserialize)]
/// pub struct Point {
///     x: i64,
///     y: i64,
/// }
///
/// rpc::service! {
///     /// Becomes the trait's documentation, and the client's.
///     pub trait Plane => PlaneClient {
///         /// One argument, as in Go: on the wire it is `Plane.Mirror`.
///         fn mirror(&self, p: Point) -> Point;
///         /// Several travel as a tuple, none as `()`.
///         fn distance(&self, a: Point, b: Point) -> f64;
///         /// An error that can be displayed reaches the client as its text, in an `rpc::Error` of kind `Application`.
///         fn slope(&self, p: Point) -> Result<i64, String>;
///         /// Who wants to know of the call itself asks for it.
///         fn who(&self, call: &Call) -> String;
///         /// Another wire name.
///         fn forget as "ClearAll"(&self);
///     }
/// }
///
/// struct Ours;
///
/// impl Plane for Ours {
///     fn mirror(&self, p: Point) -> Point {
///         Point { x: -p.x, y: -p.y }
///     }
///     fn distance(&self, a: Point, b: Point) -> f64 {
///         ((a.x - b.x) as f64).hypot((a.y - b.y) as f64)
///     }
///     fn slope(&self, p: Point) -> Result<i64, String> {
///         p.y.checked_div(p.x).ok_or_else(|| String::from("it is vertical"))
///     }
///     fn who(&self, call: &Call) -> String {
///         call.peer().address.clone()
///     }
///     fn forget(&self) {}
/// }
///
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// let server = rpc::Server::builder().service(Ours.into_service()).build();
/// let (near, far) = rpc::pipe();
/// sixtyone::spawn(move || server.serve_connection(far));
/// let plane = PlaneClient::new(rpc::Client::builder().over(near).unwrap());
/// assert_eq!(plane.distance(Point { x: 0, y: 0 }, Point { x: 3, y: 4 }), Ok(5.0));
/// assert_eq!(plane.slope(Point { x: 0, y: 1 }).unwrap_err().message(), "it is vertical");
/// assert_eq!(plane.forget(), Ok(()));
/// # });
/// ```
///
/// Of the trait: it is `Send + Sync + 'static`; `into_service` makes a [`Service`](crate::rpc::Service) of what implements it, which
/// [`named`](crate::rpc::Service::named) gives another name. Of the client: `new`, `named`, `client`; `with(|client| client.with_timeout(..))` is
/// one whose calls have other options; and the methods, which return `Result<T, rpc::Error>`. A method whose type is written
/// `Result<T, E>` may fail in the application's sense; under another name a result is a value like others.
#[doc(hidden)]
#[macro_export]
macro_rules! __rpc_service {
    ($(#[$meta:meta])* $vis:vis trait $name:ident => $client:ident { $($methods:tt)* }) => {
        $crate::__rpc_service! { @read [$(#[$meta])* $vis $name $client] [] $($methods)* }
    };

    // One method after the other.
    (@read $head:tt [$($done:tt)*]
        $(#[$meta:meta])* fn $method:ident $(as $wire:literal)? ($($arguments:tt)*) -> Result<$ok:ty, $error:ty>; $($rest:tt)*
    ) => {
        $crate::__rpc_service! { @arguments $head
            [$($done)*] [($(#[$meta])*) $method ($($wire)?)] [($ok) (::core::result::Result<$ok, $error>) fails] ($($arguments)*) $($rest)* }
    };
    (@read $head:tt [$($done:tt)*]
        $(#[$meta:meta])* fn $method:ident $(as $wire:literal)? ($($arguments:tt)*) -> $returned:ty; $($rest:tt)*
    ) => {
        $crate::__rpc_service! { @arguments $head
            [$($done)*] [($(#[$meta])*) $method ($($wire)?)] [($returned) ($returned) succeeds] ($($arguments)*) $($rest)* }
    };
    (@read $head:tt [$($done:tt)*]
        $(#[$meta:meta])* fn $method:ident $(as $wire:literal)? ($($arguments:tt)*); $($rest:tt)*
    ) => {
        $crate::__rpc_service! { @arguments $head
            [$($done)*] [($(#[$meta])*) $method ($($wire)?)] [(()) (()) succeeds] ($($arguments)*) $($rest)* }
    };
    (@arguments $head:tt [$($done:tt)*] [$($method:tt)*] [$($returned:tt)*]
        (&self, $call:ident: &Call $(, $argument:ident: $type:ty)* $(,)?) $($rest:tt)*
    ) => {
        $crate::__rpc_service! { @read $head
            [$($done)* { $($method)* ($call) ($($argument: $type),*) $($returned)* }] $($rest)* }
    };
    (@arguments $head:tt [$($done:tt)*] [$($method:tt)*] [$($returned:tt)*]
        (&self $(, $argument:ident: $type:ty)* $(,)?) $($rest:tt)*
    ) => {
        $crate::__rpc_service! { @read $head
            [$($done)* { $($method)* () ($($argument: $type),*) $($returned)* }] $($rest)* }
    };

    // All are read.
    (@read [$(#[$meta:meta])* $vis:vis $name:ident $client:ident] [$({
        ($(#[$method_meta:meta])*) $method:ident ($($wire:literal)?) ($($call:ident)?) ($($argument:ident: $type:ty),*)
        ($value:ty) ($returned:ty) $kind:ident
    })*]) => {
        $(#[$meta])*
        $vis trait $name: ::core::marker::Send + ::core::marker::Sync + 'static {
            $(
                $(#[$method_meta])*
                fn $method(&self $(, $call: &$crate::rpc::Call)? $(, $argument: $type)*) -> $returned;
            )*

            /// What a server offers of it.
            fn into_service(self) -> $crate::rpc::Service
            where
                Self: ::core::marker::Sized,
            {
                let this = ::std::sync::Arc::new(self);
                $crate::rpc::Service::new(::core::stringify!($name))
                $(.method($crate::__rpc_service!(@wire $name $method $($wire)?).1, {
                    let this = ::std::sync::Arc::clone(&this);
                    move |_call: &$crate::rpc::Call, arguments: $crate::__rpc_service!(@type $($type),*)| {
                        let $crate::__rpc_service!(@pattern $($argument),*) = arguments;
                        let result = $name::$method(&*this $(, $crate::__rpc_service!(@second $call _call))? $(, $argument)*);
                        $crate::__rpc_service!(@$kind result)
                    }
                }))*
            }
        }

        $(#[$meta])*
        #[derive(Clone, Debug)]
        $vis struct $client {
            client: $crate::rpc::Client,
            name: ::core::option::Option<::std::string::String>,
        }

        #[allow(dead_code, reason = "not every client calls everything")]
        impl $client {
            /// Calls the service of that name by this client.
            $vis fn new(client: $crate::rpc::Client) -> $client {
                $client { client, name: ::core::option::Option::None }
            }

            /// Calls a service that has another name.
            $vis fn named(client: $crate::rpc::Client, name: impl ::core::convert::Into<::std::string::String>) -> $client {
                $client { client, name: ::core::option::Option::Some(name.into()) }
            }

            /// What it calls by.
            $vis fn client(&self) -> &$crate::rpc::Client {
                &self.client
            }

            /// The same by another client: one with other options, say.
            $vis fn with(&self, change: impl ::core::ops::FnOnce(&$crate::rpc::Client) -> $crate::rpc::Client) -> $client {
                $client { client: change(&self.client), name: self.name.clone() }
            }

            $(
                $(#[$method_meta])*
                $vis fn $method(&self $(, $argument: $type)*) -> ::core::result::Result<$value, $crate::rpc::Error> {
                    let (full, method) = $crate::__rpc_service!(@wire $name $method $($wire)?);
                    let arguments = $crate::__rpc_service!(@value $($argument),*);
                    match &self.name {
                        ::core::option::Option::None => self.client.call(full, &arguments),
                        ::core::option::Option::Some(name) => self.client.call(&::std::format!("{name}.{method}"), &arguments),
                    }
                }
            )*
        }
    };

    // The wire name, whole, and what is behind the dot.
    (@wire $name:ident $method:ident $wire:literal) => {
        (::core::concat!(::core::stringify!($name), ".", $wire), $wire)
    };
    (@wire $name:ident $method:ident) => {{
        const METHOD: &str = ::core::stringify!($method);
        const PARTS: &[&str] = &[::core::stringify!($name), "."];
        const FULL: [u8; $crate::rpc::wire_len(PARTS, METHOD)] = $crate::rpc::wire(PARTS, METHOD);
        const SHORT: [u8; $crate::rpc::wire_len(&[], METHOD)] = $crate::rpc::wire(&[], METHOD);
        const NAMES: (&str, &str) = ($crate::rpc::text(&FULL), $crate::rpc::text(&SHORT));
        NAMES
    }};

    // What arguments are together: as a type, a pattern, and a value.
    (@type) => { () };
    (@type $one:ty) => { $one };
    (@type $($type:ty),+) => { ($($type),+) };
    (@pattern) => { () };
    (@pattern $one:ident) => { $one };
    (@pattern $($argument:ident),+) => { ($($argument),+) };
    (@value) => { () };
    (@value $one:ident) => { $one };
    (@value $($argument:ident),+) => { ($($argument),+) };

    (@second $first:ident $second:ident) => { $second };
    (@fails $result:ident) => { $result };
    (@succeeds $result:ident) => { ::core::result::Result::<_, ::core::convert::Infallible>::Ok($result) };
}

/// A method's name without what makes a keyword a name.
const fn plain(method: &[u8]) -> &[u8] {
    match method {
        [b'r', b'#', rest @ ..] => rest,
        _ => method,
    }
}

/// The length of a [`wire`] name.
pub const fn wire_len(before: &[&str], method: &str) -> usize {
    let (mut length, mut i) = (0, 0);
    while i < before.len() {
        length += before[i].len();
        i += 1;
    }
    let method = plain(method.as_bytes());
    i = 0;
    while i < method.len() {
        if method[i] != b'_' {
            length += 1;
        }
        i += 1;
    }
    length
}

/// The wire name of a method: `multiply_all` is `MultiplyAll`, as it would be in Go.
pub const fn wire<const N: usize>(before: &[&str], method: &str) -> [u8; N] {
    let mut name = [0; N];
    let (mut at, mut i) = (0, 0);
    while i < before.len() {
        let part = before[i].as_bytes();
        let mut j = 0;
        while j < part.len() {
            name[at] = part[j];
            (at, j) = (at + 1, j + 1);
        }
        i += 1;
    }
    let method = plain(method.as_bytes());
    let mut upper = true;
    i = 0;
    while i < method.len() {
        if method[i] == b'_' {
            upper = true;
        } else {
            name[at] = if upper { method[i].to_ascii_uppercase() } else { method[i] };
            upper = false;
            at += 1;
        }
        i += 1;
    }
    name
}

/// What [`wire`] wrote.
pub const fn text(bytes: &[u8]) -> &str {
    match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => panic!("a name is text"),
    }
}
