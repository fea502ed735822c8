//! The faulty network of `rpc::testing` itself: what it does is what it was told to do, the same each time, and nothing else.

use sixtyone::rpc::testing::{Counts, FaultyNet};
use sixtyone::rpc::{Halves, Transport, pipe};
use sixtyone::testing::run;
use sixtyone::{spawn, yield_now};
use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

/// A frame that says its number, and is as long as some others are not.
fn frame(n: u32) -> Vec<u8> {
    let padding = n as usize % 7;
    let mut out = (4 + padding as u32).to_be_bytes().to_vec();
    out.extend_from_slice(&n.to_be_bytes());
    out.resize(out.len() + padding, 0);
    out
}

/// The numbers of frames that have come.
fn numbers(mut bytes: &[u8]) -> Vec<u32> {
    let mut numbers = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let (message, others) = rest.split_at(u32::from_be_bytes(*length) as usize);
        let (n, _) = message.split_first_chunk::<4>().unwrap();
        numbers.push(u32::from_be_bytes(*n));
        bytes = others;
    }
    numbers
}

/// Sends frames from the end that has the net, or to it; gives what has come.
fn send(net: &FaultyNet, frames: u32, to: bool) -> Vec<u8> {
    let (near, far) = pipe();
    let (near, far) = (net.over(near).split().unwrap(), far.split().unwrap());
    let (from, mut into) = if to { (far, near) } else { (near, far) };
    let Halves { mut writer, reader, .. } = from;
    let writing = spawn(move || {
        for n in 0..frames {
            // In pieces that are no frames.
            for piece in frame(n).chunks(3) {
                writer.write_all(piece)?;
            }
        }
        drop(writer);
        std::io::Result::Ok(())
    });
    let mut all = Vec::new();
    into.reader.read_to_end(&mut all).unwrap();
    writing.join().unwrap().unwrap();
    drop((reader, into));
    all
}

const SHORT: Duration = Duration::from_millis(2);
const MANY: u32 = 2000;

#[test]
fn a_good_net_changes_nothing() {
    run(2, || {
        let net = FaultyNet::new(1);
        let all: Vec<u8> = (0..MANY).flat_map(frame).collect();
        assert!(send(&net, MANY, false) == all);
        assert!(send(&net, MANY, true) == all);
        let mut expected = Counts::default();
        (expected.connections, expected.frames) = (2, 2 * u64::from(MANY));
        assert_eq!(net.counts(), expected);
    });
}

#[test]
fn the_same_seed_makes_the_same_choices_and_another_others() {
    run(2, || {
        let lossy = |seed: u64| FaultyNet::new(seed).drop(0.1).duplicate(0.1);
        for to in [false, true] {
            let (net, other) = (lossy(7), lossy(8));
            let first = send(&net, MANY, to);
            assert!(first == send(&lossy(7), MANY, to));
            // The next connection of the same net, and the other direction, are not the same again.
            assert!(first != send(&net, MANY, to));
            assert!(first != send(&lossy(7), MANY, !to));
            assert!(first != send(&other, MANY, to));
        }
    });
}

#[test]
fn what_is_counted_is_what_happens() {
    run(2, || {
        let net = FaultyNet::new(3).drop(0.1).duplicate(0.1);
        let came = numbers(&send(&net, MANY, false));
        let counts = net.counts();
        let expected = u64::from(MANY) - counts.dropped + counts.duplicated;
        assert_eq!(came.len() as u64, expected, "{counts:?}");
        let mut once = came.clone();
        once.dedup();
        assert_eq!(once.len() as u64, u64::from(MANY) - counts.dropped);
        assert!(once.is_sorted(), "without delays all stay in order");
        // Ten standard deviations around 200.
        assert!((66..334).contains(&counts.dropped) && (66..334).contains(&counts.duplicated), "{counts:?}");
    });
}

#[test]
fn what_is_delayed_or_reordered_comes_in_the_end() {
    run(2, || {
        for net in [
            FaultyNet::new(4).delay(0.2, SHORT),
            FaultyNet::new(4).reorder(0.2),
            FaultyNet::new(4).reorder(1.0),
            FaultyNet::new(4).stall(0.01, SHORT),
            FaultyNet::new(4).delay(0.2, SHORT).reorder(0.2).stall(0.01, SHORT),
        ] {
            for to in [false, true] {
                let mut came = numbers(&send(&net, 500, to));
                let counts = net.counts();
                assert!(counts.delayed + counts.reordered + counts.stalled > 0, "{counts:?}");
                // If none is held, or all are, order is kept.
                assert!(counts.delayed == 0 && counts.reordered % 500 == 0 || !came.is_sorted(), "{net:?}");
                came.sort_unstable();
                assert!(came.iter().copied().eq(0..500), "{net:?}: {came:?}");
            }
        }
    });
}

