//! The pool against a server that keeps to the protocol as far as it is told to.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    pin::pin,
    sync::mpsc,
    thread,
    time::Duration,
};

use futures_util::poll;
use kakera_shards::{
    runtime::{self, ExecutorConfig},
    socket::{SocketConfig, Sockets},
};

use super::{PgDatabase, connect::Target, pool::Pool};
use crate::store::{config::PostgresConfig, counters::ShardCounters, error::StoreError};

/// More than anything here takes, and less than for ever.
const AMPLE: Duration = Duration::from_secs(20);
/// What a silent server is given.
const LIMIT_MS: u64 = 200;

/// How far a server goes with each of its connections.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Server {
    /// It takes the connection and says nothing.
    Silent,
    /// It lets everybody in, and answers no statement.
    Welcoming,
    /// It lets everybody in and answers that each statement is done.
    Willing,
}

impl Server {
    /// Serves on a port of its own; each connection is told on the channel.
    fn start(self) -> (SocketAddr, mpsc::Receiver<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = tell.send(());
                thread::spawn(move || self.serve(stream.unwrap()));
            }
        });
        (address, told)
    }

    /// Until the client goes.
    fn serve(self, mut stream: TcpStream) -> Option<()> {
        let message = |stream: &mut TcpStream| {
            let mut len = [0; 4];
            stream.read_exact(&mut len).ok()?;
            let mut rest = vec![0; u32::from_be_bytes(len) as usize - 4];
            stream.read_exact(&mut rest).ok()
        };
        message(&mut stream)?;
        if self == Self::Silent {
            return message(&mut stream);
        }
        // Authenticated, and ready for a query.
        stream.write_all(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I").ok()?;
        loop {
            stream.read_exact(&mut [0]).ok()?;
            message(&mut stream)?;
            if self == Self::Willing {
                stream.write_all(b"C\0\0\0\x08SET\0Z\0\0\0\x05I").ok()?;
            }
        }
    }
}

fn on_a_shard<T>(main: impl AsyncFnOnce(Sockets) -> T) -> T {
    runtime::block_on(&ExecutorConfig::default(), async {
        let sockets = Sockets::start(SocketConfig::default()).unwrap();
        let result = runtime::timeout(AMPLE, main(sockets.clone())).await.expect("in time");
        sockets.shut_down().await;
        result
    })
    .unwrap()
}

/// A pool with one connection of either kind.
fn pool(sockets: &Sockets, server: SocketAddr, config: &PostgresConfig) -> std::rc::Rc<Pool> {
    let addresses = vec![format!("u:p@{server}/d?sslmode=disable")];
    let config = PostgresConfig { addresses, connections_max: 2, ..config.clone() };
    let database = PgDatabase::open(&config, 1_000).unwrap();
    let counters = ShardCounters::register(&runtime::counters());
    Pool::new(&database, 1, sockets.clone(), std::rc::Rc::new(counters))
}

#[test]
fn a_server_that_lets_in_and_answers_nothing_is_given_up() {
    let (address, _told) = Server::Welcoming.start();
    on_a_shard(async |sockets| {
        let config = PostgresConfig { connect_timeout_ms: LIMIT_MS, ..PostgresConfig::default() };
        let pool = pool(&sockets, address, &config);
        let refused = pool.shared().await.map(drop);
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    });
}

#[test]
fn a_silent_address_does_not_use_up_the_time_of_the_next() {
    let (silent, _told) = Server::Silent.start();
    let (willing, told) = Server::Willing.start();
    on_a_shard(async |sockets| {
        let target = Target::prepare("u:p@some.name/d?sslmode=disable").unwrap();
        let limit = Duration::from_millis(LIMIT_MS);
        let connected = target.connect_any(&sockets, &[silent, willing], "some.name", limit).await;
        assert!(connected.is_ok() && told.try_recv().is_ok());
    });
}

#[test]
fn a_connection_that_is_lost_is_replaced_by_who_waits_and_not_by_a_newcomer() {
    let (address, _told) = Server::Willing.start();
    on_a_shard(async |sockets| {
        let pool = pool(&sockets, address, &PostgresConfig::default());
        let lost = pool.exclusive().await.unwrap();
        let mut first = pin!(pool.exclusive());
        assert!(poll!(first.as_mut()).is_pending());
        // It was not said to be clean, so it is closed.
        drop(lost);
        let mut newcomer = pin!(pool.exclusive());
        assert!(poll!(newcomer.as_mut()).is_pending());
        let first = first.await.unwrap();
        assert_eq!((pool.exclusive_len(), pool.counters().connects.get()), (1, 2));
        assert!(poll!(newcomer.as_mut()).is_pending());
        first.clean();
        newcomer.await.unwrap().clean();
        assert_eq!((pool.exclusive_len(), pool.counters().connects.get()), (1, 2));
        assert_eq!(pool.counters().connections.get(), 1);
    });
}

#[test]
fn what_is_passed_to_somebody_who_goes_is_passed_on() {
    let (address, _told) = Server::Willing.start();
    on_a_shard(async |sockets| {
        let pool = pool(&sockets, address, &PostgresConfig::default());
        for clean in [true, false] {
            let lease = pool.exclusive().await.unwrap();
            let mut goes = Box::pin(pool.exclusive());
            let mut stays = pin!(pool.exclusive());
            assert!(poll!(goes.as_mut()).is_pending() && poll!(stays.as_mut()).is_pending());
            if clean {
                lease.clean();
            } else {
                drop(lease);
            }
            drop(goes);
            stays.await.unwrap().clean();
            assert_eq!((pool.exclusive_len(), pool.counters().waiting.get()), (1, 0));
        }
    });
}

#[test]
fn a_connection_past_its_time_is_closed_wherever_it_is() {
    let (address, _told) = Server::Willing.start();
    on_a_shard(async |sockets| {
        let config = PostgresConfig { connection_lifetime_ms: 20, ..PostgresConfig::default() };
        let pool = pool(&sockets, address, &config);
        let lease = pool.exclusive().await.unwrap();
        runtime::sleep(Duration::from_millis(30)).await;
        lease.clean();
        assert_eq!(pool.exclusive_len(), 0);
    });
}
