//! The port stays open while the gate behind it restarts: sockets that are handed over as systemd does it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::serving::Running;
use super::{DEFAULT, comes};

/// What systemd would do: the socket as descriptor 3, and the variables that say so.
const ACTIVATED: &str = "exec 3<&0 </dev/null; export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$0\" \"$@\"";

fn activated(socket: &TcpListener, upstream: SocketAddr) -> Running {
    let socket = OwnedFd::from(socket.try_clone().expect("a socket"));
    let mut command = Command::new("/bin/sh");
    let (upstream, any) = (format!("http://{upstream}"), "127.0.0.1:0");
    let command = command.args(["-c", ACTIVATED, env!("CARGO_BIN_EXE_tidegate"), "serve", "--config", DEFAULT]);
    let command = command.args(["--listen", "127.0.0.1:1", "--admin", any, "--upstream", &upstream]);
    Running::of(command.env_clear().stdin(Stdio::from(socket)), 2)
}

/// One request on a connection of its own.
fn ask(gate: SocketAddr) -> io::Result<String> {
    let (mut stream, mut answer) = (TcpStream::connect(gate)?, String::new());
    stream.write_all(b"GET /v1/models HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n")?;
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn restart_behind_an_open_socket_loses_no_request() {
    let mock = Running::start(&["mock", "--listen", "127.0.0.1:0"], 1);
    let upstream = mock.said_address("listening on");
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("an address");
    let (answered, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let client = |_| {
        let (answered, over) = (Arc::clone(&answered), Arc::clone(&over));
        thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let answer = ask(address).expect("no connection breaks");
                // One that the old gate had accepted comes again.
                if !answer.contains("\"tidegate_draining\"") {
                    assert!(answer.starts_with("HTTP/1.1 200"), "{answer:?}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            }
        })
    };
    let clients: Vec<_> = (0..6).map(client).collect();
    for round in 1..=5 {
        let mut gate = activated(&socket, upstream);
        assert_eq!(gate.said_address("listening on"), address);
        comes(|| answered.load(Ordering::Relaxed), |&answered| answered >= 60 * round);
        gate.signal();
        assert_eq!(gate.ended(), Some(0));
    }
    over.store(true, Ordering::Relaxed);
    let _last = activated(&socket, upstream);
    clients.into_iter().for_each(|client| client.join().expect("every request was answered"));
}
