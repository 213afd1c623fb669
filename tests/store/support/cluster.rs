//! A private PostgreSQL cluster: its own folder, its own port, gone with this process.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use super::folder::Folder;

/// The password of user `game`, who must show it on TCP. It has what a URL has to encode.
const PASSWORD: &str = "p@ss/wörd";

pub struct Cluster {
    folder: Folder,
    bin: PathBuf,
    port: u16,
    running: Mutex<Option<Server>>,
}

struct Server {
    pid: u32,
    ended: mpsc::Receiver<()>,
}

/// The cluster that all tests share, each with a database of its own.
pub fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(Cluster::start)
}

impl Cluster {
    pub fn start() -> Self {
        let folder = Folder::new("pg");
        let bin = binaries();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let cluster = Self { folder, bin, port, running: Mutex::new(None) };
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(cluster.folder.path()));
        }
        let data = cluster.data();
        let mut initdb = as_postgres(&cluster.bin.join("initdb"));
        initdb.args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"]);
        run(initdb.arg("--no-sync").arg("-D").arg(&data));
        let access = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
        fs::write(data.join("pg_hba.conf"), access).unwrap();
        cluster.up();
        cluster
            .psql("postgres", &format!("create role game superuser login password '{PASSWORD}'"));
        cluster
    }

    /// Starts the server and waits until it answers.
    pub fn up(&self) {
        let mut command = as_postgres(&self.bin.join("postgres"));
        command.arg("-D").arg(self.data());
        for setting in [
            format!("port={}", self.port),
            "listen_addresses=127.0.0.1".into(),
            format!("unix_socket_directories={}", self.folder.path().display()),
            // These tests kill processes, not the machine.
            "fsync=off".into(),
            "max_connections=200".into(),
            "shared_buffers=32MB".into(),
            format!("ssl={}", if self.data().join("server.key").exists() { "on" } else { "off" }),
        ] {
            command.arg("-c").arg(setting);
        }
        let log =
            fs::File::options().create(true).append(true).open(self.folder.path().join("log"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.unwrap());
        // The server ends when the thread that started it does, so that thread waits for it.
        let (pid, started) = mpsc::channel();
        let (over, ended) = mpsc::channel();
        thread::spawn(move || {
            let mut child = command.spawn().unwrap();
            pid.send(child.id()).unwrap();
            let _ = child.wait();
            let _ = over.send(());
        });
        let pid = started.recv().unwrap();
        *self.running.lock().unwrap() = Some(Server { pid, ended });
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.try_psql("postgres", "select 1").status.success() {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "PostgreSQL does not start: {log}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends the server at once, as a crash would, with all its connections.
    pub fn kill(&self) {
        let Some(server) = self.running.lock().unwrap().take() else { return };
        // SIGQUIT: the children go too and nothing is written down.
        run(Command::new("kill").args(["-QUIT", &server.pid.to_string()]));
        server.ended.recv_timeout(Duration::from_secs(30)).expect("PostgreSQL does not end");
    }

    /// Lets the server take encrypted connections, by a certificate for `localhost` of an authority of
    /// its own, whose certificate this returns.
    pub fn enable_tls(&self) -> PathBuf {
        let folder = self.folder.path();
        let openssl = |arguments: &str| {
            let mut command = Command::new("openssl");
            run(command
                .current_dir(folder)
                .args(arguments.split_whitespace())
                .stderr(Stdio::null()));
        };
        openssl(
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem",
        );
        openssl(
            "req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout data/server.key -out server.csr",
        );
        fs::write(folder.join("san"), "subjectAltName=DNS:localhost").unwrap();
        openssl(
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san -out data/server.crt",
        );
        for file in ["server.key", "server.crt"] {
            let file = self.data().join(file);
            run(Command::new("chmod").arg("600").arg(&file));
            if is_root() {
                run(Command::new("chown").arg("postgres").arg(&file));
            }
        }
        self.kill();
        self.up();
        folder.join("ca.pem")
    }

    /// A new database, a copy of `template`. Returns its name.
    pub fn create_database(&self, template: &str) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let _alone = ONE_AT_A_TIME.lock().unwrap();
        self.psql("postgres", &format!("create database {name} template {template}"));
        name
    }

    /// Drops a database, whoever is still connected to it.
    pub fn drop_database(&self, name: &str) {
        self.psql("postgres", &format!("drop database {name} with (force)"));
    }

    /// The address of a database over the Unix socket.
    pub fn by_socket(&self, database: &str) -> String {
        let folder = self.folder.path().display();
        format!("postgres://game@/{database}?host={folder}&port={}", self.port)
    }

    /// The address of a database over TCP, with the password.
    pub fn by_tcp(&self, database: &str) -> String {
        format!("game:p%40ss%2Fw%C3%B6rd@127.0.0.1:{}/{database}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The rows of a statement as text, fields apart by `|`.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        let output = self.try_psql(database, sql);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "psql: {errors}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn try_psql(&self, database: &str, sql: &str) -> Output {
        Command::new(self.bin.join("psql"))
            .arg("-h")
            .arg(self.folder.path())
            .args(["-p", &self.port.to_string(), "-U", "postgres", "-d", database])
            .args(["-X", "-v", "ON_ERROR_STOP=1", "-Atc", sql])
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The newest installed server.
fn binaries() -> PathBuf {
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .map(|entries| {
            entries
                .flatten()
                .filter_map(|entry| {
                    let bin = entry.path().join("bin");
                    let version = entry.file_name().to_str()?.parse().ok()?;
                    bin.join("initdb").exists().then_some((version, bin))
                })
                .collect()
        })
        .unwrap_or_default();
    found.sort();
    found.pop().expect("no PostgreSQL below /usr/lib/postgresql; tests/run installs one").1
}

/// A server program, which refuses to run as root, and which ends with the thread that starts it.
fn as_postgres(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=QUIT");
    if is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    command.arg(program).current_dir("/");
    command
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout.trim_ascii() == b"0"
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
}
