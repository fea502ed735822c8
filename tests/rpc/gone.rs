//! Clients that are closed, or go without a word: who waits is told, and nothing waits for them.

use sixtyone::rpc::{self, Call, Client, ErrorKind, Semantics, Server, Service};
use sixtyone::testing::run;
use sixtyone::{chan, spawn};
use std::time::Duration;

fn connect(server: &Server, semantics: Semantics) -> Client {
    let server = server.clone();
    Client::builder().semantics(semantics).lazy(move || {
        let (near, far) = rpc::pipe();
        let server = server.clone();
        spawn(move || server.serve_connection(far));
        Ok(near)
    })
}

#[test]
fn closing_a_client_also_ends_calls_on_a_connection_that_is_being_left() {
    run(2, || {
        let (begun, begins) = chan::unbounded();
        let (go, may) = chan::unbuffered::<()>();
        let slow = Service::new("Slow").method("Wait", move |_, ()| {
            begun.send(()).unwrap();
            let _closed = may.recv();
            Ok::<_, String>(())
        });
        let server = Server::builder().service(slow).build();
        let client = connect(&server, Semantics::AtMostOnce);
        let pending = client.go::<_, ()>("Slow.Wait", &());
        begins.recv().unwrap();
        let stop = spawn({
            let server = server.clone();
            move || server.stop(Duration::from_secs(600))
        });
        // Refused: the connection is being left, and a new one can't be made. Those that come before that wait, as the first does.
        let hasty = client.with_timeout(Duration::from_millis(20));
        while hasty.call::<(), ()>("Slow.Wait", &()).unwrap_err().kind() != ErrorKind::Unavailable {}
        client.close();
        assert_eq!(pending.wait().unwrap_err().kind(), ErrorKind::Closed);
        drop(go);
        assert!(stop.join().unwrap());
    });
}

/// A method that goes on until its context ends, called by a client that says nothing when it goes.
fn abandoned(semantics: Semantics) {
    run(2, move || {
        let (begun, begins) = chan::unbounded();
        let (ended, ends) = chan::unbounded();
        let service = Service::new("Patient").method("Wait", move |call: &Call, ()| {
            begun.send(()).unwrap();
            let _closed = call.context().done().recv();
            ended.send(()).unwrap();
            Ok::<_, String>(())
        });
        let server = Server::builder().service(service).remember(10, Duration::from_millis(10)).build();
        let client = connect(&server, semantics);
        let pending = client.go::<_, ()>("Patient.Wait", &());
        begins.recv().unwrap();
        client.close();
        drop((client, pending));
        ends.recv().unwrap();
        assert!(server.stop(Duration::from_secs(600)));
    });
}

#[test]
fn the_method_of_a_client_that_is_gone_ends() {
    abandoned(Semantics::AtMostOnce);
}

/// Its client might come back, but not for ever.
#[test]
fn the_method_of_a_client_that_is_remembered_ends_when_it_is_forgotten() {
    abandoned(Semantics::ExactlyOnce);
}