#[test]
fn a_single_frame_that_is_held_back_does_not_wait_for_another() {
    run(1, || {
        let (near, far) = pipe();
        let mut near = FaultyNet::new(5).reorder(1.0).over(near).split().unwrap();
        let mut far = far.split().unwrap();
        near.writer.write_all(&frame(1)).unwrap();
        let mut came = [0; 9];
        far.reader.read_exact(&mut came).unwrap();
        assert_eq!(numbers(&came), [1]);
    });
}

#[test]
fn a_cut_ends_both_directions_and_leaves_a_part() {
    run(2, || {
        for seed in 0..50 {
            let (near, far) = pipe();
            let net = FaultyNet::new(seed).cut(0.05);
            let (mut near, mut far) = (net.over(near).split().unwrap(), far.split().unwrap());
            let writing = spawn(move || {
                let mut n = 0;
                let error = loop {
                    match near.writer.write_all(&frame(n)) {
                        Ok(()) => n += 1,
                        Err(e) => break e.kind(),
                    }
                };
                (n, error, near.reader.read(&mut [0]).map_err(|e| e.kind()))
            });
            let mut came = Vec::new();
            far.reader.read_to_end(&mut came).unwrap();
            let (written, writes, reads) = writing.join().unwrap();
            assert_eq!((writes, reads), (ErrorKind::ConnectionReset, Err(ErrorKind::ConnectionReset)));
            let whole: Vec<u8> = (0..written).flat_map(frame).collect();
            assert!(whole.starts_with(&came), "seed {seed}");
            assert!(net.counts().cut >= 1);
        }
    });
}

#[test]
fn who_hangs_up_is_not_kept_by_what_waits() {
    run(2, || {
        let (near, far) = pipe();
        let net = FaultyNet::new(6).delay(1.0, Duration::from_secs(3600));
        let Halves { mut reader, mut writer, hangup, .. } = net.over(near).split().unwrap();
        let mut far = far.split().unwrap();
        writer.write_all(&frame(1)).unwrap();
        let reading = spawn(move || reader.read(&mut [0]).map_err(|e| e.kind()));
        hangup();
        assert_eq!(reading.join().unwrap(), Err(ErrorKind::ConnectionReset));
        assert_eq!(far.reader.read(&mut [0]).unwrap(), 0);
        assert!(far.writer.write_all(&frame(1)).is_err());
    });
}

/// As without a net: a connection of which both halves were dropped is closed.
#[test]
fn the_network_does_not_keep_a_connection_that_nobody_has() {
    run(2, || {
        let (near, far) = pipe();
        let Halves { reader, writer, .. } = FaultyNet::new(7).over(near).split().unwrap();
        let mut far = far.split().unwrap();
        drop((reader, writer));
        while far.writer.write_all(&frame(1)).is_ok() {
            yield_now();
        }
        assert_eq!(far.reader.read(&mut [0]).unwrap(), 0);
    });
}

#[test]
fn what_is_no_frames_stays_in_order() {
    run(2, || {
        let (near, far) = pipe();
        let net = FaultyNet::new(8).drop(0.3).duplicate(0.3).reorder(0.3).delay(0.3, SHORT).stall(0.3, SHORT);
        let Halves { mut writer, .. } = net.over(near).split().unwrap();
        let mut far = far.split().unwrap();
        let text = "{\"method\":\"Math.Double\"}".repeat(100);
        for piece in text.as_bytes().chunks(11) {
            writer.write_all(piece).unwrap();
        }
        drop(writer);
        let mut came = String::new();
        far.reader.read_to_string(&mut came).unwrap();
        assert_eq!(came, text);
        let counts = net.counts();
        assert!(counts.stalled > 0 && counts.dropped + counts.delayed + counts.duplicated == 0, "{counts:?}");
    });
}

#[test]
#[should_panic(expected = "the probability of `drop` is 1.5: it must be from 0 to 1")]
fn a_probability_is_one() {
    let _ = FaultyNet::new(9).drop(1.5);
}

#[test]
#[should_panic(expected = "the probability of `cut` is NaN")]
fn not_a_number_is_no_probability() {
    let _ = FaultyNet::new(9).cut(f64::NAN);
}
