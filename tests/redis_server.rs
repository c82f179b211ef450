//! A Redis of our own on a socket in a folder: no port, no file of data. `make redis` installs it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// It ends when this is dropped.
pub(crate) struct RedisServer {
    folder: TempDir,
    child: Child,
}

impl RedisServer {
    /// One that knows nothing.
    pub(crate) fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        let child = spawn(&folder.path().join("redis.sock"));
        let server = Self { folder, child };
        server.is_up();
        server
    }

    /// Where it is, as `[store] url` says it.
    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.folder.path().join("redis.sock").display())
    }

    /// Waits until it answers. A real second has no part in any verdict.
    fn is_up(&self) {
        let since = Instant::from(tokio::time::Instant::now());
        while redis::Client::open(self.url()).and_then(|client| client.get_connection()).is_err() {
            assert!(since.elapsed() < Duration::from_mins(1), "redis-server does not come up");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// It is gone at once, with all it knew.
    pub(crate) fn kill(&mut self) {
        self.child.kill().and_then(|()| self.child.wait()).expect("it ends");
    }

    /// A new one in the same place.
    pub(crate) fn start_again(&mut self) {
        self.child = spawn(&self.folder.path().join("redis.sock"));
        self.is_up();
    }
}

fn spawn(socket: &Path) -> Child {
    let socket = socket.to_str().expect("a text").to_owned();
    let arguments = ["--port", "0", "--unixsocket", &socket, "--save", "", "--appendonly", "no"];
    let server = std::env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
    let child = Command::new(&server).args(arguments).stdout(Stdio::null()).spawn();
    child.unwrap_or_else(|error| panic!("{server}: {error}; `make redis` installs it"))
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
