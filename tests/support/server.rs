//! A server in a child process, on loopback, with its own data directory.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

/// How long a server may take until it answers before the test gives up on it.
const START_WAIT: Duration = Duration::from_secs(20);

/// A running server. Dropping it kills the process.
pub struct Server {
    child: Child,
    pub ports: Ports,
    pub data_dir: DataDir,
}

/// The ports of one server. gRPC is on `socket - 1`.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    pub socket: u16,
    pub console: u16,
}

/// A directory that goes away with the test, unless the test fails.
pub struct DataDir(PathBuf);

impl DataDir {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("kakera-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("the temporary directory is writable");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("data directory and log are left in {}", self.0.display());
        } else {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

impl Ports {
    /// Ports that are free now. Another process may take one before the server does; then the start
    /// fails and is tried again with others.
    pub fn free() -> Self {
        loop {
            let Ok(socket) = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)) else { continue };
            let port = socket.local_addr().expect("a bound socket has an address").port();
            let Ok(_grpc) = TcpListener::bind((Ipv4Addr::LOCALHOST, port - 1)) else { continue };
            let Ok(console) = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)) else { continue };
            let console = console.local_addr().expect("a bound socket has an address").port();
            return Self { socket: port, console };
        }
    }
}

impl Server {
    /// A server with two shards and an empty database.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// A server with two shards, an empty database and these flags.
    pub fn start_with(flags: &[&str]) -> Self {
        Self::start_in(DataDir::new(), flags)
    }

    /// A server with two shards on what `data_dir` holds.
    pub fn start_in(data_dir: DataDir, flags: &[&str]) -> Self {
        let mut data_dir = Some(data_dir);
        for _ in 0..5 {
            let dir = data_dir.take().expect("put back after each failed try");
            match Self::try_start(dir, flags) {
                Ok(server) => return server,
                Err(dir) => data_dir = Some(dir),
            }
        }
        let dir = data_dir.expect("put back after each failed try");
        panic!("the server does not start; its log is\n{}", read_log(dir.path()));
    }

    fn try_start(data_dir: DataDir, flags: &[&str]) -> Result<Self, DataDir> {
        let ports = Ports::free();
        let log = File::options()
            .create(true)
            .append(true)
            .open(data_dir.path().join("server.log"))
            .expect("the data directory is writable");
        let before = starts(data_dir.path());
        let child = command(data_dir.path(), ports, flags)
            .stdout(log.try_clone().expect("a file handle can be duplicated"))
            .stderr(log)
            .spawn()
            .expect("the server's binary can be run");
        let mut server = Self { child, ports, data_dir };
        let deadline = Instant::now() + START_WAIT;
        loop {
            // One shard may listen before the others do.
            if starts(server.data_dir.path()) > before {
                return Ok(server);
            }
            let ended = server.child.try_wait().expect("the child is ours").is_some();
            if ended || Instant::now() > deadline {
                return Err(server.into_data_dir());
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Where HTTP and WebSocket are spoken.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports.socket))
    }

    /// The file of the embedded database.
    pub fn database(&self) -> PathBuf {
        self.data_dir.path().join("kakera.db")
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        read_log(self.data_dir.path())
    }

    /// Sends a signal by its name, as `TERM`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([format!("-{name}"), self.pid().to_string()])
            .status()
            .expect("kill can be run");
        assert!(status.success(), "kill -{name} failed");
    }

    /// Waits until the server has ended by itself.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().expect("the child is ours") {
                return status;
            }
            assert!(Instant::now() < deadline, "the server does not end; log:\n{}", self.log());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Kills the server as a power cut would, and leaves what it stored.
    pub fn kill(self) -> DataDir {
        self.into_data_dir()
    }

    fn into_data_dir(mut self) -> DataDir {
        std::mem::replace(&mut self.data_dir, DataDir(PathBuf::new()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The command that runs the server as tests do.
pub fn command(data_dir: &Path, ports: Ports, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kakera"));
    command
        .arg("--data_dir")
        .arg(data_dir)
        .args(["--shards", "2", "--socket.address", "127.0.0.1", "--console.address", "127.0.0.1"])
        .arg(format!("--socket.port={}", ports.socket))
        .arg(format!("--console.port={}", ports.console))
        .args(flags)
        .stdin(Stdio::null());
    command
}

/// How often servers on this data directory said that they are ready.
fn starts(data_dir: &Path) -> usize {
    read_log(data_dir).matches("Startup done").count()
}

fn read_log(data_dir: &Path) -> String {
    fs::read_to_string(data_dir.join("server.log")).unwrap_or_default()
}
