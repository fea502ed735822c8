//! `chat`: who hears what, and who is put out.

use crate::server::{Server, with};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// Somebody in the chat.
struct Client(BufReader<TcpStream>);

impl Client {
    /// Connects and gives this name; it can be had.
    fn new(server: &Server, name: &str) -> Client {
        let mut client = Client(BufReader::new(server.connect()));
        client.hears("* your name?");
        client.says(name);
        client
    }

    fn says(&mut self, line: &str) {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    #[track_caller]
    fn hears(&mut self, line: &str) {
        let mut heard = String::new();
        self.0.read_line(&mut heard).unwrap();
        assert_eq!(heard, format!("{line}\n"));
    }
}

/// Three members who have heard of each other.
fn three(server: &Server) -> [Client; 3] {
    let mut ann = Client::new(server, "ann");
    ann.hears("* here: ");
    let mut bob = Client::new(server, "bob");
    bob.hears("* here: ann");
    ann.hears("* bob joined");
    let mut cy = Client::new(server, "cy");
    cy.hears("* here: ann, bob");
    ann.hears("* cy joined");
    bob.hears("* cy joined");
    [ann, bob, cy]
}

#[test]
fn what_one_says_the_others_hear() {
    with("chat", &[], |server| {
        let [mut ann, mut bob, mut cy] = three(server);
        ann.says("hello");
        bob.hears("ann: hello");
        cy.hears("ann: hello");
        for i in 0..100 {
            bob.says(&format!("line {i}"));
        }
        for i in 0..100 {
            ann.hears(&format!("bob: line {i}"));
            cy.hears(&format!("bob: line {i}"));
        }
        drop(cy);
        ann.hears("* cy left");
        bob.hears("* cy left");
        let mut cy = Client::new(server, "cy");
        cy.hears("* here: ann, bob");
        ann.hears("* cy joined");
        bob.hears("* cy joined");
    });
}

#[test]
fn a_name_is_one_members() {
    with("chat", &[], |server| {
        let [mut ann, mut bob, _cy] = three(server);
        let mut other = Client::new(server, "ann");
        other.hears("* that name is taken");
        other.says("");
        other.hears("* nobody has no name");
        other.says("dee");
        other.hears("* here: ann, bob, cy");
        ann.hears("* dee joined");
        bob.hears("* dee joined");
    });
}

#[test]
fn a_line_without_an_end_ends_its_sender() {
    with("chat", &[], |server| {
        let [mut ann, _bob, mut cy] = three(server);
        cy.says(&"x".repeat(1023));
        ann.hears(&format!("cy: {}", "x".repeat(1023)));
        cy.says(&"x".repeat(1024));
        ann.hears("* cy left");
    });
}

/// Who does not read is put out; who does hears everything, at its own speed.
#[test]
fn a_slow_reader_holds_up_nobody() {
    with("chat", &[], |server| {
        let [mut ann, mut bob, cy] = three(server);
        let line = "x".repeat(1000);
        let mut out = false;
        // 50 MB at most: more than sockets' buffers hold.
        for _ in 0..500 {
            for _ in 0..100 {
                ann.says(&line);
            }
            for _ in 0..100 {
                let mut heard = String::new();
                bob.0.read_line(&mut heard).unwrap();
                if heard == "* cy left\n" {
                    out = true;
                    heard.clear();
                    bob.0.read_line(&mut heard).unwrap();
                }
                assert_eq!(heard, format!("ann: {line}\n"));
            }
            if out {
                break;
            }
        }
        assert!(out, "cy is still there");
        ann.hears("* cy left");
        ann.says("that was cy");
        bob.hears("ann: that was cy");
        drop(cy);
    });
}

/// A member hears what was said before the end, and then the end.
#[test]
fn a_signal_ends_it_for_all() {
    let server = Server::start("chat", &[], "2");
    let [mut ann, bob, cy] = three(&server);
    server.signal(libc::SIGINT);
    // All leave at once: who hears whom do so is open.
    let mut rest = String::new();
    ann.0.read_to_string(&mut rest).unwrap();
    assert!(rest.lines().all(|line| ["* bob left", "* cy left"].contains(&line)), "{rest}");
    drop((bob, cy));
    server.ended();
}
