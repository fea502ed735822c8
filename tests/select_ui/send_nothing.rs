use sixtyone::{chan, select};

fn main() {
    let (tx, rx) = chan::buffered::<u8>(1);
    select! {
        send() => {}
    }
}
