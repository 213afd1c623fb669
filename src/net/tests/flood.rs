use std::{io::Read, rc::Rc};

use kakera_shards::runtime;

use super::harness::{ask, client, dial, front, front_against, on_a_shard, until};
use crate::flood::{AddressLimits, AddressTable, Limit, Rate};

const GET: &[u8] = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
const CLOSE: &[u8] = b"GET /close HTTP/1.1\r\nHost: x\r\n\r\n";

/// So many requests and connections at once; then one in a second.
fn table(requests: u32, connections: u32) -> Rc<AddressTable> {
    let limit = |burst| {
        Rate::new(1, burst).filter(|_| burst > 0).map(|rate| Limit { rate, refusals_max: 1 })
    };
    let limits = AddressLimits {
        requests: limit(requests),
        connections: limit(connections),
        addresses_max: 1024,
    };
    Rc::new(AddressTable::new(limits, runtime::clock(), &runtime::counters()))
}

/// Whether the other side has ended the connection.
fn is_over(stream: &mut impl Read) -> bool {
    matches!(stream.read(&mut [0; 64]), Ok(0) | Err(_))
}

#[test]
fn connections_over_the_rate_are_closed_and_those_before_stay() {
    on_a_shard(async |sockets| {
        let test = front_against(&sockets, None, Some(table(0, 2)), |_| ());
        let address = test.address;
        client(move || {
            let (mut one, mut two) = (dial(address), dial(address));
            assert_eq!((ask(&mut one, GET).0, ask(&mut two, GET).0), (200, 200));
            assert!(is_over(&mut dial(address)));
            assert_eq!((ask(&mut one, GET).0, ask(&mut two, GET).0), (200, 200));
        })
        .await;
        assert_eq!(runtime::counters().board().sum("flood_connections_refused"), 1);
    });
}

#[test]
fn an_address_that_floods_with_requests_opens_no_connection_until_it_was_quiet() {
    on_a_shard(async |sockets| {
        let table = table(1, 0);
        let test = front_against(&sockets, None, Some(table.clone()), |_| ());
        let address = test.address;
        let here = "127.0.0.1".parse().unwrap();
        assert!(table.request(here).is_ok());
        assert!(!table.request(here).unwrap_err().close);
        assert!(table.request(here).unwrap_err().close);
        client(move || assert!(is_over(&mut dial(address)))).await;
        runtime::sleep(std::time::Duration::from_millis(1100)).await;
        client(move || assert_eq!(ask(&mut dial(address), GET).0, 200)).await;
    });
}

#[test]
fn a_response_that_closes_is_the_connections_last() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let address = test.address;
        client(move || {
            let mut stream = dial(address);
            let (status, head, _) = ask(&mut stream, CLOSE);
            assert!(status == 200 && head.contains("connection: close"), "{head}");
            assert!(is_over(&mut stream));
        })
        .await;
        until(|| test.front.connections() == 0).await;
    });
}
