//! The errors: they carry the value back, compare, print without asking anything of the value.

use sixtyone::chan::{RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError};
use std::error::Error;

/// Neither Debug nor anything else.
struct Opaque;

#[test]
fn they_carry_the_value() {
    assert_eq!(SendError(61).into_inner(), 61);
    assert_eq!(SendError(61).0, 61);
    assert_eq!(TrySendError::Full("f").into_inner(), "f");
    assert_eq!(TrySendError::Closed(String::from("c")).into_inner(), "c");
    assert_eq!(SendTimeoutError::Timeout("t").into_inner(), "t");
    assert_eq!(SendTimeoutError::Closed("c").into_inner(), "c");
    let Opaque = SendError(Opaque).into_inner();
}

#[test]
fn they_compare_and_copy() {
    assert_eq!(SendError(1), SendError(1));
    assert_ne!(SendError(1), SendError(2));
    assert_ne!(TrySendError::Full(1), TrySendError::Closed(1));
    assert_ne!(TrySendError::Full(1), TrySendError::Full(2));
    assert_ne!(TryRecvError::Empty, TryRecvError::Closed);
    assert_ne!(SendTimeoutError::Timeout(1), SendTimeoutError::Closed(1));
    assert_ne!(SendTimeoutError::Timeout(1), SendTimeoutError::Timeout(2));
    assert_ne!(RecvTimeoutError::Timeout, RecvTimeoutError::Closed);
    assert_eq!(RecvError, RecvError);

    fn copy<T: Copy>() {}
    fn clone<T: Clone>() {}
    copy::<SendError<u8>>();
    copy::<TrySendError<u8>>();
    copy::<SendTimeoutError<u8>>();
    copy::<RecvTimeoutError>();
    copy::<RecvError>();
    copy::<TryRecvError>();
    clone::<SendError<String>>();
    clone::<TrySendError<String>>();
}

#[test]
fn they_print_without_the_value() {
    assert_eq!(format!("{:?}", SendError(Opaque)), "SendError(..)");
    assert_eq!(format!("{:?}", TrySendError::Full(Opaque)), "Full(..)");
    assert_eq!(format!("{:?}", TrySendError::Closed(Opaque)), "Closed(..)");
    assert_eq!(format!("{:?}", SendTimeoutError::Timeout(Opaque)), "Timeout(..)");
    assert_eq!(format!("{:?}", SendTimeoutError::Closed(Opaque)), "Closed(..)");
    assert!(SendTimeoutError::Timeout(Opaque).to_string().contains("timed out"));
    assert!(SendTimeoutError::Closed(Opaque).to_string().contains("closed"));
    assert!(RecvTimeoutError::Timeout.to_string().contains("timed out"));
    assert!(RecvTimeoutError::Closed.to_string().contains("closed"));
    assert!(SendError(Opaque).to_string().contains("closed"));
    assert!(TrySendError::Full(Opaque).to_string().contains("full"));
    assert!(TrySendError::Closed(Opaque).to_string().contains("closed"));
    assert!(RecvError.to_string().contains("closed"));
    assert!(TryRecvError::Empty.to_string().contains("empty"));
    assert!(TryRecvError::Closed.to_string().contains("closed"));
}

#[test]
fn they_are_errors() {
    fn boxed(error: impl Error + Send + Sync + 'static) -> Box<dyn Error + Send + Sync> {
        Box::new(error)
    }
    for error in [
        boxed(SendError(Opaque)),
        boxed(TrySendError::Full(Opaque)),
        boxed(SendTimeoutError::Timeout(Opaque)),
        boxed(RecvTimeoutError::Timeout),
        boxed(RecvError),
        boxed(TryRecvError::Empty),
    ] {
        assert!(error.source().is_none());
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn the_blocking_ones_become_the_others() {
    assert_eq!(TrySendError::from(SendError(61)), TrySendError::Closed(61));
    assert_eq!(TryRecvError::from(RecvError), TryRecvError::Closed);
    assert_eq!(SendTimeoutError::from(SendError(61)), SendTimeoutError::Closed(61));
    assert_eq!(RecvTimeoutError::from(RecvError), RecvTimeoutError::Closed);
}
