use sixtyone::{chan, select};

fn main() {
    let (tx, _rx) = chan::buffered::<u8>(1);
    select! {
        recv(tx) -> n => drop(n),
        default => {}
    }
}
